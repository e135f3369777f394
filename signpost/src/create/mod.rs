//! Laying out a disk: which partitions there are to be, where they lie, and bringing that onto the disk
//! (`docs/compatibility.md`, "Disk layout").
//!
//! - [`size`]: sizes as people write them
//! - [`blueprint`]: the partitions that are wanted, as a person writes them down
//! - [`standard`]: the partitions that are wanted when nobody writes anything down
//! - [`place`]: where each of them lies on a disk of a given size
//! - [`ends`]: the first and the last of a disk, in memory
//! - [`laid`]: the new table, made and judged before anything is written
//! - [`order`]: what was asked for, planned, then done
//! - [`kernel`]: telling the kernel about new partitions
//! - [`listing`]: the resulting table for people and for programs
//! - [`error`]: why a disk was not laid out

pub mod blueprint;
pub mod ends;
pub mod error;
pub mod kernel;
pub mod laid;
pub mod listing;
pub mod order;
pub mod place;
pub mod size;
pub mod standard;

pub use blueprint::Blueprint;
pub use error::CreateError;
pub use listing::Listing;
pub use order::{Order, Plan};
pub use size::Mebibytes;
