//! What one run decided, from what, and what it did: the record that outlives it.
//!
//! A run fills it in as it goes ([`Recorder`]); [`crate::history`] keeps the newest ones. It is told by
//! `updog history`, and its shape is that of `docs/compatibility.md`, "updog": fields are only ever added.
//! Keeping it is never a reason to stop: a full disk costs the record and nothing else.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use chrono::{DateTime, Utc};
use host_io::{Advise, Clock, Fs, Paths, report};
use semver::Version;
use serde::{Deserialize, Serialize};
use trusted_repo::Account;

use crate::history::{self, Id};
use crate::install::WriteCount;

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
    /// How it came in the end: `local`, `frames` or `plain-stream`.
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

/// The evidence of the run at hand, filled in from wherever something is known. Before [`Recorder::begin`] it takes
/// nothing down: a question needs no record.
pub struct Recorder {
    fs: Arc<dyn Fs>,
    clock: Arc<dyn Clock>,
    paths: Paths,
    command: &'static str,
    account: Account,
    written: WriteCount,
    draft: Mutex<Option<Evidence>>,
}

/// Adds the time from its making to its end to a phase.
#[must_use = "the phase ends when this does"]
pub struct PhaseTimer<'a> {
    recorder: &'a Recorder,
    phase: &'static str,
    started: Instant,
}

impl Recorder {
    /// A recorder for one run of `command`.
    #[must_use]
    pub fn new(fs: Arc<dyn Fs>, clock: Arc<dyn Clock>, paths: &Paths, command: &'static str) -> Self {
        let (account, written) = (Account::default(), WriteCount::default());
        Self { fs, clock, paths: paths.clone(), command, account, written, draft: Mutex::new(None) }
    }

    /// The same, with what the run's bytes are counted in: they are in the record however it ends.
    #[must_use]
    pub fn counting(self, account: Account, written: WriteCount) -> Self {
        Self { account, written, ..self }
    }

    /// From here on there is something to record. The operation lock is held, or nothing that needs it is done.
    pub fn begin(&self) {
        let evidence =
            Evidence { started: self.clock.now(), command: self.command.to_owned(), ..Evidence::default() };
        *self.draft() = Some(evidence);
    }

    /// Takes something down.
    pub fn note(&self, note: impl FnOnce(&mut Evidence)) {
        if let Some(evidence) = self.draft().as_mut() {
            note(evidence);
        }
    }

    /// Counts the time until the value goes away as `phase`.
    #[expect(clippy::disallowed_methods, reason = "how long it took is told, never decided on")]
    pub fn time(&self, phase: &'static str) -> PhaseTimer<'_> {
        PhaseTimer { recorder: self, phase, started: Instant::now() }
    }

    /// Keeps what is known so far: a run that is cut short after this is in the history. To be called before the first
    /// change.
    pub fn keep(&self) {
        if let Some(evidence) = self.draft().as_mut() {
            history::keep(&*self.fs, &self.paths, evidence);
        }
    }

    /// Keeps how it ended. There is nothing to take down after this.
    pub fn end(&self, outcome: Outcome, error: Option<&dyn Advise>) {
        if let Some(mut evidence) = self.draft().take() {
            evidence.ended = Some(self.clock.now());
            evidence.outcome = outcome;
            evidence.error = error.map(Failure::of);
            evidence.bytes.fetched = self.account.fetched();
            if evidence.read_back.is_none() {
                evidence.bytes.written = self.written.bytes();
            }
            history::keep(&*self.fs, &self.paths, &mut evidence);
        }
    }

    fn draft(&self) -> MutexGuard<'_, Option<Evidence>> {
        self.draft.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PhaseTimer<'_> {
    fn drop(&mut self) {
        let passed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.recorder.note(|evidence| *evidence.timings.entry(self.phase.to_owned()).or_default() += passed);
    }
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
