//! The disk of a simulated host: a sparse image file with a GPT, and ways to look at it that share no code with
//! `signpost`.
//!
//! - [`layout`]: which partitions there are, and writing a new disk
//! - [`bits`]: priority, tries and success of a set
//! - [`window`]: one partition of an open disk
//! - [`mod@file`]: the disk as a whole

pub mod bits;
pub mod file;
pub mod layout;
pub mod window;

pub use bits::BootBits;
pub use file::{DiskImage, Partition, Set};
pub use layout::{Banks, Layout, Table};
pub use window::Window;
