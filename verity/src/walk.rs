//! Hash image in, block by block, from its start to its end: for whoever needs the leaves once and in order, and not all of
//! them in memory.

use crate::layout::{Layout, Level};
use crate::{BLOCK_SIZE, BlockHasher, DIGEST_SIZE, DIGESTS_PER_BLOCK, Error, RootHash, Superblock};

/// A hash image that is being read. Each block is compared with its digest in the level above, which has passed before it.
/// It keeps the level above the leaves at most: a quarter of a byte for each block of the data.
#[derive(Debug)]
pub struct TreeWalk {
    superblock: Superblock,
    hasher: BlockHasher,
    layout: Layout,
    /// The level that is under way, counted from the top, and how many of its blocks have passed.
    level: usize,
    passed: u64,
    /// The digests of its blocks; none for the top.
    above: Vec<u8>,
    /// The digests in it so far, for the level below.
    digests: Vec<u8>,
    root_hash: Option<RootHash>,
}

/// What a hash image was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walked {
    /// How the tree was made.
    pub superblock: Superblock,
    /// The digest that stands for the whole image.
    pub root_hash: RootHash,
}

impl TreeWalk {
    /// Begins with the image's first block. What it says is a claim until the end is reached.
    ///
    /// # Errors
    /// As [`Superblock::parse`], and for a number of data blocks that no tree has.
    pub fn begin(first_block: &[u8]) -> Result<Self, Error> {
        let superblock = Superblock::parse(first_block)?;
        let layout = Layout::over(superblock.data_blocks)?;
        if layout.levels().is_empty() {
            return Err(Error::Unsupported {
                field: "number of data blocks",
                found: superblock.data_blocks.to_string(),
                wanted: "2 or more",
            });
        }
        let hasher = BlockHasher::new(&superblock.salt);
        let (above, digests) = (Vec::new(), Vec::new());
        Ok(Self { superblock, hasher, layout, level: 0, passed: 0, above, digests, root_hash: None })
    }

    /// How the tree was made.
    #[must_use]
    pub fn superblock(&self) -> &Superblock {
        &self.superblock
    }

    /// How long superblock and tree are together, in bytes.
    #[must_use]
    pub fn total_len(&self) -> u64 {
        self.layout.total_len()
    }

    /// Takes the next block of the image. Gives the digests of data blocks that are in it, one behind the other: none as long
    /// as it is not one of the lowest level. They are as good as the root hash, once that is known.
    ///
    /// # Errors
    /// When the block differs from its digest, or has anything but zeros behind its own; [`Error::BlockLength`] when it
    /// is no block, and [`Error::Trailing`] when the tree has no more of them.
    pub fn next<'a>(&mut self, block: &'a [u8]) -> Result<&'a [u8], Error> {
        if block.len() != BLOCK_SIZE {
            return Err(Error::BlockLength { len: block.len() });
        }
        let Some(&Level { first_block, blocks, digests }) = self.layout.levels().get(self.level) else {
            return Err(Error::Trailing { offset: self.layout.total_len() });
        };
        let (at, digest) = (first_block + self.passed, self.hasher.digest(block));
        if self.level == 0 {
            self.root_hash = Some(RootHash::new(digest));
        } else if self.expected() != digest {
            return Err(Error::Inner { block: at });
        }
        let left = digests - self.passed * DIGESTS_PER_BLOCK as u64;
        let left = usize::try_from(left).unwrap_or(usize::MAX).min(DIGESTS_PER_BLOCK);
        let (found, padding) = block.split_at(left * DIGEST_SIZE);
        if padding.iter().any(|byte| *byte != 0) {
            return Err(Error::Padding { block: at });
        }
        let lowest = self.level + 1 == self.layout.levels().len();
        if !lowest {
            self.digests.extend_from_slice(found);
        }
        self.passed += 1;
        if self.passed == blocks {
            (self.level, self.passed) = (self.level + 1, 0);
            self.above = std::mem::take(&mut self.digests);
        }
        Ok(if lowest { found } else { &[] })
    }

    /// The root hash that the superblock and the top block have, once that one has passed: the salted digest of it. It says
    /// which image this begins to be, and nothing of what lies below.
    #[must_use]
    pub fn root_hash_of_top(&self) -> Option<RootHash> {
        self.root_hash
    }

    /// The digest of the block that comes next.
    fn expected(&self) -> &[u8] {
        let start = usize::try_from(self.passed).expect("as many digests are in memory") * DIGEST_SIZE;
        &self.above[start..start + DIGEST_SIZE]
    }

    /// What the image is, now that all of it has passed.
    ///
    /// # Errors
    /// [`Error::Truncated`] when it has not.
    pub fn finish(self) -> Result<Walked, Error> {
        match (self.root_hash, self.layout.levels().get(self.level)) {
            (Some(root_hash), None) => Ok(Walked { superblock: self.superblock, root_hash }),
            (_, level) => {
                let blocks = level.map_or(1, |level| level.first_block + self.passed);
                Err(Error::Truncated { len: blocks * BLOCK_SIZE as u64, need: self.layout.total_len() })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{HashTree, Salt, TreeBuilder};

    fn image(data_blocks: u64) -> Vec<u8> {
        let mut builder = TreeBuilder::new(Salt::new(*b"salt").unwrap(), [9; 16]);
        for index in 0..data_blocks {
            builder.push(&index.to_le_bytes().repeat(BLOCK_SIZE / 8)).unwrap();
        }
        builder.finish().bytes
    }

    /// What the image is, and its leaves.
    fn walked(image: &[u8]) -> Result<(Walked, Vec<u8>), Error> {
        let mut blocks = image.chunks(BLOCK_SIZE);
        let mut walk = TreeWalk::begin(blocks.next().unwrap_or_default())?;
        let mut leaves = Vec::new();
        for block in blocks {
            leaves.extend_from_slice(walk.next(block)?);
        }
        Ok((walk.finish()?, leaves))
    }

    #[test]
    fn a_walk_hands_out_the_leaves_that_the_tree_has() {
        for data_blocks in [2, 127, 128, 129, 300, 128 * 128 + 1] {
            let image = image(data_blocks);
            let tree = HashTree::parse(&image).unwrap();
            let (walked, leaves) = walked(&image).unwrap();
            assert_eq!((&walked.superblock, walked.root_hash), (tree.superblock(), tree.root_hash()));
            let expected: Vec<u8> = (0..data_blocks).flat_map(|block| tree.leaf(block).unwrap()).collect();
            assert!(leaves == expected, "{data_blocks}");
            assert_eq!(TreeWalk::begin(&image[..BLOCK_SIZE]).unwrap().total_len(), image.len() as u64);
        }
    }

    #[test]
    fn what_is_cut_or_goes_on_or_is_over_one_block_is_no_tree() {
        let image = image(130);
        let need = image.len() as u64;
        for blocks in 1..4 {
            let len = blocks * BLOCK_SIZE;
            assert_eq!(walked(&image[..len]), Err(Error::Truncated { len: len as u64, need }));
        }
        assert_eq!(walked(&image[..2 * BLOCK_SIZE + 7]), Err(Error::BlockLength { len: 7 }));
        let longer = [&image[..], &[0; BLOCK_SIZE]].concat();
        assert_eq!(walked(&longer), Err(Error::Trailing { offset: need }));
        assert!(matches!(walked(&self::image(1)), Err(Error::Unsupported { wanted: "2 or more", .. })));
        let mut padded = image;
        *padded.last_mut().unwrap() = 1;
        assert!(walked(&padded).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_flipped_bit_is_found_or_shows_in_the_root_hash(
            data_blocks in 2_u64..400,
            place in any::<prop::sample::Index>(),
            bit in 0_u8..8,
        ) {
            let mut image = image(data_blocks);
            let sound = walked(&image).unwrap();
            let at = place.index(image.len());
            image[at] ^= 1 << bit;
            match (walked(&image), HashTree::parse(&image)) {
                (Ok((walked, _)), Ok(tree)) => {
                    prop_assert_eq!(walked.root_hash, tree.root_hash());
                    // The UUID only names the image.
                    prop_assert_eq!(walked.root_hash == sound.0.root_hash, (16..32).contains(&at));
                }
                (walked, tree) => prop_assert!(walked.is_err() && tree.is_err(), "{:?}", tree),
            }
        }
    }
}
