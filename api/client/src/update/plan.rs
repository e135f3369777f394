//! Which commands an "apply" still needs.

use api_model::{CommandType, UpdateState, UpdateStatus};

use crate::error::Error;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Apply {
    /// Nothing: there is no update, or it is applied.
    Nothing,
    /// These, in order.
    Commands(&'static [CommandType]),
}

/// What is to be done from `status`; `None` is a host on which no command has ever ended. An image that is staged
/// already is not fetched again. `checked` says that the status is the outcome of a check just now, so that having
/// nothing to do is an answer and not an error.
///
/// # Errors
/// When there is nothing to apply and nobody looked.
pub fn apply(status: Option<&UpdateStatus>, checked: bool) -> Result<Apply, Error> {
    const ALL: Apply = Apply::Commands(&[CommandType::Prepare, CommandType::Activate]);
    const REST: Apply = Apply::Commands(&[CommandType::Activate]);
    // A timer must not undo what a person asked for; the server refuses a person, with the reason.
    if checked && status.is_some_and(|status| status.rollback().is_some()) {
        return Ok(Apply::Nothing);
    }
    let state = status.map_or(UpdateState::Idle, |status| status.update_state);
    match state {
        UpdateState::Idle | UpdateState::Ready if checked => Ok(Apply::Nothing),
        UpdateState::Idle | UpdateState::Ready => Err(Error::NothingToApply { state }),
        UpdateState::Available => Ok(ALL),
        UpdateState::Staged => {
            let chosen = status.and_then(|status| status.chosen_update.as_ref());
            let staged = status.and_then(|status| status.staging_partition.as_ref()).map(|set| &set.image);
            Ok(match chosen {
                // What was staged earlier is not offered to this host any more.
                None if checked => Apply::Nothing,
                None => REST,
                Some(chosen) if Some(chosen) == staged => REST,
                Some(_) => ALL,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(state: &str, chosen: Option<&str>, staged: Option<&str>) -> UpdateStatus {
        let image = |version: &str| json!({"arch": "x86_64", "version": version, "variant": "metal"});
        serde_json::from_value(json!({
            "update_state": state,
            "available_updates": [],
            "chosen_update": chosen.map(image),
            "active_partition": null,
            "staging_partition": staged.map(|version| json!({"image": image(version), "next_to_boot": state == "Ready"})),
            "most_recent_command": {"cmd_type": "refresh", "cmd_status": "Success", "timestamp": "2024-10-24T12:00:00Z", "exit_status": 0, "stderr": ""},
        }))
        .unwrap()
    }

    fn commands(status: &UpdateStatus, checked: bool) -> Option<Vec<String>> {
        match apply(Some(status), checked) {
            Ok(Apply::Commands(commands)) => Some(commands.iter().map(ToString::to_string).collect()),
            Ok(Apply::Nothing) => Some(Vec::new()),
            Err(_) => None,
        }
    }

    #[test]
    fn an_available_update_is_installed_and_activated() {
        let both = Some(vec!["prepare".to_owned(), "activate".to_owned()]);
        for checked in [false, true] {
            assert_eq!(commands(&status("Available", Some("1.1.0"), None), checked), both);
            assert_eq!(commands(&status("Staged", Some("1.2.0"), Some("1.1.0")), checked), both);
        }
    }

    #[test]
    fn what_is_staged_is_not_fetched_again() {
        let rest = Some(vec!["activate".to_owned()]);
        for checked in [false, true] {
            assert_eq!(commands(&status("Staged", Some("1.1.0"), Some("1.1.0")), checked), rest);
        }
        assert_eq!(commands(&status("Staged", None, Some("1.1.0")), false), rest);
    }

    #[test]
    fn nothing_to_do_is_an_answer_after_a_check_and_an_error_otherwise() {
        for state in ["Idle", "Ready"] {
            assert_eq!(commands(&status(state, None, None), true), Some(vec![]));
            assert_eq!(commands(&status(state, None, None), false), None);
        }
        assert_eq!(commands(&status("Staged", None, Some("1.1.0")), true), Some(vec![]));
        assert!(apply(None, false).is_err());
        let mut goes_back = status("Available", Some("1.2.0"), None);
        goes_back.next_boot =
            serde_json::from_value(json!({"set": "A", "version": "1.0.0", "why": "rollback"})).unwrap();
        assert_eq!(commands(&goes_back, true), Some(vec![]));
    }
}
