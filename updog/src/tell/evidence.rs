//! What one run decided, from what, and what it did: the record that outlives it.
//!
//! A run fills it in as it goes ([`Recorder`](crate::tell::recorder::Recorder)); [`crate::tell::history`] keeps the newest ones. It is told by
//! `updog history`, and its shape is that of `docs/compatibility.md`, "updog": fields are only ever added.
//! Keeping it is never a reason to stop: a full disk costs the record and nothing else.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use host_io::{Advise, report};
use semver::Version;
use serde::{Deserialize, Serialize};

/// The name of a record: a number that only grows, and when it began. The number counts, as clocks go back. By default
/// it is the name of none: a record gets one when it is kept for the first time.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id(String);

impl Id {
    pub(crate) fn new(number: u64, at: DateTime<Utc>) -> Self {
        Self(format!("{number:06}-{}", at.format("%Y%m%dT%H%M%SZ")))
    }

    /// The record that a file holds, by the file's name.
    pub(crate) fn of_file(name: &str) -> Option<Self> {
        Some(Self(name.strip_suffix(".json")?.to_owned()))
    }

    pub(crate) fn number(&self) -> Option<u64> {
        self.0.split_once('-')?.0.parse().ok()
    }

    /// Whether `text` names this record: all of it, or the number, with or without its zeros.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        self.0 == text || (text.parse().ok().is_some_and(|number: u64| Some(number) == self.number()))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What one run decided and did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// Its name, which sorts by age.
    pub id: Id,
    /// When it began.
    pub started: DateTime<Utc>,
    /// When it ended; null while it runs, and for one that was cut short.
    pub ended: Option<DateTime<Utc>>,
    /// The subcommand.
    pub command: String,
    /// The running version.
    pub from: Option<Version>,
    /// The chosen version.
    pub to: Option<Version>,
    /// The chosen flavour of the system.
    pub variant: Option<String>,
    /// For which architecture.
    pub arch: Option<String>,
    /// The set that was changed.
    pub set: Option<String>,
    /// The versions of the metadata that this was decided from.
    pub metadata: Option<Metadata>,
    /// The SHA-256 of the manifest that this was decided from.
    pub manifest_sha256: Option<String>,
    /// The digests of the files of holds that this was decided from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<String>,
    /// Bytes by where they came from.
    pub bytes: Bytes,
    /// What became of each image.
    pub images: BTreeMap<String, ImageEvidence>,
    /// How often the medium was asked to make writes durable.
    pub syncs: u64,
    /// What was read back: `device`, or `image-file`, where it is advisory.
    pub read_back: Option<String>,
    /// How long each phase took, in milliseconds.
    pub timings: BTreeMap<String, u64>,
    /// How it ended.
    pub outcome: Outcome,
    /// What a person should know beside this, a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Why it failed.
    pub error: Option<Failure>,
    /// How many runs before this one, one after another, ended in the same way with nothing changed.
    #[serde(skip_serializing_if = "is_zero")]
    pub repeats: u32,
}

/// The versions of the four roles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metadata {
    /// Of root.
    pub root: u64,
    /// Of timestamp.
    pub timestamp: u64,
    /// Of snapshot.
    pub snapshot: u64,
    /// Of targets.
    pub targets: u64,
}

impl From<trusted_repo::Roles> for Metadata {
    fn from(roles: trusted_repo::Roles) -> Self {
        Self {
            root: roles.root.version,
            timestamp: roles.timestamp.version,
            snapshot: roles.snapshot.version,
            targets: roles.targets.version,
        }
    }
}

/// Bytes by where they came from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bytes {
    /// Received over the network.
    pub fetched: u64,
    /// Copied from the running set.
    pub copied: u64,
    /// Right in their place already.
    pub skipped: u64,
    /// Written to the inactive set.
    pub written: u64,
}

/// What became of one image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageEvidence {
    /// How it came in the end: `local`, `pack`, `frames` or `plain-stream`.
    pub way: Option<String>,
    /// Bytes by where they came from.
    #[serde(flatten)]
    pub bytes: Bytes,
    /// The SHA-256 of the image as it was read back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The root hash of its tree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_hash: Option<String>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The inactive set holds the update.
    Staged,
    /// Another set boots next.
    Activated,
    /// A flip was taken back.
    Reverted,
    /// The running set was marked good.
    Confirmed,
    /// The host reboots into the update, in its turn.
    Rebooting,
    /// The turn of this host has ended.
    TurnEnded,
    /// It failed.
    Failed,
    /// It was told to stop.
    Cancelled,
    /// There was nothing to do.
    Nothing,
    /// It runs still, or was cut short.
    Unfinished,
    /// A newer program ended in a way that this one has no word for.
    #[default]
    #[serde(other)]
    Other,
}

impl Outcome {
    /// The outcome as people and programs read it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Staged => "staged",
            Self::Activated => "activated",
            Self::Reverted => "reverted",
            Self::Confirmed => "confirmed",
            Self::Rebooting => "rebooting",
            Self::TurnEnded => "turn-ended",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Nothing => "nothing",
            Self::Unfinished => "unfinished",
            Self::Other => "other",
        }
    }
}

/// Why a run failed, as `--json` tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Failure {
    /// The word for programs.
    pub code: String,
    /// The sentence for people.
    pub message: String,
    /// The next step.
    pub help: Option<String>,
}

impl Failure {
    /// `error` in the words of the last line of a run.
    #[must_use]
    pub fn of(error: &dyn Advise) -> Self {
        serde_json::from_value(report::json(error)).expect("the report has these fields")
    }
}

impl Default for Evidence {
    fn default() -> Self {
        Self {
            id: Id::default(),
            started: DateTime::UNIX_EPOCH,
            ended: None,
            command: String::new(),
            from: None,
            to: None,
            variant: None,
            arch: None,
            set: None,
            metadata: None,
            manifest_sha256: None,
            holds: Vec::new(),
            bytes: Bytes::default(),
            images: BTreeMap::new(),
            syncs: 0,
            read_back: None,
            timings: BTreeMap::new(),
            outcome: Outcome::Unfinished,
            notes: Vec::new(),
            error: None,
            repeats: 0,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_a_newer_program_is_read() {
        let text = r#"{"id":"000007-20240601T000000Z","started":"2024-06-01T00:00:00Z","command":"update","more":[1],
            "outcome":"beamed","images":{"root":{"written":5,"root_hash":"ab","way":"pack","new":{}}}}"#;
        let evidence: Evidence = serde_json::from_str(text).unwrap();
        assert_eq!(evidence.outcome, Outcome::Other);
        assert_eq!(evidence.images["root"].bytes.written, 5);
        assert_eq!(evidence.images["root"].way.as_deref(), Some("pack"));
    }

    #[test]
    fn the_shape_is_the_one_that_others_read() {
        let mut evidence = Evidence { command: "update".to_owned(), ..Evidence::default() };
        evidence.images.insert("boot".to_owned(), ImageEvidence::default());
        let json = serde_json::to_value(&evidence).unwrap();
        let fields: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        for field in [
            "id",
            "started",
            "ended",
            "command",
            "from",
            "to",
            "variant",
            "arch",
            "set",
            "metadata",
            "manifest_sha256",
            "bytes",
            "images",
            "syncs",
            "read_back",
            "timings",
            "outcome",
            "error",
        ] {
            assert!(fields.contains(&field), "{field} in {json}");
        }
        assert_eq!(json["outcome"], "unfinished");
        assert_eq!(json["images"]["boot"]["fetched"], 0);
    }
}
