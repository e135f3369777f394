//! How much of the fleet the plan means to have reached at a time.

use chrono::{DateTime, Utc};

use super::scenario::Scenario;

/// The last seed, as a number to divide by.
const LAST: f64 = 2048.0;

/// The share of the fleet by time: straight lines between the bounds, and everybody at the last one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Intended {
    /// Nanoseconds since the start and the share from then on, 0 to 1.
    corners: Vec<(u64, f64)>,
}

impl Intended {
    pub(super) fn of(scenario: &Scenario) -> Self {
        // Dates that are out of order count from where the one before them is.
        let mut reached = 0;
        let corner = |(bound, date): (&u32, &DateTime<Utc>)| {
            reached = scenario.offset(*date).max(reached);
            (reached, (f64::from(*bound) / LAST).min(1.0))
        };
        let mut corners: Vec<_> = scenario.intended.iter().map(corner).collect();
        // Whoever has a seed up to the first bound never waits.
        if corners.first().is_none_or(|(at, share)| *at > 0 || *share > 0.0) {
            corners.insert(0, (0, corners.first().map_or(1.0, |(_, share)| *share)));
        }
        if let Some((at, _)) = corners.last().copied() {
            corners.push((at, 1.0));
        }
        Self { corners }
    }

    /// The moments at which the plan turns.
    pub(super) fn corners(&self) -> impl Iterator<Item = u64> {
        self.corners.iter().map(|(at, _)| *at)
    }

    /// The moments at which a wave ends, with the share that has had its turn by then.
    pub(super) fn borders(&self) -> impl Iterator<Item = (u64, f64)> {
        let ends = self.corners.iter().filter(|(_, share)| *share > 0.0 && *share < 1.0);
        ends.copied()
    }

    /// The share at `at`, with everything that happens at that very moment.
    pub(super) fn at(&self, at: u64) -> f64 {
        let next = self.corners.partition_point(|(corner, _)| *corner <= at);
        self.between(next, at)
    }

    /// The share right before `at`.
    pub(super) fn before(&self, at: u64) -> f64 {
        let next = self.corners.partition_point(|(corner, _)| *corner < at);
        self.between(next, at)
    }

    /// The share at `at` on the line that ends at corner `next`.
    fn between(&self, next: usize, at: u64) -> f64 {
        let Some((from, start)) = next.checked_sub(1).map(|before| self.corners[before]) else { return 0.0 };
        let Some((to, end)) = self.corners.get(next) else { return start };
        start + (end - start) * (ratio(at - from) / ratio(to - from))
    }
}

/// Nanoseconds as seconds, precise enough for a share.
fn ratio(nanoseconds: u64) -> f64 {
    std::time::Duration::from_nanos(nanoseconds).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::TimeDelta;

    use super::*;

    fn intended(waves: &[(u32, i64)]) -> Intended {
        let start = DateTime::<Utc>::UNIX_EPOCH;
        let waves: BTreeMap<_, _> =
            waves.iter().map(|(bound, seconds)| (*bound, start + TimeDelta::seconds(*seconds))).collect();
        Intended::of(&Scenario {
            name: String::new(),
            waves: waves.clone(),
            intended: waves,
            start,
            hosts: 1,
            poll: TimeDelta::hours(1),
            failures: None,
            image_bytes: None,
            frame_bytes: None,
            pack_bytes: None,
            rng_seed: 0,
        })
    }

    fn second(seconds: u64) -> u64 {
        seconds * 1_000_000_000
    }

    #[test]
    fn the_share_grows_evenly_and_jumps_where_the_last_wave_has_no_end() {
        let plan = intended(&[(0, 10), (1024, 20), (1536, 40)]);
        for (at, share) in [(0, 0.0), (10, 0.0), (15, 0.25), (20, 0.5), (30, 0.625), (40, 1.0), (99, 1.0)] {
            assert!((plan.at(second(at)) - share).abs() < 1e-9, "{at}: {}", plan.at(second(at)));
        }
        assert!((plan.before(second(40)) - 0.75).abs() < 1e-9);
        assert!((plan.before(second(15)) - 0.25).abs() < 1e-9);
    }

    #[test]
    fn without_waves_everybody_is_meant_at_once() {
        let plan = intended(&[]);
        assert!((plan.at(0) - 1.0).abs() < 1e-9 && plan.before(0) < 1e-9);
    }

    #[test]
    fn seeds_up_to_the_first_bound_are_meant_at_once() {
        let plan = intended(&[(1024, 10), (2048, 20)]);
        for (at, share) in [(0, 0.5), (9, 0.5), (15, 0.75), (20, 1.0)] {
            assert!((plan.at(second(at)) - share).abs() < 1e-9, "{at}: {}", plan.at(second(at)));
        }
    }
}
