//! Where the levels of a tree lie in its image.
//!
//! The leaf level has one digest per data block; each level above has one digest per block of the level below, until
//! one block is left. The root hash is that block's digest. In the image the levels follow the superblock from the top
//! down. Data of a single block has no level at all: its digest is the root hash.

use crate::{BLOCK_SIZE, DIGESTS_PER_BLOCK, Error};

/// One level of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// Its first block, counted from the image's start.
    pub first_block: u64,
    /// How many blocks it has.
    pub blocks: u64,
    /// How many digests it holds: one for each block of the level below, or of the data.
    pub digests: u64,
}

/// The levels over some number of data blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    levels: Vec<Level>,
}

impl Layout {
    /// The levels over `data_blocks` blocks.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for no data at all, and for more than can be addressed in bytes.
    pub fn over(data_blocks: u64) -> Result<Self, Error> {
        let limit = i64::MAX.unsigned_abs() / BLOCK_SIZE as u64;
        if data_blocks == 0 || data_blocks > limit {
            return Err(Error::Unsupported {
                field: "number of data blocks",
                found: data_blocks.to_string(),
                wanted: "1 or more, up to 8 EiB of data",
            });
        }
        let mut levels = Vec::new();
        let mut below = data_blocks;
        while below > 1 {
            let blocks = below.div_ceil(DIGESTS_PER_BLOCK as u64);
            levels.push(Level { first_block: 0, blocks, digests: below });
            below = blocks;
        }
        levels.reverse();
        let mut next = 1; // The superblock is block 0.
        for level in &mut levels {
            level.first_block = next;
            next += level.blocks;
        }
        Ok(Self { levels })
    }

    /// The levels, from the top down: the order in which they lie in the image.
    #[must_use]
    pub fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// Superblock and tree together, in blocks.
    #[must_use]
    pub fn total_blocks(&self) -> u64 {
        1 + self.levels.iter().map(|level| level.blocks).sum::<u64>()
    }

    /// Superblock and tree together, in bytes.
    #[must_use]
    pub fn total_len(&self) -> u64 {
        self.total_blocks() * BLOCK_SIZE as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks_per_level(data_blocks: u64) -> Vec<u64> {
        Layout::over(data_blocks).unwrap().levels().iter().map(|level| level.blocks).collect()
    }

    #[test]
    fn a_level_appears_when_the_one_below_it_needs_a_second_block() {
        assert_eq!(blocks_per_level(1), []);
        assert_eq!(blocks_per_level(2), [1]);
        assert_eq!(blocks_per_level(128), [1]);
        assert_eq!(blocks_per_level(129), [1, 2]);
        assert_eq!(blocks_per_level(128 * 128), [1, 128]);
        assert_eq!(blocks_per_level(128 * 128 + 1), [1, 2, 129]);
    }

    #[test]
    fn the_top_lies_right_after_the_superblock() {
        let layout = Layout::over(128 * 128 + 1).unwrap();
        let starts: Vec<_> = layout.levels().iter().map(|level| level.first_block).collect();
        assert_eq!(starts, [1, 2, 4]);
        assert_eq!(layout.total_len(), 544_768);
    }

    #[test]
    fn no_data_and_more_than_can_be_addressed_are_refused() {
        assert!(Layout::over(0).is_err());
        assert!(Layout::over(u64::MAX).is_err());
        assert!(Layout::over(i64::MAX.unsigned_abs() / 4096).is_ok());
    }
}
