//! dm-verity hash trees: build one, read one, check one block against it.
//!
//! This crate decides whether a block is the one that was signed; it reads and writes nothing itself. The kernel checks
//! the same tree at every read of a running system, so a tree of ours equals, byte for byte, what `veritysetup format`
//! writes: superblock version 1, hash type 1 (the salt is hashed before the block), SHA-256, blocks of 4096 bytes. It
//! serves the fetch and write steps of the walk (`docs/design.md`, "Images" and "Writing").
//!
//! - [`digest`]: the root hash, the salt, and the salted digest of one block
//! - [`superblock`]: the first block of a hash image, which says how the rest was made
//! - [`layout`]: where the levels of a tree lie
//! - [`build`]: blocks in, hash image out
//! - [`walk`]: hash image in, block by block
//! - [`tree`]: hash image in, blocks checked
//! - [`error`]: what can be wrong with an image

pub mod build;
pub mod digest;
pub mod error;
pub mod layout;
pub mod superblock;
pub mod tree;
pub mod walk;

pub use build::{HashImage, TreeBuilder};
pub use digest::{BlockHasher, RootHash, Salt};
pub use error::Error;
pub use superblock::Superblock;
pub use tree::HashTree;
pub use walk::{TreeWalk, Walked};

/// Bytes per block, of the data and of the tree alike: the only size that is read and written here.
pub const BLOCK_SIZE: usize = 4096;
/// Bytes per digest.
pub const DIGEST_SIZE: usize = 32;
/// Digests per block of the tree.
pub const DIGESTS_PER_BLOCK: usize = BLOCK_SIZE / DIGEST_SIZE;
