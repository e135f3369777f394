//! What an answer of the server says about a command that was started.

use api_model::{CommandStatus, CommandType, UpdateStatus};
use chrono::{DateTime, Utc};

use crate::api::CallError;

/// The code that says that a command runs.
pub(super) const BUSY: u16 = 423;

/// What is known of the command now.
#[derive(Debug)]
pub enum Seen {
    /// It runs.
    Running,
    /// It ended well.
    Ended(Box<UpdateStatus>),
    /// It ended, and not well.
    Failed {
        /// Why.
        reason: String,
        /// What the server advises.
        help: Option<String>,
    },
    /// Another command was the last one to end: ours is over, and how is not known.
    Overtaken,
    /// The server could not be asked; it may be better the next time.
    Flaw(CallError),
}

/// Judges an answer to `GET /updates/status` after `command` was started, when the last command before it ended at
/// `before`.
#[must_use]
pub fn judge(
    command: CommandType,
    before: Option<DateTime<Utc>>,
    answer: Result<UpdateStatus, CallError>,
) -> Seen {
    let status = match answer {
        Ok(status) => status,
        Err(error) if error.code() == BUSY => return Seen::Running,
        Err(error) => return Seen::Flaw(error),
    };
    let last = &status.most_recent_command;
    if Some(last.timestamp) == before {
        return Seen::Running;
    }
    if last.cmd_type != command {
        return Seen::Overtaken;
    }
    match last.cmd_status {
        CommandStatus::Success => Seen::Ended(Box::new(status)),
        CommandStatus::Failed | CommandStatus::Unknown => {
            let said = if last.stderr.is_empty() { "the server does not say why" } else { &last.stderr };
            let (reason, help) = match said.split_once("\nhelp: ") {
                Some((reason, help)) => (reason, Some(help.to_owned())),
                None => (said, None),
            };
            Seen::Failed { reason: reason.to_owned(), help }
        }
    }
}

#[cfg(test)]
mod tests {
    use reqwest::Method;
    use serde_json::json;

    use super::*;

    fn status(command: &str, outcome: &str, second: i64, stderr: &str) -> UpdateStatus {
        serde_json::from_value(json!({
            "update_state": "Idle", "available_updates": [], "chosen_update": null,
            "active_partition": null, "staging_partition": null,
            "most_recent_command": {"cmd_type": command, "cmd_status": outcome, "timestamp": at(second), "exit_status": 0, "stderr": stderr},
        }))
        .unwrap()
    }

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 5).unwrap()
    }

    fn refused(code: u16) -> CallError {
        CallError::Refused {
            code,
            method: Method::GET,
            uri: "/updates/status".to_owned(),
            message: String::new(),
            help: None,
        }
    }

    fn seen(answer: Result<UpdateStatus, CallError>) -> Seen {
        judge(CommandType::Prepare, Some(at(1)), answer)
    }

    #[test]
    fn a_command_runs_until_the_last_one_is_another() {
        assert!(matches!(seen(Err(refused(423))), Seen::Running));
        assert!(matches!(seen(Ok(status("prepare", "Success", 1, ""))), Seen::Running));
        assert!(matches!(seen(Ok(status("prepare", "Success", 2, ""))), Seen::Ended(_)));
        assert!(matches!(
            judge(CommandType::Prepare, None, Ok(status("prepare", "Success", 1, ""))),
            Seen::Ended(_)
        ));
    }

    #[test]
    fn a_failure_is_told_in_the_words_of_the_server() {
        let Seen::Failed { reason, help } = seen(Ok(status("prepare", "Failed", 2, "no\nhelp: do"))) else {
            panic!()
        };
        assert_eq!((reason.as_str(), help.as_deref()), ("no", Some("do")));
        let Seen::Failed { reason, .. } = seen(Ok(status("prepare", "Unknown", 2, ""))) else { panic!() };
        assert!(reason.contains("does not say"));
    }

    #[test]
    fn another_callers_command_is_not_ours() {
        assert!(matches!(seen(Ok(status("refresh", "Success", 2, ""))), Seen::Overtaken));
    }

    #[test]
    fn what_is_no_answer_may_pass() {
        assert!(matches!(seen(Err(refused(500))), Seen::Flaw(_)));
        assert!(matches!(seen(Err(refused(404))), Seen::Flaw(_)));
    }
}
