//! What there is: in the repository, on the disk, in the settings, and what an update would move. It reads everything and
//! writes only to the cache of the next boot; it must never change a set or a boot bit.
//!
//! - [`fetch`]: the repository, the hash image, the files for the next boot
//! - [`partitions`]: those of both sets, opened
//! - [`survey`]: what the disk holds, and what follows from it
//! - [`plan`]: what an update will move, as data
//! - [`hash_partition`]: the tree that tells which release a set holds
//! - [`sets`]: what each set holds; [`host`]: all of it, as it is told
//! - [`rehearsal`]: the migrations of the next boot, tried while nothing has changed
//! - [`stores`]: what settings are kept, and how they differ

pub mod fetch;
pub mod hash_partition;
pub mod host;
pub mod partitions;
pub mod plan;
pub mod rehearsal;
pub mod sets;
pub mod stores;
pub mod survey;
