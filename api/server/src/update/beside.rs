//! What is asked of `updog` beside the four commands: going back, clearing what failed, history, explanations, metrics.
//!
//! None of it is a command of the update states, so none of it is ever the last command in a status: readers of that
//! know four words and no others.

use serde::Deserialize;
use serde_json::Value;

use super::dispatcher::{Dispatcher, lock_is_held};
use super::refusal::{Errand, Refusal};

/// With which settings to go back to the other set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rollback {
    /// Those of now, through their migrations.
    Migrate,
    /// Those that were kept when that set was left.
    RestoreSnapshot,
}

/// What `updog metrics` answers.
#[derive(Deserialize)]
struct Metrics {
    prometheus: String,
}

impl Rollback {
    fn words(self) -> Vec<&'static str> {
        match self {
            Self::Migrate => vec!["rollback"],
            Self::RestoreSnapshot => vec!["rollback", "--restore-snapshot"],
        }
    }
}

impl Dispatcher {
    /// Lets the other set boot next.
    ///
    /// # Errors
    /// [`Refusal::Busy`] while a command runs; otherwise what `updog` refused.
    pub async fn rollback(&self, how: Rollback) -> Result<Value, Refusal> {
        self.run(Errand::Rollback, &how.words()).await
    }

    /// What [`Dispatcher::rollback`] would change.
    ///
    /// # Errors
    /// As there.
    pub async fn plan_rollback(&self, how: Rollback) -> Result<Value, Refusal> {
        let words = [how.words(), vec!["--dry-run"]].concat();
        self.0.updog.ask(&words).await.map_err(|error| Refusal::of(Errand::Rollback, &error))
    }

    /// Forgets that a release failed here, so that it may be chosen again.
    ///
    /// # Errors
    /// [`Refusal::Busy`] while a command runs; otherwise what `updog` refused.
    pub async fn clear_failed(&self) -> Result<Value, Refusal> {
        self.run(Errand::ClearFailed, &["clear-failed"]).await
    }

    /// What was done on this host, newest first.
    ///
    /// # Errors
    /// When `updog` cannot tell.
    pub async fn history(&self) -> Result<Value, Refusal> {
        self.0.updog.ask(&["history"]).await.map_err(|error| Refusal::of(Errand::History, &error))
    }

    /// What monitoring sees, in the text format of Prometheus. Nothing is changed.
    ///
    /// # Errors
    /// When `updog` cannot tell.
    pub async fn metrics(&self) -> Result<String, Refusal> {
        self.ask_for_metrics(&["metrics"]).await
    }

    /// Brings the file up to date that monitoring reads: nobody else may have done anything since this host started.
    pub async fn write_metrics(&self) {
        if let Err(error) = self.ask_for_metrics(&["metrics", "--write"]).await {
            tracing::warn!("failed to {}", host_io::report::chain(&error));
        }
    }

    async fn ask_for_metrics(&self, words: &[&str]) -> Result<String, Refusal> {
        let told: Metrics =
            self.0.updog.ask(words).await.map_err(|error| Refusal::of(Errand::Metrics, &error))?;
        Ok(told.prometheus)
    }

    /// Every known version with its verdict. It may ask the repository, so it is not bound to a time of ours.
    ///
    /// # Errors
    /// When `updog` cannot tell.
    pub async fn explain(&self) -> Result<Value, Refusal> {
        self.0
            .updog
            .ask_with_network(&["explain"])
            .await
            .map_err(|error| Refusal::of(Errand::Explain, &error))
    }

    /// Runs something short that changes the host, to its end: its caller has no other way to learn of that.
    pub(super) async fn run(&self, errand: Errand, words: &[&str]) -> Result<Value, Refusal> {
        let inner = &self.0;
        let turn = inner.slot.take().ok_or(Refusal::Busy)?;
        if lock_is_held(&inner.paths)? {
            return Err(Refusal::Busy);
        }
        let mut known = inner.known.lock().await;
        known.fresh = None;
        let done = match inner.updog.begin(words).await {
            Ok(work) => work.end(turn.asked_to_stop()).await,
            Err(error) => Err(error),
        };
        // Also after a failure: what it left on the disk is what the next status tells.
        if let Err(error) = inner.look(&mut known).await {
            tracing::warn!("failed to {}", host_io::report::chain(&error));
        }
        done.map_err(|error| Refusal::of(errand, &error))
    }
}
