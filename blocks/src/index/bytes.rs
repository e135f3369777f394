//! An index from bytes and back (`docs/formats.md`, "Index").

use thiserror::Error;

use super::{Index, MAX_FRAMES, MAX_HEADER, entry_len, longest_frame, u32_at};
use crate::size::FrameSize;

/// What an index begins with.
pub const MAGIC: [u8; 8] = *b"ABFRAMES";
/// The version of the format that is written, and the only one that is read.
pub const VERSION: u16 = 1;
/// The header as it is written; a later writer may append fields to it, which are skipped here.
const HEADER: usize = 28;
/// The flag for a second digest in each entry, that of the raw bytes.
const RAW_DIGESTS: u32 = 1;

/// Why bytes are no index.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum IndexError {
    /// It begins with something else.
    #[error("read the index of frames: it begins with something else")]
    NotIndex,
    /// Another version of the format.
    #[error("read the index of frames: it has version {version} of the format, and {VERSION} is known here")]
    Version {
        /// The version.
        version: u16,
    },
    /// It says that a reader must know something which this one does not.
    #[error("read the index of frames: a reader must understand {flags:#x}, which this one does not")]
    Flags {
        /// The flags that are not known.
        flags: u32,
    },
    /// A field is out of its range.
    #[error("read the index of frames: its {field} is out of range")]
    Field {
        /// Which.
        field: &'static str,
    },
    /// It is shorter or longer than the image and the size of its frames make it.
    #[error("read the index of frames: it has {len} bytes, and {need} are needed")]
    Length {
        /// Bytes that are there.
        len: usize,
        /// Bytes that the header implies.
        need: u64,
    },
    /// A frame cannot have that length.
    #[error("read the index of frames: frame {frame} has {length} bytes, which no frame of its size has")]
    FrameLength {
        /// Which frame.
        frame: usize,
        /// Its compressed length.
        length: u32,
    },
}

impl IndexError {
    /// Whether a later version of this program may be able to read it, so that nothing is wrong with the index itself.
    #[must_use]
    pub fn is_unknown_format(&self) -> bool {
        matches!(self, Self::Version { .. } | Self::Flags { .. })
    }
}

impl Index {
    /// Reads an index. What it takes in memory is bounded by `bytes`, and these by [`MAX_LEN`](super::MAX_LEN).
    ///
    /// # Errors
    /// When anything in it is not exactly as it must be.
    pub fn parse(bytes: &[u8]) -> Result<Self, IndexError> {
        Self::parse_vec(bytes.to_vec())
    }

    /// [`Index::parse`] of bytes that are given away: the index keeps them, and no second copy.
    ///
    /// # Errors
    /// As [`Index::parse`].
    pub fn parse_vec(mut bytes: Vec<u8>) -> Result<Self, IndexError> {
        let fixed = bytes.get(..HEADER).ok_or(IndexError::NotIndex)?;
        if fixed[..8] != MAGIC {
            return Err(IndexError::NotIndex);
        }
        let version = u16_at(fixed, 8);
        if version != VERSION {
            return Err(IndexError::Version { version });
        }
        let header = usize::from(u16_at(fixed, 10));
        let flags = u32_at(fixed, 12);
        if flags & !RAW_DIGESTS != 0 {
            return Err(IndexError::Flags { flags: flags & !RAW_DIGESTS });
        }
        if !(HEADER..=MAX_HEADER).contains(&header) {
            return Err(IndexError::Field { field: "header length" });
        }
        let raw_len = u64::from_le_bytes(fixed[16..24].try_into().expect("eight bytes"));
        let frame_size = FrameSize::from_blocks(u32_at(fixed, 24))
            .map_err(|_| IndexError::Field { field: "frame size" })?;
        let count = raw_len.div_ceil(frame_size.bytes() as u64);
        if count > MAX_FRAMES {
            return Err(IndexError::Field { field: "image length" });
        }
        let raw_digests = flags & RAW_DIGESTS != 0;
        let need = header as u64 + count * entry_len(raw_digests) as u64;
        if bytes.len() as u64 != need {
            return Err(IndexError::Length { len: bytes.len(), need });
        }
        bytes.drain(..header);
        let places = Vec::new();
        let mut index = Self { raw_len, frame_size, raw_digests, entries: bytes, places, data_len: 0 };
        for frame in 0..index.frame_count() {
            let length = index.length(frame);
            if length == 0 || length > longest_frame(index.raw_len_of(frame)) {
                return Err(IndexError::FrameLength { frame, length });
            }
            index.place(frame);
        }
        Ok(index)
    }

    /// The index as it is published.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + self.entries.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&u16::try_from(HEADER).expect("a small number").to_le_bytes());
        bytes.extend_from_slice(&(if self.raw_digests { RAW_DIGESTS } else { 0 }).to_le_bytes());
        bytes.extend_from_slice(&self.raw_len.to_le_bytes());
        bytes.extend_from_slice(&self.frame_size.blocks().to_le_bytes());
        bytes.extend_from_slice(&self.entries);
        bytes
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().expect("two bytes"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::index::tests::sample;

    fn changed(at: usize, bytes: &[u8]) -> Result<Index, IndexError> {
        let mut encoded = sample(false).encode();
        encoded[at..at + bytes.len()].copy_from_slice(bytes);
        Index::parse(&encoded)
    }

    #[test]
    fn raw_digests_are_there_only_if_they_are_said_to_be() {
        for raw_digests in [false, true] {
            let index = sample(raw_digests);
            let bytes = index.encode();
            assert_eq!(bytes.len(), 28 + 3 * if raw_digests { 68 } else { 36 });
            assert_eq!(Index::parse(&bytes), Ok(index));
        }
        let empty = Index::new(0, FrameSize::default(), &[]);
        assert_eq!(Index::parse(&empty.encode()), Ok(empty));
    }

    #[test]
    fn nothing_is_read_that_is_not_exactly_right() {
        let field = |field| Err(IndexError::Field { field });
        assert_eq!(changed(0, b"X"), Err(IndexError::NotIndex));
        assert_eq!(changed(8, &[2, 0]), Err(IndexError::Version { version: 2 }));
        assert_eq!(changed(12, &[6]), Err(IndexError::Flags { flags: 6 }));
        assert_eq!(changed(10, &[27, 0]), field("header length"));
        assert_eq!(changed(10, &[1, 0x10]), field("header length"));
        for blocks in [0u32, 1025, u32::MAX] {
            assert_eq!(changed(24, &blocks.to_le_bytes()), field("frame size"));
        }
        for raw_len in [u64::MAX, 1 << 40, MAX_FRAMES * 8192 + 1] {
            assert_eq!(changed(16, &raw_len.to_le_bytes()), field("image length"));
        }
        let need = 28 + 36 * MAX_FRAMES;
        assert_eq!(
            changed(16, &(MAX_FRAMES * 8192).to_le_bytes()),
            Err(IndexError::Length { len: 136, need })
        );
        assert_eq!(changed(28, &0u32.to_le_bytes()), Err(IndexError::FrameLength { frame: 0, length: 0 }));
        let last = 28 + 2 * 36;
        assert_eq!(
            changed(last, &300u32.to_le_bytes()),
            Err(IndexError::FrameLength { frame: 2, length: 300 })
        );
        // A raw digest that is promised has to be there.
        assert!(matches!(changed(12, &[1]), Err(IndexError::Length { .. })));
        let mut longer = sample(false).encode();
        longer.push(0);
        assert!(matches!(Index::parse(&longer), Err(IndexError::Length { len: 137, need: 136 })));
        for len in 0..136 {
            assert!(Index::parse(&sample(false).encode()[..len]).is_err(), "{len}");
        }
    }

    #[test]
    fn fields_that_a_later_writer_appends_to_the_header_are_skipped() {
        let mut bytes = sample(false).encode();
        bytes[10] += 5;
        bytes.splice(28..28, *b"later");
        assert_eq!(Index::parse(&bytes), Ok(sample(false)));
    }

    #[test]
    fn only_what_a_later_reader_may_understand_is_an_unknown_format() {
        assert!(changed(8, &[9]).unwrap_err().is_unknown_format());
        assert!(changed(12, &[8]).unwrap_err().is_unknown_format());
        assert!(!changed(0, b"X").unwrap_err().is_unknown_format());
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_are_an_index_that_is_written_alike(
            flags in 0u32..3, raw_len in 0u64..40_000, blocks in 0u32..4, rest in proptest::collection::vec(0u8..3, 0..800),
        ) {
            let mut bytes = MAGIC.to_vec();
            bytes.extend([1, 0, 28, 0]);
            bytes.extend(flags.to_le_bytes());
            bytes.extend(raw_len.to_le_bytes());
            bytes.extend(blocks.to_le_bytes());
            bytes.extend(rest);
            if let Ok(index) = Index::parse(&bytes) {
                let again = index.encode();
                prop_assert_eq!(Index::parse(&again).unwrap(), index);
                prop_assert!(again == bytes || raw_len == 0);
            }
        }
    }
}
