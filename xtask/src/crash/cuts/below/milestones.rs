//! What is known of the moments between two acts, where nothing is lost: what a point in between is held against.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::error::Error;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use testdata::host::firmware::choose;
use testdata::{BootBits, Set};

use super::super::cases::Case;
use super::super::firmware::waits;
use super::super::going::{Mishap, Typed};
use super::super::hands::{BACK, end_of};
use super::super::judge::{End, Expected, Promise};
use super::super::live::{Bench, State};
use super::super::medium::SECTOR;
use super::super::published::{Class, Published};
use super::super::shapes::Shapes;
use super::super::tree::{Node, Tree};

/// More than any update gives.
const FIRST_OF_ALL: BootBits = BootBits { priority: 15, tries: 1, successful: false };

/// A moment between two acts.
pub(super) struct Milestone {
    state: State,
    /// What starts next.
    next: Option<Class>,
    /// Whether a set waits for its first boot.
    waits: bool,
    /// The settings of each version that can run from here.
    settings: Vec<(String, Value)>,
    /// Where it ends when somebody goes on from here, by what is typed.
    ends: Vec<(&'static [Typed], End)>,
}

/// What milestones are found out with.
pub(super) struct Finding<'a> {
    pub(super) published: &'a Published,
    pub(super) shapes: &'a Shapes,
}

impl Finding<'_> {
    /// Finds out what is known of these moments, with as many hands as there are benches. Each comes with all that may be
    /// typed there.
    pub(super) fn of(
        &self,
        cases: Vec<(Case, Vec<&'static [Typed]>)>,
        benches: &mut [Bench],
    ) -> Result<Vec<Milestone>, Box<dyn Error>> {
        let count = cases.len();
        let left = Mutex::new(cases.into_iter().enumerate().collect::<Vec<_>>());
        let found = Mutex::new(BTreeMap::new());
        let next = || left.lock().expect("nobody panics while holding it").pop();
        let (next, found_so_far) = (&next, &found);
        let failed = std::thread::scope(|scope| {
            let hands: Vec<_> = benches
                .iter_mut()
                .map(|bench| {
                    scope.spawn(move || {
                        while let Some((place, (case, typed))) = next() {
                            let one = self.one(case, &typed, bench).map_err(|error| error.to_string())?;
                            found_so_far.lock().expect("nobody panics while holding it").insert(place, one);
                        }
                        Ok::<(), String>(())
                    })
                })
                .collect();
            let ends = hands.into_iter().map(|hand| hand.join().expect("a hand does not panic"));
            ends.filter_map(Result::err).next()
        });
        if let Some(error) = failed {
            return Err(format!("find out what holds between two acts: {error}").into());
        }
        let found = found.into_inner()?;
        if found.len() != count {
            return Err("find out what holds between two acts: not all of it was".into());
        }
        Ok(found.into_values().collect())
    }

    fn one(
        &self,
        case: Case,
        typed: &[&'static [Typed]],
        bench: &mut Bench,
    ) -> Result<Milestone, Box<dyn Error>> {
        let next = next(&case);
        let state = case.state;
        let mut settings = Vec::new();
        let mut learn = |version: &Option<String>, found: &Value| -> Result<(), String> {
            let version = version.clone().ok_or("nothing boots where nothing was lost")?;
            if !found.is_object() {
                return Err(format!("{version} has no settings where nothing was lost: {found}"));
            }
            let one = (version, found.clone());
            if !settings.contains(&one) {
                settings.push(one);
            }
            Ok(())
        };
        let (mut ends, mut bits, mut runs) = (Vec::new(), [BootBits::default(); 2], None);
        for typed in typed.iter().copied().chain([BACK]) {
            let (_, came) = bench.go_on(&state, Mishap::Nothing, typed, self.published)?;
            learn(&came.seen.booted.version, &came.seen.settings)?;
            learn(&came.booted.version, &came.settings)?;
            (bits, runs) = (came.seen.bits, came.seen.booted.set);
            ends.push((typed, end_of(&state, &came, self.shapes)));
        }
        // What the other set's version makes of the settings, whether or not it would boot next.
        if let Some(other) = runs.map(Set::other) {
            let classes = &state.classes[3 * usize::from(other == Set::B)..][..3];
            if matches!(classes[0], Class::Whole(_)) && classes.iter().all(|one| *one == classes[0]) {
                let preferred = preferring(other, &state, bench, self.published)?;
                let (_, seen) = bench.look(&preferred)?;
                learn(&seen.booted.version, &seen.settings)?;
            }
        }
        let waits = bits.into_iter().any(waits);
        Ok(Milestone { state, next, waits, settings, ends })
    }
}

/// The same state with this set before all others.
fn preferring(
    set: Set,
    state: &State,
    bench: &mut Bench,
    published: &Published,
) -> Result<State, Box<dyn Error>> {
    bench.lay_out(&state.disk, &Tree::default())?;
    bench.disk().set_bits(set, FIRST_OF_ALL);
    let mut disk = state.disk.clone();
    disk.sectors.clear();
    for ((start, now), (_, first)) in bench.disk().tables().iter().zip(state.disk.tables.iter()) {
        let both = (0..).zip(now.chunks(SECTOR).zip(first.chunks(SECTOR)));
        for (place, (now, _)) in both.filter(|(_, (now, first))| now != first) {
            let place: u64 = place;
            disk.sectors.insert(start + place * SECTOR as u64, Arc::from(now));
        }
    }
    Ok(State::new(state.tree.clone(), disk, false, published))
}

/// What the firmware starts next of a state.
pub(super) fn next(case: &Case) -> Option<Class> {
    choose(&case.table.bits).map(|set| case.state.classes[3 * set].clone())
}

/// What points between two milestones are held against.
pub(super) struct Between {
    pub(super) expected: Expected,
    /// What may start next: an act that has nothing to do with that does not change it.
    pub(super) next: [Option<Class>; 2],
}

/// What a point between two milestones may come to, for somebody who types this.
pub(super) fn between(before: &Milestone, after: &Milestone, typed: &'static [Typed]) -> Between {
    let both = [before, after];
    let mut settings: Vec<(String, Value)> = Vec::new();
    for known in both.iter().flat_map(|milestone| &milestone.settings) {
        if !settings.contains(known) {
            settings.push(known.clone());
        }
    }
    let trees = both.map(|milestone| &milestone.state.tree);
    let is_live = |path: &&String| path.contains("/update/trust/") && path.ends_with("/current");
    let live: BTreeSet<&String> = trees.iter().flat_map(|tree| tree.nodes.keys().filter(is_live)).collect();
    let trust: HashMap<_, _> = live
        .into_iter()
        .map(|path| (path.clone(), trees.iter().map(|tree| tree.hash_of(path)).collect()))
        .collect();
    let ends = both.iter().flat_map(|milestone| &milestone.ends);
    let ends = ends.filter(|(of, _)| *of == typed).map(|(_, end)| end.clone()).collect();
    let expected = Expected { waited: before.waits, settings, trust, promises: promises(trees), ends };
    Between { expected, next: both.map(|milestone| milestone.next.clone()) }
}

/// What was acknowledged before an act, and is not its business: files of the record that are the same after it.
fn promises([before, after]: [&Tree; 2]) -> Vec<Promise> {
    let is_record = |path: &str| path.contains("/update/record/") && !path.contains("/history/");
    let same = before.nodes.iter().filter_map(|(path, node)| match (node, after.nodes.get(path)) {
        (Node::File { content, .. }, Some(Node::File { content: later, .. }))
            if is_record(path) && content.hash == later.hash =>
        {
            Some(Promise { from: 0, until: usize::MAX, path: path.clone(), hash: content.hash })
        }
        _ => None,
    });
    same.collect()
}
