//! A signed image as a stream of raw bytes.
//!
//! The network fills its buffers on the runtime, a thread of its own hashes and decodes, and a [`crew`](super::crew)
//! checks and writes. A short queue lies between any two; whoever is slower sets the pace, and memory stays at a few
//! pieces.

use std::io::{self, Read};

use host_io::Buffer;
use ring::digest;
use signpost::Role;
use tokio::sync::mpsc;
use trusted_repo::lz4::Lz4Reader;
use trusted_repo::midway::Lz4Midway;

use super::PIECE;
use super::error::Error;
use super::sum::{RawSum, Sha256};

/// Pieces that may wait between decoding and writing.
const QUEUE: usize = 4;

/// The raw bytes of one signed image. The bytes are worth nothing before [`RawImage::finish`] has agreed, unless each
/// of them is checked against something that is signed itself.
pub trait RawImage: Read + Send + 'static {
    /// Where in the image it begins, in bytes.
    fn start(&self) -> u64 {
        0
    }

    /// Reads whatever is left and says whether all of it is what was signed.
    ///
    /// # Errors
    /// When it is not.
    fn finish(self) -> Result<(), trusted_repo::Error>;
}

impl RawImage for Lz4Reader {
    fn finish(self) -> Result<(), trusted_repo::Error> {
        Self::finish(self).map(drop)
    }
}

impl RawImage for Lz4Midway {
    fn start(&self) -> u64 {
        Self::start(self)
    }

    fn finish(self) -> Result<(), trusted_repo::Error> {
        Self::finish(self)
    }
}

/// Some bytes of an image.
pub(super) struct Piece {
    /// Where they begin in the image.
    pub(super) at: u64,
    buffer: Buffer,
    len: usize,
}

impl Piece {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// Where they end in the image.
    pub(super) fn end(&self) -> u64 {
        self.at + self.len as u64
    }
}

/// What travels through the queue.
enum Message {
    Piece(Piece),
    End(Result<Sha256, trusted_repo::Error>),
}

/// A stream as pieces of [`PIECE`] bytes; only the last one may be shorter.
pub(super) struct Pieces {
    image: Role,
    messages: mpsc::Receiver<Message>,
    len: u64,
}

/// Where used pieces go, so that their memory is used again.
pub(super) type GiveBack = std::sync::mpsc::Sender<Buffer>;

impl Pieces {
    /// Starts to decode.
    ///
    /// # Errors
    /// [`Error::Thread`].
    pub(super) fn start<S: RawImage>(image: Role, source: S) -> Result<(Self, GiveBack), Error> {
        let (full, messages) = mpsc::channel(QUEUE);
        let (give_back, empty) = std::sync::mpsc::channel();
        // Not joined: when the network stalls and we are told to stop, this thread ends when its stream is torn down.
        std::thread::Builder::new()
            .name(format!("decode-{image}"))
            .spawn(move || decode(image, source, &full, &empty))
            .map_err(Error::Thread)?;
        Ok((Self { image, messages, len: 0 }, give_back))
    }

    /// The next piece; none when all of them were handed out and the stream was found to be what was signed.
    pub(super) async fn next(&mut self) -> Result<Result<Piece, RawSum>, Error> {
        let image = self.image;
        match self.messages.recv().await {
            Some(Message::Piece(piece)) => {
                self.len = piece.end();
                Ok(Ok(piece))
            }
            Some(Message::End(Ok(sha256))) => Ok(Err(RawSum { len: self.len, sha256 })),
            Some(Message::End(Err(source))) => Err(Error::Source { image, source }),
            None => Err(Error::Thread(io::Error::other("the thread that decodes ended without a result"))),
        }
    }
}

impl Piece {
    /// Hands its memory back.
    pub(super) fn give_back(self, to: &GiveBack) {
        let _decoder_may_be_done = to.send(self.buffer);
    }
}

fn decode<S: RawImage>(
    image: Role,
    mut source: S,
    full: &mpsc::Sender<Message>,
    empty: &std::sync::mpsc::Receiver<Buffer>,
) {
    let mut sum = digest::Context::new(&digest::SHA256);
    let mut at = source.start();
    let end = loop {
        let mut buffer = empty.try_recv().unwrap_or_else(|_| Buffer::new(PIECE));
        match fill(&mut source, &mut buffer) {
            Ok(0) => break source.finish(),
            Ok(len) => {
                // Root is summed up by its tree.
                if image == Role::Boot {
                    sum.update(&buffer[..len]);
                }
                if full.blocking_send(Message::Piece(Piece { at, buffer, len })).is_err() {
                    return;
                }
                at += len as u64;
            }
            Err(error) => break Err(trusted_repo::Error::from_read(image.as_str(), error)),
        }
    };
    let end = end.map(|()| sum.finish().as_ref().try_into().expect("a SHA-256 has 32 bytes"));
    let _writer_may_be_gone = full.blocking_send(Message::End(end));
}

/// Reads until the buffer is full or there is no more.
fn fill(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
