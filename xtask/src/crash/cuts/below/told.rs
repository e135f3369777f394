//! The figures of a second opinion, for people and as JSON.

use serde_json::{Value, json};

use super::super::judge::Invariant;
use super::super::table::{Caught, Violation};
use super::look::Looked;
use super::trials::Tried;
use crate::vm::recording::Act;

/// So many violations are told; they tend to be the same one.
const TOLD: usize = 10;

/// How long each part took, in seconds.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Seconds {
    pub(super) recording: u64,
    pub(super) looking: u64,
    pub(super) trials: u64,
}

/// Everything that was found.
pub(super) struct Figures<'a> {
    pub(super) acts: &'a [Act],
    pub(super) steps: usize,
    pub(super) stretches: usize,
    pub(super) mounted: usize,
    /// Of these, once e2fsck had mended them.
    pub(super) mended: usize,
    pub(super) looked: Looked,
    pub(super) controls: Vec<Caught>,
    pub(super) tried: Tried,
    pub(super) seconds: Seconds,
}

impl Figures<'_> {
    /// Whether every promise was kept, every mistake was caught, and both hosts have shown the same.
    pub(super) fn is_clean(&self) -> bool {
        self.violations().next().is_none()
            && self.tried.differ.is_empty()
            && self.controls.iter().all(|control| control.by.is_some())
    }

    /// Promises that were broken, of either host.
    pub(super) fn violations(&self) -> impl Iterator<Item = &Violation> {
        self.looked.found.violations.iter().chain(&self.tried.violations)
    }

    pub(super) fn tell(&self, json: bool) {
        if json {
            println!("{}", self.json());
            return;
        }
        for (act, points) in self.acts.iter().zip(&self.looked.by_act) {
            println!("{points:>5} points while {}", act.name);
        }
        println!(
            "{} points that differ ({} at a flush, {} with a torn write) of {} steps in {} stretches, {} different states, {} mounts ({} mended by e2fsck first), {} run, {} proven",
            self.looked.points,
            self.looked.borders,
            self.looked.torn,
            self.steps,
            self.stretches,
            self.looked.states.len(),
            self.mounted,
            self.mended,
            self.looked.found.runs,
            self.looked.found.proven
        );
        println!(
            "{} points started in the machine, {} starts, {} as on the simulated host",
            self.tried.points, self.tried.starts, self.tried.agree
        );
        for invariant in Invariant::ALL {
            let (checks, broken) = self.of(invariant);
            println!("{:<48} {checks:>8} checks {broken:>4} broken", invariant.words());
        }
        for violation in self.violations().take(TOLD) {
            println!("  BROKEN: {}: {}", violation.invariant.words(), violation.how);
            println!("    seen again by: {}", again(&violation.state));
        }
        for differs in &self.tried.differ {
            println!("  THE MODEL IS WRONG: {differs}");
        }
        for control in &self.controls {
            println!("{control}");
        }
        let Seconds { recording, looking, trials } = self.seconds;
        println!(
            "{recording} s to record, {looking} s to look at points, {trials} s beside that to start some"
        );
    }

    fn of(&self, invariant: Invariant) -> (usize, usize) {
        let checks = self.looked.found.checks.get(&invariant).copied().unwrap_or_default();
        (checks, self.violations().filter(|violation| violation.invariant == invariant).count())
    }

    fn json(&self) -> Value {
        let invariants: serde_json::Map<String, Value> = Invariant::ALL
            .into_iter()
            .filter_map(|invariant| {
                let (checks, broken) = self.of(invariant);
                let name = serde_json::to_value(invariant).ok()?.as_str()?.to_owned();
                Some((name, json!({ "checks": checks, "broken": broken })))
            })
            .collect();
        let acts: Vec<Value> = self
            .acts
            .iter()
            .zip(&self.looked.by_act)
            .map(|(act, points)| json!({ "name": act.name, "points": points }))
            .collect();
        json!({
            "points": self.looked.points, "points_at_a_flush": self.looked.borders,
            "points_with_a_torn_write": self.looked.torn, "acts": acts, "steps": self.steps,
            "stretches": self.stretches, "distinct_states": self.looked.states.len(), "mounts": self.mounted,
            "mounts_mended": self.mended,
            "run": self.looked.found.runs, "shared_and_run_again": self.looked.found.proven,
            "invariants": invariants,
            "started": self.tried.points, "starts": self.tried.starts, "as_simulated": self.tried.agree,
            "not_as_simulated": self.tried.differ,
            "controls": self.controls.iter().map(|one| json!({ "name": one.name, "caught_by": one.invariant() })).collect::<Vec<_>>(),
            "violations": self.violations().map(|one| json!({
                "invariant": one.invariant, "point": one.state, "how": one.how, "again": again(&one.state),
            })).collect::<Vec<_>>(),
            "seconds": {
                "recording": self.seconds.recording, "looking": self.seconds.looking, "starting": self.seconds.trials,
            },
        })
    }
}

/// What shows a point again.
fn again(point: &str) -> String {
    format!("cargo xtask crash second-opinion --recorded --point {point}")
}
