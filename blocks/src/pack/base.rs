//! Blocks of the old image, each checked before it is used.
//!
//! Who holds a pack has an old image on a disk, and a disk may have rotted, or be written to meanwhile. So what is read is
//! held against the old image's own tree, whose root hash names the base, or against the digests in the header.

use std::io;

use ring::digest::{SHA256, digest};
use thiserror::Error;
use verity::layout::Layout;
use verity::{BLOCK_SIZE, BlockHasher, DIGEST_SIZE, DIGESTS_PER_BLOCK, RootHash, Superblock};

use super::{GROUP_BLOCKS, GROUP_LEN, ReadAt};

/// The old image, block by block.
pub trait Base {
    /// Fills `into`, whole blocks of it, with the blocks from `first` on. Only checked bytes are handed out; after an
    /// error what is in `into` is worth nothing. Past the end of an image that ends within a block there are zeros.
    ///
    /// # Errors
    /// When a block cannot be read or is not what it was.
    fn read(&mut self, first: u32, into: &mut [u8]) -> Result<(), BaseError>;
}

impl<B: Base + ?Sized> Base for &mut B {
    fn read(&mut self, first: u32, into: &mut [u8]) -> Result<(), BaseError> {
        (**self).read(first, into)
    }
}

/// Why a base, or a block of it, cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BaseError {
    /// The image or its tree cannot be read.
    #[error("read the {what} of the base at byte {offset}")]
    Read {
        /// Image or hash tree.
        what: &'static str,
        /// Where, in bytes from its start.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// A block is not what it was: the disk lost it, or somebody wrote to it.
    #[error("use block {block} of the base: it is not what its digest says")]
    Rotten {
        /// Which block of the image.
        block: u32,
    },
    /// A block of the tree is not what it was.
    #[error("use the hash tree of the base: its block {block} is not what the level above it says")]
    RottenTree {
        /// Which block of the hash image.
        block: u64,
    },
    /// The tree cannot be used at all.
    #[error("use the hash tree of the base")]
    Tree(#[source] verity::Error),
    /// It is another image than the one that is needed.
    #[error("use the base: it has the root hash {found}, and {wanted} is needed")]
    Other {
        /// What is there.
        found: RootHash,
        /// What the pack leads on from.
        wanted: RootHash,
    },
}

/// An old image beside its hash image. In memory are the digests of the tree's lowest blocks (a byte for each 16 KiB of
/// the image), and one of these blocks.
#[derive(Clone)]
pub struct TreeBase<'a> {
    image: &'a dyn ReadAt,
    hash: &'a dyn ReadAt,
    hasher: BlockHasher,
    data_blocks: u64,
    /// Where the lowest level begins, in blocks of the hash image.
    lowest: u64,
    level1: Vec<[u8; DIGEST_SIZE]>,
    /// The block of digests that was used last, and its number within its level.
    at_hand: Option<(u64, Box<[u8; BLOCK_SIZE]>)>,
}

impl<'a> TreeBase<'a> {
    /// The base with this root hash, whose image and hash image are read from these places. The tree is checked down to
    /// its lowest level but one.
    ///
    /// # Errors
    /// When the hash image cannot be read, is broken, or belongs to another image.
    pub fn open(image: &'a dyn ReadAt, hash: &'a dyn ReadAt, wanted: RootHash) -> Result<Self, BaseError> {
        let first = hash_block(hash, 0)?;
        let superblock = Superblock::parse(&first[..]).map_err(BaseError::Tree)?;
        let layout = Layout::over(superblock.data_blocks).map_err(BaseError::Tree)?;
        let hasher = BlockHasher::new(&superblock.salt);
        let Some((lowest, above)) = layout.levels().split_last() else {
            return Err(BaseError::Tree(verity::Error::NotVerity));
        };
        let top = hash_block(hash, 1)?;
        let found = RootHash::new(hasher.digest(&top[..]));
        if found != wanted {
            return Err(BaseError::Other { found, wanted });
        }
        let mut digests = vec![*wanted.as_bytes()];
        for level in above {
            let mut below = Vec::new();
            for number in 0..level.blocks {
                let block = hash_block(hash, level.first_block + number)?;
                let known = usize::try_from(number).ok().and_then(|number| digests.get(number));
                if known != Some(&hasher.digest(&block[..])) {
                    return Err(BaseError::RottenTree { block: level.first_block + number });
                }
                let left = usize::try_from(level.digests - number * DIGESTS_PER_BLOCK as u64);
                let here = left.map_or(DIGESTS_PER_BLOCK, |left| left.min(DIGESTS_PER_BLOCK));
                below.extend(
                    block
                        .chunks_exact(DIGEST_SIZE)
                        .take(here)
                        .map(|d| <[u8; 32]>::try_from(d).expect("32 bytes")),
                );
            }
            digests = below;
        }
        let (data_blocks, lowest) = (superblock.data_blocks, lowest.first_block);
        Ok(Self { image, hash, hasher, data_blocks, lowest, level1: digests, at_hand: None })
    }

    /// How many bytes the image has.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.data_blocks * BLOCK_SIZE as u64
    }

    /// Never: a tree is over two blocks at least.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.data_blocks == 0
    }

    fn leaf(&mut self, block: u32) -> Result<[u8; DIGEST_SIZE], BaseError> {
        let number = u64::from(block) / DIGESTS_PER_BLOCK as u64;
        if self.at_hand.as_ref().is_none_or(|(at_hand, _)| *at_hand != number) {
            let digests = hash_block(self.hash, self.lowest + number)?;
            let known = usize::try_from(number).ok().and_then(|number| self.level1.get(number));
            if known != Some(&self.hasher.digest(&digests[..])) {
                return Err(BaseError::RottenTree { block: self.lowest + number });
            }
            self.at_hand = Some((number, digests));
        }
        let (_, digests) = self.at_hand.as_ref().expect("it was just put there");
        let place = block as usize % DIGESTS_PER_BLOCK * DIGEST_SIZE;
        Ok(digests[place..place + DIGEST_SIZE].try_into().expect("32 bytes"))
    }
}

impl Base for TreeBase<'_> {
    fn read(&mut self, first: u32, into: &mut [u8]) -> Result<(), BaseError> {
        let offset = u64::from(first) * BLOCK_SIZE as u64;
        self.image.read_exact_at(into, offset).map_err(|source| BaseError::Read {
            what: "image",
            offset,
            source,
        })?;
        for (block, bytes) in (first..).zip(into.chunks_exact(BLOCK_SIZE)) {
            if u64::from(block) >= self.data_blocks || self.leaf(block)? != self.hasher.digest(bytes) {
                return Err(BaseError::Rotten { block });
            }
        }
        Ok(())
    }
}

fn hash_block(hash: &dyn ReadAt, number: u64) -> Result<Box<[u8; BLOCK_SIZE]>, BaseError> {
    let mut block = Box::new([0; BLOCK_SIZE]);
    let offset = number * BLOCK_SIZE as u64;
    hash.read_exact_at(&mut block[..], offset).map_err(|source| BaseError::Read {
        what: "hash tree",
        offset,
        source,
    })?;
    Ok(block)
}

/// An old image without a tree: whole groups are held against the digests that a header has of them. In memory is one.
#[derive(Clone)]
pub struct FlatBase<'a> {
    image: &'a dyn ReadAt,
    len: u64,
    groups: &'a [[u8; 32]],
    at_hand: Option<(u32, Vec<u8>)>,
}

impl<'a> FlatBase<'a> {
    /// The base of `len` bytes whose groups have these digests.
    #[must_use]
    pub fn new(image: &'a dyn ReadAt, len: u64, groups: &'a [[u8; 32]]) -> Self {
        Self { image, len, groups, at_hand: None }
    }

    fn group(&mut self, group: u32) -> Result<&[u8], BaseError> {
        if self.at_hand.as_ref().is_none_or(|(at_hand, _)| *at_hand != group) {
            let rotten = BaseError::Rotten { block: group * GROUP_BLOCKS };
            let offset = u64::from(group) * GROUP_LEN as u64;
            let Some(left) = self.len.checked_sub(offset).filter(|left| *left > 0) else {
                return Err(rotten);
            };
            let here = usize::try_from(left).map_or(GROUP_LEN, |left| left.min(GROUP_LEN));
            let mut bytes = self.at_hand.take().map(|(_, bytes)| bytes).unwrap_or_default();
            bytes.clear();
            bytes.resize(here, 0);
            self.image.read_exact_at(&mut bytes, offset).map_err(|source| BaseError::Read {
                what: "image",
                offset,
                source,
            })?;
            if self.groups.get(group as usize).is_none_or(|known| digest(&SHA256, &bytes).as_ref() != known) {
                return Err(rotten);
            }
            bytes.resize(here.next_multiple_of(BLOCK_SIZE), 0);
            self.at_hand = Some((group, bytes));
        }
        Ok(&self.at_hand.as_ref().expect("it was just put there").1)
    }
}

impl Base for FlatBase<'_> {
    fn read(&mut self, first: u32, into: &mut [u8]) -> Result<(), BaseError> {
        for (block, place) in (first..).zip(into.chunks_exact_mut(BLOCK_SIZE)) {
            let start = (block % GROUP_BLOCKS) as usize * BLOCK_SIZE;
            let group = self.group(block / GROUP_BLOCKS)?;
            let bytes = group.get(start..start + BLOCK_SIZE).ok_or(BaseError::Rotten { block })?;
            place.copy_from_slice(bytes);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (BaseError::Rotten { block: 3 }, "use block 3 of the base: it is not what its digest says"),
            (BaseError::Tree(verity::Error::Inner { block: 3 }), "use the hash tree of the base"),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
