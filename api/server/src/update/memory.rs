//! What is remembered of updates, and how a command's end changes it.
//!
//! Only what the disk cannot tell is kept here. Both releases of a host read this file, so fields are only ever added
//! and every field may be missing.

use api_model::{CommandStatus, CommandType, MostRecentCommand, UpdateImage, UpdateState};
use chrono::{DateTime, Utc};
use semver::Version;
use serde::{Deserialize, Serialize};

use super::facts::Facts;
use super::state::Choice;
use super::status;
use crate::start::Boot;

/// What is remembered of updates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Versions that this host may take, newest first, as of the last refresh.
    #[serde(default)]
    pub available_updates: Vec<Version>,
    /// The one of them that it would take.
    #[serde(default)]
    pub chosen_update: Option<UpdateImage>,
    /// What the last successful prepare put into the inactive set.
    #[serde(default)]
    pub staged: Option<UpdateImage>,
    /// The last prepare failed: an image that is still in the inactive set is not the one that was asked for, and is
    /// not offered for activation.
    #[serde(default)]
    pub withdrawn: bool,
    /// The version that ran when this was last settled.
    #[serde(default)]
    pub running_version: Option<Version>,
    /// The last command that has ended.
    #[serde(default)]
    pub most_recent_command: Option<MostRecentCommand>,
    /// The command whose end has not been seen yet.
    #[serde(default)]
    pub in_progress: Option<InProgress>,
}

/// A command that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InProgress {
    /// Which one.
    pub cmd_type: CommandType,
    /// What a prepare is to stage.
    #[serde(default)]
    pub image: Option<UpdateImage>,
    /// Somebody asked to stop it.
    #[serde(default)]
    pub cancelled: bool,
    /// When it was started.
    #[serde(default)]
    pub since: Option<DateTime<Utc>>,
}

/// What a command that was stopped on request is recorded with: the number of the signal that asks for it.
const CANCELLED: u32 = 15;

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A refresh found this.
    Refreshed {
        /// Versions, newest first.
        available: Vec<Version>,
        /// The choice.
        chosen: Option<UpdateImage>,
    },
    /// Any other command says that it did its work.
    Done,
    /// It says that it did not.
    Failed {
        /// Exit code or signal.
        exit_status: u32,
        /// Why.
        reason: String,
    },
    /// A signal ended it before it could say what it did.
    Killed {
        /// The signal.
        exit_status: u32,
        /// What it said until then.
        reason: String,
    },
    /// Nobody saw its end: the server was stopped or killed while it ran.
    Unseen,
}

/// What is recorded of a command's end.
struct Verdict {
    status: CommandStatus,
    exit_status: u32,
    stderr: String,
}

impl Memory {
    /// This memory, without what the disk no longer bears out.
    #[must_use]
    pub fn settled(mut self, facts: &Facts, boot: Boot, now: DateTime<Utc>) -> Self {
        let running = Some(facts.active.version.clone());
        if self.running_version != running {
            // Another system runs: what the earlier one chose or staged was for itself.
            self.available_updates.clear();
            self.chosen_update = None;
            self.staged = None;
            self.withdrawn = false;
            self.running_version = running;
        }
        let inactive = facts.inactive.as_ref();
        // Only once after it happened: a person or a later refresh may choose that release again.
        if inactive.is_some_and(|set| set.failed_boot) && (boot == Boot::Fresh || self.staged.is_some()) {
            self.chosen_update = None;
        }
        if self.chosen_update.as_ref().is_some_and(|chosen| facts.bars(chosen, now)) {
            self.chosen_update = None;
        }
        if !inactive.is_some_and(|set| set.valid) {
            self.staged = None;
            self.withdrawn = false;
        }
        self
    }

    /// This memory with `command` begun.
    #[must_use]
    pub fn begun(mut self, command: CommandType) -> Self {
        let image = self.chosen_update.clone().filter(|_| command == CommandType::Prepare);
        self.in_progress = Some(InProgress { cmd_type: command, image, cancelled: false, since: None });
        self
    }

    /// This memory with the command in progress begun at that time.
    #[must_use]
    pub fn since(mut self, now: DateTime<Utc>) -> Self {
        if let Some(command) = &mut self.in_progress {
            command.since = Some(now);
        }
        self
    }

    /// This memory with the command in progress asked to stop.
    #[must_use]
    pub fn cancelled(mut self) -> Self {
        if let Some(command) = &mut self.in_progress {
            command.cancelled = true;
        }
        self
    }

    /// This memory after the command in progress ended. A success that the disk does not bear out is recorded as a
    /// failure; of an end that nobody saw the disk decides, where it can.
    #[must_use]
    pub fn ended(mut self, outcome: Outcome, facts: &Facts, now: DateTime<Utc>) -> Self {
        let Some(InProgress { cmd_type, image, cancelled, .. }) = self.in_progress.take() else {
            return self;
        };
        let same_system = self.running_version.as_ref() == Some(&facts.active.version);
        let verdict = match outcome {
            Outcome::Refreshed { available, chosen } => {
                self.available_updates = available;
                self.chosen_update = chosen;
                Verdict::success()
            }
            Outcome::Failed { exit_status, reason } => {
                if cmd_type == CommandType::Refresh && status::staged(&self, facts).is_none() {
                    // What was offered before may be offered no longer; nothing is claimed of it.
                    self.chosen_update = None;
                }
                Verdict::failed(exit_status, reason)
            }
            // One change of the table is all that these do, and the disk shows whether it was made.
            Outcome::Killed { .. }
                if matches!(cmd_type, CommandType::Activate | CommandType::Deactivate)
                    && contradiction(&self, cmd_type, facts).is_none() =>
            {
                Verdict::success()
            }
            Outcome::Killed { exit_status, reason } => Verdict::failed(exit_status, reason),
            Outcome::Unseen if cmd_type == CommandType::Refresh || !same_system => {
                Verdict::unknown("the server was stopped while this ran".to_owned())
            }
            Outcome::Done | Outcome::Unseen => {
                if cmd_type == CommandType::Prepare {
                    self.staged = image;
                    self.withdrawn = false;
                }
                match contradiction(&self, cmd_type, facts) {
                    None => Verdict::success(),
                    Some(reason) => Verdict::failed(1, reason),
                }
            }
        };
        if cmd_type == CommandType::Prepare && verdict.status != CommandStatus::Success {
            self.staged = None;
            self.withdrawn = true;
        }
        let verdict = if cancelled { verdict.on_request() } else { verdict };
        self.recorded(cmd_type, verdict, now).settled(facts, Boot::Same, now)
    }

    /// As [`Memory::ended`], when the disk cannot be looked at (`why`): nothing is claimed of it.
    #[must_use]
    pub fn ended_in_the_dark(mut self, outcome: Outcome, why: &str, now: DateTime<Utc>) -> Self {
        let Some(InProgress { cmd_type, image, cancelled, .. }) = self.in_progress.take() else {
            return self;
        };
        let verdict = match outcome {
            Outcome::Refreshed { available, chosen } => {
                self.available_updates = available;
                self.chosen_update = chosen;
                Verdict::success()
            }
            Outcome::Failed { exit_status, reason } | Outcome::Killed { exit_status, reason } => {
                Verdict::failed(exit_status, reason)
            }
            Outcome::Done | Outcome::Unseen => Verdict::unknown(format!("it cannot be checked: {why}")),
        };
        if cmd_type == CommandType::Prepare {
            self.withdrawn = verdict.status == CommandStatus::Failed;
            self.staged = image.filter(|_| !self.withdrawn);
        }
        let verdict = if cancelled { verdict.on_request() } else { verdict };
        self.recorded(cmd_type, verdict, now)
    }

    /// Whether an update is chosen.
    #[must_use]
    pub fn choice(&self) -> Choice {
        if self.chosen_update.is_some() { Choice::Made } else { Choice::None }
    }

    fn recorded(mut self, cmd_type: CommandType, verdict: Verdict, timestamp: DateTime<Utc>) -> Self {
        let Verdict { status: cmd_status, exit_status, stderr } = verdict;
        self.most_recent_command =
            Some(MostRecentCommand { cmd_type, cmd_status, timestamp, exit_status, stderr });
        self
    }
}

impl Verdict {
    fn success() -> Self {
        Self { status: CommandStatus::Success, exit_status: 0, stderr: String::new() }
    }

    fn failed(exit_status: u32, stderr: String) -> Self {
        Self { status: CommandStatus::Failed, exit_status, stderr }
    }

    /// This end of a command that was asked to stop: unless it had done its work by then, it is that which ended it.
    fn on_request(self) -> Self {
        match self.status {
            CommandStatus::Success => self,
            CommandStatus::Failed | CommandStatus::Unknown => {
                Self::failed(CANCELLED, "cancelled on request".to_owned())
            }
        }
    }

    fn unknown(stderr: String) -> Self {
        Self { status: CommandStatus::Unknown, exit_status: 1, stderr }
    }
}

/// What on the disk speaks against a command that is said to have succeeded.
fn contradiction(memory: &Memory, command: CommandType, facts: &Facts) -> Option<String> {
    let expected = match command {
        // It changes nothing on the disk.
        CommandType::Refresh => return None,
        CommandType::Prepare | CommandType::Deactivate => UpdateState::Staged,
        CommandType::Activate => UpdateState::Ready,
    };
    let found = status::state(memory, facts);
    let staged = status::staged(memory, facts).map(|staged| staged.image);
    if found == expected && (command != CommandType::Prepare || staged == memory.staged) {
        return None;
    }
    let holds = facts.inactive.as_ref().and_then(|set| set.version.as_ref());
    Some(format!(
        "the disk does not show it: the inactive set holds {}, {}",
        holds.map_or_else(|| "an unknown version".to_owned(), |version| format!("version {version}")),
        match found {
            UpdateState::Ready => "and the next boot starts it",
            UpdateState::Staged => "and the next boot does not start it",
            UpdateState::Idle | UpdateState::Available => "and it cannot be activated",
        }
    ))
}
