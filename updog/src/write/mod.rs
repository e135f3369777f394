//! The images of a release into the partitions of a set that does not run. It writes there and nowhere else, and must
//! never call a set bootable: what it hands out is the proof that others ask for.
//!
//! - [`fill`]: one update into one set
//! - [`install`]: images to partitions: verified, synced, read back
//! - [`first`]: a release into a disk that nothing runs from

pub mod fill;
pub mod first;
pub mod install;
