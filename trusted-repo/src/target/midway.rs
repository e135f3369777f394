//! An LZ4 frame that is entered at one of its blocks, for whoever has all that comes before.
//!
//! Nothing that is signed says where the blocks of a frame lie, and of a stream that is entered in the middle nobody knows
//! the digest. So this is for an image each of whose parts is judged by a digest of its own, and for nothing else: what
//! comes out here is no proof of anything. Where blocks begin is learned while the stream passes, and wrong knowledge of it
//! gives wrong bytes, which are refused one by one.

use std::io::{self, Chain, Cursor, Read, Write as _};

use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

use super::tail::TargetTail;
use super::tap::{Tap, read};
use crate::Error;

/// How far back a block may refer, in bytes: as much of what comes before has to be given.
pub const WINDOW: usize = 64 * 1024;

/// The end mark of a frame.
const END_MARK: usize = 4;
/// What tells frames of this kind.
const MAGIC: [u8; 4] = 0x184D_2204_u32.to_le_bytes();

/// What a frame says of its blocks: the two bytes behind its magic number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags(pub [u8; 2]);

/// Where a block begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Midway {
    /// In the target, in bytes.
    pub at: u64,
    /// In what the target holds, in bytes.
    pub raw: u64,
}

/// Who wants to know where blocks begin.
pub type Noting = Box<dyn FnMut(Flags, Midway) + Send>;

impl Flags {
    /// Those of a frame that begins with `head`; none for frames of another kind, and for those that are no frames.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        let flags = head.strip_prefix(&MAGIC)?.get(..2)?;
        Some(Self(flags.try_into().expect("two bytes")))
    }

    fn has(self, bit: u8) -> bool {
        self.0[0] & (1 << bit) != 0
    }

    /// A frame with such blocks, begun with `before` and not ended.
    fn begun_with(self, before: &[u8]) -> io::Result<Vec<u8>> {
        let size = match self.0[1] >> 4 & 7 {
            4 => BlockSize::Max64KB,
            5 => BlockSize::Max256KB,
            6 => BlockSize::Max1MB,
            7 => BlockSize::Max4MB,
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "no frame has such blocks")),
        };
        let mode = if self.has(5) { BlockMode::Independent } else { BlockMode::Linked };
        let info = FrameInfo::new().block_size(size).block_mode(mode).block_checksums(self.has(4));
        let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(before)?;
        let mut frame = encoder.finish()?;
        frame.truncate(frame.len() - END_MARK);
        Ok(frame)
    }

    /// The bytes behind the end mark: a checksum of all that the frame holds, which nobody can look at here.
    fn behind_end(self) -> u64 {
        if self.has(2) { 4 } else { 0 }
    }
}

/// The raw bytes of a target that is one LZ4 frame, from one of its blocks on. **Not verified.**
pub struct Lz4Midway {
    decoder: FrameDecoder<Tap<Chain<Cursor<Vec<u8>>, TargetTail>>>,
    flags: Flags,
    from: Midway,
    /// How much the beginning of our own takes, in the stream and decoded.
    begun: u64,
    before: usize,
    raw: u64,
    frame_ended: bool,
    noting: Option<Noting>,
}

impl Lz4Midway {
    /// Decodes `tail`, which begins where the block `from` begins. `before` are the [`WINDOW`] raw bytes before it.
    ///
    /// # Errors
    /// When no frame is like that.
    pub fn new(tail: TargetTail, flags: Flags, from: Midway, before: &[u8]) -> Result<Self, Error> {
        let refused = |error| Error::from_read(tail.name(), error);
        let beginning = flags.begun_with(before).map_err(refused)?;
        let begun = beginning.len() as u64;
        let decoder = FrameDecoder::new(Tap::new(Cursor::new(beginning).chain(tail)));
        let (before, raw) = (before.len(), from.raw);
        Ok(Self { decoder, flags, from, begun, before, raw, frame_ended: false, noting: None })
    }

    /// Tells where later blocks begin.
    #[must_use]
    pub fn noting(self, noting: Noting) -> Self {
        Self { noting: Some(noting), ..self }
    }

    /// Where in what the target holds it begins, in bytes.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.from.raw
    }

    /// Reads what is left, and sees that the frame ends where the target ends.
    ///
    /// # Errors
    /// When it does not, or the bytes do not come.
    pub fn finish(mut self) -> Result<(), Error> {
        let name = self.decoder.get_ref().inner.get_ref().1.name().to_owned();
        let mut scratch = vec![0; WINDOW];
        let expected = self.flags.behind_end();
        let rest = || {
            while !self.frame_ended {
                let _ = self.read(&mut scratch)?;
            }
            let (_, mut tail) = self.decoder.into_inner().inner.into_inner();
            io::copy(&mut tail, &mut io::sink())
        };
        let behind = rest().map_err(|error| Error::from_read(&name, error))?;
        if behind != expected {
            return Err(Error::Tampered { name, reason: format!("{behind} bytes are behind its LZ4 frame") });
        }
        Ok(())
    }
}

impl Read for Lz4Midway {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.before > 0 {
            let mut again = vec![0; self.before];
            let count = self.decoder.read(&mut again)?;
            if count == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "its LZ4 frame is cut short"));
            }
            self.before -= count;
        }
        if self.frame_ended || buf.is_empty() {
            return Ok(0);
        }
        let step = read(&mut self.decoder, buf)?;
        self.frame_ended = step.count == 0;
        if let Some(noting) = &mut self.noting
            && let Some(block) = step.block
        {
            let at = self.from.at + (self.decoder.get_ref().taken() - self.begun);
            noting(self.flags, Midway { at, raw: self.raw + block });
        }
        self.raw += step.count as u64;
        Ok(step.count)
    }
}

impl std::fmt::Debug for Lz4Midway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lz4Midway").field("from", &self.from).finish_non_exhaustive()
    }
}
