//! A TUF client over directories of one's choice: the specification's workflow through this crate's own code.
//!
//! It exists so that suites written for any TUF client can judge the code that updates trust. What was verified is
//! remembered beside the metadata directory, in `DIR.state`; the directory itself is a picture of that memory.
//!
//! - [`client`]: begin with a trusted root, refresh, open
//! - `picture`: the metadata directory
//! - [`artifact`]: one target to a file, unless it is there already

pub mod artifact;
pub mod client;
mod picture;

pub use artifact::{Saved, save};
pub use client::TufClient;
