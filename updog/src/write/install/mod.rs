//! Images to partitions: what is right stays, the rest is copied or fetched, and all of it is checked before it is
//! written, synced, and read back.
//!
//! The order is in the types. Writing an image, such as [`plain::write_root`], ends with every byte found to be what was
//! signed; only the three of a set together can be [synced](durable::Synced::new); what is synced can be
//! [read back](durable::Synced::read_back); and only a [`ReadBack`] lets a set be marked valid (`docs/design.md`,
//! "Writing").
//!
//! - [`tree`]: the hash image, verified as a whole in memory: the block index of root
//! - [`index`]: what an image's frames are
//! - [`scan`]: what lies in a partition
//! - [`crew`]: several threads behind one short queue
//! - [`target`]: a partition that takes an image
//! - `truth`: what an image must be, unit by unit
//! - [`parts`]: an image from what the disk has and the frames that it has not
//! - [`sum`]: what a whole image is: length and digest
//! - [`pack`]: groups of an image from the running one and a pack
//! - [`stream`]: a signed image as a stream of raw bytes; [`plain`]: an image from that
//! - [`entrance`]: where a stream can be entered when its beginning is in place
//! - [`tail`]: what lies behind an image in its partition
//! - [`durable`]: sync, read back, compare
//! - [`receipt`]: which signed targets were decoded to what
//! - [`error`]: what can go wrong with an image or a partition

pub mod crew;
pub mod durable;
pub mod entrance;
pub mod error;
pub mod index;
pub mod pack;
pub mod parts;
pub mod plain;
pub mod receipt;
pub mod scan;
pub mod stream;
pub mod sum;
pub mod tail;
pub mod target;
pub mod tree;
mod truth;

#[cfg(test)]
mod tests;

pub use crew::Crew;
pub use durable::ReadBack;
pub use error::Error;
pub use index::VerifiedIndex;
pub use target::{Target, WriteCount};
pub use tree::VerifiedTree;

/// Bytes that are read, checked and written at once: long enough for a disk, and passing it on costs nothing beside
/// hashing it.
const PIECE: usize = 128 * verity::BLOCK_SIZE;
