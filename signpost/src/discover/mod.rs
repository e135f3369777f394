//! Which disk carries the partition sets, and which of them is running.
//!
//! - [`config`]: what a person wrote down
//! - [`command_line`]: what the boot program passed on
//! - [`firmware`]: what the boot program left in the firmware's variables
//! - [`sysfs`]: what the kernel knows of its block devices
//! - [`evidence`]: all of it together, and the rule that names the running set
//! - [`search`]: the disk

pub mod command_line;
pub mod config;
pub mod evidence;
pub mod firmware;
pub mod search;
pub mod sysfs;

pub use evidence::{ActiveUnknown, Evidence, Source};
pub use search::{Choice, Whereabouts, find};
