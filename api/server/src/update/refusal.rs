//! Why a command was not started, or a status not given.

use api_model::{CommandType, NextBoot, UpdateState};
use host_io::Advise;
use semver::Version;
use thiserror::Error;

use super::child;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand {
    /// One of the four commands.
    Command(CommandType),
    /// Stopping what runs.
    Cancel,
    /// Going back to the other set.
    Rollback,
    /// Forgetting what failed.
    ClearFailed,
    /// Rebooting into an update when it is this host's turn.
    RebootInTurn,
    /// What was done here.
    History,
    /// Why this version and not that one.
    Explain,
    /// What monitoring sees.
    Metrics,
}

impl std::fmt::Display for Errand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Command(command) => command.fmt(f),
            Self::Cancel => f.write_str("cancel"),
            Self::Rollback => f.write_str("roll back"),
            Self::ClearFailed => f.write_str("clear what failed"),
            Self::RebootInTurn => f.write_str("reboot in this host's turn"),
            Self::History => f.write_str("read the history"),
            Self::Explain => f.write_str("explain the updates"),
            Self::Metrics => f.write_str("tell the metrics of updates"),
        }
    }
}

/// Why a command was not started, or a status not given.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A command runs now, here or on a command line.
    #[error("look at the state of updates: an update command is running")]
    Busy,
    /// The state does not allow the command.
    #[error("{command}: that is not possible while the state of updates is {state:?}")]
    Disallowed {
        /// The command.
        command: CommandType,
        /// The state.
        state: UpdateState,
    },
    /// The state that `updog` found on the disk does not allow it.
    #[error("{errand}: {reason}")]
    Forbidden {
        /// What was asked for.
        errand: Errand,
        /// What it said.
        reason: String,
        /// What it advised.
        help: Option<String>,
    },
    /// The host goes back to the other set with the next boot.
    #[error("{command}: the host goes back to {} with the next boot", held(.to))]
    GoesBack {
        /// The command.
        command: CommandType,
        /// What it goes back to.
        to: NextBoot,
    },
    /// What boots next may not run any more.
    #[error("reboot: {} boots next, and it may not run any more: {why}", named(.version.as_ref()))]
    MayNotBoot {
        /// Its version, where it is known.
        version: Option<Version>,
        /// What speaks against it.
        why: String,
    },
    /// Nothing runs and nothing is activated.
    #[error(
        "cancel: no update command runs, and no update is to start with the next boot: the state of updates is {state:?}"
    )]
    NothingToCancel {
        /// The state.
        state: UpdateState,
    },
    /// No update is chosen.
    #[error("prepare: no update is chosen")]
    NothingChosen,
    /// Nothing is staged.
    #[error("{0}: no image is staged")]
    NotStaged(Errand),
    /// No command has ended yet.
    #[error("look at the state of updates: no update command has ended on this host yet")]
    NeverRun,
    /// `updog` could not do its part.
    #[error("{errand}: {reason}")]
    Updog {
        /// What was asked of it.
        errand: String,
        /// What it said.
        reason: String,
        /// What it advised.
        help: Option<String>,
    },
}

fn held(next: &NextBoot) -> String {
    next.version.as_ref().map_or_else(|| format!("set {}", next.set), |version| format!("version {version}"))
}

fn named(version: Option<&Version>) -> String {
    version.map_or_else(|| "the other set".to_owned(), |version| format!("version {version}"))
}

impl Refusal {
    /// Why a child refused, in the words of the API.
    #[must_use]
    pub fn of(errand: Errand, error: &child::Error) -> Self {
        let (reason, help) = error.reason();
        Self::said(errand, error.code().unwrap_or_default(), reason, help)
    }

    /// [`Refusal::of`], where the words are at hand alone.
    #[must_use]
    pub fn said(errand: Errand, code: &str, reason: String, help: Option<String>) -> Self {
        match code {
            "locked" => Self::Busy,
            // A state of the disk or of its proof that does not allow it, as any other state.
            "disallowed" | "unproven" | "held" | "unhealthy" | "over_budget" | "nothing_to_cancel"
            | "not_in_turn" => Self::Forbidden { errand, reason, help },
            "no_update" => Self::NothingChosen,
            "not_staged" => Self::NotStaged(errand),
            _ => Self::Updog { errand: errand.to_string(), reason, help },
        }
    }
}

impl Advise for Refusal {
    fn help(&self) -> Option<String> {
        match self {
            Self::Busy => Some("ask again until it has ended".to_owned()),
            Self::Disallowed { state, .. } => Some(match state {
                UpdateState::Idle => "refresh first: \"apiclient update check\", or POST /actions/refresh-updates".to_owned(),
                UpdateState::Available => "prepare first: \"apiclient update apply\" does all of it, or POST /actions/prepare-update".to_owned(),
                UpdateState::Staged => "activate first: \"apiclient update apply\", or POST /actions/activate-update".to_owned(),
                UpdateState::Ready => {
                    "reboot into it, or take it back: \"apiclient update cancel\", or POST /actions/deactivate-update".to_owned()
                }
            }),
            Self::GoesBack { .. } => Some(
                "reboot to go back, or stay with what runs: \"apiclient update cancel\", or POST /actions/cancel".to_owned(),
            ),
            Self::MayNotBoot { .. } => Some(
                "\"apiclient update cancel\" (POST /actions/cancel) takes it back, as the next \"apiclient update check\" does"
                    .to_owned(),
            ),
            Self::NothingChosen | Self::NeverRun => {
                Some("refresh first: \"apiclient update check\", or POST /actions/refresh-updates".to_owned())
            }
            Self::NotStaged(_) => Some("prepare first: \"apiclient update apply\" does all of it, or POST /actions/prepare-update".to_owned()),
            Self::NothingToCancel { state: UpdateState::Staged } => {
                Some("what is staged starts only once it is activated; it may stay where it is".to_owned())
            }
            Self::NothingToCancel { .. } => Some("the next boot starts what runs now".to_owned()),
            Self::Forbidden { help, .. } | Self::Updog { help, .. } => help.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (Refusal::Busy, "look at the state of updates: an update command is running"),
            (
                Refusal::Disallowed { command: CommandType::Prepare, state: UpdateState::Idle },
                "prepare: that is not possible while the state of updates is Idle",
            ),
            (
                Refusal::GoesBack {
                    command: CommandType::Prepare,
                    to: NextBoot { set: "A".into(), version: None, why: api_model::NextBootWhy::Rollback },
                },
                "prepare: the host goes back to set A with the next boot",
            ),
            (
                Refusal::MayNotBoot {
                    version: Some("1.2.0".parse().unwrap()),
                    why: "it was recalled".into(),
                },
                "reboot: version 1.2.0 boots next, and it may not run any more: it was recalled",
            ),
            (
                Refusal::NothingToCancel { state: UpdateState::Idle },
                "cancel: no update command runs, and no update is to start with the next boot: the state of updates is Idle",
            ),
            (Refusal::NothingChosen, "prepare: no update is chosen"),
            (Refusal::NotStaged(Errand::Command(CommandType::Activate)), "activate: no image is staged"),
            (Refusal::NeverRun, "look at the state of updates: no update command has ended on this host yet"),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
