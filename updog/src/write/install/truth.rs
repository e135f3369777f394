//! What an image must be, unit by unit: what is compared before a write where that is known, and after the read-back.

use std::sync::Arc;

use verity::BLOCK_SIZE;

use super::index::VerifiedIndex;
use super::sum::{RawSum, Sha256, sha256};
use super::tree::VerifiedTree;

/// What an image must be.
pub(super) enum Truth {
    /// The root image: its blocks have the digests in the leaves of its tree.
    Root(Arc<VerifiedTree>),
    /// The hash image: it is in memory.
    Hash(Arc<VerifiedTree>),
    /// The boot image: its frames have the digests in its index.
    Frames(Arc<VerifiedIndex>),
    /// The boot image without an index: its blocks have the digests that were noted when its signed stream was written.
    Noted {
        /// One for each block.
        digests: Vec<Sha256>,
        /// What the whole image is; its last block may be shorter.
        sum: RawSum,
    },
}

impl Truth {
    /// Bytes of the image.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Root(tree) => tree.tree().data_len(),
            Self::Hash(tree) => tree.raw().len() as u64,
            Self::Frames(index) => index.raw_len(),
            Self::Noted { sum, .. } => sum.len,
        }
    }

    /// Bytes that are compared at once; the last of them may be fewer.
    pub(super) fn unit_len(&self) -> usize {
        match self {
            Self::Root(_) | Self::Hash(_) | Self::Noted { .. } => BLOCK_SIZE,
            Self::Frames(index) => index.frame_len(),
        }
    }

    /// Whether `bytes` are the unit at `index`, all of it.
    pub(super) fn accepts(&self, index: usize, bytes: &[u8]) -> bool {
        match self {
            Self::Root(tree) => tree.tree().check_block(index as u64, bytes).is_ok(),
            Self::Hash(tree) => {
                let raw = tree.raw().get(index.saturating_mul(BLOCK_SIZE)..).unwrap_or_default();
                raw.get(..BLOCK_SIZE.min(raw.len())).is_some_and(|block| block == bytes)
            }
            Self::Frames(tree) => tree.raw_digest(index) == Some(sha256(bytes)),
            Self::Noted { digests, .. } => digests.get(index) == Some(&sha256(bytes)),
        }
    }
}
