//! What was to be shown and was not.

use std::fmt;

/// What was to be shown and was not.
#[derive(Debug)]
pub(super) struct Unmet {
    pub(super) what: String,
    /// Whether nothing was found wrong, but it could not be played to its end here.
    pub(super) not_run: bool,
}

impl Unmet {
    /// It is a sentence about what should have been.
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), not_run: false }
    }

    /// It cannot be played here, or not now; it is said why.
    pub(super) fn not_run(why: impl Into<String>) -> Self {
        Self { what: why.into(), not_run: true }
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}
