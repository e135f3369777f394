//! A rollout that is watched, played over and over: how many hosts take a bad release before it is stopped.
//!
//! A host takes the release at its first check after its turn. One that does well runs it a while later, and one that does
//! not is known to have failed when the deadline has ended its boot and it is back; monitoring sees either at its next
//! scrape, except of hosts that it never sees. At each look the guard's own rule judges what monitoring has seen by then,
//! and from that moment on nobody takes the release any more. Only hosts that have had their turn by then are drawn, so
//! that a fleet of a million costs no more than the part of it that is exposed.

use chrono::TimeDelta;
use serde::Serialize;
use update_metadata::Seed;
use update_metadata::waves::Rule;

use super::random::Random;
use super::scenario::{Scenario, ScenarioError, nanoseconds};
use crate::guard::{Counts, Limits, judge};

/// The last seed; hosts draw theirs from 1 on.
const LAST: u32 = 2048;

/// How a rollout is watched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Watch {
    /// What is still all right.
    pub limits: Limits,
    /// From one look to the next.
    pub every: TimeDelta,
    /// From one scrape of a host to the next.
    pub scrape: TimeDelta,
    /// From the check at which a host takes the release until it runs it.
    pub install: TimeDelta,
    /// How long a boot that does not come up lasts until it is ended.
    pub deadline: TimeDelta,
    /// The share of hosts that monitoring never sees, 0 to 1.
    pub unseen: f64,
}

/// What came of many runs with one rate of failures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Exposure {
    /// How many of the hosts that take the release fail, 0 to 1.
    pub fail_rate: f64,
    /// How many runs there were.
    pub runs: usize,
    /// In how many of them the release was stopped.
    pub stopped: usize,
    /// How many hosts took it in the run in the middle.
    pub median: u64,
    /// At most so many took it in 99 of 100 runs.
    pub most_in_99_of_100: u64,
    /// So many took it in the worst run.
    pub most: u64,
    /// How long it took to stop it in the run in the middle, in minutes; `None` where it was not stopped there.
    pub stopped_at_minute: Option<u64>,
}

/// How one run ended: how many hosts took the release, and when it was stopped.
type End = (u64, Option<u64>);

/// Plays the scenario `runs` times, each with a fleet of its own, with this share of failing hosts.
///
/// # Errors
/// When a number makes no sense.
pub fn expose(
    scenario: &Scenario,
    watch: &Watch,
    fail_rate: f64,
    runs: usize,
) -> Result<Exposure, ScenarioError> {
    scenario.check()?;
    for share in [fail_rate, watch.unseen] {
        if !(0.0..=1.0).contains(&share) {
            return Err(ScenarioError::Rate(share));
        }
    }
    for (what, span) in [
        ("one look to the next", watch.every),
        ("one scrape to the next", watch.scrape),
        ("an install", watch.install),
        ("a boot's deadline", watch.deadline),
    ] {
        if !(TimeDelta::seconds(1)..=TimeDelta::days(1)).contains(&span) {
            return Err(ScenarioError::Watch { what, span });
        }
    }
    let turns = turns(scenario);
    let mut starts = Random::new(scenario.rng_seed);
    let mut ends: Vec<End> =
        (0..runs.max(1)).map(|_| run(scenario, watch, fail_rate, &turns, starts.bits())).collect();
    ends.sort_unstable();
    let at = |share: f64| ends[rank(share, ends.len())];
    let (median, stopped_at) = at(0.5);
    Ok(Exposure {
        fail_rate,
        runs: ends.len(),
        stopped: ends.iter().filter(|(_, stopped)| stopped.is_some()).count(),
        median,
        most_in_99_of_100: at(0.99).0,
        most: at(1.0).0,
        stopped_at_minute: stopped_at.map(|at| at / nanoseconds(TimeDelta::minutes(1))),
    })
}

/// When each seed's turn comes, in nanoseconds since the start, in that order.
fn turns(scenario: &Scenario) -> Vec<u64> {
    let seeds = (1..=LAST).filter_map(|seed| Seed::new(seed).ok());
    let opens = |seed| Rule::Ours.opens_at(&scenario.waves, seed).map_or(0, |date| scenario.offset(date));
    let mut turns: Vec<u64> = seeds.map(opens).collect();
    turns.sort_unstable();
    turns
}

/// What becomes known between one look and the next.
#[derive(Debug, Clone, Copy, Default)]
struct Between {
    taken: u64,
    running: u64,
    failed: u64,
}

/// What becomes known before each look, from the first one on.
#[derive(Debug, Default)]
struct Looks(Vec<Between>);

impl Looks {
    fn before(&mut self, look: usize) -> &mut Between {
        if self.0.len() <= look {
            self.0.resize(look + 1, Between::default());
        }
        &mut self.0[look]
    }
}

fn run(scenario: &Scenario, watch: &Watch, fail_rate: f64, turns: &[u64], start: u64) -> End {
    let mut random = Random::new(start);
    let [poll, every, scrape, install, deadline] =
        [scenario.poll, watch.every, watch.scrape, watch.install, watch.deadline].map(nanoseconds);
    let every = every.max(1);
    // The first look is at any moment of its own.
    let first = random.below(every);
    let look_at = |number: usize| first + every * number as u64;
    // What happens at a moment is seen by the first look from then on.
    let seen_by = |moment: u64| {
        usize::try_from(moment.saturating_sub(first).div_ceil(every)).expect("a checked scenario is short")
    };
    let mut looks = Looks::default();
    let mut left = scenario.hosts;
    let mut next = 0;
    let (mut taken, mut counts) = (0, Counts { heard: 1, ..Counts::default() });
    for number in 0.. {
        while let Some(turn) = turns.get(next).filter(|turn| **turn <= look_at(number)) {
            let others = f64::from(u32::try_from(turns.len() - next).expect("a few"));
            let hosts = random.binomial(left, 1.0 / others);
            (left, next) = (left - hosts, next + 1);
            for _ in 0..hosts {
                let takes = turn + random.below(poll);
                looks.before(seen_by(takes)).taken += 1;
                let fails = random.happens(fail_rate);
                if random.happens(watch.unseen) {
                    continue;
                }
                let seen = takes + install + random.below(scrape.max(1));
                if fails {
                    looks.before(seen_by(seen + deadline)).failed += 1;
                } else {
                    looks.before(seen_by(seen)).running += 1;
                }
            }
        }
        let Some(now) = looks.0.get(number).copied() else {
            // Nothing is on its way: either everybody has had a turn, or the next one is still to come.
            if next == turns.len() {
                return (scenario.hosts, None);
            }
            continue;
        };
        taken += now.taken;
        counts.running += now.running;
        counts.failed += now.failed;
        if !judge(&watch.limits, &counts, &[]).stop.is_empty() {
            return (taken, Some(look_at(number)));
        }
    }
    (scenario.hosts, None)
}

/// Which of `count` sorted values at most this share of them does not exceed.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a small number")]
fn rank(share: f64, count: usize) -> usize {
    ((share * count as f64).ceil() as usize).clamp(1, count) - 1
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use update_metadata::{Pace, WavePolicy};

    use super::*;

    fn scenario(policy: &str, hosts: u64) -> Scenario {
        let start = DateTime::<Utc>::UNIX_EPOCH;
        let path = format!("{}/waves/{policy}.toml", env!("CARGO_MANIFEST_DIR"));
        let policy = WavePolicy::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
        let plan = policy.schedule(start).unwrap();
        let pace = Pace { tail: Some(TimeDelta::days(1)), ..Pace::default() };
        Scenario {
            name: String::new(),
            waves: pace.apply(&plan).unwrap(),
            intended: plan,
            start,
            hosts,
            poll: TimeDelta::hours(1),
            failures: None,
            image_bytes: None,
            frame_bytes: None,
            pack_bytes: None,
            rng_seed: 1,
        }
    }

    fn watch() -> Watch {
        Watch {
            limits: Limits::default(),
            every: TimeDelta::minutes(5),
            scrape: TimeDelta::seconds(60),
            install: TimeDelta::minutes(5),
            deadline: TimeDelta::minutes(10),
            unseen: 0.1,
        }
    }

    #[test]
    fn of_a_million_hosts_fewer_than_ten_thousand_take_a_release_that_fails_on_one_in_a_hundred() {
        let played = ["default", "guarded"]
            .map(|policy| expose(&scenario(policy, 1_000_000), &watch(), 0.01, 100).unwrap());
        for exposure in &played {
            assert_eq!(exposure.stopped, 100);
            assert!(exposure.most_in_99_of_100 < 10_000, "{exposure:?}");
        }
        assert!(played[1].most_in_99_of_100 < played[0].most_in_99_of_100, "{played:?}");
    }

    #[test]
    fn the_worse_a_release_and_the_slower_its_waves_the_fewer_hosts_take_it() {
        let median =
            |policy: &str, rate| expose(&scenario(policy, 1_000_000), &watch(), rate, 20).unwrap().median;
        let rates = [0.01, 0.03, 0.1, 0.5, 1.0].map(|rate| median("guarded", rate));
        assert!(rates.is_sorted_by(|less, more| less > more), "{rates:?}");
        let policies = ["slow-roll", "default", "accelerated", "emergency"].map(|name| median(name, 0.05));
        assert!(policies.is_sorted_by(|slow, quick| slow < quick), "{policies:?}");
    }

    #[test]
    fn a_good_release_reaches_every_host_in_nearly_every_run() {
        let exposure = expose(&scenario("accelerated", 3_000), &watch(), 0.003, 300).unwrap();
        assert!(exposure.stopped <= 3, "{exposure:?}");
        assert_eq!((exposure.median, exposure.most, exposure.stopped_at_minute), (3_000, 3_000, None));
        let none = expose(&scenario("accelerated", 3_000), &watch(), 0.0, 20).unwrap();
        assert_eq!((none.stopped, none.median), (0, 3_000));
    }

    #[test]
    fn a_fleet_that_monitoring_does_not_see_is_not_guarded() {
        let blind = Watch { unseen: 1.0, ..watch() };
        let exposure = expose(&scenario("emergency", 500), &blind, 1.0, 3).unwrap();
        assert_eq!((exposure.stopped, exposure.most), (0, 500));
    }

    #[test]
    fn the_same_numbers_always_give_the_same_answer_and_senseless_ones_none() {
        let scenario = scenario("guarded", 100_000);
        let play = |scenario: &Scenario| expose(scenario, &watch(), 0.05, 5).unwrap();
        assert_eq!(play(&scenario), play(&scenario));
        assert_ne!(play(&scenario), play(&Scenario { rng_seed: 2, ..scenario.clone() }));
        assert!(expose(&scenario, &watch(), 1.5, 5).is_err());
        assert!(expose(&scenario, &Watch { unseen: -0.1, ..watch() }, 0.5, 5).is_err());
        for span in [TimeDelta::zero(), TimeDelta::days(2), TimeDelta::MAX] {
            assert!(expose(&scenario, &Watch { every: span, ..watch() }, 0.5, 5).is_err());
            assert!(expose(&scenario, &Watch { deadline: span, ..watch() }, 0.5, 5).is_err());
        }
        assert!(expose(&Scenario { hosts: 0, ..scenario }, &watch(), 0.5, 5).is_err());
    }

    #[test]
    fn ninety_nine_of_a_hundred_are_all_but_one() {
        assert_eq!(
            [rank(0.99, 100), rank(0.5, 100), rank(1.0, 100), rank(0.5, 1), rank(0.99, 7)],
            [98, 49, 99, 0, 6]
        );
    }
}
