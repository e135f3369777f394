//! The pinned set that the next boot migrates with.
//!
//! One directory per set, `cache/DIGEST/{metadata,targets,pin.json}`, and the link `current` to the live one. The two
//! paths that a migrator opens are links through `current`. The rules are those of `docs/design.md`, "Trust", fifth
//! point, and "Details".
//!
//! - [`staged`]: a set that is ready to be written, and writing it beside the live one
//! - `pin`: what the set was when it was staged
//! - [`current`]: making a set the live one

pub mod current;
pub(crate) mod pin;
pub mod staged;

pub use current::make_current;
pub use staged::{CacheId, StagedCache, at_hand};
