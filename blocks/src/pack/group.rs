//! Groups against their digests, and the hash image that comes of them.

use ring::digest::{SHA256, digest};
use verity::{BLOCK_SIZE, BlockHasher, DIGEST_SIZE};

use super::header::{Header, Shape, upper};

/// Holds groups of the new image against what a header says of them.
pub struct GroupCheck<'a> {
    shape: &'a Shape,
    hasher: Option<BlockHasher>,
}

/// A group that is as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right {
    /// The block of the new hash tree's lowest level that belongs to it; none in an image without a tree.
    pub leaves: Option<Box<[u8; BLOCK_SIZE]>>,
}

impl<'a> GroupCheck<'a> {
    /// For the groups of this header.
    #[must_use]
    pub fn new(header: &'a Header) -> Self {
        let hasher = match &header.shape {
            Shape::Tree { superblock, .. } => Some(BlockHasher::new(&superblock.salt)),
            Shape::Flat { .. } => None,
        };
        Self { shape: &header.shape, hasher }
    }

    /// Whether `bytes` are all of a group.
    #[must_use]
    pub fn check(&self, group: u32, bytes: &[u8]) -> Option<Right> {
        let group = group as usize;
        match (self.shape, &self.hasher) {
            (Shape::Tree { level1, .. }, Some(hasher)) => {
                let mut leaves = Box::new([0; BLOCK_SIZE]);
                let places = leaves.chunks_exact_mut(DIGEST_SIZE);
                for (place, block) in places.zip(bytes.chunks_exact(BLOCK_SIZE)) {
                    place.copy_from_slice(&hasher.digest(block));
                }
                let right = level1.get(group) == Some(&hasher.digest(&leaves[..]));
                right.then_some(Right { leaves: Some(leaves) })
            }
            (Shape::Flat { new_groups, .. }, _) => {
                let known = new_groups.get(group)?;
                (digest(&SHA256, bytes).as_ref() == known).then_some(Right { leaves: None })
            }
            (Shape::Tree { .. }, None) => unreachable!("a tree has a hasher"),
        }
    }
}

/// The new hash image on its way: its upper levels come from the header, and the lowest one group by group.
#[derive(Debug)]
pub struct HashImage {
    wanted: (u64, [u8; 32]),
    bytes: Vec<u8>,
    lowest: usize,
    missing: Vec<bool>,
}

impl HashImage {
    /// The hash image of this header with nothing but its upper levels. None in an image without a tree.
    #[must_use]
    pub fn begin(header: &Header) -> Option<Self> {
        let Shape::Tree { superblock, level1, hash_image, .. } = &header.shape else { return None };
        let hasher = BlockHasher::new(&superblock.salt);
        let mut levels = Vec::new();
        let mut digests = level1.clone();
        while digests.len() > 1 {
            let blocks: Vec<_> = upper(&digests).collect();
            digests = blocks.iter().map(|block| hasher.digest(block)).collect();
            levels.push(blocks);
        }
        let mut bytes = superblock.encode().to_vec();
        bytes.extend(levels.iter().rev().flatten().flatten());
        let lowest = bytes.len();
        bytes.resize(lowest + level1.len() * BLOCK_SIZE, 0);
        Some(Self { wanted: *hash_image, bytes, lowest, missing: vec![true; level1.len()] })
    }

    /// Puts the leaves of a group that was checked in their place.
    ///
    /// # Panics
    /// When there is no such group.
    pub fn put(&mut self, group: u32, leaves: &[u8; BLOCK_SIZE]) {
        let start = self.lowest + group as usize * BLOCK_SIZE;
        self.bytes[start..start + BLOCK_SIZE].copy_from_slice(leaves);
        self.missing[group as usize] = false;
    }

    /// The groups whose leaves are still missing.
    pub fn missing(&self) -> impl Iterator<Item = u32> + '_ {
        (0..).zip(&self.missing).filter(|(_, missing)| **missing).map(|(group, _)| group)
    }

    /// The hash image, if nothing of it is missing and it is the one that the header names.
    #[must_use]
    pub fn finish(self) -> Option<Vec<u8>> {
        let (len, sha256) = self.wanted;
        let whole = !self.missing.contains(&true) && self.bytes.len() as u64 == len;
        (whole && digest(&SHA256, &self.bytes).as_ref() == sha256).then_some(self.bytes)
    }
}
