//! The figures of a run.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::judge::Invariant;

/// A broken promise, and how to see it again.
#[derive(Debug, Clone)]
pub(super) struct Violation {
    pub(super) invariant: Invariant,
    /// What names the state: story, epoch, and what has landed.
    pub(super) state: String,
    pub(super) how: String,
}

/// A mistake made on purpose, and which promise it broke.
#[derive(Debug)]
pub(super) struct Caught {
    pub(super) name: &'static str,
    /// States that would not be left without it.
    pub(super) states: usize,
    pub(super) by: Option<Invariant>,
}

impl std::fmt::Display for Caught {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.by {
            Some(by) => write!(f, "  caught {}: not {}", self.name, by.words()),
            None => write!(f, "  NOT CAUGHT {} in {} states", self.name, self.states),
        }
    }
}

/// What one story came to.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) name: String,
    /// Subsets that were made.
    pub(super) cuts: usize,
    /// Different states among them that no story before had.
    pub(super) distinct: usize,
    pub(super) epochs: usize,
    /// Of these every subset was made.
    pub(super) whole_epochs: usize,
    pub(super) syncs: usize,
    /// Half-written images that were held against the table.
    pub(super) images: usize,
    /// States that were run on a host; the others saw what one of these saw.
    pub(super) runs: usize,
    /// Shared verdicts that were run for real all the same.
    pub(super) proven: usize,
    pub(super) checks: BTreeMap<Invariant, usize>,
    pub(super) violations: Vec<Violation>,
    pub(super) controls: Vec<Caught>,
    pub(super) millis: u128,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "  BROKEN: {}: {}", self.invariant.words(), self.how)?;
        write!(f, "    seen again by: cargo xtask crash --state {}", self.state)
    }
}

/// So many violations of a story are told; they tend to be the same one.
const TOLD: usize = 10;

impl Figures {
    /// How often a promise was looked at.
    pub(super) fn checks(&self, invariant: Invariant) -> usize {
        self.checks.get(&invariant).copied().unwrap_or_default()
    }

    /// How often it was not kept.
    pub(super) fn broken(&self, invariant: Invariant) -> usize {
        self.violations.iter().filter(|violation| violation.invariant == invariant).count()
    }

    /// Those that are told.
    pub(super) fn first_violations(&self) -> &[Violation] {
        &self.violations[..self.violations.len().min(TOLD)]
    }

    pub(super) fn row(&self) -> String {
        format!(
            "{:<20} {:>7} cuts {:>7} states {:>4} epochs ({} whole) {:>4} syncs {:>5} images {:>5} run {:>4} proven {:>3} violations {:>6} ms",
            self.name,
            self.cuts,
            self.distinct,
            self.epochs,
            self.whole_epochs,
            self.syncs,
            self.images,
            self.runs,
            self.proven,
            self.violations.len(),
            self.millis
        )
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "story": self.name, "cuts": self.cuts, "distinct_states": self.distinct, "epochs": self.epochs,
            "epochs_with_every_subset": self.whole_epochs, "syncs": self.syncs, "images": self.images,
            "run": self.runs, "shared_and_run_again": self.proven, "checks": self.checks, "millis": self.millis,
            "controls": self.controls.iter().map(|one| json!({
                "name": one.name, "states": one.states, "caught_by": one.by,
            })).collect::<Vec<_>>(),
            "violations": self.violations.iter().map(|one| json!({
                "invariant": one.invariant, "state": one.state, "how": one.how,
            })).collect::<Vec<_>>(),
        })
    }
}
