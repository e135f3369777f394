//! What the fuzz targets share. Every target gives bytes from outside to one reader and asserts what must hold of
//! whatever comes out; a reader that panics, never ends or takes unbounded memory is a finding.
//!
//! - [`input`]: an input cut into fields
//! - [`gpt`]: a disk in memory with a partition table to be damaged

pub mod gpt;
pub mod input;
