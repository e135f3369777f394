//! When an update opens for a seed (`docs/compatibility.md`, "Waves").
//!
//! A wave begins at a date and covers the seeds after its bound, up to and with the bound of the next one. Within a
//! wave the update opens for one seed after another, evenly spread between the two dates by the seed's **place in its
//! wave**: `start + (seed - start_seed) * time / seeds`. The last wave has no end, so it opens for all its seeds at
//! once. Seeds up to the first bound belong to no wave and never wait; seed 0 counts as the first of a wave that begins
//! at 0.
//!
//! - [`older`]: how hosts with the older rule read the same schedule
//!
//! Dates and bounds come from a manifest that is read leniently: they may be out of order, far away, or above every
//! seed. Nothing here overflows.

pub mod older;

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};

use crate::moment::{date, nanoseconds};
use crate::seed::LAST;
use crate::{Seed, Update};

/// Whether an update is open for a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// It is.
    Ready,
    /// It is not yet.
    Waiting {
        /// The first moment at which it is.
        until: DateTime<Utc>,
    },
}

/// How a host reads a schedule. Fleets are mixed, so whoever paces one has to know both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// By the place in the wave: [`opens_at`].
    Ours,
    /// By the seed itself: [`older::opens_at`].
    Older,
}

impl Rule {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Ours, Self::Older];

    /// The first moment at which a schedule lets `seed` in, by this rule; `None` when it never has to wait.
    #[must_use]
    pub fn opens_at(self, waves: &BTreeMap<u32, DateTime<Utc>>, seed: Seed) -> Option<DateTime<Utc>> {
        match self {
            Self::Ours => opens_at(waves, seed),
            Self::Older => older::opens_at(waves, seed),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ours => "ours",
            Self::Older => "older",
        })
    }
}

impl Update {
    /// Whether this update is open at `now` for a host with `seed`.
    #[must_use]
    pub fn readiness(&self, seed: Seed, now: DateTime<Utc>) -> Readiness {
        match opens_at(&self.waves, seed) {
            Some(until) if now < until => Readiness::Waiting { until },
            _ => Readiness::Ready,
        }
    }
}

/// The first moment at which a schedule lets `seed` in; `None` when it never has to wait.
#[must_use]
pub fn opens_at(waves: &BTreeMap<u32, DateTime<Utc>>, seed: Seed) -> Option<DateTime<Utc>> {
    let seed = seed.get();
    // Seed 0 has no bound below it; it stands at the very start of a wave that begins at 0.
    let first_after_start = seed.max(1);
    let (start_seed, start) = waves.range(..first_after_start).next_back()?;
    match waves.range(first_after_start..=LAST).next() {
        None => Some(*start),
        Some((end_seed, end)) => Some(spread(*start, *end, seed - start_seed, end_seed - start_seed)),
    }
}

/// The moment of place `place` among `places` between two dates, rounded up to a nanosecond; never after `end`.
pub(crate) fn spread(start: DateTime<Utc>, end: DateTime<Utc>, place: u32, places: u32) -> DateTime<Utc> {
    let (from, time) = (nanoseconds(start), nanoseconds(end) - nanoseconds(start));
    let scaled = time * i128::from(place);
    let places = i128::from(places);
    let position = from + scaled.div_euclid(places) + i128::from(scaled.rem_euclid(places) != 0);
    date(position).unwrap_or(end).min(end)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;
    use crate::testing;

    fn t0() -> DateTime<Utc> {
        "2020-01-01T00:00:00Z".parse().unwrap()
    }

    fn minute(minutes: i64) -> DateTime<Utc> {
        t0() + TimeDelta::minutes(minutes)
    }

    fn update(waves: impl IntoIterator<Item = (u32, DateTime<Utc>)>) -> Update {
        Update { waves: waves.into_iter().collect(), ..testing::update("1.1.0", "1.1.0") }
    }

    /// The first whole minute at which `update` is offered, looked for from two hours before the start.
    fn first_minute(update: &Update, seed: u32) -> Option<i64> {
        let seed = Seed::new(seed).unwrap();
        (-120..3000).find(|at| update.readiness(seed, minute(*at)) == Readiness::Ready)
    }

    #[test]
    fn a_host_gets_the_update_by_its_place_in_its_wave() {
        let update = update([(0, minute(60)), (102, minute(240)), (1024, minute(1440))]);
        for (seed, expected) in [
            (0, 60),
            (1, 62),
            (51, 150),
            (102, 240),
            (103, 242),
            (500, 759),
            (922, 1308),
            (1024, 1440),
            (1025, 1440),
            (1500, 1440),
            (2048, 1440),
        ] {
            assert_eq!(first_minute(&update, seed), Some(expected), "seed {seed}");
        }
    }

    #[test]
    fn without_waves_nobody_waits() {
        for seed in [0, 1, 2048] {
            assert_eq!(first_minute(&update([]), seed), Some(-120));
        }
    }

    #[test]
    fn one_wave_opens_for_everybody_at_once() {
        let update = update([(0, minute(60))]);
        for seed in [0, 1, 1000, 2048] {
            assert_eq!(first_minute(&update, seed), Some(60), "seed {seed}");
        }
    }

    #[test]
    fn seeds_up_to_the_first_bound_never_wait() {
        let update = update([(100, minute(60)), (200, minute(120))]);
        for (seed, expected) in [(0, -120), (1, -120), (100, -120), (150, 90), (200, 120), (201, 120)] {
            assert_eq!(first_minute(&update, seed), Some(expected), "seed {seed}");
        }
    }

    #[test]
    fn bounds_above_every_seed_are_never_looked_at() {
        let beyond = update([(4096, minute(60)), (u32::MAX, minute(120))]);
        assert_eq!(first_minute(&beyond, 2048), Some(-120));
        let update = update([(0, minute(60)), (2048, minute(120)), (2049, minute(2000))]);
        assert_eq!(first_minute(&update, 2048), Some(120));
        assert_eq!(first_minute(&update, 1024), Some(90));
    }

    #[test]
    fn dates_out_of_order_open_at_the_earlier_one_at_the_latest() {
        let update = update([(0, minute(120)), (100, minute(60)), (200, minute(180))]);
        assert_eq!(first_minute(&update, 1), Some(60));
        assert_eq!(first_minute(&update, 100), Some(60));
        assert_eq!(first_minute(&update, 150), Some(120));
    }

    #[test]
    fn dates_at_the_ends_of_time_do_not_overflow() {
        let (min, max) = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
        for (start, end) in [(min, max), (max, min), (min, min), (max, max)] {
            let update = update([(0, start), (2048, end)]);
            for seed in [0, 1, 1024, 2047, 2048] {
                for now in [min, t0(), max] {
                    let _any_answer = update.readiness(Seed::new(seed).unwrap(), now);
                }
            }
            assert_eq!(update.readiness(Seed::new(2048).unwrap(), end), Readiness::Ready);
        }
    }

    fn any_waves() -> impl Strategy<Value = BTreeMap<u32, DateTime<Utc>>> {
        let bound = prop_oneof![0_u32..2100, any::<u32>()];
        let seconds = prop_oneof![
            -10_000_i64..10_000,
            DateTime::<Utc>::MIN_UTC.timestamp()..=DateTime::<Utc>::MAX_UTC.timestamp()
        ];
        let date = (seconds, 0_u32..1_000_000_000).prop_map(|(seconds, nanoseconds)| {
            DateTime::from_timestamp(seconds, nanoseconds).expect("within chrono's range")
        });
        proptest::collection::btree_map(bound, date, 0..12)
    }

    /// The rule as a sentence over a sorted list: the wave is the one whose bounds enclose the seed.
    fn model(waves: &BTreeMap<u32, DateTime<Utc>>, seed: u32, now: DateTime<Utc>) -> bool {
        let bounds: Vec<_> = waves.iter().filter(|(bound, _)| **bound <= 2048).collect();
        let begins_before = |bound: u32| bound < seed || (seed == 0 && bound == 0);
        let before = bounds.iter().filter(|(bound, _)| begins_before(**bound)).count();
        let Some(at) = before.checked_sub(1) else { return true };
        let (start_seed, start) = bounds[at];
        let now = nanoseconds(now);
        match bounds.get(at + 1) {
            None => now >= nanoseconds(*start),
            Some((end_seed, end)) => {
                let (start, end) = (nanoseconds(*start), nanoseconds(**end));
                let (place, places) = (i128::from(seed - start_seed), i128::from(*end_seed - start_seed));
                now >= end || (now - start) * places >= (end - start) * place
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn readiness_equals_the_model(waves in any_waves(), seed in 0_u32..=2048, offset in -20_000_i64..20_000) {
            let at = Seed::new(seed).unwrap();
            let update = update(waves.clone());
            let now = DateTime::from_timestamp(offset, 0).unwrap();
            prop_assert_eq!(update.readiness(at, now) == Readiness::Ready, model(&waves, seed, now));
            if let Some(until) = opens_at(&waves, at) {
                prop_assert_eq!(update.readiness(at, until), Readiness::Ready);
                prop_assert!(model(&waves, seed, until));
                if let Some(before) = until.checked_sub_signed(TimeDelta::nanoseconds(1)) {
                    prop_assert_eq!(update.readiness(at, before), Readiness::Waiting { until });
                    prop_assert!(!model(&waves, seed, before));
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn in_an_ordered_schedule_a_later_seed_is_never_earlier(
            steps in proptest::collection::btree_map(1_u32..=2048, 1_i64..10_000, 0..10),
        ) {
            let mut at = 0;
            let mut waves = BTreeMap::from([(0, t0())]);
            for (bound, step) in steps {
                at += step;
                waves.insert(bound, t0() + TimeDelta::seconds(at));
            }
            let opens: Vec<_> = (0..=2048).map(|seed| opens_at(&waves, Seed::new(seed).unwrap())).collect();
            prop_assert!(opens.is_sorted());
        }
    }
}
