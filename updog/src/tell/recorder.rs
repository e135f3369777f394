//! Taking down what a run decides and does, as it goes.
//!
//! Keeping it is never a reason to stop: a full disk costs the record and nothing else.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use host_io::{Advise, Clock, Fs, Paths};
use trusted_repo::Account;

use crate::tell::evidence::{Evidence, Failure, Outcome};
use crate::tell::history;
use crate::write::install::WriteCount;

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
    ended: Mutex<Option<Evidence>>,
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
        Self {
            fs,
            clock,
            paths: paths.clone(),
            command,
            account,
            written,
            draft: Mutex::new(None),
            ended: Mutex::new(None),
        }
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
            self.count(evidence, self.account.fetched());
            history::keep(&*self.fs, &self.paths, evidence);
        }
    }

    fn count(&self, evidence: &mut Evidence, fetched: u64) {
        evidence.bytes.fetched = fetched;
        if evidence.read_back.is_none() {
            evidence.bytes.written = self.written.bytes();
        }
    }

    /// Keeps how it ended. There is nothing to take down after this.
    pub fn end(&self, outcome: Outcome, error: Option<&dyn Advise>) {
        if let Some(mut evidence) = self.draft().take() {
            evidence.ended = Some(self.clock.now());
            evidence.outcome = outcome;
            evidence.error = error.map(Failure::of);
            self.count(&mut evidence, self.account.settled());
            history::keep(&*self.fs, &self.paths, &mut evidence);
            *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(evidence);
        }
    }

    /// How it ended, once it has.
    #[must_use]
    pub fn ended(&self) -> Option<Evidence> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
