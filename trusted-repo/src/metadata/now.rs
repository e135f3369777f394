//! The time that counts, and what has expired by then. Rule: `docs/design.md`, "Trust", on the effective time.

use std::fmt;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// The later of what the clock says and a floor below which it cannot be.
///
/// The floor is a time at which this host has verified metadata that had not expired. A clock that stands before it is
/// wrong, which is a reason to warn and to hold waves, not a reason to refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EffectiveNow {
    clock: DateTime<Utc>,
    floor: Option<DateTime<Utc>>,
}

impl EffectiveNow {
    /// From what the clock says and what is remembered.
    #[must_use]
    pub fn new(clock: DateTime<Utc>, floor: Option<DateTime<Utc>>) -> Self {
        Self { clock, floor }
    }

    /// The time to decide by.
    #[must_use]
    pub fn time(&self) -> DateTime<Utc> {
        self.floor.map_or(self.clock, |floor| floor.max(self.clock))
    }

    /// Whether the clock stands before a time that has certainly passed.
    #[must_use]
    pub fn clock_is_behind(&self) -> bool {
        self.floor.is_some_and(|floor| self.clock < floor)
    }

    /// Whether what expires at `expires` has expired.
    #[must_use]
    pub fn is_after(&self, expires: DateTime<Utc>) -> bool {
        self.time() >= expires
    }

    /// How long ago `past` was, in the largest unit that makes more than two.
    pub(crate) fn since(&self, past: DateTime<Utc>) -> String {
        let seconds = (self.time() - past).num_seconds();
        let units = [(86_400, "days"), (3_600, "hours"), (60, "minutes")];
        let (length, unit) =
            units.into_iter().find(|(length, _)| seconds / length > 2).unwrap_or((1, "seconds"));
        format!("{} {unit}", seconds / length)
    }

    /// The floor after everything was verified at this time. It never passes the expiry of the timestamp role: a clock
    /// that was wrong for one check must not lock the host out for longer than that. It rises in steps of an hour, so
    /// that a check that finds nothing new writes nothing.
    #[must_use]
    pub fn next_floor(&self, timestamp_expires: DateTime<Utc>) -> DateTime<Utc> {
        let raised = self.time().min(timestamp_expires);
        match self.floor {
            Some(floor) if raised - floor < TimeDelta::hours(1) => floor,
            _ => raised,
        }
    }
}

impl fmt::Display for EffectiveNow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this host's clock says {}", instant(self.clock))?;
        match self.floor {
            Some(floor) if floor > self.clock => {
                write!(f, ", which is wrong: it was {} here already", instant(floor))
            }
            _ => Ok(()),
        }
    }
}

/// A time of tough's as one of ours. Years beyond what chrono can say are as good as never.
pub(crate) fn from_jiff(at: jiff::Timestamp) -> DateTime<Utc> {
    let nanos = u32::try_from(at.subsec_nanosecond()).unwrap_or_default();
    DateTime::from_timestamp(at.as_second(), nanos).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// A time of ours as one of tough's, to whole seconds.
pub(crate) fn to_jiff(at: DateTime<Utc>) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_second(at.timestamp()).ok()
}

/// A point in time as people and logs read it: whole seconds, UTC.
pub(crate) fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(n: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(n)
    }

    #[test]
    fn a_clock_at_1970_does_not_bring_expired_metadata_back() {
        let now = EffectiveNow::new(day(0), Some(day(20_000)));
        assert!(now.clock_is_behind());
        assert!(now.is_after(day(19_999)));
        assert!(!now.is_after(day(20_001)));
        assert!(now.to_string().contains("1970-01-01"), "{now}");
    }

    #[test]
    fn a_clock_that_was_ahead_once_does_not_lock_the_host_out_for_longer_than_the_timestamp() {
        let ahead = EffectiveNow::new(day(500), Some(day(100)));
        assert_eq!(ahead.next_floor(day(107)), day(107));
    }

    #[test]
    fn the_floor_never_falls() {
        let behind = EffectiveNow::new(day(1), Some(day(100)));
        assert_eq!(behind.next_floor(day(107)), day(100));
        assert_eq!(EffectiveNow::new(day(1), None).next_floor(day(7)), day(1));
    }

    #[test]
    fn the_floor_rises_in_steps_of_an_hour() {
        let at = |minutes| EffectiveNow::new(day(1) + TimeDelta::minutes(minutes), Some(day(1)));
        assert_eq!(at(59).next_floor(day(7)), day(1));
        assert_eq!(at(60).next_floor(day(7)), day(1) + TimeDelta::hours(1));
        assert_eq!(EffectiveNow::new(day(9), Some(day(8))).next_floor(day(7)), day(8), "it expired before");
    }

    #[test]
    fn the_time_since_then_is_told_in_a_unit_that_people_use() {
        let now = EffectiveNow::new(day(10), None);
        assert_eq!(now.since(day(3)), "7 days");
        assert_eq!(now.since(day(8)), "48 hours");
        assert_eq!(now.since(day(10) - TimeDelta::seconds(200)), "3 minutes");
        assert_eq!(now.since(day(10)), "0 seconds");
    }

    #[test]
    fn the_moment_of_expiry_is_expired() {
        assert!(EffectiveNow::new(day(7), None).is_after(day(7)));
    }
}
