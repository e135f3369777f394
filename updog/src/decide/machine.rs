//! What a rule needs to know of the host that it chooses for.

use chrono::{DateTime, Utc};
use semver::Version;
use update_metadata::Seed;
use update_metadata::explain::instant;

use crate::decide::withheld::Withheld;

/// What the rule needs to know about the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Which flavour of the system it wants.
    pub variant: String,
    /// Its architecture, in the manifest's words.
    pub arch: String,
    /// The running version.
    pub version: Version,
    /// Its place in the fleet.
    pub seed: Seed,
    /// Releases that it does not take, for what became of them here.
    pub barred: Vec<Barred>,
    /// Releases that are withheld from it and its like, whoever asks for them.
    pub withheld: Withheld,
}

/// A release that was tried on this host and did not stay. It is not chosen, whoever asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Barred {
    /// Its flavour.
    pub variant: String,
    /// Its architecture.
    pub arch: String,
    /// Its version.
    pub version: Version,
    /// From when on it may be tried again; `None` until a person says so.
    pub until: Option<DateTime<Utc>>,
    /// Why it did not stay.
    pub reason: String,
}

impl std::fmt::Display for Barred {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.until {
            Some(until) => write!(f, "it is tried again after {}: {}", instant(until), self.reason),
            None => write!(f, "it is held: {}", self.reason),
        }
    }
}
