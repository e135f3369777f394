//! How finely a schedule is written (`docs/compatibility.md`, "Waves").
//!
//! A schedule of a few wide waves paces our hosts well. Hosts with the older rule ([`crate::waves::older`]) come in
//! bunches at the end of each wave, and whoever is in the last wave comes at once by either rule. Both go away when the
//! schedule says the same in small steps, and when the last wave gets an end: readers need to know nothing of it.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use chrono::{DateTime, TimeDelta, Utc};

use crate::moment::{date, nanoseconds};
use crate::policy::BeyondTheCalendar;
use crate::seed::LAST;
use crate::waves::spread;

/// How many seeds a step covers where nothing else is said: 0.4 % of a fleet.
pub const STEP: NonZeroU32 = NonZeroU32::new(8).expect("8 is not 0");

/// How many dates a schedule is written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Density {
    /// One date for each wave of the plan.
    Sparse,
    /// One date for so many seeds.
    Every(NonZeroU32),
}

/// How a plan becomes a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pace {
    /// How finely it is written.
    pub density: Density,
    /// Over how long a time the last wave is spread; without it everybody who is left comes at once.
    pub tail: Option<TimeDelta>,
}

impl Default for Density {
    fn default() -> Self {
        Self::Every(STEP)
    }
}

impl Pace {
    /// The plan as it stands: few dates, and no end.
    pub const PLAIN: Self = Self { density: Density::Sparse, tail: None };

    /// Gives `waves` an end and steps. Where the waves are out of order they stay as they are.
    ///
    /// # Errors
    /// When the end lies beyond the calendar.
    pub fn apply(
        &self,
        waves: &BTreeMap<u32, DateTime<Utc>>,
    ) -> Result<BTreeMap<u32, DateTime<Utc>>, BeyondTheCalendar> {
        let mut schedule = waves.clone();
        let last = waves.last_key_value().filter(|(bound, _)| **bound < LAST);
        let tail = self.tail.filter(|tail| *tail > TimeDelta::zero());
        if let (Some((_, start)), Some(tail)) = (last, tail) {
            schedule.insert(LAST, start.checked_add_signed(tail).ok_or(BeyondTheCalendar::Tail)?);
        }
        Ok(match self.density {
            Density::Sparse => schedule,
            Density::Every(seeds) => stepped(&schedule, seeds),
        })
    }
}

/// `waves` with a date for each `seeds` seeds of every wave that has an end. Dates strictly increase wherever they did.
fn stepped(waves: &BTreeMap<u32, DateTime<Utc>>, seeds: NonZeroU32) -> BTreeMap<u32, DateTime<Utc>> {
    let mut steps = waves.clone();
    let in_reach = || waves.range(..=LAST);
    for ((from, start), (to, end)) in in_reach().zip(in_reach().skip(1)) {
        let step =
            (nanoseconds(*end) - nanoseconds(*start)) * i128::from(seeds.get()) / i128::from(to - from);
        let mut before = *start;
        for bound in (*from..*to).skip(1).filter(|bound| (bound - from) % seeds == 0) {
            let exact = spread(*start, *end, bound - from, to - from);
            let Some(date) = date(round_up(nanoseconds(exact), grain(step))) else { continue };
            // Where the wave is too short for so many dates, some seeds share one.
            if before < date && date < *end {
                steps.insert(bound, date);
                before = date;
            }
        }
    }
    steps
}

/// To how many nanoseconds dates are rounded that lie `step` nanoseconds apart: short to write, and never by more than a
/// hundredth of a step.
fn grain(step: i128) -> i128 {
    [1_000_000_000, 1_000_000].into_iter().find(|grain| step >= 100 * grain).unwrap_or(1)
}

fn round_up(value: i128, grain: i128) -> i128 {
    value + (-value).rem_euclid(grain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Seed;
    use crate::waves::Rule;

    type Waves = BTreeMap<u32, DateTime<Utc>>;

    fn second(seconds: i64) -> DateTime<Utc> {
        "2020-01-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::seconds(seconds)
    }

    fn every(seeds: u32) -> Density {
        Density::Every(NonZeroU32::new(seeds).unwrap())
    }

    fn paced(waves: &Waves, density: Density, tail: Option<TimeDelta>) -> Waves {
        Pace { density, tail }.apply(waves).unwrap()
    }

    fn is_ordered(waves: &Waves) -> bool {
        waves.values().zip(waves.values().skip(1)).all(|(date, next)| date < next)
    }

    #[test]
    fn a_wave_gets_a_date_for_every_step_and_keeps_its_own() {
        let waves = BTreeMap::from([(0, second(0)), (20, second(3600)), (100, second(7200))]);
        let dense = paced(&waves, every(8), None);
        let seconds = |bound: u32| (dense[&bound] - second(0)).num_seconds();
        let bounds: Vec<_> = dense.keys().copied().collect();
        assert_eq!(bounds, [0, 8, 16, 20, 28, 36, 44, 52, 60, 68, 76, 84, 92, 100]);
        assert_eq!((seconds(8), seconds(16), seconds(20), seconds(28)), (1440, 2880, 3600, 3960));
        assert_eq!(paced(&waves, every(1000), None), waves);
        assert_eq!(paced(&waves, Density::Sparse, None), waves);
        assert_eq!(paced(&BTreeMap::new(), every(8), Some(TimeDelta::days(1))), BTreeMap::new());
    }

    #[test]
    fn a_tail_gives_the_last_wave_an_end() {
        let waves = BTreeMap::from([(0, second(0)), (2032, second(3600))]);
        let tail = Some(TimeDelta::hours(2));
        let sparse = BTreeMap::from([(0, second(0)), (2032, second(3600)), (2048, second(10_800))]);
        assert_eq!(paced(&waves, Density::Sparse, tail), sparse);
        let dense = paced(&waves, every(8), tail);
        assert_eq!(dense[&2040], second(7200));
        assert_eq!(dense.len(), 1 + 2032 / 8 + 2);
        assert_eq!(paced(&waves, Density::Sparse, Some(TimeDelta::zero())), waves);
        assert_eq!(paced(&sparse, Density::Sparse, tail), sparse, "it has an end already");
        let beyond = Pace { density: Density::Sparse, tail: Some(TimeDelta::MAX) };
        assert_eq!(beyond.apply(&waves), Err(BeyondTheCalendar::Tail));
    }

    #[test]
    fn a_step_of_one_seed_is_the_most_that_a_manifest_may_have() {
        let dense = paced(&BTreeMap::from([(0, second(0))]), every(1), Some(TimeDelta::days(7)));
        assert_eq!(dense.len(), crate::manifest::MAX_WAVES);
    }

    #[test]
    fn dates_are_whole_seconds_unless_the_steps_are_short() {
        let wave = |time| BTreeMap::from([(0, second(0)), (102, second(0) + time)]);
        let fractions = |time| {
            let dense = paced(&wave(time), every(8), None);
            dense.into_values().map(|date| date.timestamp_subsec_nanos()).collect::<Vec<_>>()
        };
        assert!(fractions(TimeDelta::hours(3)).iter().all(|fraction| *fraction == 0));
        let of_minutes = fractions(TimeDelta::minutes(7));
        assert!(of_minutes.iter().all(|fraction| fraction % 1_000_000 == 0) && of_minutes[1] > 0);
    }

    #[test]
    fn a_wave_without_room_for_its_steps_gets_as_many_as_fit() {
        let waves = BTreeMap::from([(0, second(0)), (2048, second(0) + TimeDelta::nanoseconds(5))]);
        let dense = paced(&waves, every(1), None);
        assert!(is_ordered(&dense) && dense.len() == 6, "{dense:?}");
        let unordered =
            BTreeMap::from([(0, second(5)), (100, second(0)), (200, second(0)), (4096, second(9))]);
        assert_eq!(paced(&unordered, every(8), Some(TimeDelta::days(1))), unordered);
    }

    /// A plan whose waves last at least a minute.
    fn any_plan() -> impl Strategy<Value = Waves> {
        proptest::collection::btree_map(1_u32..2048, 60_i64..200_000, 0..8).prop_map(|steps| {
            let mut at = 0;
            let later = steps.into_iter().map(|(bound, step)| {
                at += step;
                (bound, second(at))
            });
            [(0, second(0))].into_iter().chain(later.collect::<Vec<_>>()).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn by_our_rule_a_dense_schedule_says_what_the_sparse_one_says(
            plan in any_plan(), seeds in 1_u32..200, tail in 0_i64..200_000,
        ) {
            let tail = Some(TimeDelta::seconds(tail));
            let (sparse, dense) = (paced(&plan, Density::Sparse, tail), paced(&plan, every(seeds), tail));
            prop_assert!(is_ordered(&dense));
            prop_assert!(sparse.iter().all(|(bound, date)| dense.get(bound) == Some(date)));
            for seed in (0..=2048).map(|seed| Seed::new(seed).unwrap()) {
                let opens = |waves| Rule::Ours.opens_at(waves, seed).unwrap();
                let late = opens(&dense) - opens(&sparse);
                prop_assert!((TimeDelta::zero()..=TimeDelta::seconds(1)).contains(&late), "seed {seed}: {late}");
            }
        }

        #[test]
        fn by_the_older_rule_a_dense_schedule_paces_within_half_a_point(plan in any_plan()) {
            let tail = Some(TimeDelta::days(1));
            let intended = paced(&plan, Density::Sparse, tail);
            let dense = paced(&plan, Density::default(), tail);
            let moments = |rule: Rule, waves: &Waves| {
                let mut all: Vec<_> =
                    (1..=2048).map(|seed| rule.opens_at(waves, Seed::new(seed).unwrap()).unwrap()).collect();
                all.sort_unstable();
                all
            };
            let (wanted, got) = (moments(Rule::Ours, &intended), moments(Rule::Older, &dense));
            let share = |moments: &[DateTime<Utc>], now| {
                f64::from(u32::try_from(moments.partition_point(|opens| *opens <= now)).unwrap()) / 20.48
            };
            // The share changes at these moments only, so these and just before them are all there is to look at.
            for at in wanted.iter().chain(&got) {
                for now in [*at, *at - TimeDelta::nanoseconds(1)] {
                    let gap = (share(&wanted, now) - share(&got, now)).abs();
                    prop_assert!(gap <= 0.5, "{gap} points at {now}");
                }
            }
        }
    }
}
