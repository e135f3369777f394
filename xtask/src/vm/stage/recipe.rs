//! How a release is made that a scenario needs.

use crate::vm::image::Flaw;

/// How long a boot has to be marked good, unless a scenario waits for the end of that.
const DEADLINE: u32 = 1800;
/// How long the watchdog waits, unless a scenario waits for that.
const WATCHDOG: u32 = 900;

/// How a release is made that a scenario needs.
#[derive(Debug, Clone, Copy)]
pub(in crate::vm) struct Recipe {
    pub(in crate::vm) version: &'static str,
    pub(in crate::vm) flaw: Flaw,
    pub(in crate::vm) deadline: u32,
    pub(in crate::vm) watchdog: u32,
    pub(in crate::vm) words: &'static str,
}

/// A release without a flaw.
pub(in crate::vm) const fn good(version: &'static str) -> Recipe {
    flawed(version, Flaw::None)
}

/// A release with one.
pub(in crate::vm) const fn flawed(version: &'static str, flaw: Flaw) -> Recipe {
    Recipe { version, flaw, deadline: DEADLINE, watchdog: WATCHDOG, words: "" }
}
