//! The index of an image's frames, from a signed target.

use blocks::{Index, IndexError};
use signpost::Role;
use thiserror::Error;
use trusted_repo::{FrameInfo, VerifiedBytes};
use verity::BLOCK_SIZE;

use crate::look::plan::Cut;
use crate::look::plan::frames::Lengths;

/// The index of one image: its bytes come from a signed target. Holding one is what makes fetched frames worth
/// anything.
#[derive(Debug)]
pub struct VerifiedIndex {
    image: Role,
    index: Index,
    data: String,
}

/// Why an image cannot come in frames. The plain stream is always there, so this is said and nothing more.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unusable {
    /// The index cannot be read.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The index is over an image of another size.
    #[error("use the index of frames: it is over {index} bytes, and the image has {image}")]
    Length {
        /// Bytes that the index is over.
        index: u64,
        /// Bytes that the image has.
        image: u64,
    },
    /// The index reaches beyond its data.
    #[error("use the index of frames: it is about {index} bytes of data, and {signed} are signed")]
    Data {
        /// Bytes that the index is about.
        index: u64,
        /// Bytes of the signed target.
        signed: u64,
    },
    /// The index has no digests of the raw bytes, and the image has no tree.
    #[error("use the index of frames: it does not say what the frames hold")]
    NoRawDigests,
}

impl VerifiedIndex {
    /// The index of `image` in `target`, for frames in the target `data` of `signed` bytes.
    ///
    /// # Errors
    /// [`Unusable`] when the image had better come in another way.
    pub fn parse(image: Role, target: VerifiedBytes, data: &str, signed: u64) -> Result<Self, Unusable> {
        Self::new(image, Index::parse_vec(target.into_bytes())?, data, signed)
    }

    /// `index` must come from a signed target.
    pub(super) fn new(image: Role, index: Index, data: &str, signed: u64) -> Result<Self, Unusable> {
        if index.data_len() > signed {
            return Err(Unusable::Data { index: index.data_len(), signed });
        }
        if image == Role::Boot && !index.has_raw_digests() {
            return Err(Unusable::NoRawDigests);
        }
        Ok(Self { image, index, data: data.to_owned() })
    }

    /// Refuses an index that is not over an image of `len` bytes.
    ///
    /// # Errors
    /// [`Unusable::Length`].
    pub fn check_len(&self, len: u64) -> Result<(), Unusable> {
        let index = self.raw_len();
        if index == len { Ok(()) } else { Err(Unusable::Length { index, image: len }) }
    }

    /// The target that has the frames.
    #[must_use]
    pub fn data(&self) -> &str {
        &self.data
    }

    /// Bytes of the image.
    #[must_use]
    pub fn raw_len(&self) -> u64 {
        self.index.raw_len()
    }

    /// Raw bytes of a frame; the last one may have fewer.
    #[must_use]
    pub fn frame_len(&self) -> usize {
        self.index.frame_size().bytes()
    }

    /// How many frames there are.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.index.frame_count()
    }

    /// The SHA-256 of a frame's raw bytes, where the image has no tree.
    #[must_use]
    pub fn raw_digest(&self, frame: usize) -> Option<[u8; 32]> {
        self.index.frame(frame)?.raw_sha256
    }

    /// How the image is cut. Its units are blocks for root, and frames for boot.
    #[must_use]
    pub fn cut(&self) -> Cut<'_> {
        let blocks = self.frame_len() / BLOCK_SIZE;
        let (unit_len, units_per_frame) = match self.image {
            Role::Root => (BLOCK_SIZE, blocks),
            Role::Boot | Role::Hash => (self.frame_len(), 1),
        };
        Cut { image_len: self.raw_len(), unit_len: unit_len as u64, units_per_frame, lengths: self }
    }

    pub(super) fn info(&self, frame: usize) -> FrameInfo {
        let frame = self.frame(frame);
        FrameInfo { offset: frame.offset, length: u64::from(frame.length), sha256: frame.sha256 }
    }

    pub(super) fn frame(&self, frame: usize) -> blocks::Frame {
        self.index.frame(frame).expect("a plan names frames of its index")
    }

    /// The raw bytes that a frame holds, as a range of the image.
    pub(super) fn raw_range(&self, frame: usize) -> std::ops::Range<u64> {
        self.index.raw_range(frame)
    }
}

impl Lengths for VerifiedIndex {
    fn length(&self, frame: usize) -> u64 {
        u64::from(self.index.length(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (
                Unusable::Length { index: 512, image: 1024 },
                "use the index of frames: it is over 512 bytes, and the image has 1024",
            ),
            (
                Unusable::Data { index: 512, signed: 900 },
                "use the index of frames: it is about 512 bytes of data, and 900 are signed",
            ),
            (Unusable::NoRawDigests, "use the index of frames: it does not say what the frames hold"),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
