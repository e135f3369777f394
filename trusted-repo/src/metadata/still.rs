//! Whether a repository still moves.
//!
//! Somebody who holds back newer metadata, and a repository that nobody looks after any more, look alike: the timestamp
//! role stays the same one. Its expiry ends that, but a repository may let it live for months. So the day on which it
//! was first seen is remembered, and a long standstill is told.

use chrono::{DateTime, TimeZone as _, Utc};

use crate::metadata::now::EffectiveNow;

/// So many days without a new timestamp are told.
pub const STANDSTILL: u64 = 14;
/// A host whose clock was never set has seen nothing on a day that counts.
const FIRST_YEAR: i32 = 2020;

/// Since when the timestamp role has been the one that it is now. `seen` is what is remembered of this very one.
#[must_use]
pub fn since(seen: Option<DateTime<Utc>>, now: EffectiveNow) -> DateTime<Utc> {
    let first_day = Utc.with_ymd_and_hms(FIRST_YEAR, 1, 1, 0, 0, 0).single();
    let seen = seen.filter(|seen| first_day.is_none_or(|first| *seen >= first));
    seen.map_or(now.time(), |seen| seen.min(now.time()))
}

/// For how many days a repository has stood still, if that is so long that it should be told.
#[must_use]
pub fn for_days(since: Option<DateTime<Utc>>, now: EffectiveNow) -> Option<u64> {
    let days = u64::try_from((now.time() - since?).num_days()).ok()?;
    (days >= STANDSTILL).then_some(days)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn at(day: i64) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 6, 1, 12, 0, 0).unwrap() + TimeDelta::days(day)
    }

    fn now(day: i64) -> EffectiveNow {
        EffectiveNow::new(at(day), None)
    }

    #[test]
    fn a_repository_that_moves_is_not_mentioned() {
        assert_eq!(for_days(None, now(0)), None);
        assert_eq!(for_days(Some(at(0)), now(13)), None);
        assert_eq!(for_days(Some(at(0)), now(14)), Some(14));
        assert_eq!(for_days(Some(at(0)), now(99)), Some(99));
    }

    #[test]
    fn a_clock_that_was_wrong_counts_no_days() {
        assert_eq!(since(None, now(3)), at(3));
        assert_eq!(since(Some(at(1)), now(3)), at(1));
        assert_eq!(since(Some(DateTime::UNIX_EPOCH), now(3)), at(3), "it was never set");
        assert_eq!(since(Some(at(9)), now(3)), at(3), "it was ahead");
        assert_eq!(for_days(Some(at(9)), now(3)), None);
    }
}
