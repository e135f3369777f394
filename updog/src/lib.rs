//! Choose an update, fetch it, write it to the set that is not running, and flip.
//!
//! This crate decides which update a host takes and what that moves; it writes the partitions of the inactive set and
//! asks `signpost` to change the boot bits. It is the steps "choice" to "flip" of the walk in `docs/walkthrough.md`; the
//! program is `updog`. In the order of the walk:
//!
//! - [`config`]: where the repository is and how this host takes updates
//! - [`choose`]: which update, as a rule over values; [`why`]: why none; [`explain`]: every version and its reason
//! - [`plan`]: what it will move, as data
//! - [`fetch`]: the repository, the hash image, the files for the next boot
//! - [`survey`]: what the disk holds, and what follows from it
//! - [`standing`]: whether what was chosen still stands
//! - [`stores`]: whose settings are in force, and whose are kept
//! - [`review`]: taking back what does not
//! - [`next_boot`]: which set boots next instead of the running one, and why
//! - [`guard`]: what is refused before anything changes
//! - [`install`]: images to partitions: verified, synced, read back
//! - [`fill`]: one update into one set
//! - [`rehearsal`]: the migrations of the next boot, tried while nothing has changed
//! - [`record`]: which version is in which set; [`hash_partition`]: the tree that tells; [`sets`]: what each holds
//! - [`attempts`]: releases that did not stay, and when one may be tried again; [`observe`]: what became of them
//! - [`recall`]: whether what is staged is still offered
//! - [`apply`]: marking valid, activating, taking back
//! - [`health`]: whether the running system does what it should; [`rollback`]: whether there is a way back
//! - [`update`]: all of it, in the one order that is safe; [`first`]: into a disk that nothing runs from
//!
//! Around it:
//!
//! - [`events`]: what happens, told as events; [`answer`]: answers on stdout
//! - [`evidence`]: what one run decided and did; [`recorder`]: taking it down; [`history`]: the newest of these records
//! - [`wait`]: waiting, and being told to stop; [`give_way`]: leaving the machine to others
//! - [`context`]: the host at hand
//! - [`commands`]: the subcommands; [`cli`]: what was typed
//! - [`error`]: why something failed; [`exit`]: how the program ends

pub mod answer;
pub mod apply;
pub mod attempts;
pub mod choose;
pub mod cli;
pub mod commands;
pub mod config;
pub mod context;
pub mod error;
pub mod events;
pub mod evidence;
pub mod exit;
pub mod explain;
pub mod fetch;
pub mod fill;
pub mod first;
pub mod give_way;
pub mod guard;
pub mod hash_partition;
pub mod health;
pub mod history;
pub mod install;
pub mod next_boot;
pub mod observe;
pub mod plan;
pub mod recall;
pub mod record;
pub mod recorder;
pub mod rehearsal;
pub mod review;
pub mod rollback;
pub mod sets;
pub mod standing;
pub mod stores;
pub mod survey;
pub mod update;
pub mod wait;
pub mod why;

#[cfg(test)]
mod testing;
