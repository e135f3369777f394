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
    pub(super) by: Option<Violation>,
}

impl Caught {
    pub(super) fn invariant(&self) -> Option<Invariant> {
        self.by.as_ref().map(|by| by.invariant)
    }
}

impl std::fmt::Display for Caught {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.by {
            Some(by) => write!(f, "  caught {}: not {}", self.name, by.invariant.words()),
            None => write!(f, "  NOT CAUGHT {} in {} states", self.name, self.states),
        }
    }
}

/// What one story came to.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) name: String,
    /// What subsets were drawn from.
    pub(super) rng_seed: u64,
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
            println!("  BROKEN: {}: {}", violation.invariant.words(), violation.how);
            println!("    seen again by: {}", self.again(None, violation));
        }
        for control in &self.controls {
            println!("{control}");
            if let Some(by) = &control.by {
                println!("    seen again by: {}", self.again(Some(&control.name), by));
            }
        }
        for sync in &self.syncs_forgotten {
            match sync.invariant() {
                Some(by) => println!("  needed: {}: {}", sync.name, by.words()),
                None => println!("  no promise needs: {} ({} states without it)", sync.name, sync.states),
            }
        }
    }

    /// The command that shows a violation again, alone, and leaves its host.
    fn again(&self, mistake: Option<&str>, violation: &Violation) -> String {
        let mistake = mistake.map(|name| format!(" --mistake {name}")).unwrap_or_default();
        format!("cargo xtask crash{mistake} --state {} --rng-seed {}", violation.state, self.rng_seed)
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
            "story": self.name, "rng_seed": self.rng_seed, "cuts": self.cuts, "distinct_states": self.distinct, "epochs": self.epochs,
            "epochs_with_every_subset": self.whole_epochs, "syncs": self.syncs, "images": self.images,
            "cut_again": self.firsts, "killed": self.kills, "second_cuts": self.second_cuts,
            "second_distinct_states": self.second_distinct,
            "run": self.runs, "shared_and_run_again": self.proven, "checks": self.checks, "millis": self.millis,
            "controls": self.controls.iter().map(|one| json!({
                "name": one.name, "states": one.states, "caught_by": one.invariant(),
                "again": one.by.as_ref().map(|by| self.again(Some(&one.name), by)),
            })).collect::<Vec<_>>(),
            "syncs_forgotten": self.syncs_forgotten.iter().map(|one| json!({
                "name": one.name, "states": one.states, "needed_by": one.invariant(),
            })).collect::<Vec<_>>(),
            "violations": self.violations.iter().map(|one| json!({
                "invariant": one.invariant, "state": one.state, "how": one.how, "again": self.again(None, one),
            })).collect::<Vec<_>>(),
        })
    }
}

/// The figures of all stories together.
#[derive(Debug, Default, serde::Serialize)]
pub(super) struct Sum {
    /// Whatever the number of cuts that left them.
    distinct_states: usize,
    cuts: usize,
    images: usize,
    epochs: Hit,
    epochs_with_every_subset: usize,
    syncs: Hit,
    cut_again: usize,
    killed: usize,
    controls: Hit,
    stories_not_played: usize,
    violations: usize,
    promises: Vec<(Invariant, Hit)>,
    millis: u128,
}

impl Sum {
    /// Adds them up; so many states are different ones.
    pub(super) fn of(all: &[Figures], distinct: usize, unplayed: usize, millis: u128) -> Self {
        let count = |of: fn(&Figures) -> usize| all.iter().map(of).sum();
        let hits = |of: fn(&Figures) -> Hit| {
            let all = all.iter().map(of);
            all.fold(Hit::default(), |sum, one| Hit { there: sum.there + one.there, hit: sum.hit + one.hit })
        };
        let promise = |invariant| {
            let checks = all.iter().map(|figures| figures.checks(invariant)).sum();
            let broken = all.iter().map(|figures| figures.broken(invariant)).sum();
            (invariant, Hit { there: checks, hit: broken })
        };
        Self {
            distinct_states: distinct,
            cuts: count(|figures| figures.cuts + figures.second_cuts),
            images: count(|figures| figures.images),
            epochs: hits(|figures| figures.epochs),
            epochs_with_every_subset: count(|figures| figures.whole_epochs),
            syncs: hits(|figures| figures.syncs),
            cut_again: count(|figures| figures.firsts),
            killed: count(|figures| figures.kills),
            controls: hits(|figures| Hit {
                there: figures.controls.len(),
                hit: figures.controls.iter().filter(|control| control.by.is_some()).count(),
            }),
            stories_not_played: unplayed,
            violations: count(|figures| figures.violations.len()),
            promises: Invariant::ALL.map(promise).to_vec(),
            millis,
        }
    }

    /// As one JSON object.
    pub(super) fn json(&self) -> Value {
        json!({ "all": self })
    }

    /// As a table.
    pub(super) fn rows(&self) -> String {
        let Self { epochs, syncs, controls, .. } = self;
        let figures = [
            ("different states", self.distinct_states.to_string()),
            ("cuts that left them", self.cuts.to_string()),
            ("half-written images held against the table", self.images.to_string()),
            ("epochs cut before all of it had landed", format!("{} of {}", epochs.hit, epochs.there)),
            ("of these cut in every way", self.epochs_with_every_subset.to_string()),
            ("syncs missed by a cut", format!("{} of {}", syncs.hit, syncs.there)),
            ("first cuts that are followed by a second one", self.cut_again.to_string()),
            ("programs killed", self.killed.to_string()),
            ("mistakes made on purpose and caught", format!("{} of {}", controls.hit, controls.there)),
            ("stories not played", self.stories_not_played.to_string()),
            ("broken promises", self.violations.to_string()),
            ("seconds", (self.millis / 1000).to_string()),
        ];
        let figures = figures.map(|(what, figure)| format!("| {what} | {figure} |\n"));
        let promises = self.promises.iter().map(|(invariant, Hit { there, hit })| {
            format!("| {} | {hit} of {there} broken |\n", invariant.words())
        });
        format!("| | |\n|---|---|\n{}{}", figures.concat(), promises.collect::<String>())
    }
}
