//! `cargo xtask crash`: every state that a power cut could leave of an update, and what becomes of each.
//!
//! A story is played once with everything recorded that its programs do to the disk and to the persistent partition.
//! From the record follow the states (`docs/crash-consistency.md`); each becomes a host that boots, is looked at, and is
//! told to do the same again.
//!
//! - [`story`]: what is cut
//! - [`stage`]: playing it with a record
//! - [`boot_program`]: the boot program's own work, where a story has it
//! - [`story_log`]: from lines of a record to steps
//! - [`medium`]: what lands, and what a medium then holds; [`tree`]: the persistent partition as a value
//! - [`epochs`]: all states between two syncs; [`measure`]: how many of them; [`units`]: what lands there, one without the other
//! - [`cases`]: the states of a story, each once; [`hands`]: looking at all of them
//! - [`twice`]: what is done after a first cut, cut again
//! - [`live`]: a state as a host; [`going`]: what it then does; [`insisting`]: when a person insists there; [`firmware`]: what starts of it; [`memo`]: runs that need not be made twice
//! - [`controls`]: mistakes made on purpose, each of which has to be caught
//! - [`published`]: what was published, and what of it a partition holds
//! - [`judge`]: the nine promises; [`shapes`]: what may differ between two ways to the same end
//! - [`explore`]: one story from its record to its figures; [`exploring`]: cutting it; [`extents`]: how far
//! - [`table`]: the figures, for people and as JSON
//! - [`below`]: the same promises below a real kernel's file system

pub(super) mod below;
mod boot_program;
mod cases;
mod controls;
mod epochs;
mod explore;
mod exploring;
mod extents;
mod firmware;
mod going;
mod hands;
mod insisting;
mod judge;
mod live;
mod measure;
mod medium;
mod memo;
mod published;
mod shapes;
mod stage;
mod story;
mod story_log;
mod table;
mod tree;
mod twice;
mod units;

pub(super) use explore::run;
pub(super) use extents::{Depth, Extents};
