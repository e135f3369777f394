//! What can be wrong with a hash image, or with a block that is held against one.

use thiserror::Error;

/// Why a tree was not built or read, or a block not accepted.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A block is not exactly one block long.
    #[error("take a block of {len} bytes: a block has {}", crate::BLOCK_SIZE)]
    BlockLength {
        /// What was given instead.
        len: usize,
    },
    /// The image does not begin like a hash image.
    #[error("find a dm-verity superblock: the image begins with something else")]
    NotVerity,
    /// The superblock asks for something that is not made or read here.
    #[error("use the superblock: its {field} is {found}, and {wanted} is needed")]
    Unsupported {
        /// The field, in words.
        field: &'static str,
        /// What the superblock says.
        found: String,
        /// What can be used.
        wanted: &'static str,
    },
    /// The superblock's unused bytes are not zero.
    #[error("use the superblock: bytes that must be zero are not")]
    SuperblockPadding,
    /// The image ends before its tree does.
    #[error("read the hash tree: it needs {need} bytes and the image has {len}")]
    Truncated {
        /// Bytes that are there.
        len: u64,
        /// Bytes that the superblock implies.
        need: u64,
    },
    /// A block of the tree does not have the digest that the level above holds for it.
    #[error("verify the hash tree: block {block} of the hash image differs from the level above it")]
    Inner {
        /// Which block of the hash image, the superblock being 0.
        block: u64,
    },
    /// A block of the tree has something after its last digest.
    #[error("verify the hash tree: block {block} of the hash image has bytes after its last digest")]
    Padding {
        /// Which block of the hash image, the superblock being 0.
        block: u64,
    },
    /// Something follows the tree.
    #[error("verify the hash tree: byte {offset} lies after the tree and is not zero")]
    Trailing {
        /// Where, in bytes from the image's start.
        offset: u64,
    },
    /// The data has no such block.
    #[error("check block {index}: the tree covers {data_blocks} blocks")]
    OutOfRange {
        /// The block that was asked for.
        index: u64,
        /// How many there are.
        data_blocks: u64,
    },
    /// A data block is not the one that the tree was made over.
    #[error("check block {index}: its digest is not the one in the hash tree")]
    Differs {
        /// The block.
        index: u64,
    },
}

/// Why a text is not a root hash or a salt.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TextError {
    /// Not pairs of hexadecimal digits.
    #[error("read {text:?} as hexadecimal digits")]
    NotHex {
        /// What was given.
        text: String,
    },
    /// The wrong number of bytes.
    #[error("use {len} bytes: {wanted} are needed")]
    Length {
        /// What was given.
        len: usize,
        /// What fits.
        wanted: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_in_these_words() {
        assert_eq!(
            Error::Inner { block: 3 }.to_string(),
            "verify the hash tree: block 3 of the hash image differs from the level above it"
        );
    }
}
