//! One update command at a time.
//!
//! A command is answered once its child holds the operation lock; from then until its end is recorded, everything that
//! asks for the state is told that a command runs. So whoever gets an answer again finds the outcome in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use api_model::{CommandType, UpdateImage, UpdateStatus};
use host_io::{Clock, Fs, OperationLock, Paths};
use semver::Version;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use super::child::{self, Updog, Work};
use super::facts::Facts;
use super::files::Files;
use super::memory::{Memory, Outcome};
use super::refusal::Refusal;
use super::state::{self, Refused};
use super::status;
use crate::start::Boot;

/// Runs update commands and tells their state. Clones are the same dispatcher.
#[derive(Clone)]
pub struct Dispatcher(Arc<Inner>);

struct Inner {
    paths: Paths,
    clock: Arc<dyn Clock>,
    updog: Updog,
    files: Files,
    slot: Arc<AtomicBool>,
    known: Mutex<Known>,
}

/// What is known, and what of it has been written.
struct Known {
    memory: Memory,
    boot: Boot,
    written: Option<UpdateStatus>,
}

/// The right to run a command; there is one. Dropping it gives it back.
struct Turn(Arc<AtomicBool>);

impl Turn {
    fn take(slot: &Arc<AtomicBool>) -> Option<Self> {
        slot.compare_exchange(false, true, Ordering::AcqRel, Ordering::Acquire).ok()?;
        Some(Self(Arc::clone(slot)))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// An update as `updog check-update` prints it; only what a status has of it.
#[derive(Debug, Clone, Deserialize)]
struct Offer {
    variant: String,
    arch: String,
    version: Version,
}

impl Dispatcher {
    /// The dispatcher of a host, with what was remembered there.
    #[must_use]
    pub fn new(fs: Arc<dyn Fs>, paths: &Paths, clock: Arc<dyn Clock>, updog: Updog, boot: Boot) -> Self {
        let files = Files::new(fs, paths);
        let memory = files.load();
        Self(Arc::new(Inner {
            paths: paths.clone(),
            clock,
            updog,
            files,
            slot: Arc::new(AtomicBool::new(false)),
            known: Mutex::new(Known { memory, boot, written: None }),
        }))
    }

    /// Looks at the disk once before anybody can ask, so that what was remembered of an earlier boot is put right. Not
    /// being able to is no reason not to serve: every question looks again.
    pub async fn settle(&self) {
        let known = self.0.known.lock().await;
        if known.memory == Memory::default() {
            return;
        }
        drop(known);
        match self.status().await {
            Ok(_) | Err(Refusal::NeverRun | Refusal::Busy) => {}
            Err(error) => tracing::warn!("failed to {}", host_io::report::chain(&error)),
        }
    }

    /// The state of updates, as the disk is now.
    ///
    /// # Errors
    /// [`Refusal::Busy`] while a command runs, here or on a command line; [`Refusal::NeverRun`] before the first one
    /// has ended; [`Refusal::Updog`] when the disk cannot be looked at.
    pub async fn status(&self) -> Result<UpdateStatus, Refusal> {
        self.0.check_free()?;
        let mut known = self.0.known.lock().await;
        // A command may have begun while we waited: what is in progress then is not a leftover.
        self.0.check_free()?;
        if known.memory.most_recent_command.is_none() && known.memory.in_progress.is_none() {
            return Err(Refusal::NeverRun);
        }
        let facts = self.0.look(&mut known).await?;
        self.0.keep(&mut known, &facts);
        let last = known.memory.most_recent_command.clone().ok_or(Refusal::NeverRun)?;
        Ok(status::status(&known.memory, &facts, last))
    }

    /// Starts a command, and returns once it is under way. Its end is recorded without a caller.
    ///
    /// # Errors
    /// When it may not run now, or could not be started.
    pub async fn start(&self, command: CommandType) -> Result<(), Refusal> {
        let inner = &self.0;
        let turn = Turn::take(&inner.slot).ok_or(Refusal::Busy)?;
        if lock_is_held(&inner.paths)? {
            return Err(Refusal::Busy);
        }
        let mut known = inner.known.lock().await;
        let facts = inner.look(&mut known).await?;
        let before = known.memory.clone();
        let state = status::state(&before, &facts);
        state::next(state, command, before.choice()).map_err(|refused| match refused {
            Refused::Disallowed => Refusal::Disallowed { command, state },
            Refused::NothingChosen => Refusal::NothingChosen,
        })?;
        // Remembered before it begins: a server that is killed meanwhile knows at its next start what to look for.
        known.memory = before.clone().begun(command);
        inner.remember(&known.memory);
        let job = match inner.begin(command, before.chosen_update.as_ref()).await {
            Ok(job) => job,
            Err(error) => {
                known.memory = before;
                inner.remember(&known.memory);
                return Err(refusal(command, &error));
            }
        };
        drop(known);
        tracing::info!("{command} started");
        let inner = Arc::clone(inner);
        tokio::spawn(async move {
            let outcome = inner.finish(command, job).await;
            inner.record(command, outcome).await;
            drop(turn);
        });
        Ok(())
    }
}

/// A command that is under way.
enum Job {
    /// Questions to the repository, not asked yet.
    Refresh,
    /// A child that works on the disk.
    Work(Box<Work>),
}

impl Inner {
    fn check_free(&self) -> Result<(), Refusal> {
        if self.slot.load(Ordering::Acquire) || lock_is_held(&self.paths)? {
            Err(Refusal::Busy)
        } else {
            Ok(())
        }
    }

    /// Asks what the disk holds and brings the memory in line with it.
    async fn look(&self, known: &mut Known) -> Result<Facts, Refusal> {
        let facts: Facts = self.updog.ask(&["status"]).await.map_err(|error| {
            let (reason, help) = error.reason();
            Refusal::Updog { errand: "look at the partition sets".to_owned(), reason, help }
        })?;
        let mut memory = known.memory.clone();
        if let Some(missed) = &memory.in_progress {
            tracing::warn!("{} ended while no server ran", missed.cmd_type);
            memory = memory.ended(Outcome::Unseen, &facts, self.clock.now());
        }
        memory = memory.settled(&facts, known.boot);
        known.boot = Boot::Same;
        if memory != known.memory {
            self.remember(&memory);
            known.memory = memory;
        }
        Ok(facts)
    }

    async fn begin(&self, command: CommandType, chosen: Option<&UpdateImage>) -> Result<Job, child::Error> {
        let version = chosen.map(|image| image.version.to_string()).unwrap_or_default();
        let work = match command {
            CommandType::Refresh => return Ok(Job::Refresh),
            // The chosen version and no other: what is staged must be what the status says was chosen.
            CommandType::Prepare => self.updog.begin(&["update-image", "--image", &version]).await,
            CommandType::Activate => self.updog.begin(&["update-apply"]).await,
            CommandType::Deactivate => self.updog.begin(&["update-revert"]).await,
        };
        Ok(Job::Work(Box::new(work?)))
    }

    async fn finish(&self, command: CommandType, job: Job) -> Outcome {
        let ended = match job {
            Job::Refresh => self.refresh().await,
            Job::Work(work) => work.end().await.map(|done| outcome(command, &done)),
        };
        ended.unwrap_or_else(|error| {
            let (reason, help) = error.reason();
            let reason = help.map_or_else(|| reason.clone(), |help| format!("{reason}\nhelp: {help}"));
            Outcome::Failed { exit_status: error.exit_status(), reason }
        })
    }

    async fn refresh(&self) -> Result<Outcome, child::Error> {
        let offers: Vec<Offer> = self.updog.ask_with_network(&["check-update", "--all"]).await?;
        let chosen = match self.updog.ask_with_network::<Offer>(&["check-update"]).await {
            Ok(offer) => {
                Some(UpdateImage { arch: offer.arch, version: offer.version, variant: offer.variant })
            }
            Err(error) if error.code() == Some("no_update") => None,
            Err(error) => return Err(error),
        };
        Ok(Outcome::Refreshed { available: offers.into_iter().map(|offer| offer.version).collect(), chosen })
    }

    /// Records how a command ended, after a look at what it left on the disk.
    async fn record(&self, command: CommandType, outcome: Outcome) {
        let mut known = self.known.lock().await;
        let now = self.clock.now();
        let memory = known.memory.clone();
        match self.updog.ask::<Facts>(&["status"]).await {
            Ok(facts) => {
                known.memory = memory.ended(outcome, &facts, now);
                self.keep(&mut known, &facts);
            }
            Err(error) => known.memory = memory.ended_in_the_dark(outcome, &error.reason().0, now),
        }
        self.remember(&known.memory);
        if let Some(last) = &known.memory.most_recent_command {
            tracing::info!("{command} ended: {:?} {}", last.cmd_status, last.stderr);
        }
    }

    /// Writing waits for the medium, and other requests must not wait with it.
    fn remember(&self, memory: &Memory) {
        tokio::task::block_in_place(|| self.files.keep_memory(memory));
    }

    fn keep(&self, known: &mut Known, facts: &Facts) {
        let Some(last) = known.memory.most_recent_command.clone() else { return };
        let status = status::status(&known.memory, facts, last);
        if known.written.as_ref() != Some(&status) {
            tokio::task::block_in_place(|| self.files.keep_status(&status));
            known.written = Some(status);
        }
    }
}

/// What the last event of work that went well says was done.
fn outcome(command: CommandType, done: &Value) -> Outcome {
    match (command, done.get("update")) {
        // It looked again and found nothing to install.
        (CommandType::Prepare, Some(Value::Null)) => Outcome::Failed {
            exit_status: 1,
            reason: "the chosen update is no longer offered to this host\nhelp: refresh again".to_owned(),
        },
        _ => Outcome::Done,
    }
}

fn lock_is_held(paths: &Paths) -> Result<bool, Refusal> {
    OperationLock::is_held(paths).map_err(|error| Refusal::Updog {
        errand: "see whether an update runs".to_owned(),
        reason: format!("failed to {}", host_io::report::chain(&error)),
        help: None,
    })
}

/// Why a child refused, in the words of the API.
fn refusal(command: CommandType, error: &child::Error) -> Refusal {
    let (reason, help) = error.reason();
    match error.code() {
        Some("locked") => Refusal::Busy,
        // The running system is not proven yet: a state that does not allow it, as any other.
        Some("disallowed" | "unproven") => Refusal::Forbidden { command, reason, help },
        Some("no_update") => Refusal::NothingChosen,
        Some("not_staged") => Refusal::NotStaged(command),
        _ => Refusal::Updog { errand: command.to_string(), reason, help },
    }
}
