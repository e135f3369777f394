//! Which command may follow which state, and where it leads.
//!
//! | command | Idle | Available | Staged | Ready |
//! |---|---|---|---|---|
//! | refresh | Available if something is chosen, else Idle | same | Staged | Ready |
//! | prepare | refused | Staged | Staged, again | refused |
//! | activate | refused | refused | Ready | refused |
//! | deactivate | refused | refused | refused | Staged |

use api_model::{CommandType, UpdateState};

/// Whether an update is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// One is.
    Made,
    /// None is.
    None,
}

/// Why a command may not run now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The state does not allow it.
    Disallowed,
    /// It needs a chosen update.
    NothingChosen,
}

/// Where `command` leads from `state` when it succeeds. `choice` is that after a refresh, or before any other command.
///
/// # Errors
/// When it may not run there.
pub fn next(state: UpdateState, command: CommandType, choice: Choice) -> Result<UpdateState, Refused> {
    use CommandType::{Activate, Deactivate, Prepare, Refresh};
    use UpdateState::{Available, Idle, Ready, Staged};
    match (command, state) {
        (Refresh, Idle | Available) => Ok(match choice {
            Choice::Made => Available,
            Choice::None => Idle,
        }),
        (Refresh, Staged) => Ok(Staged),
        (Refresh, Ready) => Ok(Ready),
        (Prepare, Available | Staged) => match choice {
            Choice::Made => Ok(Staged),
            Choice::None => Err(Refused::NothingChosen),
        },
        (Prepare, Idle | Ready) => Err(Refused::Disallowed),
        (Activate, Staged) => Ok(Ready),
        (Activate, Idle | Available | Ready) => Err(Refused::Disallowed),
        (Deactivate, Ready) => Ok(Staged),
        (Deactivate, Idle | Available | Staged) => Err(Refused::Disallowed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [UpdateState; 4] =
        [UpdateState::Idle, UpdateState::Available, UpdateState::Staged, UpdateState::Ready];

    /// The table of the documentation, one letter per state: where it leads, `c` refused for want of a choice, `-`
    /// refused.
    fn row(command: CommandType, choice: Choice) -> String {
        let letter = |state| match next(state, command, choice) {
            Ok(UpdateState::Idle) => 'I',
            Ok(UpdateState::Available) => 'A',
            Ok(UpdateState::Staged) => 'S',
            Ok(UpdateState::Ready) => 'R',
            Err(Refused::NothingChosen) => 'c',
            Err(Refused::Disallowed) => '-',
        };
        STATES.into_iter().map(letter).collect()
    }

    #[test]
    fn every_pair_of_state_and_command_is_as_documented() {
        let rows: Vec<[String; 2]> = CommandType::ALL
            .into_iter()
            .map(|command| [row(command, Choice::Made), row(command, Choice::None)])
            .collect();
        assert_eq!(rows, [["AASR", "IISR"], ["-SS-", "-cc-"], ["--R-", "--R-"], ["---S", "---S"]]);
    }
}
