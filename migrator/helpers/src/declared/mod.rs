//! Migrations without a program of their own: a list of steps, read by people and executed by us.
//!
//! ```toml
//! [[step]]
//! kind = "rename"
//! from = "settings.ntp.mode"
//! to = "settings.time.mode"
//!
//! [[step]]
//! kind = "replace"
//! setting = "settings.time.mode"
//! old = "burst"
//! new = "iburst"
//! ```
//!
//! Going forward the steps are taken from the first to the last, going back from the last to the first. Each obeys a law
//! (`docs/writing-migrations.md`), for live settings, their metadata and every pending transaction:
//!
//! - **add**: there and back is what was, but for what only the newer release knows.
//! - **remove**: there and back is what was, less the settings that are named.
//! - **rename**: there and back is what was.
//! - **replace**: there and back is what was, unless a value was the new one already.
//!
//! No step touches a setting that it does not name. For a host such a migration is a program like any other: our one
//! program with the list at its end ([`pack`]). `migrator` knows that program and executes the list itself.
//!
//! - `step`: one step, and what it does
//! - `list`: a list of them, as a text and at the end of a program

#[cfg(test)]
mod laws;
mod list;
mod step;

pub use list::{Declaration, pack};
pub use step::Step;
