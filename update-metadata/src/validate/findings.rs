//! What was found, with its place.

use std::fmt;

use serde::Serialize;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where, as a JSON path: `$.updates[3].waves["102"]`.
    pub path: String,
    /// What, as a fragment that follows the place: `is above the last seed, 2048`.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path, self.what)
    }
}

/// The problems so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) problems: Vec<Problem>,
    /// Whether one of them makes hosts refuse the whole manifest.
    pub(super) unreadable: bool,
}

impl Findings {
    /// Hosts cannot read this.
    pub(super) fn unreadable(&mut self, path: impl Into<String>, what: impl Into<String>) {
        self.unreadable = true;
        self.unwise(path, what);
    }

    /// Hosts read this, and it is wrong all the same.
    pub(super) fn unwise(&mut self, path: impl Into<String>, what: impl Into<String>) {
        self.problems.push(Problem { path: path.into(), what: what.into() });
    }
}
