//! Hash image in, blocks checked.

use std::ops::Range;

use crate::layout::Layout;
use crate::walk::{TreeWalk, Walked};
use crate::{BLOCK_SIZE, BlockHasher, DIGEST_SIZE, Error, RootHash, Superblock};

/// A hash image whose levels agree with one another. It is worth what its root hash is worth: compare that with one
/// that you trust, or take the image from a signed target.
#[derive(Debug, Clone)]
pub struct HashTree {
    superblock: Superblock,
    root_hash: RootHash,
    hasher: BlockHasher,
    /// The whole image: superblock and tree, and whatever zeros came behind them.
    image: Vec<u8>,
    leaves: Range<usize>,
}

impl PartialEq for HashTree {
    fn eq(&self, other: &Self) -> bool {
        (&self.superblock, self.root_hash, self.leaf_bytes())
            == (&other.superblock, other.root_hash, other.leaf_bytes())
    }
}

impl Eq for HashTree {}

impl HashTree {
    /// How long superblock and tree are together, in bytes, by the image's first block alone: what to read of a HASH
    /// partition before [`HashTree::parse`]. The number is as honest as the block is; hold it against the
    /// partition's size before reserving memory.
    ///
    /// # Errors
    /// As [`Superblock::parse`], and for a number of data blocks that no tree can have.
    pub fn len_from_superblock(first_block: &[u8]) -> Result<u64, Error> {
        Ok(Layout::over(Superblock::parse(first_block)?.data_blocks)?.total_len())
    }

    /// Reads a hash image and checks each of its blocks against the level above.
    ///
    /// # Errors
    /// When the superblock is not usable, the image too short, a level differs from the one above, or when there is
    /// anything but zeros behind the digests or behind the tree. A tree over a single block is refused: it has no
    /// level, so the image says nothing about the data.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        Self::parse_vec(bytes.to_vec())
    }

    /// [`HashTree::parse`] of an image that is given away: the tree takes no more memory than that.
    ///
    /// # Errors
    /// As [`HashTree::parse`].
    pub fn parse_vec(image: Vec<u8>) -> Result<Self, Error> {
        let bytes = image.as_slice();
        let len = bytes.len() as u64;
        let Some(first) = bytes.get(..BLOCK_SIZE) else {
            return Err(Error::Truncated { len, need: BLOCK_SIZE as u64 });
        };
        let mut walk = TreeWalk::begin(first)?;
        let need = walk.total_len();
        if len < need {
            return Err(Error::Truncated { len, need });
        }
        let (tree, rest) =
            bytes.split_at(usize::try_from(need).expect("it is not larger than a slice in memory"));
        if let Some(at) = rest.iter().position(|byte| *byte != 0) {
            return Err(Error::Trailing { offset: need + at as u64 });
        }
        for block in tree[BLOCK_SIZE..].chunks_exact(BLOCK_SIZE) {
            walk.next(block)?;
        }
        let Walked { superblock, root_hash } = walk.finish()?;
        // They are what lies lowest, and so last, but for the zeros behind them.
        let count = usize::try_from(superblock.data_blocks).expect("each has a digest in memory");
        let start = tree.len() - (count * DIGEST_SIZE).next_multiple_of(BLOCK_SIZE);
        let leaves = start..start + count * DIGEST_SIZE;
        let hasher = BlockHasher::new(&superblock.salt);
        Ok(Self { root_hash, leaves, hasher, superblock, image })
    }

    /// The digest that stands for the whole image.
    #[must_use]
    pub fn root_hash(&self) -> RootHash {
        self.root_hash
    }

    /// How many blocks of data the tree covers.
    #[must_use]
    pub fn data_blocks(&self) -> u64 {
        self.superblock.data_blocks
    }

    /// How many bytes of data the tree covers.
    #[must_use]
    pub fn data_len(&self) -> u64 {
        self.superblock.data_blocks * BLOCK_SIZE as u64
    }

    /// How the tree was made.
    #[must_use]
    pub fn superblock(&self) -> &Superblock {
        &self.superblock
    }

    /// The image that it was read from.
    #[must_use]
    pub fn image(&self) -> &[u8] {
        &self.image
    }

    fn leaf_bytes(&self) -> &[u8] {
        &self.image[self.leaves.clone()]
    }

    /// The digests of all data blocks, in their order.
    pub fn leaves(&self) -> impl ExactSizeIterator<Item = [u8; DIGEST_SIZE]> + '_ {
        let leaves = self.leaf_bytes().chunks_exact(DIGEST_SIZE);
        leaves.map(|leaf| leaf.try_into().expect("a chunk has the length of a digest"))
    }

    /// The digest of data block `index`; `None` past the data's end.
    #[must_use]
    pub fn leaf(&self, index: u64) -> Option<[u8; DIGEST_SIZE]> {
        let start = usize::try_from(index).ok()?.checked_mul(DIGEST_SIZE)?;
        let leaf = self.leaf_bytes().get(start..start.checked_add(DIGEST_SIZE)?)?;
        Some(leaf.try_into().expect("the range has the length of a digest"))
    }

    /// Whether `block` is the one that the tree was made over at `index`.
    ///
    /// # Errors
    /// [`Error::Differs`] when it is not; [`Error::OutOfRange`] and [`Error::BlockLength`] when the question is wrong.
    pub fn check_block(&self, index: u64, block: &[u8]) -> Result<(), Error> {
        if block.len() != BLOCK_SIZE {
            return Err(Error::BlockLength { len: block.len() });
        }
        match self.leaf(index) {
            None => Err(Error::OutOfRange { index, data_blocks: self.data_blocks() }),
            Some(leaf) if leaf == self.hasher.digest(block) => Ok(()),
            Some(_) => Err(Error::Differs { index }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{HashImage, Salt, TreeBuilder};

    const UUID_AT: std::ops::Range<usize> = 16..32;

    fn block(seed: u64) -> Vec<u8> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_le_bytes()[7]
        })
        .take(BLOCK_SIZE)
        .collect()
    }

    fn image(data_blocks: u64, salt: &[u8]) -> HashImage {
        let mut builder = TreeBuilder::new(Salt::new(salt).unwrap(), [9; 16]);
        for index in 0..data_blocks {
            builder.push(&block(index)).unwrap();
        }
        builder.finish()
    }

    #[test]
    fn a_tree_that_was_built_reads_back_and_knows_its_blocks() {
        for data_blocks in [2, 127, 128, 129, 300] {
            let image = image(data_blocks, b"salt");
            let tree = HashTree::parse(&image.bytes).unwrap();
            assert_eq!(tree.root_hash(), image.root_hash);
            assert_eq!(tree.data_blocks(), data_blocks);
            assert_eq!(tree.data_len(), data_blocks * 4096);
            assert_eq!(tree.superblock().salt.as_bytes(), b"salt");
            for index in 0..data_blocks {
                tree.check_block(index, &block(index)).unwrap();
            }
            assert!(tree.leaves().eq((0..data_blocks).map(|index| tree.leaf(index).unwrap())));
            assert_eq!(tree.check_block(1, &block(0)), Err(Error::Differs { index: 1 }));
            assert_eq!(tree.leaf(data_blocks), None);
            assert_eq!(
                tree.check_block(data_blocks, &block(0)),
                Err(Error::OutOfRange { index: data_blocks, data_blocks })
            );
            assert_eq!(tree.check_block(u64::MAX, &[0; 7]), Err(Error::BlockLength { len: 7 }));
        }
    }

    #[test]
    fn the_first_block_tells_how_much_of_a_partition_to_read() {
        let image = image(300, b"");
        let len = HashTree::len_from_superblock(&image.bytes[..BLOCK_SIZE]).unwrap();
        assert_eq!(len, image.bytes.len() as u64);
        let mut partition = image.bytes.clone();
        partition.resize(partition.len() + 10_000, 0);
        assert_eq!(HashTree::parse(&partition).unwrap(), HashTree::parse(&image.bytes).unwrap());
    }

    #[test]
    fn an_absurd_number_of_blocks_is_refused_before_any_memory_is_taken() {
        for data_blocks in [0, 1 << 40, 1 << 51, u64::MAX] {
            let first = Superblock { data_blocks, salt: Salt::default(), uuid: [0; 16] }.encode();
            assert!(HashTree::parse(&first).is_err(), "{data_blocks}");
        }
    }

    #[test]
    fn a_tree_over_one_block_is_refused() {
        assert!(matches!(
            HashTree::parse(&image(1, b"").bytes),
            Err(Error::Unsupported { wanted: "2 or more", .. })
        ));
    }

    #[test]
    fn a_cut_image_and_something_behind_the_tree_are_refused() {
        let image = image(130, b"").bytes;
        for len in [0, 8, 511, 4095, 4096, image.len() - 1] {
            assert!(matches!(HashTree::parse(&image[..len]), Err(Error::Truncated { .. })), "{len}");
        }
        let mut longer = image.clone();
        longer.extend_from_slice(&[0, 0, 5]);
        assert_eq!(HashTree::parse(&longer), Err(Error::Trailing { offset: image.len() as u64 + 2 }));
    }

    #[test]
    fn something_behind_the_last_digest_is_refused() {
        let mut image = image(3, b"").bytes;
        image[BLOCK_SIZE + 3 * DIGEST_SIZE] = 1;
        assert_eq!(HashTree::parse(&image), Err(Error::Padding { block: 1 }));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_flipped_bit_of_the_image_is_found(
            data_blocks in 2_u64..400,
            salt in proptest::collection::vec(any::<u8>(), 0..=256),
            place in any::<prop::sample::Index>(),
            bit in 0_u8..8,
        ) {
            let image = image(data_blocks, &salt);
            let at = place.index(image.bytes.len());
            let mut flipped = image.bytes.clone();
            flipped[at] ^= 1 << bit;
            // The UUID only names the image: it is the one thing that the root hash does not cover.
            match HashTree::parse(&flipped) {
                Ok(tree) if UUID_AT.contains(&at) => prop_assert_eq!(tree.root_hash(), image.root_hash),
                Ok(tree) => prop_assert_ne!(tree.root_hash(), image.root_hash),
                Err(_) => prop_assert!(!UUID_AT.contains(&at)),
            }
        }

        #[test]
        fn a_flipped_bit_of_the_data_is_found(
            data_blocks in 2_u64..200,
            index in any::<prop::sample::Index>(),
            at in 0..BLOCK_SIZE,
            bit in 0_u8..8,
        ) {
            let tree = HashTree::parse(&image(data_blocks, b"s").bytes).unwrap();
            let index = index.index(usize::try_from(data_blocks).unwrap()) as u64;
            let mut flipped = block(index);
            flipped[at] ^= 1 << bit;
            prop_assert_eq!(tree.check_block(index, &flipped), Err(Error::Differs { index }));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..9000), like in any::<bool>()) {
            if like && bytes.len() >= 96 {
                let start = Superblock { data_blocks: 2, salt: Salt::default(), uuid: [0; 16] }.encode();
                bytes[..72].copy_from_slice(&start[..72]);
            }
            let _any_answer = HashTree::parse(&bytes);
        }
    }
}
