//! LZ4 frames, read to the very end of their stream.
//!
//! A decoder stops at a frame's end mark and takes a stream that breaks off between two blocks for a complete one. Here
//! the stream behind the frame is drained and must be empty, and a frame without its end mark is an error.

use std::io::{self, Cursor, Read, Write};

use lz4_flex::frame::FrameDecoder;

use super::midway::{Flags, Midway, Noting};
use super::tap::{Tap, read};
use crate::Error;
use crate::target::pieces::VerifiedPieces;
use crate::target::proof::{VerifiedBytes, VerifiedTarget};
use crate::target::reader::TargetReader;

/// How much is read at once while draining.
const BLOCK: usize = 64 * 1024;

/// The raw bytes of a target that is one LZ4 frame.
pub struct Lz4Reader {
    decoder: FrameDecoder<Tap<TargetReader>>,
    frame_ended: bool,
    raw: u64,
    noting: Option<Noting>,
}

impl Lz4Reader {
    /// Decodes `target`. Memory is bounded by the largest block of the format, 4 MiB, and its window.
    #[must_use]
    pub fn new(target: TargetReader) -> Self {
        Self { decoder: FrameDecoder::new(Tap::new(target)), frame_ended: false, raw: 0, noting: None }
    }

    /// Tells where the blocks of the frame begin, but for the first one.
    #[must_use]
    pub fn noting(self, noting: Noting) -> Self {
        Self { noting: Some(noting), ..self }
    }

    /// Drains the target and gives its proof.
    ///
    /// # Errors
    /// When the frame is broken or cut short, when bytes follow it, and when the bytes are not the signed ones. What is
    /// wrong with the signed bytes is told before what is wrong with the frame.
    pub fn finish(mut self) -> Result<VerifiedTarget, Error> {
        let name = self.decoder.get_ref().inner.name().to_owned();
        let decoded = self.drain_frame();
        let tap = self.decoder.into_inner();
        let behind = drain(tap.inner);
        let (trailing, proof) = behind?;
        decoded.map_err(|error| Error::from_read(&name, error))?;
        if trailing {
            return Err(trailing_bytes(&name));
        }
        Ok(proof)
    }

    fn drain_frame(&mut self) -> io::Result<()> {
        let mut scratch = vec![0; BLOCK];
        while !self.frame_ended {
            let _ = self.read(&mut scratch)?;
        }
        Ok(())
    }
}

impl Read for Lz4Reader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        // Asked again after an end mark, the decoder would look for a second frame.
        if self.frame_ended || buf.is_empty() {
            return Ok(0);
        }
        let step = read(&mut self.decoder, buf)?;
        self.frame_ended = step.count == 0;
        let tap = self.decoder.get_ref();
        if let Some(noting) = &mut self.noting
            && let Some(block) = step.block
            && let Some(flags) = Flags::of(tap.head())
        {
            noting(flags, Midway { at: tap.taken(), raw: self.raw + block });
        }
        self.raw += step.count as u64;
        Ok(step.count)
    }
}

impl std::fmt::Debug for Lz4Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lz4Reader").field("target", &self.decoder.get_ref().inner).finish_non_exhaustive()
    }
}

/// Reads all that is left of a target, and says whether there was anything.
fn drain(mut target: TargetReader) -> Result<(bool, VerifiedTarget), Error> {
    let mut one = [0];
    let any = match target.read(&mut one) {
        Ok(count) => count > 0,
        Err(error) => return Err(Error::from_read(target.name(), error)),
    };
    Ok((any, target.finish()?))
}

/// Decodes a small target that is one LZ4 frame, up to `limit` raw bytes.
///
/// # Errors
/// [`Error::TooLarge`] above the limit; [`Error::Tampered`] for a broken frame, and for bytes before or after it.
pub fn decode(bytes: &VerifiedBytes, limit: u64) -> Result<Vec<u8>, Error> {
    let mut raw = Vec::new();
    decode_into(bytes, limit, &mut raw)?;
    Ok(raw)
}

/// [`decode`] of a target that is given away; it goes while what is in it comes.
///
/// # Errors
/// As [`decode`].
pub fn decode_pieces(mut pieces: VerifiedPieces, limit: u64) -> Result<Vec<u8>, Error> {
    let target = pieces.target().clone();
    // What comes in pieces can hardly be compressed, so this is about as long as it gets.
    let mut raw = Vec::with_capacity(usize::try_from(target.length().min(limit)).unwrap_or_default());
    decode_from(target.name(), &mut pieces, limit, &mut raw)?;
    if !pieces.is_at_end() {
        return Err(trailing_bytes(target.name()));
    }
    Ok(raw)
}

/// Whether [`decode`] would succeed: how many raw bytes there are. None of them is kept.
///
/// # Errors
/// As [`decode`].
pub fn check(bytes: &VerifiedBytes, limit: u64) -> Result<u64, Error> {
    decode_into(bytes, limit, &mut io::sink())
}

fn decode_into(bytes: &VerifiedBytes, limit: u64, raw: &mut dyn Write) -> Result<u64, Error> {
    let mut cursor = Cursor::new(bytes.bytes());
    let count = decode_from(bytes.name(), &mut cursor, limit, raw)?;
    if cursor.position() < bytes.bytes().len() as u64 {
        return Err(trailing_bytes(bytes.name()));
    }
    Ok(count)
}

/// Decodes one frame. Whoever gave `from` looks at what is left in it.
fn decode_from(name: &str, from: impl Read, limit: u64, raw: &mut dyn Write) -> Result<u64, Error> {
    let refused = |error: io::Error| Error::from_read(name, error);
    let mut decoder = FrameDecoder::new(Tap::new(from));
    let count = io::copy(&mut (&mut decoder).take(limit.saturating_add(1)), raw).map_err(refused)?;
    if count > limit {
        return Err(Error::TooLarge { name: name.to_owned(), limit });
    }
    decoder.into_inner().check_ended().map_err(refused)?;
    Ok(count)
}

fn trailing_bytes(name: &str) -> Error {
    Error::Tampered { name: name.to_owned(), reason: "there are bytes after its LZ4 frame".to_owned() }
}
