//! Who chose a release, and what may speak against it since.

use serde::{Deserialize, Serialize};

/// Who chose what lies in a set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChosenBy {
    /// A person, by name.
    Person,
    /// The rule, from what is offered and how the host is set.
    #[default]
    #[serde(other)]
    Rule,
}

/// What may speak against a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It was taken back.
    Recalled,
    /// The minimum version of this host forbids it.
    BelowMinimum,
    /// The repository does not have it any more.
    Removed,
    /// It is paused.
    Paused,
    /// A role for holds withholds it.
    Withheld,
    /// Nobody knows what a role for holds withholds.
    HoldsUnknown,
    /// It did not stay when it ran here.
    Held,
    /// The version lock of this host leads elsewhere.
    Locked,
    /// The manifest keeps it from this host, or it is no update for what runs.
    NotForThisHost,
    /// A newer program has another reason.
    #[serde(other)]
    Other,
}

/// What speaks against a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Against {
    /// In a word.
    pub kind: Kind,
    /// As a sentence without a final stop.
    pub why: String,
}
