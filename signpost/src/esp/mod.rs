//! The partitions that firmware starts from: making their file system, putting the boot program on them, and telling the
//! firmware of it. Nothing here is mounted: the file system is changed in memory and its blocks are written, so that it is
//! known what a power cut leaves.
//!
//! - [`overlay`]: a partition with changes that are not written yet
//! - [`volume`]: its file system
//! - [`program`]: the boot program's file, and what firmware would say of it
//! - [`entry`]: the firmware's own list of what it starts
//! - [`install`]: all of it in the order that always leaves something to start

pub mod entry;
pub mod error;
pub mod install;
pub mod overlay;
pub mod program;
pub mod volume;
