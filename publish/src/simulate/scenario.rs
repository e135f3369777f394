//! The schedule, the fleet, and what goes wrong.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;

/// The longest rollout that is played: about two years.
const LONGEST: TimeDelta = TimeDelta::days(750);
/// The largest fleet.
const MOST_HOSTS: u64 = 100_000_000;

/// A schedule: the date of each bound.
pub type Waves = BTreeMap<u32, DateTime<Utc>>;

/// A rollout to be played.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// What the release is called in the answer.
    pub name: String,
    /// The waves as they stand in the manifest.
    pub waves: Waves,
    /// The waves as they are meant. Between two bounds the share of the fleet is meant to grow evenly.
    pub intended: Waves,
    /// When the release is published.
    pub start: DateTime<Utc>,
    /// How many hosts there are.
    pub hosts: u64,
    /// How long a host waits from one check to the next.
    pub poll: TimeDelta,
    /// What goes wrong; `None` when nothing does.
    pub failures: Option<Failures>,
    /// How many bytes a host fetches.
    pub image_bytes: Option<u64>,
    /// How many bytes a host fetches that takes the frames of what changed.
    pub frame_bytes: Option<u64>,
    /// How many bytes a host fetches that runs the release from which the packs lead.
    pub pack_bytes: Option<u64>,
    /// From where the fleet is drawn. The same number always gives the same fleet.
    pub rng_seed: u64,
}

/// How a bad release is noticed: the first host that fails is seen after a while, and then the rollout is paused, so
/// that no host takes it at a later check.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Failures {
    /// How many of the hosts that take the release fail, 0 to 1.
    pub rate: f64,
    /// How long after the first failure the rollout is paused.
    pub detect_after: TimeDelta,
}

/// Why a scenario cannot be played.
#[derive(Debug, Error, Clone, PartialEq)]
#[non_exhaustive]
pub enum ScenarioError {
    /// No hosts, or more than can be played.
    #[error("play a rollout over {0} hosts: there must be at least one, and {MOST_HOSTS} are the most")]
    Hosts(u64),
    /// Hosts check all the time, or hardly ever.
    #[error("let hosts check every {} s: once a second is the most and once in 30 days the least", .0.num_seconds())]
    Poll(TimeDelta),
    /// The rate is no share.
    #[error("let a share of {0} fail: it must be between 0 and 1")]
    Rate(f64),
    /// A rollout is watched all the time, or hardly ever.
    #[error("watch a rollout with {} s for {what}: a second is the least, and a day the most", .span.num_seconds())]
    Watch {
        /// Which length of time.
        what: &'static str,
        /// How long.
        span: TimeDelta,
    },
    /// The schedule goes on for too long.
    #[error("play a rollout that lasts {} days: {} are the most", .0.num_days(), LONGEST.num_days())]
    TooLong(TimeDelta),
}

impl Scenario {
    /// Whether it can be played.
    ///
    /// # Errors
    /// When a number makes no sense.
    pub fn check(&self) -> Result<(), ScenarioError> {
        if !(1..=MOST_HOSTS).contains(&self.hosts) {
            return Err(ScenarioError::Hosts(self.hosts));
        }
        if !(TimeDelta::seconds(1)..=TimeDelta::days(30)).contains(&self.poll) {
            return Err(ScenarioError::Poll(self.poll));
        }
        if let Some(failures) = self.failures
            && !(0.0..=1.0).contains(&failures.rate)
        {
            return Err(ScenarioError::Rate(failures.rate));
        }
        let delay = self.failures.map_or(TimeDelta::zero(), |failures| failures.detect_after.abs());
        let dates = self.waves.values().chain(self.intended.values());
        let lasts = dates.map(|date| *date - self.start).chain([delay]).max().unwrap_or_default();
        if lasts > LONGEST { Err(ScenarioError::TooLong(lasts)) } else { Ok(()) }
    }

    /// Nanoseconds from the start to `date`; what lies before the start is at the start.
    pub(super) fn offset(&self, date: DateTime<Utc>) -> u64 {
        nanoseconds((date - self.start).max(TimeDelta::zero()))
    }
}

/// Nanoseconds in a length of time; none in one that is below zero.
pub(super) fn nanoseconds(span: TimeDelta) -> u64 {
    u64::try_from(span.num_nanoseconds().expect("a checked scenario is short")).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (
                ScenarioError::Hosts(7),
                "play a rollout over 7 hosts: there must be at least one, and 100000000 are the most",
            ),
            (
                ScenarioError::Poll(TimeDelta::days(4000)),
                "let hosts check every 345600000 s: once a second is the most and once in 30 days the least",
            ),
            (ScenarioError::Rate(1.5), "let a share of 1.5 fail: it must be between 0 and 1"),
            (
                ScenarioError::Watch { what: "one look to the next", span: TimeDelta::zero() },
                "watch a rollout with 0 s for one look to the next: a second is the least, and a day the most",
            ),
            (
                ScenarioError::TooLong(TimeDelta::days(4000)),
                "play a rollout that lasts 4000 days: 750 are the most",
            ),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
