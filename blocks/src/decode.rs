//! One frame in, its part of the image out.

use std::fmt;

use ring::digest::{SHA256, digest};
use thiserror::Error;

use crate::frame::{self, FrameError};
use crate::index::Frame;

/// Decodes frames one at a time.
pub struct Decoder(zstd::bulk::Decompressor<'static>);

/// Why a frame was not decoded.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// Other than as many bytes as the index says.
    #[error("decode the frame at {offset}: it has {len} bytes, and the index says {expected}")]
    Length {
        /// Where the frame begins in the data.
        offset: u64,
        /// Bytes that were given.
        len: usize,
        /// Bytes that the index says.
        expected: u32,
    },
    /// It is no frame of ours.
    #[error("decode the frame at {offset}")]
    Frame {
        /// Where the frame begins in the data.
        offset: u64,
        /// What is wrong with it.
        source: FrameError,
    },
    /// What is in it cannot be decoded.
    #[error("decode the frame at {offset}: {reason}")]
    Content {
        /// Where the frame begins in the data.
        offset: u64,
        /// In the decoder's words.
        reason: String,
    },
    /// Its raw bytes are others than the index says.
    #[error("decode the frame at {offset}: its content is not what the index says")]
    Differs {
        /// Where the frame begins in the data.
        offset: u64,
    },
}

impl Decoder {
    /// A decoder. It takes some 100 KiB of memory.
    ///
    /// # Panics
    /// When there is no memory for it.
    #[must_use]
    pub fn new() -> Self {
        Self(zstd::bulk::Decompressor::new().expect("a decoder without a dictionary needs memory only"))
    }

    /// Decodes one frame, whose `compressed` bytes are the verified ones: [`Frame::is`], or whoever fetched them, has
    /// seen to that. There is exactly one frame in them, and what is in it fills `raw`.
    ///
    /// # Errors
    /// When the bytes are anything else; what is in `raw` is then worth nothing. A later frame can be decoded all the
    /// same.
    pub fn decode(&mut self, frame: &Frame, compressed: &[u8], raw: &mut [u8]) -> Result<(), DecodeError> {
        let offset = frame.offset;
        if compressed.len() != frame.length as usize {
            return Err(DecodeError::Length { offset, len: compressed.len(), expected: frame.length });
        }
        frame::check(compressed, raw.len()).map_err(|source| DecodeError::Frame { offset, source })?;
        let content = |reason: String| DecodeError::Content { offset, reason };
        let count = self
            .0
            .decompress_to_buffer(compressed, raw)
            .map_err(|error| content(error.to_string().to_lowercase()))?;
        if count != raw.len() {
            return Err(content(format!("it has {count} bytes, and {} are needed", raw.len())));
        }
        if frame.raw_sha256.is_some_and(|expected| digest(&SHA256, raw).as_ref() != expected) {
            return Err(DecodeError::Differs { offset });
        }
        Ok(())
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(compressed: &[u8], raw: Option<&[u8]>) -> Frame {
        let sha256 = |bytes: &[u8]| digest(&SHA256, bytes).as_ref().try_into().unwrap();
        let length = u32::try_from(compressed.len()).unwrap();
        Frame { offset: 7, length, sha256: sha256(compressed), raw_sha256: raw.map(sha256) }
    }

    fn decode(
        decoder: &mut Decoder,
        frame: &Frame,
        raw_len: usize,
        bytes: &[u8],
    ) -> Result<Vec<u8>, DecodeError> {
        let mut raw = vec![0xa5; raw_len];
        decoder.decode(frame, bytes, &mut raw).map(|()| raw)
    }

    fn compressed(raw: &[u8]) -> Vec<u8> {
        zstd::bulk::compress(raw, 9).unwrap()
    }

    #[test]
    fn a_frame_gives_its_part_of_the_image() {
        let raw = b"one block of an image ".repeat(100);
        let bytes = compressed(&raw);
        let mut decoder = Decoder::new();
        for frame in [framed(&bytes, Some(&raw)), framed(&bytes, None)] {
            assert!(frame.is(&bytes));
            assert_eq!(decode(&mut decoder, &frame, raw.len(), &bytes).unwrap(), raw);
        }
    }

    #[test]
    fn a_bomb_never_gets_beyond_the_buffer() {
        let bytes = compressed(&vec![0; 1 << 20]);
        let frame = framed(&bytes, None);
        let mut decoder = Decoder::new();
        let stated = FrameError::Content { stated: 1 << 20, expected: 4096 };
        assert_eq!(
            decode(&mut decoder, &frame, 4096, &bytes),
            Err(DecodeError::Frame { offset: 7, source: stated })
        );
        // One that states the right length and has more.
        let mut lying = bytes;
        lying.splice(4..9, [0b0110_0000, 0, 0x0F]);
        let refused = decode(&mut decoder, &framed(&lying, None), 4096, &lying);
        assert!(matches!(refused, Err(DecodeError::Content { .. })), "{refused:?}");
    }

    #[test]
    fn a_frame_with_less_in_it_than_it_states_is_refused() {
        let mut bytes = compressed(&[7; 100]);
        bytes[5] = 200;
        let refused = decode(&mut Decoder::new(), &framed(&bytes, None), 200, &bytes);
        assert!(matches!(refused, Err(DecodeError::Content { .. })), "{refused:?}");
    }

    #[test]
    fn other_bytes_than_the_index_names_are_refused_and_the_next_frame_is_decoded() {
        let raw = b"the right content".to_vec();
        let bytes = compressed(&raw);
        let mut decoder = Decoder::new();
        let other = framed(&bytes, Some(b"some other content"));
        assert_eq!(decode(&mut decoder, &other, raw.len(), &bytes), Err(DecodeError::Differs { offset: 7 }));
        let right = framed(&bytes, Some(&raw));
        assert!(matches!(
            decode(&mut decoder, &right, raw.len(), &bytes[1..]),
            Err(DecodeError::Length { len: 25, expected: 26, .. })
        ));
        for at in 4..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x55;
            assert!(!right.is(&damaged));
            assert!(decode(&mut decoder, &right, raw.len(), &damaged).is_err(), "byte {at}");
        }
        assert_eq!(decode(&mut decoder, &right, raw.len(), &bytes).unwrap(), raw);
    }
}
