//! Which partition set boots, and how that changes.
//!
//! A disk carries two sets of partitions, A and B. A few bits of the partition table say which of them the boot program
//! starts; this crate decides how those bits may change and changes them so that a power cut at any instant leaves a
//! valid table with a set that boots. It is the steps "flip", "boot pick" and "mark good" of the walk in
//! `docs/walkthrough.md`; the bits themselves are explained in `docs/boot-bits.md`.
//!
//! The core knows no machine and needs no `std`, so that a boot program can use it:
//!
//! - [`bits`]: the bits of one boot partition, and the partition types
//! - [`set`]: the sets' names
//! - [`layout`]: which table entries the sets are made of
//! - [`state`]: the bits of both sets and which one is running
//! - [`pick`]: the boot program's choice
//! - [`start`]: what a boot program does with a table: which set and why, and what the start costs
//! - [`handover`]: what the boot program tells the system that it starts
//! - [`deadline`]: what becomes of a boot that nobody marks good
//! - [`transition`]: what each command changes, and when it is refused
//! - [`table`]: a partition table's two copies: read, judge, and write so that one of them is always valid
//!
//! With the feature `std` (on by default) it also reaches disks:
//!
//! - [`discover`]: which disk carries the sets, and which set is running
//! - [`disk`]: that disk: its changes and its partitions
//! - [`idle`]: a disk that nothing runs from, for its first system
//! - [`sectors`]: that disk as the table code wants it
//! - [`inspect`]: its table as it was read, with what is known of the running set
//! - [`status`]: the state of both sets, as one value
//! - [`picked`]: the boot program's work, for hosts that start a set by a command
//! - [`create`]: laying out a disk
//! - [`esp`]: the partitions that firmware starts from, and the boot program on them
//! - [`screen`], [`report`]: the same for people and for programs
//! - [`cli`]: the command line over all of it
//! - `users`: who uses a block device
//! - [`error`]: why something was refused, and what to do next

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod bits;
pub mod deadline;
pub mod handover;
pub mod layout;
pub mod pick;
pub mod set;
pub mod start;
pub mod state;
pub mod table;
pub mod transition;

#[cfg(feature = "std")]
pub mod cli;
#[cfg(feature = "std")]
pub mod create;
#[cfg(feature = "std")]
pub mod discover;
#[cfg(feature = "std")]
pub mod disk;
#[cfg(feature = "std")]
pub mod error;
#[cfg(feature = "std")]
pub mod esp;
#[cfg(feature = "std")]
pub mod idle;
#[cfg(feature = "std")]
pub mod inspect;
#[cfg(feature = "std")]
mod node;
#[cfg(feature = "std")]
pub mod picked;
#[cfg(feature = "std")]
pub mod report;
#[cfg(feature = "std")]
pub mod screen;
#[cfg(feature = "std")]
pub mod sectors;
#[cfg(feature = "std")]
pub mod status;
#[cfg(feature = "std")]
pub mod step;
#[cfg(feature = "std")]
mod users;

pub use bits::{Attempts, BootBits, Role};
pub use set::SetName;
pub use state::State;
pub use transition::Command;

#[cfg(feature = "std")]
pub use disk::OsDisk;
#[cfg(feature = "std")]
pub use error::Error;
#[cfg(feature = "std")]
pub use idle::IdleDisk;
#[cfg(feature = "std")]
pub use status::{Partition, Set, Status};
