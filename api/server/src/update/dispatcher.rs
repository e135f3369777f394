//! One update command at a time.
//!
//! A command is answered once its child holds the operation lock; from then until its end is recorded, everything that
//! asks for the state is told that a command runs. So whoever gets an answer again finds the outcome in it.

use std::sync::Arc;
use std::time::Duration;

use api_model::update::REFRESH_LIMIT;
use api_model::{CommandType, UpdateImage, UpdateStatus};
use chrono::{DateTime, Utc};
use host_io::{Clock, Fs, OperationLock, Paths};
use semver::Version;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{Mutex, watch};

use super::child::{self, Updog, Work};
use super::ended::Outcome;
use super::facts::{Facts, Inactive};
use super::files::Files;
use super::fresh::Fresh;
use super::memory::{InProgress, Memory};
use super::progress::Progress;
use super::refusal::{Errand, Refusal};
use super::state::{self, Refused};
use super::status;
use super::turn::Slot;
use super::underway::Underway;
use crate::start::Boot;
use crate::stop;

/// Runs update commands and tells their state. Clones are the same dispatcher.
#[derive(Clone)]
pub struct Dispatcher(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) paths: Paths,
    pub(super) updog: Updog,
    pub(super) slot: Slot,
    pub(super) known: Mutex<Known>,
    pub(super) underway: Underway,
    clock: Arc<dyn Clock>,
    fs: Arc<dyn Fs>,
    files: Files,
    refresh_age: Duration,
}

/// What is known, and what of it has been written.
pub(super) struct Known {
    pub(super) memory: Memory,
    pub(super) fresh: Option<Fresh>,
    boot: Boot,
    written: Option<UpdateStatus>,
}

/// An update as `updog check-update` prints it; only what a status has of it.
#[derive(Debug, Clone, Deserialize)]
struct Offer {
    variant: String,
    arch: String,
    version: Version,
}

impl Dispatcher {
    /// The dispatcher of a host, with what was remembered there. An answer of the repository that is younger than
    /// `refresh_age` is given again.
    #[must_use]
    pub fn new(
        fs: Arc<dyn Fs>,
        paths: &Paths,
        clock: Arc<dyn Clock>,
        updog: Updog,
        boot: Boot,
        refresh_age: Duration,
    ) -> Self {
        let files = Files::new(Arc::clone(&fs), paths);
        let memory = files.load();
        Self(Arc::new(Inner {
            paths: paths.clone(),
            clock,
            fs,
            updog,
            files,
            refresh_age,
            slot: Slot::default(),
            underway: Underway::default(),
            known: Mutex::new(Known { memory, fresh: None, boot, written: None }),
        }))
    }

    /// How far the work is.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        self.0.updog.progress()
    }

    /// Whether a command runs, here or on a command line.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.0.check_free().is_err()
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

    /// Whether the host may reboot: not into a release that may not run any more. What cannot be found out, or is being
    /// changed just now, keeps nobody from rebooting.
    ///
    /// # Errors
    /// [`Refusal::MayNotBoot`].
    pub async fn may_reboot(&self) -> Result<(), Refusal> {
        if self.0.check_free().is_err() {
            return Ok(());
        }
        let facts = match self.0.updog.ask::<Facts>(&["status"]).await {
            Ok(facts) => facts,
            Err(error) => {
                tracing::warn!("what boots next is not known: {}", host_io::report::chain(&error));
                return Ok(());
            }
        };
        match facts.inactive {
            Some(Inactive { next_to_boot: true, against: Some(why), version, .. }) => {
                Err(Refusal::MayNotBoot { version, why })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Starts a command, and returns once it is under way. Its end is recorded without a caller.
    ///
    /// # Errors
    /// When it may not run now, or could not be started.
    pub async fn start(&self, command: CommandType) -> Result<(), Refusal> {
        let inner = &self.0;
        let turn = inner.slot.take().ok_or(Refusal::Busy)?;
        if lock_is_held(&inner.paths)? {
            return Err(Refusal::Busy);
        }
        let mut known = inner.known.lock().await;
        let facts = inner.look(&mut known).await?;
        if let Some(next) = facts.rollback().filter(|_| command != CommandType::Refresh) {
            return Err(Refusal::GoesBack { command, to: next.clone() });
        }
        let before = known.memory.clone();
        let state = status::state(&before, &facts);
        state::next(state, command, before.choice()).map_err(|refused| match refused {
            Refused::Disallowed => Refusal::Disallowed { command, state },
            Refused::NothingChosen => Refusal::NothingChosen,
        })?;
        // Remembered before it begins: a server that is killed meanwhile knows at its next start what to look for.
        known.memory = before.clone().begun(command).since(inner.clock.now());
        inner.remember(&known.memory);
        let job = match inner.begin(command, &before, known.fresh.as_ref()).await {
            Ok(job) => job,
            Err(error) => {
                known.memory = before;
                inner.remember(&known.memory);
                return Err(Refusal::of(Errand::Command(command), &error));
            }
        };
        if command != CommandType::Refresh {
            known.fresh = None;
        }
        drop(known);
        tracing::info!("{command} started");
        let inner = Arc::clone(inner);
        tokio::spawn(async move {
            let outcome = inner.finish(command, job, turn.asked_to_stop()).await;
            if turn.is_asked_to_stop() {
                let mut known = inner.known.lock().await;
                known.memory = known.memory.clone().cancelled();
            }
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
    /// They were answered a moment ago.
    Remembered(Outcome),
    /// A child that works on the disk.
    Work(Box<Work>),
}

impl Inner {
    fn check_free(&self) -> Result<(), Refusal> {
        if self.slot.is_taken() || lock_is_held(&self.paths)? { Err(Refusal::Busy) } else { Ok(()) }
    }

    /// Asks what the disk holds and brings the memory in line with it.
    pub(super) async fn look(&self, known: &mut Known) -> Result<Facts, Refusal> {
        let facts: Facts = self.updog.ask(&["status"]).await.map_err(|error| {
            let (reason, help) = error.reason();
            Refusal::Updog { errand: "look at the partition sets".to_owned(), reason, help }
        })?;
        let mut memory = known.memory.clone();
        if let Some(missed) = &memory.in_progress {
            tracing::warn!("{} ended while no server ran", missed.cmd_type);
            let outcome = self.missed(missed);
            memory = memory.ended(outcome, &facts, self.clock.now());
        }
        memory = memory.settled(&facts, known.boot, self.clock.now());
        known.boot = Boot::Same;
        if memory != known.memory {
            self.remember(&memory);
            known.memory = memory;
        }
        Ok(facts)
    }

    /// How a command ended that no server saw the end of: as its `updog` left it behind, if it did.
    fn missed(&self, missed: &InProgress) -> Outcome {
        let latest = tokio::task::block_in_place(|| self.updog.progress().latest());
        let Some((told, since)) = latest.zip(missed.since) else { return Outcome::Unseen };
        let its_own = told["command"] == subcommand(missed.cmd_type)
            && told["at"]
                .as_str()
                .and_then(|at| at.parse::<DateTime<Utc>>().ok())
                .is_some_and(|at| at >= since);
        let event = &told["event"];
        match event["event"].as_str() {
            // What it found went to nobody.
            _ if missed.cmd_type == CommandType::Refresh => Outcome::Unseen,
            Some("done") if its_own => outcome(missed.cmd_type, event),
            Some("error") if its_own => {
                let text = |field: &str| event["error"][field].as_str().map(str::to_owned);
                Outcome::Failed {
                    exit_status: 1,
                    reason: sentence(text("message").unwrap_or_default(), text("help")),
                }
            }
            _ => Outcome::Unseen,
        }
    }

    async fn begin(
        &self,
        command: CommandType,
        before: &Memory,
        fresh: Option<&Fresh>,
    ) -> Result<Job, child::Error> {
        let version =
            before.chosen_update.as_ref().map(|image| image.version.to_string()).unwrap_or_default();
        let work = match command {
            CommandType::Refresh => {
                let known =
                    fresh.and_then(|fresh| fresh.answer(self.clock.now(), &self.config(), self.refresh_age));
                return Ok(known.map_or(Job::Refresh, Job::Remembered));
            }
            // The chosen version and no other: what is staged must be what the status says was chosen.
            CommandType::Prepare => {
                self.updog.begin(&[subcommand(command), "--image", &version, "--offered"]).await
            }
            CommandType::Activate | CommandType::Deactivate => self.updog.begin(&[subcommand(command)]).await,
        };
        Ok(Job::Work(Box::new(work?)))
    }

    async fn finish(&self, command: CommandType, job: Job, mut cancel: watch::Receiver<bool>) -> Outcome {
        let ended = match job {
            Job::Remembered(outcome) => return outcome,
            Job::Refresh => tokio::select! {
                found = tokio::time::timeout(REFRESH_LIMIT, self.refresh()) => {
                    found.unwrap_or(Err(child::Error::Late(REFRESH_LIMIT)))
                }
                // Questions change nothing that matters; theirs is ended with them.
                true = stop::asked(&mut cancel) => {
                    return Outcome::Failed { exit_status: 1, reason: String::new() };
                }
            },
            Job::Work(work) => work.end(cancel).await.map(|done| outcome(command, &done)),
        };
        ended.unwrap_or_else(|error| {
            let (reason, help) = error.reason();
            let reason = sentence(reason, help);
            let exit_status = error.exit_status();
            if error.is_kill() {
                Outcome::Killed { exit_status, reason }
            } else {
                Outcome::Failed { exit_status, reason }
            }
        })
    }

    async fn refresh(&self) -> Result<Outcome, child::Error> {
        let config = self.config();
        let offers: Vec<Offer> = self.updog.ask_with_network(&["check-update", "--all"]).await?;
        // This one also takes back what boots next, where it may not any more: it is a part of looking, and no command.
        let chosen = match self.updog.ask_with_network::<Offer>(&["check-update", "--review"]).await {
            Ok(offer) => {
                Some(UpdateImage { arch: offer.arch, version: offer.version, variant: offer.variant })
            }
            Err(error) if matches!(error.code(), Some("no_update" | "held")) => None,
            Err(error) => return Err(error),
        };
        let available: Vec<Version> = offers.into_iter().map(|offer| offer.version).collect();
        let fresh =
            Fresh { at: self.clock.now(), config, available: available.clone(), chosen: chosen.clone() };
        self.known.lock().await.fresh = Some(fresh);
        Ok(Outcome::Refreshed { available, chosen })
    }

    /// What `updog` is told by the settings. Whatever cannot be read is not compared.
    fn config(&self) -> Vec<u8> {
        self.fs.read(&self.paths.updog_config()).unwrap_or_default()
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
    pub(super) fn remember(&self, memory: &Memory) {
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

/// What `updog` calls it.
fn subcommand(command: CommandType) -> &'static str {
    match command {
        CommandType::Refresh => "check-update",
        CommandType::Prepare => "update-image",
        CommandType::Activate => "update-apply",
        CommandType::Deactivate => "update-revert",
    }
}

fn sentence(reason: String, help: Option<String>) -> String {
    match help {
        Some(help) => format!("{reason}\nhelp: {help}"),
        None => reason,
    }
}

/// What the last event of work that went well says was done.
fn outcome(command: CommandType, done: &Value) -> Outcome {
    match (command, done.get("update")) {
        // It looked again and found nothing to install. Whatever it gives as the reason may last: what is withheld by its
        // root is offered by its version after every refresh.
        (CommandType::Prepare, Some(Value::Null)) => Outcome::Failed {
            exit_status: 1,
            reason: match done.get("why").and_then(Value::as_str) {
                Some(why) => sentence(
                    format!("the chosen update is not installed: {why}"),
                    Some(
                        "see what is offered now with \"updog explain\"; refresh again once that has changed"
                            .to_owned(),
                    ),
                ),
                None => sentence(
                    "the chosen update is no longer offered to this host".to_owned(),
                    Some("refresh again".to_owned()),
                ),
            },
        },
        _ => Outcome::Done,
    }
}

pub(super) fn lock_is_held(paths: &Paths) -> Result<bool, Refusal> {
    OperationLock::is_held(paths).map_err(|error| Refusal::Updog {
        errand: "see whether an update runs".to_owned(),
        reason: format!("failed to {}", host_io::report::chain(&error)),
        help: None,
    })
}
