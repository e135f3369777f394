//! How hosts with the older rule read a schedule (`docs/compatibility.md`, "Waves").
//!
//! They look for the same wave, and then wait for `start + time / seeds * seed`: the seed counts in full, not from the
//! wave's start. In a wave that begins at a seed as large as its width or larger, everybody therefore waits for its
//! end, and then comes at once. Seed 0 never waits at all. Our hosts never follow this rule; it is here to say what a
//! mixed fleet will do, and why schedules are written in small steps (see [`crate::pace`]).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::Seed;
use crate::moment::{date, nanoseconds};
use crate::seed::LAST;

/// The first moment at which a schedule lets `seed` in by the older rule; `None` when it never has to wait.
#[must_use]
pub fn opens_at(waves: &BTreeMap<u32, DateTime<Utc>>, seed: Seed) -> Option<DateTime<Utc>> {
    let seed = seed.get();
    let (start_seed, start) = waves.range(..seed).next_back()?;
    let Some((end_seed, end)) = waves.range(seed..=LAST).next() else { return Some(*start) };
    let (from, to) = (nanoseconds(*start), nanoseconds(*end));
    // The time for one seed is cut to whole nanoseconds first, as those hosts do.
    let each = (to - from) / i128::from(end_seed - start_seed);
    let position = from + each * i128::from(seed);
    Some(date(position).unwrap_or(*end).max(*start).min(*end))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;
    use crate::waves::Rule;

    fn minute(minutes: i64) -> DateTime<Utc> {
        "2020-01-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes)
    }

    fn seed(seed: u32) -> Seed {
        Seed::new(seed).unwrap()
    }

    /// The first whole minute at which the schedule lets `at` in, looked for from two hours before the start.
    fn first_minute(waves: &BTreeMap<u32, DateTime<Utc>>, at: u32) -> Option<i64> {
        (-120..3000).find(|now| opens_at(waves, seed(at)).is_none_or(|opens| minute(*now) >= opens))
    }

    #[test]
    fn late_waves_bunch_at_their_end() {
        let waves = BTreeMap::from([(0, minute(60)), (102, minute(240)), (1024, minute(1440))]);
        for (at, expected) in [
            (0, -120),
            (1, 62),
            (51, 150),
            (102, 240),
            (103, 375),
            (500, 891),
            (922, 1440),
            (1024, 1440),
            (1025, 1440),
            (2048, 1440),
        ] {
            assert_eq!(first_minute(&waves, at), Some(expected), "seed {at}");
        }
    }

    #[test]
    fn without_waves_and_up_to_the_first_bound_nobody_waits() {
        assert_eq!(opens_at(&BTreeMap::new(), seed(5)), None);
        let waves = BTreeMap::from([(100, minute(60)), (200, minute(120))]);
        assert_eq!(opens_at(&waves, seed(100)), None);
        assert_eq!(opens_at(&waves, seed(101)), Some(minute(120)));
        assert_eq!(opens_at(&waves, seed(201)), Some(minute(120)));
    }

    #[test]
    fn dates_out_of_order_and_at_the_ends_of_time_do_not_overflow() {
        let (min, max) = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
        for (start, end) in [(min, max), (max, min), (min, min), (max, max), (minute(120), minute(60))] {
            for bound in [1, 8, 100, 2048] {
                let waves = BTreeMap::from([(0, start), (bound, end)]);
                for at in [0, 1, 1024, 2047, 2048] {
                    assert!(opens_at(&waves, seed(at)).is_none_or(|opens| opens <= start.max(end)));
                }
            }
        }
    }

    /// Whether those hosts take the update at `now`, question by question as they ask.
    fn model(waves: &BTreeMap<u32, DateTime<Utc>>, seed: u32, now: DateTime<Utc>) -> bool {
        let before = waves.iter().rfind(|(bound, _)| **bound < seed);
        let after = waves.iter().find(|(bound, _)| (seed..=2048).contains(bound));
        match (before, after) {
            (None, _) => true,
            (Some((_, start)), None) => now >= *start,
            (Some((from, start)), Some((to, end))) => {
                let each = (*end - *start) / i32::try_from(to - from).unwrap();
                let target = *start + each * i32::try_from(seed).unwrap();
                now >= *end || (now >= *start && now >= target)
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_moment_equals_the_model(
            waves in proptest::collection::btree_map(
                prop_oneof![0_u32..2100, any::<u32>()], (-10_000_i64..10_000).prop_map(minute), 0..8),
            at in 0_u32..=2048,
            now in -20_000_i64..20_000,
        ) {
            let ready = |now| opens_at(&waves, seed(at)).is_none_or(|opens| now >= opens);
            prop_assert_eq!(ready(minute(now)), model(&waves, at, minute(now)));
            if let Some(opens) = opens_at(&waves, seed(at)) {
                prop_assert!(model(&waves, at, opens));
                prop_assert!(!model(&waves, at, opens - TimeDelta::nanoseconds(1)));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn in_an_ordered_schedule_it_is_never_earlier_than_ours(
            steps in proptest::collection::btree_map(1_u32..=2048, 1_i64..10_000, 0..10),
        ) {
            let mut at = 0;
            let mut waves = BTreeMap::from([(0, minute(0))]);
            for (bound, step) in steps {
                at += step;
                waves.insert(bound, minute(at));
            }
            for at in (1..=2048).map(seed) {
                let (ours, older) = (Rule::Ours.opens_at(&waves, at), Rule::Older.opens_at(&waves, at));
                // Cutting to nanoseconds may cost it as many nanoseconds as there are seeds.
                prop_assert!(older >= ours.map(|ours| ours - TimeDelta::microseconds(3)), "{at}: {ours:?} {older:?}");
            }
        }
    }
}
