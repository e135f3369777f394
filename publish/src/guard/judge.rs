//! Whether a rollout may go on: a rule over numbers.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::evidence::Limit;

/// So likely is it at most that a good release is stopped, over all looks at it: one in a hundred.
pub const FALSE_STOPS: f64 = 0.01;
/// With fewer other hosts than these nobody can say whether silence is the release's.
const FEWEST_OTHERS: u64 = 20;

/// What monitoring says of the hosts and one release. A host is in one of the first four at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// They booted it, it did not stay, and why is known, or it happened twice.
    pub failed: u64,
    /// They booted it once, and came back without a word, as after a power cut.
    pub wordless: u64,
    /// They were about to boot it or ran it, and nothing has been heard of them since.
    pub lost: u64,
    /// They run it.
    pub running: u64,
    /// Of these: they have marked it good.
    pub proven: u64,
    /// It did not stay as there was no room for its settings: this host's want, which says nothing about the release.
    pub no_room: u64,
    /// Hosts of this kind that nothing leads to the release, and that were heard of a while ago.
    pub others: u64,
    /// Of these: nothing has been heard of them since.
    pub others_lost: u64,
    /// Hosts of this kind that are heard of now.
    pub heard: u64,
}

impl Counts {
    /// How many have tried. A host counts once, whatever it says.
    #[must_use]
    pub fn tried(&self) -> u64 {
        [self.failed, self.wordless, self.lost, self.running].into_iter().fold(0, u64::saturating_add)
    }

    /// These counts with what an earlier look at the same release saw: who has failed has failed, and who has run it has
    /// run it, also where monitoring has lost sight of them. Without that a part of the fleet that is out of sight would
    /// make the failures among the rest look like more.
    #[must_use]
    pub fn after(self, earlier: &Self) -> Self {
        Self {
            failed: self.failed.max(earlier.failed),
            running: self.running.max(earlier.running),
            proven: self.proven.max(earlier.proven),
            ..self
        }
    }
}

/// What is still all right.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Limits {
    /// So many of the hosts that try may fail.
    pub failing: Limit,
    /// So many of them may not report back: come back without a word, or are not heard of any more.
    pub silent: Limit,
}

impl Default for Limits {
    fn default() -> Self {
        let limit = |share| Limit::new(share).expect("a share");
        Self { failing: limit(0.003), silent: limit(0.02) }
    }
}

/// What is to become of a rollout.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judgement {
    /// How much speaks for more failures than are all right, as a factor: 1 is nothing.
    pub failing_evidence: f64,
    /// How much speaks for more hosts that do not report back than are all right; `None` where that cannot be judged.
    pub silent_evidence: Option<f64>,
    /// How much of either is enough to stop.
    pub enough: f64,
    /// Why it is stopped; empty when it goes on.
    pub stop: Vec<Cause>,
    /// What could not be judged, a sentence each.
    pub blind: Vec<String>,
}

/// Why a rollout is stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// More hosts fail than are all right.
    Failing {
        /// So many.
        failed: u64,
        /// Of so many that have tried.
        tried: u64,
    },
    /// More hosts do not report back than are all right.
    Silent {
        /// So many came back without a word.
        wordless: u64,
        /// So many are not heard of any more.
        lost: u64,
        /// Of so many that have tried.
        tried: u64,
    },
    /// An alert fires.
    Alert {
        /// Its name.
        name: String,
    },
}

/// Judges a release by what is known of it. `firing` are the alerts that fire of those that are to stop a rollout.
///
/// Both tests share what false stops there may be, so each needs twice the evidence.
#[must_use]
pub fn judge(limits: &Limits, counts: &Counts, firing: &[String]) -> Judgement {
    let enough = 2.0 / FALSE_STOPS;
    let tried = counts.tried();
    let silent = counts.wordless.saturating_add(counts.lost);
    let failing_evidence = limits.failing.evidence(counts.failed, tried);
    let mut blind = Vec::new();
    if counts.heard == 0 {
        blind.push("monitoring knows no host of this variant and architecture".to_owned());
    }
    let others_lost = counts.others_lost as f64 / counts.others.max(1) as f64;
    let out_of_sight = counts.others >= FEWEST_OTHERS && others_lost > limits.silent.share();
    if out_of_sight {
        blind.push(format!(
            "{} of {} hosts that the release does not concern are not heard of either: silence says nothing about it",
            counts.others_lost, counts.others
        ));
    }
    let silent_evidence = (!out_of_sight).then(|| limits.silent.evidence(silent, tried));
    let mut stop = Vec::new();
    if failing_evidence >= enough.ln() {
        stop.push(Cause::Failing { failed: counts.failed, tried });
    }
    if silent_evidence.is_some_and(|evidence| evidence >= enough.ln()) {
        stop.push(Cause::Silent { wordless: counts.wordless, lost: counts.lost, tried });
    }
    stop.extend(firing.iter().map(|name| Cause::Alert { name: name.clone() }));
    Judgement {
        failing_evidence: factor(failing_evidence),
        silent_evidence: silent_evidence.map(factor),
        enough,
        stop,
        blind,
    }
}

/// Evidence as a factor; JSON has no infinity.
fn factor(evidence: f64) -> f64 {
    evidence.exp().min(f64::MAX)
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failing { failed, tried } => write!(f, "it failed on {failed} of {tried} hosts that tried"),
            Self::Silent { wordless, lost, tried } => {
                let silent = wordless.saturating_add(*lost);
                write!(f, "{silent} of {tried} hosts that tried did not report back")?;
                write!(f, " ({lost} not heard of since, {wordless} went back without a word)")
            }
            Self::Alert { name } => write!(f, "the alert {name} fires"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn causes(counts: Counts) -> Vec<Cause> {
        judge(&Limits::default(), &counts, &[]).stop
    }

    #[test]
    fn a_release_that_fails_on_many_is_stopped_and_one_that_fails_on_few_is_not() {
        let fails = |failed, running| causes(Counts { failed, running, heard: 1, ..Counts::default() });
        assert_eq!(fails(0, 0), []);
        assert_eq!(fails(1, 3), [], "one host says little");
        assert_eq!(fails(3, 3), [Cause::Failing { failed: 3, tried: 6 }]);
        assert_eq!(fails(3, 997), [], "that many are all right");
        assert_eq!(fails(30, 2_970), [Cause::Failing { failed: 30, tried: 3_000 }]);
        assert_eq!(fails(3_000, 997_000), []);
    }

    #[test]
    fn want_of_room_is_no_failure_and_a_power_cut_stops_nothing() {
        let many = Counts { no_room: 500, running: 100, heard: 1, ..Counts::default() };
        assert_eq!(causes(many), []);
        assert_eq!(many.tried(), 100);
        let cut = Counts { wordless: 1, running: 40, heard: 1, ..Counts::default() };
        assert_eq!(causes(cut), [], "a power cut happens");
        let hang = Counts { wordless: 5, running: 5, ..cut };
        assert_eq!(causes(hang), [Cause::Silent { wordless: 5, lost: 0, tried: 10 }]);
    }

    #[test]
    fn silence_counts_unless_hosts_are_silent_that_the_release_does_not_concern() {
        let counts = Counts { lost: 10, running: 90, others: 1_000, heard: 900, ..Counts::default() };
        assert_eq!(causes(counts), [Cause::Silent { wordless: 0, lost: 10, tried: 100 }]);
        let cut_off = Counts { others_lost: 300, ..counts };
        let judged = judge(&Limits::default(), &cut_off, &[]);
        assert_eq!((judged.stop, judged.silent_evidence), (vec![], None));
        assert!(judged.blind[0].starts_with("300 of 1000 hosts that the release does not concern"));
        let failing = Counts { failed: 60, ..cut_off };
        assert_eq!(causes(failing).len(), 1, "failures that are told count all the same");
        let few = Counts { others: 19, others_lost: 19, ..counts };
        assert_eq!(causes(few).len(), 1, "too few others to say that it is not the release");
    }

    #[test]
    fn an_alert_of_the_operator_s_choice_stops_it() {
        let firing = ["CheckoutFails".to_owned()];
        let judged = judge(&Limits::default(), &Counts { heard: 5, ..Counts::default() }, &firing);
        assert_eq!(judged.stop, [Cause::Alert { name: "CheckoutFails".to_owned() }]);
        assert!(judged.blind.is_empty());
    }

    #[test]
    fn a_monitoring_that_knows_no_host_is_told() {
        let judged = judge(&Limits::default(), &Counts::default(), &[]);
        assert_eq!(judged.blind, ["monitoring knows no host of this variant and architecture"]);
    }

    #[test]
    fn what_an_earlier_look_saw_of_hosts_that_are_out_of_sight_now_counts_on() {
        let earlier = Counts { failed: 2, running: 900, proven: 850, lost: 40, ..Counts::default() };
        let now = Counts { failed: 1, running: 10, proven: 9, wordless: 1, heard: 12, ..Counts::default() };
        let both = now.after(&earlier);
        assert_eq!(
            both,
            Counts { failed: 2, running: 900, proven: 850, wordless: 1, heard: 12, ..Counts::default() }
        );
        assert_eq!(both.tried(), 903);
    }

    #[test]
    fn numbers_beyond_sense_do_not_wrap() {
        let most = Counts { failed: u64::MAX, running: u64::MAX, lost: u64::MAX, ..Counts::default() };
        assert_eq!(most.tried(), u64::MAX);
        let judged = judge(&Limits::default(), &most, &[]);
        assert!(judged.failing_evidence.is_finite() && judged.failing_evidence > judged.enough);
    }

    #[test]
    fn causes_are_told_as_people_say_them() {
        for (cause, words) in [
            (Cause::Failing { failed: 12, tried: 300 }, "it failed on 12 of 300 hosts that tried"),
            (
                Cause::Silent { wordless: 1, lost: 9, tried: 50 },
                "10 of 50 hosts that tried did not report back (9 not heard of since, 1 went back without a word)",
            ),
            (Cause::Alert { name: "X".to_owned() }, "the alert X fires"),
        ] {
            assert_eq!(cause.to_string(), words);
        }
    }
}
