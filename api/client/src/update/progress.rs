//! How far the work is: the body of `GET /updates/progress`.
//!
//! It is read leniently. What we do not understand is passed on to programs and left out for people: a newer server
//! must not stop an older client from updating its host.

use std::fmt;

use chrono::{DateTime, Utc};
use host_io::bar::{Part, mib};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::Api;

/// The latest event of the work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Latest {
    /// The subcommand that does the work.
    pub command: String,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What happened.
    pub event: Value,
}

/// How far one stage of it is.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Stage {
    /// What is being done.
    pub phase: String,
    /// To what.
    pub image: String,
    /// Bytes done.
    pub bytes: u64,
    /// Bytes in all, where that is known before the end.
    pub total: Option<u64>,
    /// Bytes a second.
    pub rate: Option<f64>,
    /// Seconds left.
    pub eta: Option<f64>,
}

impl Latest {
    /// The stage that it is about, if bytes move.
    #[must_use]
    pub fn stage(&self) -> Option<Stage> {
        (self.event["event"] == "progress").then(|| Stage::deserialize(&self.event).ok()).flatten()
    }
}

/// `write root: 45 % of 120.0 MiB, 12.3 MiB/s, 8 s left`.
impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what())?;
        match self.total.filter(|&total| total > 0) {
            Some(total) => write!(f, ": {} % of {}", self.percent(total), mib(total))?,
            // Nothing moves in what is done, as with a rehearsal.
            None if self.bytes == 0 => return Ok(()),
            None => write!(f, ": {}", mib(self.bytes))?,
        }
        if let Some(rate) = self.rate.filter(|rate| rate.is_finite() && *rate >= 1.0) {
            write!(f, ", {}/s", mib(whole(rate)))?;
        }
        if let Some(eta) = self.eta.filter(|eta| eta.is_finite() && *eta >= 0.0) {
            write!(f, ", {} left", span(whole(eta.ceil())))?;
        }
        Ok(())
    }
}

impl Stage {
    /// What is being done, and to what.
    #[must_use]
    pub fn what(&self) -> String {
        format!("{} {}", self.phase.replace('-', " "), self.image)
    }

    /// The same for a bar.
    #[must_use]
    pub fn part<'a>(&self, what: &'a str) -> Part<'a> {
        let sound = |number: Option<f64>| number.filter(|number| number.is_finite() && *number >= 0.0);
        Part {
            what,
            done: self.bytes,
            total: self.total,
            rate: sound(self.rate).map_or(0, whole),
            left: sound(self.eta).map(|eta| whole(eta.ceil())),
        }
    }

    fn percent(&self, total: u64) -> u128 {
        u128::from(self.bytes.min(total)) * 100 / u128::from(total)
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "finite and not negative here")]
fn whole(number: f64) -> u64 {
    number as u64
}

/// A time in seconds for people: `8 s`, `2 min 5 s`, `1 h 3 min`.
#[must_use]
pub fn span(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// The latest event; `None` where there is none, or where the server does not say. That is never worth failing for.
pub async fn latest(api: &Api) -> Option<Latest> {
    serde_json::from_value(api.get("/updates/progress").await.ok()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn latest(event: Value) -> Latest {
        serde_json::from_value(
            json!({"command": "update-image", "pid": 7, "at": "2024-10-24T12:00:00Z", "event": event}),
        )
        .unwrap()
    }

    #[test]
    fn a_stage_is_told_with_what_is_known_of_it() {
        let told = |event| latest(event).stage().unwrap().to_string();
        assert_eq!(
            told(
                json!({"event": "progress", "phase": "read-back", "image": "root", "bytes": 54 << 20, "total": 120 << 20, "rate": 12_897_485, "eta": 124.2})
            ),
            "read back root: 45 % of 120.0 MiB, 12.3 MiB/s, 2 min 5 s left"
        );
        assert_eq!(
            told(json!({"event": "progress", "phase": "fetch", "image": "hash", "bytes": 2048, "eta": null})),
            "fetch hash: 0.0 MiB"
        );
        assert_eq!(
            told(
                json!({"event": "progress", "phase": "fetch", "image": "hash", "bytes": 9, "total": 0, "rate": -1, "eta": -1})
            ),
            "fetch hash: 0.0 MiB"
        );
        assert_eq!(
            told(
                json!({"event": "progress", "phase": "rehearse", "image": "settings", "bytes": 0, "rate": 0, "eta": null})
            ),
            "rehearse settings"
        );
    }

    #[test]
    fn other_events_and_unknown_ones_are_no_stage() {
        for event in [json!({"event": "started"}), json!({"event": "progress", "phase": 7}), json!(null)] {
            assert_eq!(latest(event).stage(), None);
        }
    }

    #[test]
    fn times_are_told_in_the_units_that_matter() {
        assert_eq!([8, 125, 3780].map(span), ["8 s", "2 min 5 s", "1 h 3 min"]);
    }
}
