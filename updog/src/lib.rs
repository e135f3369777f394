//! Choose an update, fetch it, write it to the set that is not running, and flip.
//!
//! This crate decides which update a host takes and what that moves; it writes the partitions of the inactive set and
//! asks `signpost` to change the boot bits. It is the steps "choice" to "flip" of the walk in `docs/walkthrough.md`; the
//! program is `updog`. Its rooms, in the order of the walk:
//!
//! - [`config`]: where the repository is and how this host takes updates
//! - [`decide`]: which release this host takes, and why
//! - [`look`]: what there is, and what an update would move
//! - [`mod@write`]: images into the set that does not run
//! - [`flip`]: the boot bits, and what is recorded beside them
//! - [`after`]: health, what became of releases, the way back
//! - [`update`]: all of it, in the one order that is safe
//! - [`turn`]: one host of a group after another, around the reboot
//!
//! Around them:
//!
//! - [`tell`]: how it is told, while it happens and afterwards
//! - [`typed`]: what was typed, and how the program ends
//! - [`context`]: the host at hand
//! - [`wait`]: waiting, and being told to stop; [`give_way`]: leaving the machine to others
//! - [`error`]: why something failed

pub mod after;
pub mod config;
pub mod context;
pub mod decide;
pub mod error;
pub mod flip;
pub mod give_way;
pub mod look;
pub mod tell;
pub mod turn;
pub mod typed;
pub mod update;
pub mod wait;
pub mod write;

#[cfg(test)]
mod testing;
