//! Holds: who keeps a role for holds withholds releases from a fleet at once, without the key of the targets role.
//!
//! - [`change`]: a release is withheld, or is not any more
//! - [`file`]: what a role for holds withholds, as its file has it
//! - [`show`]: everything that is withheld
//! - [`refused`]: why nothing was changed

pub mod change;
pub(crate) mod file;
pub mod refused;
pub mod show;

pub use change::{HoldReport, add, remove};
pub use refused::Refused;
pub use show::{HeldReport, held};
