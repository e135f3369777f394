//! Images to partitions: only blocks that differ, synced, read back.
//!
//! The order is in the types. Writing an image, such as [`write::write_root`], ends with its stream read to the end and
//! found to be what was signed; only the three of a set together can be [synced](durable::Synced::new); what is synced
//! can be [read back](durable::Synced::read_back); and only a [`ReadBack`] lets a set be marked valid
//! (`docs/design.md`, "Writing").
//!
//! - [`tree`]: the hash image, verified as a whole in memory: the block index of root
//! - [`stream`]: a signed image as a stream of raw bytes, decoded on its own thread behind a short queue
//! - [`mod@write`]: one image into one partition
//! - [`durable`]: sync, read back, compare
//! - [`error`]: what can go wrong with an image or a partition

pub mod durable;
pub mod error;
pub mod stream;
pub mod tree;
pub mod write;

#[cfg(test)]
mod tests;

pub use durable::ReadBack;
pub use error::Error;
pub use tree::VerifiedTree;
