//! The last answer of the repository, while it is young enough to be given again.
//!
//! A fleet tool refreshes often; within a minute nothing new is worth two requests. What would change the answer on
//! this host ends it at once: other settings, and any other command.

use std::time::Duration;

use api_model::UpdateImage;
use chrono::{DateTime, Utc};
use semver::Version;

use super::ended::Outcome;

/// What a refresh found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fresh {
    /// When the repository said so.
    pub at: DateTime<Utc>,
    /// The configuration that it was asked with.
    pub config: Vec<u8>,
    /// Versions, newest first.
    pub available: Vec<Version>,
    /// The choice.
    pub chosen: Option<UpdateImage>,
}

impl Fresh {
    /// The answer, when it still stands at `now` for `config`.
    #[must_use]
    pub fn answer(&self, now: DateTime<Utc>, config: &[u8], age: Duration) -> Option<Outcome> {
        // A clock that was set back tells no age.
        let young = (now - self.at).to_std().is_ok_and(|passed| passed < age);
        (young && self.config == config)
            .then(|| Outcome::Refreshed { available: self.available.clone(), chosen: self.chosen.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_stands_for_its_time_and_its_configuration() {
        let at = |second| DateTime::from_timestamp(second, 0).unwrap();
        let fresh = Fresh { at: at(100), config: b"a".to_vec(), available: Vec::new(), chosen: None };
        let minute = Duration::from_secs(60);
        let stands = |second, config: &[u8], age| fresh.answer(at(second), config, age).is_some();
        assert!(stands(100, b"a", minute) && stands(159, b"a", minute));
        assert!(!stands(160, b"a", minute), "it is too old");
        assert!(!stands(99, b"a", minute), "the clock was set back");
        assert!(!stands(101, b"b", minute), "it was asked with other settings");
        assert!(!stands(100, b"a", Duration::ZERO), "nothing is given again");
    }
}
