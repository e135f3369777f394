//! Negative controls: what a program that forgets a sync, or does two things the wrong way round, would leave. Each has to
//! be caught, or the search proves nothing.
//!
//! A sync that is forgotten changes nothing that a program does afterwards, so it is taken out of the record; what is done
//! too early is moved to the front there.

use std::collections::BTreeSet;

use super::medium::Change;
use super::story_log::{Read, Settle, Step, Told};

/// A mistake, by name.
pub(super) struct Control {
    pub(super) name: &'static str,
    /// The story in which it is made.
    pub(super) story: &'static str,
    pub(super) mistake: Mistake,
}

/// What is done wrong.
#[derive(Debug, Clone)]
pub(super) enum Mistake {
    /// Syncs whose name has this in it are forgotten.
    Forgets(&'static str),
    /// Syncs of just this name are forgotten.
    ForgetsOnly(String),
    /// The last sync whose name has this in it is forgotten.
    ForgetsLast(&'static str),
    /// A guard of the programs is left out.
    WithoutGuard(&'static str),
    /// The set is marked valid before it is written.
    MarksFirst,
    /// The set is written before it is cleared.
    ClearsLast,
}

/// All of them.
pub(super) const CONTROLS: &[Control] = &[
    Control {
        name: "disk-never-synced",
        story: "first-update",
        mistake: Mistake::Forgets("sync of the disk"),
    },
    Control { name: "marked-before-written", story: "first-update", mistake: Mistake::MarksFirst },
    Control { name: "cleared-after-written", story: "update-over-way-back", mistake: Mistake::ClearsLast },
    Control {
        name: "table-of-a-flip-not-synced",
        story: "cancelled-update",
        mistake: Mistake::Forgets("sync of the disk"),
    },
    Control {
        name: "trust-files-not-synced",
        story: "first-update",
        mistake: Mistake::Forgets("sync of var/lib/bottlerocket/update/trust"),
    },
    Control {
        name: "migrated-store-not-synced",
        story: "migration-forward",
        mistake: Mistake::Forgets("sync of var/lib/bottlerocket/datastore"),
    },
    // The way back carries settings to the older release.
    Control {
        name: "store-migrated-back-not-synced",
        story: "rollback",
        mistake: Mistake::Forgets("sync of var/lib/bottlerocket/datastore"),
    },
    Control {
        name: "store-of-a-commit-not-synced",
        story: "settings",
        mistake: Mistake::Forgets("sync of var/lib/bottlerocket/datastore"),
    },
    Control {
        name: "staged-cache-not-synced",
        story: "first-update",
        mistake: Mistake::Forgets("sync of var/lib/bottlerocket/update/cache"),
    },
    Control {
        name: "record-not-synced",
        story: "first-update",
        mistake: Mistake::Forgets("sync of var/lib/bottlerocket/update/record"),
    },
    Control {
        name: "wish-not-synced",
        story: "rollback-to-snapshot",
        mistake: Mistake::Forgets("restore-snapshot.json"),
    },
    Control {
        name: "rotated-root-not-synced",
        story: "root-rotation",
        mistake: Mistake::Forgets("sync of var/lib/bottlerocket/update/trust"),
    },
    Control {
        name: "table-of-a-rollback-not-synced",
        story: "rollback",
        mistake: Mistake::Forgets("sync of the disk"),
    },
    // Every sector of it is old or new, and one copy is whole at each instant: only that it was acknowledged is not true.
    Control {
        name: "taking-back-not-synced",
        story: "rollback-taken-back",
        mistake: Mistake::ForgetsLast("sync of the disk"),
    },
    Control {
        name: "unproven-set-cleared-beside",
        story: "clear-before-proof",
        mistake: Mistake::WithoutGuard("last-set-that-boots"),
    },
    Control {
        name: "set-not-cleared-before-it-is-written",
        story: "update-over-way-back",
        mistake: Mistake::WithoutGuard("cleared-before-it-is-written"),
    },
    Control {
        name: "failed-release-taken-again",
        story: "failed-boot",
        mistake: Mistake::WithoutGuard("failed-releases-are-held"),
    },
    Control {
        name: "settings-of-a-cut-fall-back-left",
        story: "failed-boot",
        mistake: Mistake::WithoutGuard("dropped-settings-go-at-a-boot"),
    },
    Control {
        name: "boot-program-never-syncs",
        story: "boot-program-puts-aside",
        mistake: Mistake::Forgets("sync of the disk"),
    },
];

impl Mistake {
    /// The guard that is left out.
    pub(super) const fn guard(&self) -> Option<&'static str> {
        match self {
            Self::WithoutGuard(guard) => Some(guard),
            _ => None,
        }
    }

    /// The steps as they would be with this mistake.
    pub(super) fn made(&self, read: &Read) -> Read {
        let mut read = read.clone();
        match self {
            Self::Forgets(name) => forget(&mut read.steps, |sync| sync.contains(name)),
            Self::ForgetsOnly(name) => forget(&mut read.steps, |sync| sync == name),
            Self::ForgetsLast(name) => {
                let syncs = |told: &Told| matches!(told.step, Step::Settle(_)) && told.name.contains(name);
                let last = read.steps.iter().rposition(syncs).expect("the story syncs it");
                forget(&mut read.steps[last..=last], |_| true);
            }
            // That is done by programs: there is nothing to change in what they did with it.
            Self::WithoutGuard(_) => {}
            Self::MarksFirst => {
                let marks = last_table(&read.steps);
                let first = position(&read.steps, |step| is(step, image));
                move_to(&mut read.steps, &marks, first);
            }
            Self::ClearsLast => {
                let clears = first_table(&read.steps);
                let last =
                    read.steps.iter().rposition(|told| is(&told.step, image)).map_or(0, |last| last + 1);
                move_to(&mut read.steps, &clears, last);
            }
        }
        read
    }
}

/// The names of all syncs, each once.
pub(super) fn syncs(read: &Read) -> BTreeSet<&str> {
    let syncs = read.steps.iter().filter(|told| matches!(told.step, Step::Settle(_)));
    syncs.map(|told| told.name.as_str()).collect()
}

fn forget(steps: &mut [Told], forgotten: impl Fn(&str) -> bool) {
    let syncs = steps.iter_mut().filter(|told| matches!(told.step, Step::Settle(_)));
    for told in syncs.filter(|told| forgotten(&told.name)) {
        // In its place nothing is done, so that all others keep theirs.
        told.step = Step::Make(Vec::new());
    }
}

fn image(change: &Change) -> bool {
    matches!(change, Change::Image(..))
}

fn table(change: &Change) -> bool {
    matches!(change, Change::Sector(..))
}

fn is(step: &Step, kind: fn(&Change) -> bool) -> bool {
    matches!(step, Step::Make(changes) if changes.iter().any(kind))
}

fn position(steps: &[Told], wanted: impl Fn(&Step) -> bool) -> usize {
    steps.iter().position(|told| wanted(&told.step)).unwrap_or(steps.len())
}

/// Everything that the disk is asked for after the last write to a partition: the set is marked, and boots next.
fn last_table(steps: &[Told]) -> Vec<usize> {
    let last = steps.iter().rposition(|told| is(&told.step, image)).unwrap_or(0);
    // The sync that makes the images durable stays with them.
    let after = (last + 1..steps.len()).filter(|place| is_disk(&steps[*place].step));
    after.skip_while(|place| matches!(steps[*place].step, Step::Settle(_))).collect()
}

/// Everything that the disk is asked for before the first write to a partition: the set is cleared.
fn first_table(steps: &[Told]) -> Vec<usize> {
    let first = position(steps, |step| is(step, image));
    (0..first).filter(|place| is_disk(&steps[*place].step)).collect()
}

fn is_disk(step: &Step) -> bool {
    is(step, table) || matches!(step, Step::Settle(Settle::Disk))
}

/// Takes steps away and puts them, in their order, before what was at `to`.
fn move_to(steps: &mut Vec<Told>, places: &[usize], to: usize) {
    let moved: Vec<Told> = places.iter().map(|place| steps[*place].clone()).collect();
    let before = places.iter().filter(|place| **place < to).count();
    let mut rest: Vec<Told> = steps
        .iter()
        .enumerate()
        .filter(|(place, _)| !places.contains(place))
        .map(|(_, told)| told.clone())
        .collect();
    let tail = rest.split_off(to - before);
    rest.extend(moved);
    rest.extend(tail);
    *steps = rest;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_moves_what_it_is_about_and_nothing_else() {
        let told = |name: &str, step| Told { step, name: name.to_owned() };
        let sector = || Step::Make(vec![Change::Sector(512, [0; 512].into())]);
        let write = || Step::Make(vec![Change::Image(4, 0, [1].into())]);
        let sync = || Step::Settle(Settle::Disk);
        let steps = vec![
            told("clear", sector()),
            told("cleared", sync()),
            told("write", write()),
            told("written", sync()),
            told("mark", sector()),
            told("marked", sync()),
        ];
        let names = |steps: &[Told]| steps.iter().map(|told| told.name.clone()).collect::<Vec<_>>().join(" ");
        let mut marked = steps.clone();
        let (marks, first) = (last_table(&steps), position(&steps, |step| is(step, image)));
        move_to(&mut marked, &marks, first);
        assert_eq!(names(&marked), "clear cleared mark marked write written");
        let mut cleared = steps.clone();
        move_to(&mut cleared, &first_table(&steps), 3);
        assert_eq!(names(&cleared), "write clear cleared written mark marked");
    }
}
