//! What a frame may look like, before a decoder sees it (RFC 8878, "Zstandard Frames").
//!
//! Frames are narrower than zstd allows: one segment, so that no window is larger than the content; the content's length
//! stated; no dictionary; and exactly one frame.

use thiserror::Error;

const MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
const SINGLE_SEGMENT: u8 = 1 << 5;
const RESERVED: u8 = 1 << 4 | 1 << 3;
const CHECKSUM: u8 = 1 << 2;
const DICTIONARY: u8 = 0b11;

/// Why bytes are no frame of ours.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// They begin with something else.
    #[error("it does not begin like a zstd frame")]
    NotFrame,
    /// It may have been cut off.
    #[error("it ends too early")]
    Truncated,
    /// It asks for something that frames of ours never have.
    #[error("{0}")]
    Unwanted(&'static str),
    /// Its content is longer or shorter than its part of the image.
    #[error("it says that its content has {stated} bytes, and {expected} are needed")]
    Content {
        /// What it says.
        stated: u64,
        /// What the index says.
        expected: usize,
    },
    /// There are bytes behind it.
    #[error("there are {count} bytes behind it")]
    Trailing {
        /// How many.
        count: usize,
    },
}

/// Looks at a frame from its first to its last byte, without decoding it: its content has `raw_len` bytes.
///
/// # Errors
/// When it is anything but one frame of ours.
pub fn check(bytes: &[u8], raw_len: usize) -> Result<(), FrameError> {
    let rest = bytes.strip_prefix(&MAGIC).ok_or(FrameError::NotFrame)?;
    let (&descriptor, rest) = rest.split_first().ok_or(FrameError::Truncated)?;
    if descriptor & RESERVED != 0 {
        return Err(FrameError::Unwanted("it has bits set that nobody knows"));
    }
    if descriptor & DICTIONARY != 0 {
        return Err(FrameError::Unwanted("it needs a dictionary"));
    }
    if descriptor & SINGLE_SEGMENT == 0 {
        return Err(FrameError::Unwanted("it is not a single segment"));
    }
    let (stated, mut rest) = content_size(descriptor >> 6, rest)?;
    if stated != raw_len as u64 {
        return Err(FrameError::Content { stated, expected: raw_len });
    }
    loop {
        let (header, after) = rest.split_first_chunk::<3>().ok_or(FrameError::Truncated)?;
        let header = u32::from_le_bytes([header[0], header[1], header[2], 0]);
        let len = match header >> 1 & 0b11 {
            0 | 2 => header >> 3,
            1 => 1,
            _ => return Err(FrameError::Unwanted("it has a block of a kind that nobody knows")),
        };
        rest = after.get(len as usize..).ok_or(FrameError::Truncated)?;
        if header & 1 != 0 {
            break;
        }
    }
    if descriptor & CHECKSUM != 0 {
        rest = rest.get(4..).ok_or(FrameError::Truncated)?;
    }
    if rest.is_empty() { Ok(()) } else { Err(FrameError::Trailing { count: rest.len() }) }
}

/// The length of the content, which a single segment always states.
fn content_size(kind: u8, bytes: &[u8]) -> Result<(u64, &[u8]), FrameError> {
    let len = 1 << kind;
    let (field, rest) = bytes.split_at_checked(len).ok_or(FrameError::Truncated)?;
    let mut number = [0; 8];
    number[..len].copy_from_slice(field);
    let number = u64::from_le_bytes(number);
    Ok((if kind == 1 { number + 256 } else { number }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One segment of `content` bytes, stored as they are.
    fn stored(content: &[u8]) -> Vec<u8> {
        let header = u32::try_from(content.len()).unwrap() << 3 | 1;
        let size = u8::try_from(content.len()).unwrap();
        [&MAGIC[..], &[SINGLE_SEGMENT, size], &header.to_le_bytes()[..3], content].concat()
    }

    #[test]
    fn one_frame_is_looked_at_from_its_first_to_its_last_byte() {
        let frame = stored(b"hello");
        assert_eq!(check(&frame, 5), Ok(()));
        assert_eq!(zstd::bulk::decompress(&frame, 5).unwrap(), b"hello");
        for len in 0..frame.len() {
            let expected = if len < 4 { FrameError::NotFrame } else { FrameError::Truncated };
            assert_eq!(check(&frame[..len], 5), Err(expected), "{len}");
        }
        assert_eq!(check(&frame, 6), Err(FrameError::Content { stated: 5, expected: 6 }));
    }

    #[test]
    fn nothing_may_follow_a_frame() {
        let twice = [stored(b"hello"), stored(b"")].concat();
        assert_eq!(check(&twice, 5), Err(FrameError::Trailing { count: 9 }));
        let skippable = [&stored(b"hello")[..], &[0x50, 0x2A, 0x4D, 0x18, 0, 0, 0, 0]].concat();
        assert_eq!(check(&skippable, 5), Err(FrameError::Trailing { count: 8 }));
    }

    #[test]
    fn frames_that_are_not_as_ours_are_refused() {
        let with = |descriptor: u8| {
            let mut frame = stored(b"hello");
            frame[4] = descriptor;
            check(&frame, 5)
        };
        for bit in [3, 4] {
            assert!(matches!(with(SINGLE_SEGMENT | 1 << bit), Err(FrameError::Unwanted(_))));
        }
        for dictionary in 1..4 {
            assert_eq!(with(SINGLE_SEGMENT | dictionary), Err(FrameError::Unwanted("it needs a dictionary")));
        }
        assert_eq!(with(0), Err(FrameError::Unwanted("it is not a single segment")));
        let mut unknown = stored(b"hello");
        unknown[6] |= 0b110;
        assert!(matches!(check(&unknown, 5), Err(FrameError::Unwanted(_))));
        // A checksum is four bytes more.
        assert_eq!(with(SINGLE_SEGMENT | CHECKSUM), Err(FrameError::Truncated));
    }
}
