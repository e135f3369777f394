//! Why a command was not started, or a status not given.

use api_model::{CommandType, UpdateState};
use host_io::Advise;
use thiserror::Error;

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
    #[error("{command}: {reason}")]
    Forbidden {
        /// The command.
        command: CommandType,
        /// What it said.
        reason: String,
        /// What it advised.
        help: Option<String>,
    },
    /// No update is chosen.
    #[error("prepare: no update is chosen")]
    NothingChosen,
    /// Nothing is staged.
    #[error("{0}: no image is staged")]
    NotStaged(CommandType),
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

impl Advise for Refusal {
    fn help(&self) -> Option<String> {
        match self {
            Self::Busy => Some("ask again until it has ended".to_owned()),
            Self::Disallowed { state, .. } => Some(match state {
                UpdateState::Idle => "refresh first: POST /actions/refresh-updates".to_owned(),
                UpdateState::Available => "prepare first: POST /actions/prepare-update".to_owned(),
                UpdateState::Staged => "activate first: POST /actions/activate-update".to_owned(),
                UpdateState::Ready => {
                    "reboot into it, or take it back: POST /actions/deactivate-update".to_owned()
                }
            }),
            Self::NothingChosen | Self::NeverRun => {
                Some("refresh first: POST /actions/refresh-updates".to_owned())
            }
            Self::NotStaged(_) => Some("prepare first: POST /actions/prepare-update".to_owned()),
            Self::Forbidden { help, .. } | Self::Updog { help, .. } => help.clone(),
        }
    }
}
