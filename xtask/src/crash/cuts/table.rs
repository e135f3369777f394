//! The figures of a run.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::cases::{Count, Hit};
use super::judge::{Broken, Invariant};

/// A broken promise, and how to see it again.
#[derive(Debug, Clone)]
pub(super) struct Violation {
    pub(super) invariant: Invariant,
    /// What names the state: story, epoch, and what has landed.
    pub(super) state: String,
    pub(super) how: String,
}

/// What was done and found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// States that were run on a host; the others saw what one of these saw.
    pub(super) runs: usize,
    /// Shared verdicts that were run for real all the same.
    pub(super) proven: usize,
    pub(super) checks: BTreeMap<Invariant, usize>,
    pub(super) violations: Vec<Violation>,
}

/// A mistake made on purpose, and which promise it broke.
#[derive(Debug)]
pub(super) struct Caught {
    pub(super) name: String,
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
    pub(super) epochs: Hit,
    /// Of these every subset was made.
    pub(super) whole_epochs: usize,
    pub(super) syncs: Hit,
    /// Half-written images that were held against the table.
    pub(super) images: usize,
    /// States that were run on a host; the others saw what one of these saw.
    pub(super) runs: usize,
    /// Shared verdicts that were run for real all the same.
    pub(super) proven: usize,
    pub(super) checks: BTreeMap<Invariant, usize>,
    /// First cuts after which everything was cut again.
    pub(super) firsts: usize,
    /// Programs that were killed while something was typed.
    pub(super) kills: usize,
    /// Subsets that were made of what followed them, and the different states among these that nobody had before.
    pub(super) second_cuts: usize,
    pub(super) second_distinct: usize,
    pub(super) violations: Vec<Violation>,
    pub(super) controls: Vec<Caught>,
    /// What became of each sync that was forgotten, where that was asked for.
    pub(super) syncs_forgotten: Vec<Caught>,
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
    /// Whether every promise was kept, and every mistake caught.
    pub(super) fn is_clean(&self) -> bool {
        self.violations.is_empty() && self.controls.iter().all(|control| control.by.is_some())
    }

    /// Tells a story's figures.
    pub(super) fn tell(&self, json: bool) {
        if json {
            println!("{}", self.json());
            return;
        }
        println!("{}", self.row());
        for violation in self.first_violations() {
            println!("{violation}");
        }
        for control in &self.controls {
            println!("{control}");
        }
        for sync in &self.syncs_forgotten {
            match sync.by {
                Some(by) => println!("  needed: {}: {}", sync.name, by.words()),
                None => println!("  no promise needs: {} ({} states without it)", sync.name, sync.states),
            }
        }
    }

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

    /// Takes over how a story's states were made, so many of which no story before had.
    pub(super) fn took(&mut self, count: &Count, distinct: usize) {
        self.cuts = count.cuts;
        self.distinct = distinct;
        self.epochs = count.epochs;
        self.whole_epochs = count.whole_epochs;
        self.syncs = count.syncs;
        self.images = count.images;
    }

    /// The same of what followed a first cut.
    pub(super) fn took_second(&mut self, count: &Count, distinct: usize) {
        self.second_cuts += count.cuts;
        self.second_distinct += distinct;
        self.images += count.images;
    }

    /// Adds what was found where nothing was cut.
    pub(super) fn looked_at(&mut self, place: &str, invariant: Invariant, broken: Vec<Broken>) {
        *self.checks.entry(invariant).or_default() += 1;
        self.violations.extend(broken.into_iter().map(|one| Violation {
            invariant: one.invariant,
            state: place.to_owned(),
            how: one.how,
        }));
    }

    /// Adds what was found in states, and in half-written images.
    pub(super) fn found(&mut self, found: Found, images: &[(String, Broken)]) {
        self.runs += found.runs;
        self.proven += found.proven;
        for (invariant, checks) in found.checks {
            *self.checks.entry(invariant).or_default() += checks;
        }
        self.violations.extend(found.violations);
        self.violations.extend(images.iter().map(|(state, one)| Violation {
            invariant: one.invariant,
            state: state.clone(),
            how: one.how.clone(),
        }));
    }

    pub(super) fn row(&self) -> String {
        format!(
            "{:<20} {:>7} cuts {:>7} states {:>4} epochs ({} whole) {:>4} syncs {:>5} images {:>3} cut again {:>3} killed: {:>7} cuts {:>7} states {:>5} run {:>4} proven {:>3} violations {:>6} ms",
            self.name,
            self.cuts,
            self.distinct,
            self.epochs.there,
            self.whole_epochs,
            self.syncs.there,
            self.images,
            self.firsts,
            self.kills,
            self.second_cuts,
            self.second_distinct,
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
            "cut_again": self.firsts, "killed": self.kills, "second_cuts": self.second_cuts,
            "second_distinct_states": self.second_distinct,
            "run": self.runs, "shared_and_run_again": self.proven, "checks": self.checks, "millis": self.millis,
            "controls": self.controls.iter().map(|one| json!({
                "name": one.name, "states": one.states, "caught_by": one.by,
            })).collect::<Vec<_>>(),
            "syncs_forgotten": self.syncs_forgotten.iter().map(|one| json!({
                "name": one.name, "states": one.states, "needed_by": one.by,
            })).collect::<Vec<_>>(),
            "violations": self.violations.iter().map(|one| json!({
                "invariant": one.invariant, "state": one.state, "how": one.how,
            })).collect::<Vec<_>>(),
        })
    }
}

/// Tells the figures of all stories together.
pub(super) fn sum(all: &[Figures], distinct: usize, unplayed: usize) {
    let violations: usize = all.iter().map(|figures| figures.violations.len()).sum();
    let controls = || all.iter().flat_map(|figures| &figures.controls);
    println!(
        "{distinct} distinct states, {violations} violations, {unplayed} stories not played; {} of {} mistakes made on purpose were caught",
        controls().filter(|control| control.by.is_some()).count(),
        controls().count()
    );
    let hits = |of: fn(&Figures) -> Hit| {
        let all = all.iter().map(of);
        all.fold(Hit::default(), |sum, one| Hit { there: sum.there + one.there, hit: sum.hit + one.hit })
    };
    let (epochs, syncs) = (hits(|figures| figures.epochs), hits(|figures| figures.syncs));
    println!(
        "{} of {} epochs and {} of {} syncs were cut before what was under way there had landed",
        epochs.hit, epochs.there, syncs.hit, syncs.there
    );
    for invariant in Invariant::ALL {
        let (checks, broken) = all.iter().fold((0, 0), |(checks, broken), figures| {
            (checks + figures.checks(invariant), broken + figures.broken(invariant))
        });
        println!("{:<48} {checks:>8} checks {broken:>4} broken", invariant.words());
    }
}
