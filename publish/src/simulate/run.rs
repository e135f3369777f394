//! The fleet lives through the schedule.

use update_metadata::Seed;
use update_metadata::waves::Rule;

use super::fleet::{Host, hosts};
use super::intended::Intended;
use super::outcome::{Border, Busiest, Gap, Halt, Outcome, Point, RuleOutcome, Shares};
use super::scenario::{Scenario, ScenarioError, nanoseconds};

const MINUTE: u64 = 60_000_000_000;
/// How many seeds there are, 0 included.
const SEEDS: usize = 2049;
/// How many minutes the busiest time is looked for in.
const WINDOW: usize = 10;
/// The most points of a curve.
const POINTS: u64 = 240;
/// Minutes between two points of a curve that make sense to people.
const STEPS: [u64; 13] = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880];

/// Plays the scenario by both rules with the same fleet.
///
/// # Errors
/// When a number of the scenario makes no sense.
pub fn simulate(scenario: &Scenario) -> Result<Outcome, ScenarioError> {
    scenario.check()?;
    let mut fleet = vec![0_u64; SEEDS];
    let mut rules = Rule::ALL.map(|rule| Played::new(scenario, rule));
    for host in hosts(scenario) {
        fleet[index(host.seed)] += 1;
        for rule in &mut rules {
            rule.take(host);
        }
    }
    for rule in &mut rules {
        rule.offered = offered(&rule.opens, &fleet);
    }
    expose(scenario, &mut rules);

    let intended = Intended::of(scenario);
    let last = rules.iter().map(|rule| rule.minutes.len()).max().unwrap_or_default() as u64;
    let step = STEPS.into_iter().find(|step| last.div_ceil(*step) <= POINTS).unwrap_or(last.div_ceil(POINTS));
    let points = (0..=last.div_ceil(step)).map(|number| {
        let minute = number * step;
        let [ours, older] = rules.each_ref().map(|rule| rule.shares(scenario, minute, step));
        Point { minute, intended: 100.0 * intended.at(minute * MINUTE), ours, older }
    });
    Ok(Outcome {
        name: scenario.name.clone(),
        hosts: scenario.hosts,
        poll_seconds: scenario.poll.num_seconds(),
        rng_seed: scenario.rng_seed,
        dates: scenario.waves.len(),
        image_bytes: scenario.image_bytes,
        frame_bytes: scenario.frame_bytes,
        pack_bytes: scenario.pack_bytes,
        fail_rate: scenario.failures.map(|failures| failures.rate),
        rules: rules.each_ref().map(|rule| rule.outcome(scenario, &intended)).into(),
        borders: intended
            .borders()
            .map(|(at, share)| Border { minute: at / MINUTE, share: share * 100.0 })
            .collect(),
        points: points.collect(),
    })
}

/// What one rule makes of the schedule. Times are nanoseconds since the start.
struct Played {
    rule: Rule,
    /// When the update opens for each seed.
    opens: Vec<u64>,
    /// How many hosts have had their turn from a time on, in the order of time.
    offered: Vec<(u64, u64)>,
    /// How many hosts take it in each minute.
    minutes: Vec<u64>,
    /// When a host fails for the first time.
    first_failure: Option<u64>,
    /// When the rollout is paused, and how many hosts took it until then, and failed.
    halt: Option<(u64, u64, u64)>,
}

impl Played {
    fn new(scenario: &Scenario, rule: Rule) -> Self {
        let seeds = (0..SEEDS).map(|seed| u32::try_from(seed).ok().and_then(|seed| Seed::new(seed).ok()));
        let opens: Vec<_> = seeds
            .flatten()
            .map(|seed| rule.opens_at(&scenario.waves, seed).map_or(0, |date| scenario.offset(date)))
            .collect();
        let latest = opens.iter().max().copied().unwrap_or_default() + nanoseconds(scenario.poll);
        let minutes = vec![0; place(latest) + 1];
        Self { rule, opens, offered: Vec::new(), minutes, first_failure: None, halt: None }
    }

    fn takes_at(&self, host: Host) -> u64 {
        host.takes_at(self.opens[index(host.seed)])
    }

    fn take(&mut self, host: Host) {
        let at = self.takes_at(host);
        self.minutes[place(at)] += 1;
        if host.fails && self.first_failure.is_none_or(|first| at < first) {
            self.first_failure = Some(at);
        }
    }

    fn shares(&self, scenario: &Scenario, minute: u64, step: u64) -> Shares {
        let taken = |minute: u64| -> u64 {
            let until = usize::try_from(minute).unwrap_or(usize::MAX).min(self.minutes.len());
            self.minutes[..until].iter().sum()
        };
        let now = taken(minute);
        Shares {
            offered: percent(self.offered_at(minute * MINUTE, Moment::With), scenario.hosts),
            taken: percent(now, scenario.hosts),
            hosts_per_minute: (taken(minute + step) - now) as f64 / step as f64,
        }
    }

    /// How many hosts have had their turn at a time.
    fn offered_at(&self, at: u64, moment: Moment) -> u64 {
        let passed = match moment {
            Moment::Before => self.offered.partition_point(|(opens, _)| *opens < at),
            Moment::With => self.offered.partition_point(|(opens, _)| *opens <= at),
        };
        passed.checked_sub(1).map_or(0, |last| self.offered[last].1)
    }

    fn outcome(&self, scenario: &Scenario, intended: &Intended) -> RuleOutcome {
        let busiest = self.busiest();
        let egress = |bytes: u64| busiest.hosts_per_minute * bytes as f64 / 60.0;
        RuleOutcome {
            rule: self.rule.to_string(),
            furthest: self.furthest(scenario, intended),
            half_at_minute: self.reached(scenario.hosts.div_ceil(2)),
            all_at_minute: self.reached(scenario.hosts),
            peak_egress_bytes_per_second: scenario.image_bytes.map(egress),
            busiest,
            halt: self.halt.map(|(at, exposed, failed)| Halt {
                first_failure_minute: self.first_failure.unwrap_or(at) / MINUTE,
                minute: at / MINUTE,
                exposed,
                failed,
            }),
        }
    }

    /// How far the share of hosts that have had their turn is from the intended one at most. It changes only where
    /// somebody's turn comes, and the plan turns only at its corners, so nothing else has to be looked at.
    fn furthest(&self, scenario: &Scenario, intended: &Intended) -> Gap {
        let moments = self.offered.iter().map(|(opens, _)| *opens).chain(intended.corners());
        let gaps = moments.flat_map(|at| {
            let gap = |moment, meant: f64| {
                let points = (percent(self.offered_at(at, moment), scenario.hosts) - 100.0 * meant).abs();
                Gap { points, minute: at / MINUTE }
            };
            [gap(Moment::Before, intended.before(at)), gap(Moment::With, intended.at(at))]
        });
        let none = Gap { points: 0.0, minute: 0 };
        gaps.fold(none, |worst, gap| if gap.points > worst.points { gap } else { worst })
    }

    /// The ten minutes in which most hosts take it.
    fn busiest(&self) -> Busiest {
        let mut most = 0;
        let mut minute = 0;
        let mut sum = 0_u64;
        for (at, count) in self.minutes.iter().enumerate() {
            sum += count;
            if at >= WINDOW {
                sum -= self.minutes[at - WINDOW];
            }
            if sum > most {
                (most, minute) = (sum, (at + 1).saturating_sub(WINDOW));
            }
        }
        Busiest { hosts_per_minute: most as f64 / WINDOW as f64, minute: minute as u64 }
    }

    /// The minute at the end of which so many hosts have it.
    fn reached(&self, hosts: u64) -> u64 {
        let mut sum = 0;
        let reached = self.minutes.iter().position(|count| {
            sum += count;
            sum >= hosts
        });
        reached.map_or(self.minutes.len(), |minute| minute + 1) as u64
    }
}

/// Whether what happens at a moment counts.
#[derive(Debug, Clone, Copy)]
enum Moment {
    Before,
    With,
}

/// How many hosts have had their turn by when, from when each seed's turn comes and how many hosts have it.
fn offered(opens: &[u64], fleet: &[u64]) -> Vec<(u64, u64)> {
    let mut turns: Vec<_> = opens.iter().copied().zip(fleet.iter().copied()).collect();
    turns.sort_unstable();
    let mut sum = 0;
    for (_, hosts) in &mut turns {
        sum += *hosts;
        *hosts = sum;
    }
    turns
}

/// Pauses the rollout after the first failure, and counts who has taken it by then: for that the fleet is drawn again.
fn expose(scenario: &Scenario, rules: &mut [Played]) {
    let Some(failures) = scenario.failures else { return };
    for rule in &mut *rules {
        rule.halt = rule.first_failure.map(|first| (first + nanoseconds(failures.detect_after), 0, 0));
    }
    if rules.iter().all(|rule| rule.halt.is_none()) {
        return;
    }
    for host in hosts(scenario) {
        for rule in &mut *rules {
            let takes = rule.takes_at(host);
            if let Some((_, exposed, failed)) = rule.halt.as_mut().filter(|(halt, ..)| takes <= *halt) {
                *exposed += 1;
                *failed += u64::from(host.fails);
            }
        }
    }
}

fn index(seed: Seed) -> usize {
    usize::try_from(seed.get()).expect("a small number")
}

fn place(at: u64) -> usize {
    usize::try_from(at / MINUTE).expect("a checked scenario is short")
}

fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::{DateTime, TimeDelta, Utc};
    use update_metadata::Pace;

    use super::*;
    use crate::simulate::Failures;

    fn minute(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    fn scenario(waves: &[(u32, i64)], pace: Pace) -> Scenario {
        let plan: BTreeMap<_, _> = waves.iter().map(|(bound, at)| (*bound, minute(*at))).collect();
        Scenario {
            name: "test".to_owned(),
            waves: pace.apply(&plan).unwrap(),
            intended: Pace { density: update_metadata::Density::Sparse, ..pace }.apply(&plan).unwrap(),
            start: minute(0),
            hosts: 50_000,
            poll: TimeDelta::hours(1),
            failures: None,
            image_bytes: Some(300_000_000),
            frame_bytes: Some(30_000_000),
            pack_bytes: Some(6_000_000),
            rng_seed: 1,
        }
    }

    /// Two wide waves over two days, and everybody else over one.
    fn wide(pace: Pace) -> Scenario {
        scenario(&[(0, 60), (512, 1440), (1638, 2880)], pace)
    }

    fn with_a_tail() -> Pace {
        Pace { tail: Some(TimeDelta::days(1)), ..Pace::default() }
    }

    #[test]
    fn our_hosts_follow_the_plan_and_dense_waves_make_the_others_follow_as_well() {
        let [ours, older] = &simulate(&wide(with_a_tail())).unwrap().rules[..] else { panic!("two rules") };
        assert!(ours.furthest.points < 0.5 && older.furthest.points < 0.8, "{ours:?} {older:?}");
        assert!(ours.busiest.hosts_per_minute < 25.0 && older.busiest.hosts_per_minute < 30.0);
        let [ours, older] = &simulate(&wide(Pace::PLAIN)).unwrap().rules[..] else { panic!("two rules") };
        assert!(ours.furthest.points < 0.5 && older.furthest.points > 20.0, "{ours:?} {older:?}");
        assert!(older.busiest.hosts_per_minute > 200.0, "{older:?}");
    }

    #[test]
    fn every_host_takes_it_once_within_a_check_of_its_turn() {
        let outcome = simulate(&wide(with_a_tail())).unwrap();
        let last = outcome.points.last().unwrap();
        assert!((last.ours.taken - 100.0).abs() < 1e-9 && (last.older.offered - 100.0).abs() < 1e-9);
        for point in &outcome.points {
            assert!(point.ours.taken <= point.ours.offered + 1e-9);
        }
        for pair in outcome.points.windows(2) {
            assert!(pair[0].ours.taken <= pair[1].ours.taken && pair[0].intended <= pair[1].intended);
        }
        for rule in &outcome.rules {
            assert!(rule.all_at_minute <= 2880 + 1440 + 61, "{rule:?}");
            let egress = rule.busiest.hosts_per_minute * 300e6 / 60.0;
            assert!((rule.peak_egress_bytes_per_second.unwrap() - egress).abs() < 1.0);
        }
    }

    #[test]
    fn without_waves_everybody_comes_within_one_check() {
        let outcome = simulate(&scenario(&[], Pace::default())).unwrap();
        for rule in &outcome.rules {
            assert!(rule.all_at_minute <= 60 && rule.furthest.points < 1e-9, "{rule:?}");
            assert!((750.0..950.0).contains(&rule.busiest.hosts_per_minute), "{rule:?}");
        }
    }

    #[test]
    fn a_failure_that_is_noticed_stops_the_rollout() {
        let mut scenario = wide(with_a_tail());
        scenario.failures = Some(Failures { rate: 0.01, detect_after: TimeDelta::hours(6) });
        let rules = simulate(&scenario).unwrap().rules;
        for rule in &rules {
            let halt = rule.halt.as_ref().unwrap();
            assert_eq!(halt.minute - halt.first_failure_minute, 360);
            assert!((1_000..10_000).contains(&halt.exposed), "{halt:?}");
            assert!(halt.failed >= 1 && halt.failed < halt.exposed / 50, "{halt:?}");
        }
        let mut quicker = scenario.clone();
        quicker.failures = Some(Failures { rate: 0.01, detect_after: TimeDelta::minutes(30) });
        let exposed = |scenario| simulate(scenario).unwrap().rules[0].halt.as_ref().unwrap().exposed;
        assert!(exposed(&quicker) < exposed(&scenario) / 3);
        scenario.failures = Some(Failures { rate: 0.0, detect_after: TimeDelta::hours(6) });
        assert!(simulate(&scenario).unwrap().rules[0].halt.is_none());
    }

    #[test]
    fn the_same_numbers_always_give_the_same_answer() {
        let scenario = wide(with_a_tail());
        assert_eq!(simulate(&scenario), simulate(&scenario));
        let other = Scenario { rng_seed: 2, ..scenario.clone() };
        assert_ne!(simulate(&scenario).unwrap().points, simulate(&other).unwrap().points);
    }

    #[test]
    fn numbers_that_make_no_sense_are_refused() {
        let sound = wide(Pace::default());
        let failures = |rate| Some(Failures { rate, detect_after: TimeDelta::zero() });
        for broken in [
            Scenario { hosts: 0, ..sound.clone() },
            Scenario { hosts: u64::MAX, ..sound.clone() },
            Scenario { poll: TimeDelta::zero(), ..sound.clone() },
            Scenario { poll: TimeDelta::days(31), ..sound.clone() },
            Scenario { failures: failures(1.5), ..sound.clone() },
            Scenario { failures: failures(f64::NAN), ..sound.clone() },
            Scenario { start: minute(-60 * 24 * 751), ..sound.clone() },
            Scenario { waves: BTreeMap::from([(0, DateTime::<Utc>::MAX_UTC)]), ..sound.clone() },
        ] {
            assert!(simulate(&broken).is_err(), "{broken:?}");
        }
        let past = BTreeMap::from([(0, DateTime::<Utc>::MIN_UTC), (9, minute(-9)), (2048, minute(-100))]);
        let over = Scenario { waves: past.clone(), intended: past, ..sound };
        assert!(simulate(&over).unwrap().rules.iter().all(|rule| rule.all_at_minute <= 60));
    }
}
