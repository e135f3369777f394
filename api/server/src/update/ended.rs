//! How a command's end changes what is remembered: what the disk does not bear out is not believed.

use api_model::{CommandStatus, CommandType, MostRecentCommand, UpdateImage, UpdateState};
use chrono::{DateTime, Utc};
use semver::Version;

use super::facts::Facts;
use super::memory::{InProgress, Memory};
use super::status;
use crate::start::Boot;

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
