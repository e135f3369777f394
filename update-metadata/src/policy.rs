//! A rollout plan, to be written into a manifest as waves (`docs/compatibility.md`, "Waves").
//!
//! ```toml
//! [[waves]]
//! start_after = "1 hour"      # minutes, hours, days, weeks; or a date as RFC 3339 has it
//! fleet_percentage = 5        # how much of the fleet has the update when the next wave starts
//! ```

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use thiserror::Error;

use crate::seed::LAST;

/// A rollout plan. Without any wave it clears the schedule: everybody may update at once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WavePolicy {
    /// The waves, in the order of the file.
    pub waves: Vec<PolicyWave>,
}

/// One wave of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyWave {
    /// When it starts.
    pub start_after: StartAfter,
    /// How much of the fleet may have the update when the next wave starts, 1 to 100. That of the last wave is not
    /// used: it takes everybody who is left.
    pub fleet_percentage: u32,
}

/// When a wave starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartAfter {
    /// So long after the start of the rollout.
    Offset(TimeDelta),
    /// At this date.
    At(DateTime<Utc>),
}

/// Why a text is not a rollout plan.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Not TOML, a field missing, or of the wrong type.
    #[error("parse the wave policy")]
    Toml(#[source] toml::de::Error),
    /// A start that is neither a time span nor a date.
    #[error("parse the wave policy: wave {number}: {source}")]
    StartAfter {
        /// Which wave of the file, from 1.
        number: usize,
        /// What is wrong.
        source: NotAStart,
    },
    /// A percentage outside of 1 to 100.
    #[error("parse the wave policy: wave {number}: fleet_percentage is {found}, and 1 to 100 are possible")]
    Percentage {
        /// Which wave of the file, from 1.
        number: usize,
        /// What was given.
        found: i64,
    },
}

/// A text says neither how long after the start nor when.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("start_after is {text:?}; write it like \"90 minutes\", \"1 day\" or \"2026-01-31T09:00:00Z\"")]
pub struct NotAStart {
    /// The text.
    pub text: String,
}

/// A plan that goes on for longer than the calendar does.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BeyondTheCalendar {
    /// A wave starts too late.
    #[error("plan wave {number}: its start lies beyond the calendar")]
    Wave {
        /// Which wave of the plan, from 1.
        number: usize,
    },
    /// The last wave ends too late.
    #[error("spread the last wave: its end lies beyond the calendar")]
    Tail,
}

#[derive(Deserialize)]
struct File {
    waves: Vec<FileWave>,
}

#[derive(Deserialize)]
struct FileWave {
    start_after: toml::Value,
    fleet_percentage: i64,
}

impl WavePolicy {
    /// Reads a plan. Keys that are not known are skipped.
    ///
    /// # Errors
    /// When the text is no such plan.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let file: File = toml::from_str(text).map_err(PolicyError::Toml)?;
        let wave = |(number, wave): (usize, FileWave)| {
            // A date may also stand without quotation marks.
            let start = match &wave.start_after {
                toml::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let percentage =
                u32::try_from(wave.fleet_percentage).ok().filter(|value| (1..=100).contains(value));
            Ok(PolicyWave {
                start_after: start.parse().map_err(|source| PolicyError::StartAfter { number, source })?,
                fleet_percentage: percentage
                    .ok_or(PolicyError::Percentage { number, found: wave.fleet_percentage })?,
            })
        };
        Ok(Self { waves: (1..).zip(file.waves).map(wave).collect::<Result<_, _>>()? })
    }

    /// The waves of an update whose rollout starts at `start`: the first wave from seed 0 on, each other one from
    /// where the percentage before it ends. Of two waves from the same seed on the later one of the plan counts.
    ///
    /// # Errors
    /// When a date is beyond the calendar.
    pub fn schedule(&self, start: DateTime<Utc>) -> Result<BTreeMap<u32, DateTime<Utc>>, BeyondTheCalendar> {
        let mut schedule = BTreeMap::new();
        for (number, (bound, wave)) in (1..).zip(self.bounds().zip(&self.waves)) {
            let date = match wave.start_after {
                StartAfter::At(date) => Some(date),
                StartAfter::Offset(offset) => start.checked_add_signed(offset),
            };
            schedule.insert(bound, date.ok_or(BeyondTheCalendar::Wave { number })?);
        }
        Ok(schedule)
    }

    /// What is odd about the plan although it can be used, a sentence each.
    #[must_use]
    pub fn advice(&self) -> Vec<String> {
        let mut advice = Vec::new();
        let mut seen = BTreeMap::new();
        for (number, bound) in (1_usize..).zip(self.bounds().take(self.waves.len())) {
            match seen.entry(bound) {
                Entry::Vacant(place) => {
                    place.insert(number);
                }
                Entry::Occupied(mut place) => {
                    let earlier = place.insert(number);
                    advice.push(format!(
                        "wave {number} starts from the same seed as wave {earlier} and takes its place: \
                         the percentages between them do not grow"
                    ));
                }
            }
        }
        if let Some(last) = self.waves.last().filter(|last| last.fleet_percentage != 100) {
            advice.push(format!(
                "the last wave takes everybody who is left, not {} % of the fleet",
                last.fleet_percentage
            ));
        }
        advice
    }

    /// The seed after which each wave begins, and one more.
    fn bounds(&self) -> impl Iterator<Item = u32> {
        let ends = self.waves.iter().map(|wave| LAST * wave.fleet_percentage / 100);
        std::iter::once(0).chain(ends)
    }
}

impl FromStr for StartAfter {
    type Err = NotAStart;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let offset = offset(text).map(Self::Offset);
        let date = || DateTime::parse_from_rfc3339(text.trim()).ok().map(|date| Self::At(date.to_utc()));
        offset.or_else(date).ok_or_else(|| NotAStart { text: text.to_owned() })
    }
}

/// `[in] NUMBER UNIT`, the words apart.
fn offset(text: &str) -> Option<TimeDelta> {
    let words: Vec<_> = text.split_whitespace().collect();
    let (number, unit) = match words[..] {
        ["in", number, unit] | [number, unit] => (number, unit),
        _ => return None,
    };
    let number = i64::from(number.parse::<u32>().ok()?);
    match unit {
        "minute" | "minutes" => TimeDelta::try_minutes(number),
        "hour" | "hours" => TimeDelta::try_hours(number),
        "day" | "days" => TimeDelta::try_days(number),
        "week" | "weeks" => TimeDelta::try_weeks(number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> DateTime<Utc> {
        "2020-01-01T00:00:00Z".parse().unwrap()
    }

    /// A plan of `(percentage, hours)`.
    fn plan(waves: &[(u32, i64)]) -> WavePolicy {
        let wave = |(fleet_percentage, hours): &(u32, i64)| PolicyWave {
            start_after: StartAfter::Offset(TimeDelta::hours(*hours)),
            fleet_percentage: *fleet_percentage,
        };
        WavePolicy { waves: waves.iter().map(wave).collect() }
    }

    fn hours(schedule: &BTreeMap<u32, DateTime<Utc>>) -> Vec<(u32, i64)> {
        schedule.iter().map(|(bound, date)| (*bound, (*date - start()).num_hours())).collect()
    }

    fn one(start_after: &str) -> Result<StartAfter, PolicyError> {
        let text = format!("[[waves]]\nstart_after = {start_after}\nfleet_percentage = 5");
        WavePolicy::parse(&text).map(|policy| policy.waves[0].start_after)
    }

    #[test]
    fn a_plan_is_read_and_unknown_keys_are_skipped() {
        let policy = WavePolicy::parse(
            "note = 'x'\n[[waves]]\nstart_after = '1 hour'\nfleet_percentage = 5\ncolour = 'red'\n\
             [[waves]]\nstart_after = 'in 2 days'\nfleet_percentage = 100\n",
        )
        .unwrap();
        assert_eq!(policy, plan(&[(5, 1), (100, 48)]));
        assert_eq!(WavePolicy::parse("waves = []").unwrap(), WavePolicy::default());
        assert!(WavePolicy::parse("").is_err());
        assert!(WavePolicy::parse("[[wave]]").is_err());
        assert!(WavePolicy::parse("waves = [{start_after = '1 hour'}]").is_err());
        assert!(WavePolicy::parse("waves = [{fleet_percentage = 5}]").is_err());
    }

    #[test]
    fn time_spans_are_a_number_and_a_unit() {
        for (text, minutes) in [
            ("'1 minute'", 1),
            ("'90 minutes'", 90),
            ("'1 hour'", 60),
            ("'1 hours'", 60),
            ("'in 2 hours'", 120),
            ("'+1 hours'", 60),
            ("'0 hours'", 0),
            ("' in   3   days '", 3 * 1440),
            ("'1 day'", 1440),
            ("'1 week'", 7 * 1440),
            ("'2 weeks'", 14 * 1440),
            ("'4294967295 weeks'", 4_294_967_295 * 7 * 1440),
        ] {
            let expected = StartAfter::Offset(TimeDelta::minutes(minutes));
            assert_eq!(one(text).ok(), Some(expected), "{text}");
        }
    }

    #[test]
    fn dates_are_starts_too() {
        let expected = StartAfter::At("2020-01-31T09:00:00Z".parse().unwrap());
        for text in ["'2020-01-31T09:00:00Z'", "'2020-01-31T10:00:00+01:00'", "2020-01-31T09:00:00Z"] {
            assert_eq!(one(text).ok(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_start_is_refused() {
        for text in [
            "'1hour'",
            "'1 Hour'",
            "'-1 hours'",
            "'4294967296 hours'",
            "'1.5 hours'",
            "'in hour'",
            "'hour'",
            "'at 1 hour'",
            "'in 1 hour more'",
            "'1 month'",
            "''",
            "'2020-01-31'",
            "'2020-01-31T09:00:00'",
            "2020-01-31",
            "5",
            "true",
            "[]",
        ] {
            assert!(one(text).is_err(), "{text}");
        }
    }

    #[test]
    fn percentages_are_whole_numbers_from_1_to_100() {
        let parse = |percentage: &str| {
            WavePolicy::parse(&format!(
                "waves = [{{start_after = '1 hour', fleet_percentage = {percentage}}}]"
            ))
        };
        assert!(parse("1").is_ok() && parse("100").is_ok());
        for percentage in ["0", "101", "-1", "5.0", "'5'", "9223372036854775807"] {
            assert!(parse(percentage).is_err(), "{percentage}");
        }
    }

    #[test]
    fn a_wave_begins_where_the_percentage_before_it_ends() {
        for (percentage, bound) in [
            (1, 20),
            (3, 61),
            (5, 102),
            (10, 204),
            (12, 245),
            (15, 307),
            (25, 512),
            (40, 819),
            (50, 1024),
            (60, 1228),
            (80, 1638),
            (90, 1843),
            (100, 2048),
        ] {
            let schedule = plan(&[(percentage, 1), (100, 2)]).schedule(start()).unwrap();
            assert_eq!(hours(&schedule), [(0, 1), (bound, 2)], "{percentage} %");
        }
    }

    #[test]
    fn plans_become_the_waves_that_other_tools_make_of_them() {
        let schedule = |waves: &[(u32, i64)]| hours(&plan(waves).schedule(start()).unwrap());
        assert_eq!(schedule(&[(5, 1), (5, 2), (100, 3)]), [(0, 1), (102, 3)]);
        assert_eq!(schedule(&[(5, 1)]), [(0, 1)]);
        assert_eq!(schedule(&[(50, 1), (10, 2), (100, 3)]), [(0, 1), (204, 3), (1024, 2)]);
        assert_eq!(schedule(&[(5, 1), (100, 1)]), [(0, 1), (102, 1)]);
        assert_eq!(schedule(&[(100, 1), (100, 2)]), [(0, 1), (2048, 2)]);
        assert_eq!(schedule(&[]), []);
    }

    #[test]
    fn odd_plans_are_remarked_upon() {
        assert!(plan(&[(5, 1), (50, 2), (100, 3)]).advice().is_empty());
        assert!(plan(&[]).advice().is_empty());
        let repeated = plan(&[(5, 1), (5, 2), (100, 3)]).advice();
        assert_eq!(repeated.len(), 1, "{repeated:?}");
        assert!(repeated[0].starts_with("wave 3 starts from the same seed as wave 2"), "{repeated:?}");
        assert_eq!(plan(&[(5, 1), (50, 2)]).advice().len(), 1);
    }

    #[test]
    fn a_start_beyond_the_calendar_is_refused() {
        let policy = WavePolicy::parse("waves = [{start_after = '4294967295 weeks', fleet_percentage = 5}]");
        assert_eq!(policy.unwrap().schedule(start()), Err(BeyondTheCalendar::Wave { number: 1 }));
    }

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (PolicyError::Toml(toml::from_str::<toml::Table>("=").unwrap_err()), "parse the wave policy"),
            (
                PolicyError::StartAfter { number: 3, source: NotAStart { text: "x".into() } },
                "parse the wave policy: wave 3: start_after is \"x\"; write it like \"90 minutes\", \"1 day\" or \"2026-01-31T09:00:00Z\"",
            ),
            (
                PolicyError::Percentage { number: 3, found: 101 },
                "parse the wave policy: wave 3: fleet_percentage is 101, and 1 to 100 are possible",
            ),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }

    #[test]
    fn not_a_start_is_told_in_these_words() {
        assert_eq!(
            NotAStart { text: "x y".into() }.to_string(),
            "start_after is \"x y\"; write it like \"90 minutes\", \"1 day\" or \"2026-01-31T09:00:00Z\""
        );
    }
}
