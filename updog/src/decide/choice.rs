//! What can be asked of the choice, and what it can answer.

use chrono::{DateTime, Utc};
use semver::Version;
use update_metadata::Update;
use update_metadata::offer::Obstacle;

use crate::decide::machine::Barred;
use crate::decide::withheld::By;

/// Which version is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// The newest, or an older one when the running version was taken back.
    Latest,
    /// The one that the version lock names.
    Locked(Version),
    /// The one that a person named.
    Image(Version),
}

/// Whether the schedule of an update counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waves {
    /// Wait until this host's turn has come.
    Respect,
    /// Take what is published.
    Ignore,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Which version.
    pub wanted: Wanted,
    /// Whether to wait for its wave.
    pub waves: Waves,
}

/// The result of the rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Take this update.
    Update(Box<Update>),
    /// There is nothing to do.
    UpToDate,
    /// There would be an update, and this host's turn comes later.
    Held(Held),
    /// The version that was asked for by name is not for this host.
    NotOffered {
        /// The version.
        version: Version,
        /// Why not.
        reason: NotOffered,
    },
}

/// An update whose wave has not opened yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its version.
    pub version: Version,
    /// When this host's turn comes.
    pub until: DateTime<Utc>,
}

/// Why a version is not offered to this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotOffered {
    /// The repository has no such version for this variant and architecture.
    Unknown,
    /// The manifest keeps it from this host.
    Kept(Obstacle),
    /// A role for holds withholds it.
    Withheld(Box<By>),
    /// It was tried here and did not stay.
    Failed(Box<Barred>),
}

impl std::fmt::Display for NotOffered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown => {
                f.write_str("the repository has no such version for this variant and architecture")
            }
            Self::Kept(obstacle) => obstacle.fmt(f),
            Self::Withheld(by) => by.fmt(f),
            Self::Failed(barred) => barred.fmt(f),
        }
    }
}
