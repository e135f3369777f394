//! What can go wrong, and what to do then.

use api_model::schedule::ScheduleError;
use api_model::{CommandType, UpdateState};
use host_io::Advise;
use thiserror::Error;

use crate::api::CallError;
use crate::exec::session::SessionError;

/// Why a command failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// No runtime or no HTTP client.
    #[error("get ready")]
    Start(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A request failed.
    #[error("{errand}")]
    Call {
        /// What it was for.
        errand: &'static str,
        /// What the server said.
        source: Box<CallError>,
    },
    /// Settings that lie elsewhere cannot be had, or are none.
    #[error("read settings from {source_name}: {reason}")]
    Source {
        /// Where they lie.
        source_name: String,
        /// Why not.
        reason: String,
    },
    /// The update command ended, and not well.
    #[error("{command}: {reason}")]
    Update {
        /// The command.
        command: CommandType,
        /// Why, in the words of the server.
        reason: String,
        /// What it advises.
        help: Option<String>,
    },
    /// The end of the update command was not seen.
    #[error("see {command} through: {reason}")]
    Unsure {
        /// The command.
        command: CommandType,
        /// Why not.
        reason: String,
        /// The last request, where it failed.
        #[source]
        source: Option<Box<CallError>>,
    },
    /// There is nothing that could be applied.
    #[error("apply an update: the state of updates is {state:?}")]
    NothingToApply {
        /// The state.
        state: UpdateState,
    },
    /// The settings about times for updates make no sense.
    #[error(transparent)]
    Schedule(ScheduleError),
    /// The terminal cannot be switched.
    #[error("switch the terminal to raw mode")]
    Terminal(#[source] std::io::Error),
    /// A command in a host container was not seen to its end.
    #[error("run the command in {target}")]
    Exec {
        /// The container.
        target: String,
        /// Why not.
        source: SessionError,
    },
    /// A host container does not come up.
    #[error("enter the {container} container: it does not run after {seconds} s")]
    NotUp {
        /// The container.
        container: &'static str,
        /// How long it was waited for.
        seconds: u64,
    },
    /// Somebody disabled a host container while it was waited for.
    #[error("enter the {container} container: it was disabled meanwhile")]
    SwitchedOff {
        /// The container.
        container: &'static str,
    },
    /// Something that should have ended goes on.
    #[error("wait for the end of {what}: it still runs after {seconds} s")]
    StillRuns {
        /// What.
        what: &'static str,
        /// How long it was waited for.
        seconds: u64,
    },
    /// Nobody agreed to what would change.
    #[error("go on: {0}")]
    NotAgreed(&'static str),
    /// The answer could not be printed.
    #[error("write the answer")]
    Print(#[source] std::io::Error),
}

impl Error {
    /// For `map_err`: `errand` failed.
    pub fn call(errand: &'static str) -> impl FnOnce(CallError) -> Self {
        move |source| Self::Call { errand, source: Box::new(source) }
    }
}

impl Advise for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Call { source, .. } => source.code_word(),
            Self::Unsure { .. } | Self::StillRuns { .. } => "unsure",
            Self::NothingToApply { .. } => "nothing_to_apply",
            Self::NotAgreed(_) => "not_agreed",
            Self::Start(_)
            | Self::Schedule(_)
            | Self::Source { .. }
            | Self::Update { .. }
            | Self::Terminal(_)
            | Self::NotUp { .. }
            | Self::SwitchedOff { .. }
            | Self::Exec { .. }
            | Self::Print(_) => "failed",
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Call { source, .. } => source.help(),
            Self::Update { help, .. } => help.clone(),
            Self::Unsure { .. } => Some(
                "it may still go on: look with apiclient -u /updates/status until that is not busy"
                    .to_owned(),
            ),
            Self::NothingToApply { state: UpdateState::Ready } => {
                Some("one is applied already: apiclient reboot, or apiclient update cancel".to_owned())
            }
            Self::NothingToApply { .. } => {
                Some("look for one first: apiclient update apply --check".to_owned())
            }
            Self::StillRuns { .. } => Some("look how far it is: apiclient update status".to_owned()),
            Self::NotAgreed(_) => Some("nothing was changed; to agree beforehand, add --yes".to_owned()),
            Self::NotUp { container, .. } => {
                Some(format!("see why on the host: systemctl status host-containers@{container}"))
            }
            Self::SwitchedOff { .. } | Self::Exec { .. } => None,
            Self::Schedule(_) => {
                Some("correct it with apiclient set updates.window=… or updates.hold-until=…".to_owned())
            }
            Self::Terminal(_) => Some("run it without a terminal: apiclient exec -T".to_owned()),
            Self::Source { .. } | Self::Start(_) | Self::Print(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (Error::Start("no descriptors are left".into()), "get ready"),
            (
                Error::Unsure { command: CommandType::Prepare, reason: "it is torn".into(), source: None },
                "see prepare through: it is torn",
            ),
            (
                Error::NothingToApply { state: UpdateState::Idle },
                "apply an update: the state of updates is Idle",
            ),
            (Error::Terminal(std::io::Error::other("the disk is gone")), "switch the terminal to raw mode"),
            (
                Error::SwitchedOff { container: "admin" },
                "enter the admin container: it was disabled meanwhile",
            ),
            (
                Error::StillRuns { what: "the update", seconds: 60 },
                "wait for the end of the update: it still runs after 60 s",
            ),
            (Error::NotAgreed("the sizes differ"), "go on: the sizes differ"),
            (Error::Print(std::io::Error::other("the disk is gone")), "write the answer"),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
