//! A signed image as a stream of raw bytes.
//!
//! Three stages run side by side: the network fills its buffers on the runtime, a thread of its own hashes and decodes,
//! and the caller checks and writes. A short queue lies between the last two; whoever is slower sets the pace, and
//! memory stays at a few pieces.

use std::io::{self, Read};
use std::sync::Arc;

use signpost::Role;
use tokio::sync::mpsc;
use trusted_repo::lz4::Lz4Reader;
use verity::BLOCK_SIZE;

use super::error::Error;
use super::tree::VerifiedTree;
use crate::wait::Waiter;

/// Bytes of one piece: whole blocks, large enough that passing it on costs nothing beside hashing it.
pub(super) const PIECE: usize = 256 * BLOCK_SIZE;
/// Pieces that may wait between decoding and writing.
const QUEUE: usize = 4;

/// The raw bytes of one signed image. The bytes are worth nothing before [`RawImage::finish`] has agreed, unless each
/// of them is checked against something that is signed itself.
pub trait RawImage: Read + Send + 'static {
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

/// The hash image, which lies in memory and was verified as a whole.
pub(super) struct InMemory {
    tree: Arc<VerifiedTree>,
    at: usize,
}

impl InMemory {
    pub(super) fn new(tree: Arc<VerifiedTree>) -> Self {
        Self { tree, at: 0 }
    }
}

impl Read for InMemory {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = (&self.tree.raw()[self.at..]).read(buf)?;
        self.at += count;
        Ok(count)
    }
}

impl RawImage for InMemory {
    fn finish(self) -> Result<(), trusted_repo::Error> {
        Ok(())
    }
}

/// What travels through the queue.
enum Piece {
    Bytes(Vec<u8>),
    End(Result<(), trusted_repo::Error>),
}

/// Passes the bytes of `source` to `sink`, in order, in pieces of [`PIECE`] bytes (the last one may be shorter), and
/// returns when all of them were taken and `source` was found to be what was signed. A stop signal ends it between two
/// pieces; so does an error of `sink`.
///
/// # Errors
/// What `sink` or `source` say, and [`Error::Stopped`].
pub(super) fn pump<S: RawImage>(
    image: Role,
    source: S,
    waiter: &Waiter,
    mut sink: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let (full, mut pieces) = mpsc::channel(QUEUE);
    let (give_back, empty) = std::sync::mpsc::channel();
    // Not joined: when the network stalls and we are told to stop, this thread ends when its stream is torn down.
    std::thread::Builder::new()
        .name(format!("decode-{image}"))
        .spawn(move || decode(image, source, &full, &empty))
        .map_err(|source| Error::Decoder { image, source })?;
    loop {
        match waiter.wait(pieces.recv())? {
            Some(Piece::Bytes(bytes)) => {
                sink(&bytes)?;
                let _decoder_may_be_done = give_back.send(bytes);
            }
            Some(Piece::End(end)) => return end.map_err(|source| Error::Source { image, source }),
            None => {
                let source = io::Error::other("the thread that decodes it ended without a result");
                return Err(Error::Decoder { image, source });
            }
        }
    }
}

fn decode<S: RawImage>(
    image: Role,
    mut source: S,
    full: &mpsc::Sender<Piece>,
    empty: &std::sync::mpsc::Receiver<Vec<u8>>,
) {
    let end = loop {
        let mut piece = empty.try_recv().unwrap_or_else(|_| Vec::with_capacity(PIECE));
        piece.clear();
        match source.by_ref().take(PIECE as u64).read_to_end(&mut piece) {
            Ok(0) => break source.finish(),
            Ok(_) => {
                if full.blocking_send(Piece::Bytes(piece)).is_err() {
                    return;
                }
            }
            Err(error) => break Err(trusted_repo::Error::from_read(image.as_str(), error)),
        }
    };
    let _writer_may_be_gone = full.blocking_send(Piece::End(end));
}
