//! What a run sees that only the metrics are for.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use host_io::Advise as _;
use semver::Version;

use crate::decide::choice::Choice;
use crate::error::Error;

/// What the run at hand has seen so far.
#[derive(Debug)]
pub struct Seen {
    begun: Instant,
    asked: Mutex<Option<Asked>>,
}

/// A repository was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// When that ended.
    pub at: DateTime<Utc>,
    /// How: the code of the error; `None` where the repository could be used.
    pub failed: Option<&'static str>,
    /// How long it took.
    pub took: Duration,
    /// What the rule made of it, where it was asked.
    pub choice: Option<Chosen>,
    /// How many releases for this host are withheld by roles for holds.
    pub withheld: u64,
}

/// What the rule made of a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    /// The release that this host takes.
    pub version: Option<Version>,
    /// When its turn comes, where that is later.
    pub opens: Option<DateTime<Utc>>,
}

impl Default for Seen {
    #[expect(clippy::disallowed_methods, reason = "how long it took is told, never decided on")]
    fn default() -> Self {
        Self { begun: Instant::now(), asked: Mutex::default() }
    }
}

impl Seen {
    /// How long the run has taken so far.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.begun.elapsed()
    }

    /// A repository was asked, from `begun` of this run on until `at`.
    pub fn asked(&self, at: DateTime<Utc>, begun: Duration, withheld: Result<u64, &Error>) {
        let took = self.took().saturating_sub(begun);
        let failed = withheld.as_ref().err().map(|error| error.code());
        // Whoever told it to stop knows more than it does.
        if withheld.as_ref().is_err_and(|error| error.is_stop()) {
            return;
        }
        let withheld = withheld.unwrap_or_default();
        *self.lock() = Some(Asked { at, failed, took, choice: None, withheld });
    }

    /// The rule chose, of what was asked last.
    pub fn chose(&self, choice: &Choice) {
        if let Some(asked) = self.lock().as_mut() {
            asked.choice = Some(match choice {
                Choice::Update(update) => Chosen { version: Some(update.version.clone()), opens: None },
                Choice::Held(held) => Chosen { version: None, opens: Some(held.until) },
                Choice::UpToDate | Choice::NotOffered { .. } => Chosen::default(),
            });
        }
    }

    /// The repository that was asked last.
    #[must_use]
    pub fn last(&self) -> Option<Asked> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Asked>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
