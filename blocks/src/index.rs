//! Where the frames lie and what is in them (`docs/formats.md`, "Index").

mod bytes;

use std::fmt;
use std::ops::Range;

use ring::digest::{SHA256, digest};
use verity::BLOCK_SIZE;

pub use self::bytes::{IndexError, MAGIC, VERSION};
use crate::size::FrameSize;

/// The most frames of an image: 4 GiB in frames of 16 KiB.
pub const MAX_FRAMES: u64 = 1 << 18;
/// The longest index that is read, in bytes.
pub const MAX_LEN: u64 = MAX_HEADER as u64 + MAX_FRAMES * (SHORT_ENTRY + DIGEST) as u64;

const MAX_HEADER: usize = 4096;
/// A length and a digest.
const SHORT_ENTRY: usize = 4 + DIGEST;
const DIGEST: usize = 32;
/// Of so many frames the first one's place is kept; the others' follow from the lengths between.
const STRIDE: usize = 64;

/// Where each frame lies and what its bytes must be. It takes as much memory as it has bytes when it is published, and
/// little more: an image has many frames.
#[derive(Clone, PartialEq, Eq)]
pub struct Index {
    raw_len: u64,
    frame_size: FrameSize,
    raw_digests: bool,
    /// As they are published.
    entries: Vec<u8>,
    /// Where every [`STRIDE`]th frame begins in the data.
    places: Vec<u64>,
    data_len: u64,
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Where it begins in the data.
    pub offset: u64,
    /// Its compressed length in bytes.
    pub length: u32,
    /// The SHA-256 of its compressed bytes.
    pub sha256: [u8; 32],
    /// The SHA-256 of its raw bytes. The root image has none: its hash tree already has a digest of every block.
    pub raw_sha256: Option<[u8; 32]>,
}

impl Index {
    /// An index over an image of `raw_len` bytes, of frames that follow one another. They all have a raw digest, or none
    /// of them has.
    pub(crate) fn new(raw_len: u64, frame_size: FrameSize, frames: &[Frame]) -> Self {
        let raw_digests = frames.first().is_some_and(|frame| frame.raw_sha256.is_some());
        let entries = Vec::with_capacity(frames.len() * entry_len(raw_digests));
        let mut index = Self { raw_len, frame_size, raw_digests, entries, places: Vec::new(), data_len: 0 };
        for (number, frame) in frames.iter().enumerate() {
            index.entries.extend_from_slice(&frame.length.to_le_bytes());
            index.entries.extend_from_slice(&frame.sha256);
            index.entries.extend(frame.raw_sha256.into_iter().flatten());
            index.place(number);
        }
        index
    }

    /// Counts the next frame, which has an entry already.
    fn place(&mut self, frame: usize) {
        if frame.is_multiple_of(STRIDE) {
            self.places.push(self.data_len);
        }
        self.data_len += u64::from(self.length(frame));
    }

    /// The length of the image in bytes.
    #[must_use]
    pub fn raw_len(&self) -> u64 {
        self.raw_len
    }

    /// How many blocks of 4 KiB a frame has; the last one may have fewer.
    #[must_use]
    pub fn frame_blocks(&self) -> u32 {
        self.frame_size.blocks()
    }

    /// How large a frame is; the last one may be smaller.
    #[must_use]
    pub fn frame_size(&self) -> FrameSize {
        self.frame_size
    }

    /// How many frames there are.
    #[must_use]
    pub fn frame_count(&self) -> usize {
        self.entries.len() / entry_len(self.raw_digests)
    }

    /// Whether there is a digest of the raw bytes of each frame.
    #[must_use]
    pub fn has_raw_digests(&self) -> bool {
        self.raw_digests || self.entries.is_empty()
    }

    /// One frame, by its number; none past the last one.
    #[must_use]
    pub fn frame(&self, frame: usize) -> Option<Frame> {
        let first = frame / STRIDE * STRIDE;
        let place = *self.places.get(first / STRIDE).filter(|_| frame < self.frame_count())?;
        Some(self.frame_at(
            frame,
            place + (first..frame).map(|before| u64::from(self.length(before))).sum::<u64>(),
        ))
    }

    /// The frames, in the order of the image and of the data.
    pub fn frames(&self) -> impl ExactSizeIterator<Item = Frame> + '_ {
        let mut next = 0;
        (0..self.frame_count()).map(move |frame| {
            let frame = self.frame_at(frame, next);
            next = frame.range().end;
            frame
        })
    }

    /// The compressed length of a frame in bytes.
    ///
    /// # Panics
    /// When there is no such frame.
    #[must_use]
    pub fn length(&self, frame: usize) -> u32 {
        u32_at(self.entry(frame), 0)
    }

    fn frame_at(&self, frame: usize, offset: u64) -> Frame {
        let entry = self.entry(frame);
        let raw_sha256 = self.raw_digests.then(|| digest_at(entry, SHORT_ENTRY));
        Frame { offset, length: u32_at(entry, 0), sha256: digest_at(entry, 4), raw_sha256 }
    }

    fn entry(&self, frame: usize) -> &[u8] {
        let len = entry_len(self.raw_digests);
        &self.entries[frame * len..][..len]
    }

    /// Which bytes of the image a frame has.
    ///
    /// # Panics
    /// When there is no such frame.
    #[must_use]
    pub fn raw_range(&self, frame: usize) -> Range<u64> {
        assert!(frame < self.frame_count(), "the index has {} frames, not {frame}", self.frame_count());
        let start = frame as u64 * self.frame_size.bytes() as u64;
        start..start + self.raw_len_of(frame) as u64
    }

    /// How many bytes of the data the frames take; the table for other tools follows them.
    #[must_use]
    pub fn data_len(&self) -> u64 {
        self.data_len
    }

    /// Which frame has a block of the image.
    #[must_use]
    pub fn frame_of_block(&self, block: u64) -> usize {
        usize::try_from(block / u64::from(self.frame_size.blocks())).unwrap_or(usize::MAX)
    }

    fn raw_len_of(&self, frame: usize) -> usize {
        let size = self.frame_size.bytes();
        let rest = self.raw_len.saturating_sub(frame as u64 * size as u64);
        usize::try_from(rest).map_or(size, |rest| rest.min(size))
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index")
            .field("raw_len", &self.raw_len)
            .field("frame_size", &self.frame_size)
            .field("frames", &self.frames().collect::<Vec<_>>())
            .finish()
    }
}

impl Frame {
    /// Which bytes of the data it has.
    #[must_use]
    pub fn range(&self) -> Range<u64> {
        self.offset..self.offset + u64::from(self.length)
    }

    /// Whether `compressed` are its bytes: what has to be known before they reach a [`crate::Decoder`].
    #[must_use]
    pub fn is(&self, compressed: &[u8]) -> bool {
        compressed.len() == self.length as usize && digest(&SHA256, compressed).as_ref() == self.sha256
    }
}

/// The most bytes that the frames with so many `blocks` of an image can have in all, as far as lengths tell while the index
/// itself is not at hand: that of the index, of the data, and of the image.
#[must_use]
pub fn at_most(index_len: u64, data_len: u64, image_len: u64, blocks: u64) -> u64 {
    // So many frames there are at least, and so large they are at most.
    let frames = index_len.saturating_sub(MAX_HEADER as u64) / entry_len(true) as u64;
    let raw = image_len.div_ceil(frames.saturating_sub(1).max(1)).min(FrameSize::LARGEST.bytes() as u64);
    let longest = longest_frame(usize::try_from(raw).unwrap_or(usize::MAX));
    blocks.saturating_mul(u64::from(longest)).min(data_len)
}

/// How long the entry of a frame is.
fn entry_len(raw_digests: bool) -> usize {
    if raw_digests { SHORT_ENTRY + DIGEST } else { SHORT_ENTRY }
}

/// The most bytes that a frame over `raw_len` bytes takes when nothing in it can be compressed.
pub(crate) fn longest_frame(raw_len: usize) -> u32 {
    u32::try_from(raw_len + raw_len / 128 + 128).expect("a frame has at most 4 MiB")
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn digest_at(bytes: &[u8], at: usize) -> [u8; DIGEST] {
    bytes[at..at + DIGEST].try_into().expect("32 bytes")
}

/// A block is the unit that a frame is made of.
const _: () = assert!(BLOCK_SIZE == 4096);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use verity::BLOCK_SIZE;

    use super::*;

    pub(super) fn sample(raw_digests: bool) -> Index {
        let size = FrameSize::from_blocks(2).unwrap();
        let frame = |number: u8, offset, length| Frame {
            offset,
            length,
            sha256: [number; 32],
            raw_sha256: raw_digests.then_some([number + 100; 32]),
        };
        let frames = [frame(0, 0, 300), frame(1, 300, 8192), frame(2, 8492, 40)];
        Index::new(2 * 8192 + 100, size, &frames)
    }

    #[test]
    fn frames_follow_one_another_in_the_image_and_in_the_data() {
        let index = sample(true);
        assert_eq!((index.raw_len(), index.frame_blocks(), index.data_len()), (16_484, 2, 8532));
        let ranges: Vec<_> = (0..3).map(|frame| index.raw_range(frame)).collect();
        assert_eq!(ranges, [0..8192, 8192..16_384, 16_384..16_484]);
        assert_eq!(index.frame(2).unwrap().range(), 8492..8532);
        assert_eq!((index.frame_count(), index.frames().len(), index.frame(3)), (3, 3, None));
        assert_eq!([0, 1, 2, 4].map(|block| index.frame_of_block(block)), [0, 0, 1, 2]);
    }

    proptest! {
        /// The model: a list of lengths, cut from an image length.
        #[test]
        fn an_index_says_what_a_list_of_frames_says(
            blocks in 1u32..40, full in 0usize..200, tail in 1u64..160_000, raw_digests: bool, seed: u8,
        ) {
            let size = FrameSize::from_blocks(blocks).unwrap();
            let raw_len = (full * size.bytes()) as u64 + tail.min(size.bytes() as u64);
            let mut frames = Vec::new();
            let mut model = Vec::new();
            let (mut raw, mut offset) = (0u64, 0u64);
            while raw < raw_len {
                let end = raw_len.min(raw + size.bytes() as u64);
                let length = u32::try_from(1 + (u64::from(seed) * 37 + offset) % (end - raw)).unwrap();
                let raw_sha256 = raw_digests.then_some([1; 32]);
                frames.push(Frame { offset, length, sha256: [seed; 32], raw_sha256 });
                model.push((raw..end, offset..offset + u64::from(length)));
                (raw, offset) = (end, offset + u64::from(length));
            }
            let index = Index::new(raw_len, size, &frames);
            let parsed = Index::parse(&index.encode()).unwrap();
            prop_assert_eq!(parsed.data_len(), offset);
            let said: Vec<_> =
                parsed.frames().enumerate().map(|(at, frame)| (parsed.raw_range(at), frame.range())).collect();
            prop_assert_eq!(said, model);
            // One at a time they are the same.
            let each: Vec<_> = (0..=frames.len()).map_while(|at| parsed.frame(at)).collect();
            prop_assert_eq!(&each, &frames);
            prop_assert_eq!(parsed, index);
        }

        #[test]
        fn frames_with_wanted_blocks_never_weigh_more_than_was_said_before(
            per_frame in 1u32..40,
            wanted in proptest::collection::vec(any::<bool>(), 1..3000),
            weight in any::<u32>(),
            raw_digests in any::<bool>(),
        ) {
            let size = FrameSize::from_blocks(per_frame).unwrap();
            let raw_len = wanted.len() as u64 * BLOCK_SIZE as u64;
            let (mut frames, mut offset, mut actual) = (Vec::new(), 0, 0);
            for (number, blocks) in wanted.chunks(per_frame as usize).enumerate() {
                let longest = longest_frame(blocks.len() * BLOCK_SIZE);
                let length = 1 + weight.rotate_left(u32::try_from(number).unwrap() % 32) % longest;
                let raw_sha256 = raw_digests.then_some([0; 32]);
                frames.push(Frame { offset, length, sha256: [0; 32], raw_sha256 });
                offset += u64::from(length);
                actual += if blocks.contains(&true) { u64::from(length) } else { 0 };
            }
            let index = Index::new(raw_len, size, &frames);
            let blocks = wanted.iter().filter(|wanted| **wanted).count() as u64;
            let said = at_most(index.encode().len() as u64, index.data_len(), raw_len, blocks);
            prop_assert!(actual <= said && said <= index.data_len(), "{} of {}", actual, said);
        }

    }
}
