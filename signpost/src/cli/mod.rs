//! The command line of `signpost`.
//!
//! - `args`: what may be said, and which file answers it
//! - `status`: the screen and the report
//! - `running`: the running set's partitions, for an initramfs
//! - `change`: every command that changes bits
//! - `pick`: the boot program's choice as a command
//! - `install_bootpick`: the boot program onto the partitions that firmware starts from
//! - `verify`: `verify`
//! - `repair`: `repair`
//! - `create`: `create`
//! - `has_boot_ever_succeeded`: the one word
//! - `boot_deadline`: what becomes of a boot that nobody marks good
//! - `answer`: an answer on stdout

mod answer;
mod args;
mod boot_deadline;
mod change;
mod create;
mod has_boot_ever_succeeded;
mod ignored;
mod install_bootpick;
mod pick;
mod repair;
mod running;
mod status;
mod verify;

pub(crate) use args::Args;
