//! How a conversation ends.

use std::process::ExitStatus;

use api_model::exec::{CLOSE_ERROR, CLOSE_INVALID, CLOSE_NORMAL, CLOSE_POLICY, CLOSE_SIZE};
use axum::extract::ws::CloseFrame;
use std::os::unix::process::ExitStatusExt as _;

/// The most bytes that the reason of a close frame can have.
const REASON: usize = 123;

/// Why a conversation is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Goodbye {
    /// The command ended.
    Ended(i32),
    /// The client has gone, silently or with a word: there is nobody to tell.
    Gone,
    /// A message was none.
    Invalid(String),
    /// A message came out of its turn.
    OutOfTurn(&'static str),
    /// The client sent more than it was told that it may.
    TooMuch,
    /// We could not.
    Unable(String),
}

impl Goodbye {
    /// The end of a command: its exit code, or 128 and the number of the signal that ended it, as shells have it.
    #[must_use]
    pub fn ended(status: ExitStatus) -> Self {
        Self::Ended(status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1))
    }

    /// What the client is told; `None` when it has gone.
    #[must_use]
    pub fn frame(&self) -> Option<CloseFrame> {
        let (code, reason) = match self {
            Self::Ended(code) => (CLOSE_NORMAL, code.to_string()),
            Self::Gone => return None,
            Self::Invalid(reason) => (CLOSE_INVALID, reason.clone()),
            Self::OutOfTurn(reason) => (CLOSE_POLICY, (*reason).to_owned()),
            Self::TooMuch => (CLOSE_SIZE, "more input than the capacity allows".to_owned()),
            Self::Unable(reason) => (CLOSE_ERROR, reason.clone()),
        };
        Some(CloseFrame { code, reason: shortened(&reason).into() })
    }
}

fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(REASON)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_code_travels_as_the_reason_of_a_normal_end() {
        let told = |status: i32| Goodbye::ended(ExitStatus::from_raw(status)).frame().unwrap();
        assert_eq!((told(0).code, told(0).reason.as_str()), (1000, "0"));
        assert_eq!(told(3 << 8).reason.as_str(), "3");
        assert_eq!(told(9).reason.as_str(), "137");
    }

    #[test]
    fn a_long_reason_is_cut_where_a_letter_ends() {
        let frame = Goodbye::Unable("ü".repeat(100)).frame().unwrap();
        assert_eq!((frame.code, frame.reason.len()), (1011, 122));
        assert_eq!(Goodbye::Gone.frame(), None);
    }
}
