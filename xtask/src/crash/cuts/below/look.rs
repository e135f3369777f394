//! Points of a recording become hosts, and are held against the nine promises.

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use verity::RootHash;

use super::super::cases::{Case, Tables};
use super::super::going::{Seen, Typed};
use super::super::hands::{Everywhere, Memos, Reach, Shared};
use super::super::judge::{Invariant, Table};
use super::super::live::{Bench, Off, State};
use super::super::published::Published;
use super::super::shapes::Shapes;
use super::super::table::{Found, Violation};
use super::super::tree::{Hash, Tree};
use super::milestones::{Between, Finding, Milestone, between, next};
use super::mounted::Mounts;
use super::point::{Kept, Point, Stretch};
use super::raw::Raw;
use super::replay::{Replay, Tape};
use crate::vm::recording::Act;

/// How many points become hosts at the same time.
const HANDS: usize = 2;
/// So many are held in memory at the same time.
const BATCH: usize = 6;
/// So many ways to go on are gone to their end from the points of an act, the same again and back; more only where a boot
/// shows what none of these has shown.
const ENDS: usize = 3;

const UPDATE: &[Typed] = &[("updog", &["update", "--json"])];
const NOTHING: &[Typed] = &[];

/// What whoever goes on from an act types.
pub(super) fn typed(act: &Act) -> &'static [Typed] {
    if act.wants_newest { UPDATE } else { NOTHING }
}

/// What was looked at, and what was found.
#[derive(Default)]
pub(super) struct Looked {
    /// Points whose disks differ.
    pub(super) points: usize,
    /// Those of them in which nothing was kept that was not flushed.
    pub(super) borders: usize,
    /// Those in which a write was kept in part.
    pub(super) torn: usize,
    /// Different states among them: table, names and contents, and what each image is.
    pub(super) states: HashSet<Hash>,
    pub(super) by_act: Vec<usize>,
    pub(super) found: Found,
}

impl Looked {
    /// Adds what was found in some of them.
    pub(super) fn add(&mut self, found: Found) {
        let own = &mut self.found;
        own.runs += found.runs;
        own.proven += found.proven;
        own.violations.extend(found.violations);
        for (invariant, checks) in found.checks {
            *own.checks.entry(invariant).or_default() += checks;
        }
    }
}

/// Everything that points are looked at with.
pub(super) struct Looking<'a> {
    pub(super) replay: &'a Replay<'a>,
    published: Published,
    shapes: Shapes,
    benches: Vec<Bench>,
    tables: HashMap<Hash, Table>,
    pub(super) mounts: Mounts,
    /// Of whoever wants the newest, and of whoever does not.
    memos: [Memos; 2],
    /// What the points of each act are held against.
    pub(super) acts: Vec<Between>,
    rng_seed: u64,
}

impl<'a> Looking<'a> {
    /// Finds out what points may come to, with hosts and mounts below `dir`.
    pub(super) fn new(replay: &'a Replay<'a>, dir: &Path, rng_seed: u64) -> Result<Self, Box<dyn Error>> {
        let (mut published, mut known) = (Published::default(), Vec::<(RootHash, PathBuf)>::new());
        for release in &replay.recording.releases {
            let file = |path: &Path| replay.recording.file(path);
            for (role, path) in [("BOOT", &release.boot), ("ROOT", &release.root), ("HASH", &release.hash)] {
                published.add(&release.version, role, fs::read(file(path))?);
            }
            known.push((release.root_hash.parse()?, file(&release.unpacked)));
        }
        let mut raw = replay.tape(0)?.raw;
        let (disk, disk_len, spans) = (raw.disk(), raw.len, raw.spans());
        let off = Off { tree: Tree::default(), disk, disk_len, spans };
        drop(raw);
        let bench = |hand: usize| -> std::io::Result<Bench> {
            let own = dir.join(hand.to_string());
            Ok(Bench::new(&own, &off)?.with_known_roots(&known))
        };
        let benches = (0..HANDS).map(bench).collect::<Result<Vec<_>, _>>()?;
        let mut looking = Self {
            replay,
            published,
            // Whether a first boot was cut off, and when, is told there.
            shapes: Shapes::new(&["/record/attempts.json", "/record/boot/"]),
            benches,
            tables: HashMap::new(),
            mounts: Mounts::below(dir)?,
            memos: [Memos::default(), Memos::default()],
            acts: Vec::new(),
            rng_seed,
        };
        let milestones = looking.milestones()?;
        let acts = replay.recording.acts.iter().zip(milestones.windows(2));
        looking.acts = acts.map(|(act, around)| between(&around[0], &around[1], typed(act))).collect();
        Ok(looking)
    }

    /// The moments before the first act and after each.
    fn milestones(&mut self) -> Result<Vec<Milestone>, Box<dyn Error>> {
        let replay = self.replay;
        let acts = &replay.recording.acts;
        let mut cases = Vec::new();
        for cycle in 0..replay.recording.cycles.len() {
            let mut tape = replay.tape(cycle)?;
            for (number, act) in replay.acts(cycle) {
                let first = (number == 0).then_some(act.from);
                for step in first.into_iter().chain([act.to]) {
                    let point = Point::whole(number, &replay.records[cycle], step);
                    let case = self.case(&mut tape, &point)?;
                    let case = case.map_err(|how| format!("look at the end of \"{}\": {how}", act.name))?;
                    cases.push(case);
                }
            }
        }
        let all = cases.into_iter().enumerate().map(|(place, case)| {
            let beside = [place.checked_sub(1), Some(place)].into_iter().flatten();
            let mut all: Vec<_> = beside.filter_map(|act| Some(typed(acts.get(act)?))).collect();
            all.dedup();
            (case, all)
        });
        let finding = Finding { published: &self.published, shapes: &self.shapes };
        finding.of(all.collect(), &mut self.benches)
    }

    /// What a point leaves; what is wrong with its persistent partition is the inner error. The tape shows it no more.
    fn case(&mut self, tape: &mut Tape<'_>, point: &Point) -> Result<Result<Case, String>, Box<dyn Error>> {
        let undo = tape.show(point)?;
        let case = self.shown(&mut tape.raw, point);
        tape.raw.put_back(undo)?;
        case
    }

    fn shown(&mut self, raw: &mut Raw, point: &Point) -> Result<Result<Case, String>, Box<dyn Error>> {
        let tree = match self.mounts.tree(raw)? {
            Ok(tree) => tree,
            Err(how) => return Ok(Err(how)),
        };
        let mut state = State::new(tree, raw.disk(), false, &self.published);
        let mut tables = Tables { bench: &mut self.benches[0], known: &mut self.tables };
        let table = tables.read(&state.disk)?;
        state.booted_with(table.picked.0);
        let place = point.to_string();
        Ok(Ok(Case { state, table, step: point.cut, ended: 0, bare: false, switch: false, place }))
    }

    /// Looks at as many different points of each stretch as it wants.
    pub(super) fn all(
        &mut self,
        stretches: &[Stretch],
        mut told: impl FnMut(&Looked),
    ) -> Result<Looked, Box<dyn Error>> {
        let replay = self.replay;
        let acts = replay.recording.acts.len();
        let mut looked = Looked { by_act: vec![0; acts], ..Looked::default() };
        let (mut known, mut batch) = (HashSet::new(), Vec::new());
        let mut tape: Option<(usize, Tape<'_>)> = None;
        let (mut owed, mut of_act) = (0, (usize::MAX, HashSet::new()));
        for stretch in stretches {
            if of_act.0 != stretch.act {
                self.judge(of_act.0, &mut batch, &mut looked)?;
                of_act = (stretch.act, HashSet::new());
                told(&looked);
            }
            let cycle = replay.recording.acts[stretch.act].cycle;
            if tape.as_ref().is_none_or(|(of, _)| *of != cycle) {
                tape = Some((cycle, replay.tape(cycle)?));
            }
            let tape = &mut tape.as_mut().expect("it was just made").1;
            let wanted = stretch.wanted + owed;
            let mut made = 0;
            for kept in &stretch.candidates {
                if made == wanted {
                    break;
                }
                let point = stretch.point(kept);
                let undo = tape.show(&point)?;
                let key = tape.raw.key();
                // Once an act has ended, a disk that may be left before and after it has more to keep.
                if of_act.1.insert(key) {
                    let case = self.shown(&mut tape.raw, &point)?;
                    if known.insert(key) {
                        looked.points += 1;
                        looked.by_act[point.act] += 1;
                        looked.borders += usize::from(kept.iter().all(|kept| *kept == Kept::Lost));
                        looked.torn += usize::from(kept.contains(&Kept::Torn));
                        made += 1;
                    }
                    match case {
                        Ok(case) => {
                            looked.states.insert(case.state.hash);
                            batch.push(case);
                        }
                        Err(how) => looked.found.violations.push(unreadable(&point, how)),
                    }
                }
                tape.raw.put_back(undo)?;
                if batch.len() == BATCH {
                    self.judge(stretch.act, &mut batch, &mut looked)?;
                }
            }
            // What comes to the same as another one is made up for in the next stretch.
            owed = wanted - made;
        }
        self.judge(of_act.0, &mut batch, &mut looked)?;
        Ok(looked)
    }

    /// Looks at these points only.
    pub(super) fn only(&mut self, points: &[Point], reach: Reach) -> Result<Found, Box<dyn Error>> {
        let mut looked = Looked::default();
        let replay = self.replay;
        for point in points {
            let mut tape = replay.tape_of(point)?;
            match self.case(&mut tape, point)? {
                Ok(case) => looked.add(self.work(point.act, &[case], reach)?),
                Err(how) => looked.found.violations.push(unreadable(point, how)),
            }
        }
        Ok(looked.found)
    }

    /// What a point leaves, and what the simulated host shows of it.
    pub(super) fn simulated(&mut self, point: &Point) -> Result<(State, Seen), Box<dyn Error>> {
        let mut tape = self.replay.tape_of(point)?;
        let case = self.case(&mut tape, point)??;
        let (_, seen) = self.benches[0].look(&case.state)?;
        Ok((case.state, seen))
    }

    fn judge(
        &mut self,
        act: usize,
        batch: &mut Vec<Case>,
        looked: &mut Looked,
    ) -> Result<(), Box<dyn Error>> {
        if batch.is_empty() {
            return Ok(());
        }
        let memos = &self.memos[usize::from(self.replay.recording.acts[act].wants_newest)];
        let ends = memos.ends();
        let so_far = looked.by_act[act] <= BATCH;
        // The first points of an act go on from where it is, whatever those of other acts did.
        let ends = if so_far { ends.map(|ends| ends + ENDS) } else { [0; 2] };
        let found =
            self.work(act, batch, Reach { ends, everywhere: Everywhere::Nowhere, one_is_enough: false })?;
        looked.add(found);
        batch.clear();
        Ok(())
    }

    fn work(&mut self, act: usize, cases: &[Case], reach: Reach) -> Result<Found, Box<dyn Error>> {
        let act_of = &self.replay.recording.acts[act];
        let memos = &self.memos[usize::from(act_of.wants_newest)];
        let shared =
            Shared::new(typed(act_of), &self.acts[act].expected, &self.published, &self.shapes, reach, memos);
        let mut found = shared.work(cases, &mut self.benches, self.rng_seed)?;
        if !act_of.wants_newest {
            // Nobody does anything again there. What a boot alone leaves depends on how much of what was put aside before had
            // reached the disk when the act before had ended: only the next writer takes that away.
            found.checks.remove(&Invariant::Again);
            found.violations.retain(|violation| violation.invariant != Invariant::Again);
        }
        for case in cases {
            *found.checks.entry(Invariant::Kept).or_default() += 1;
            let next = next(case);
            if !self.acts[act].next.contains(&next) {
                let how = format!("{next:?} starts next, and not one of {:?}", self.acts[act].next);
                found.violations.push(Violation {
                    invariant: Invariant::Kept,
                    state: case.place.clone(),
                    how,
                });
            }
        }
        Ok(found)
    }
}

/// A persistent partition that cannot be used leaves nothing that boots.
fn unreadable(point: &Point, how: String) -> Violation {
    Violation { invariant: Invariant::Boots, state: point.to_string(), how }
}
