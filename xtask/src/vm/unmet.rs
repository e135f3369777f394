//! What was to be shown and was not.

use std::fmt;

/// What was to be shown and was not.
#[derive(Debug)]
pub(super) struct Unmet {
    what: String,
    /// Whether nothing was found wrong, but the time for all of it was over.
    pub(super) out_of_time: bool,
}

impl Unmet {
    /// It is a sentence about what should have been.
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), out_of_time: false }
    }

    /// The time that all scenarios have together is over.
    pub(super) fn out_of_time() -> Self {
        Self { what: "the time is over".to_owned(), out_of_time: true }
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}
