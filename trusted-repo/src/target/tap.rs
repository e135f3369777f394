//! What passes into a decoder of LZ4: whether it ran into the end of the stream, which it never does after an end mark, how
//! the stream began, and how much was taken of it.

use std::io::{self, BufRead as _, Read};

use lz4_flex::frame::FrameDecoder;

/// The bytes that a decoder takes, on their way.
pub(super) struct Tap<R> {
    pub(super) inner: R,
    ran_out: bool,
    head: Vec<u8>,
    taken: u64,
}

/// As much of a frame's beginning as says what its blocks are.
const HEAD: usize = 6;

impl<R> Tap<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, ran_out: false, head: Vec::with_capacity(HEAD), taken: 0 }
    }

    /// How many bytes were taken.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// How the stream began, as far as it was taken.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Refuses a frame behind which the decoder ran into the end of the stream.
    pub(super) fn check_ended(&self) -> io::Result<()> {
        if self.ran_out {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "its LZ4 frame is cut short"));
        }
        Ok(())
    }
}

impl<R: Read> Read for Tap<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buf)?;
        self.ran_out |= count == 0 && !buf.is_empty();
        self.taken += count as u64;
        let more = count.min(HEAD.saturating_sub(self.head.len()));
        self.head.extend_from_slice(&buf[..more]);
        Ok(count)
    }
}

/// What one read of a decoder brought.
pub(super) struct Step {
    /// How many bytes; none at the end of the frame.
    pub(super) count: usize,
    /// How many bytes the block has that was decoded for this read; `None` if they were there already.
    pub(super) block: Option<u64>,
}

/// Reads on in a frame that has not ended. The decoder takes one block at a time and not a byte more.
pub(super) fn read<R: Read>(decoder: &mut FrameDecoder<Tap<R>>, buf: &mut [u8]) -> io::Result<Step> {
    let taken = decoder.get_ref().taken();
    let decoded = decoder.fill_buf()?;
    let (block, count) = (decoded.len() as u64, decoded.len().min(buf.len()));
    buf[..count].copy_from_slice(&decoded[..count]);
    decoder.consume(count);
    let tap = decoder.get_ref();
    if count == 0 {
        tap.check_ended()?;
    }
    Ok(Step { count, block: (count > 0 && tap.taken() > taken).then_some(block) })
}
