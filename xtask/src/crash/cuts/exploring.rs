//! A story that was played, and is now cut.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::error::Error;
use std::sync::Mutex;

use testdata::World;

use super::cases::{Case, Cases, Making, Tables};
use super::controls::{self, CONTROLS, Mistake};
use super::extents::{ALL, Extents, KILL};
use super::going::Mishap;
use super::hands::{Everywhere, Memos, Reach, Shared, end_of};
use super::judge::{self, End, Expected, Invariant, Table};
use super::live::{Bench, State};
use super::measure::Measure;
use super::published::Published;
use super::shapes::Shapes;
use super::stage::Played;
use super::story::Story;
use super::table::{Caught, Figures, Violation};
use super::tree::Hash;
use super::twice::{self, Firsts, Killed, Second};
use crate::crash::dice::Dice;

/// So many ways to go on are gone to their end for a mistake.
const CONTROL_ENDS: usize = 12;

/// What all stories share.
#[derive(Default)]
pub(super) struct Known {
    /// Every state that was made so far.
    pub(super) states: Mutex<HashSet<Hash>>,
    /// The syncs that some promise needs in some story, where each is forgotten by itself.
    needed: Mutex<HashSet<String>>,
}

/// What is known of a story, and what was found so far.
pub(super) struct Exploring<'a> {
    story: &'a Story,
    extents: &'a Extents,
    world: &'a World,
    published: &'a Published,
    shapes: &'a Shapes,
    memos: Memos,
    benches: Vec<Bench>,
    tables: HashMap<Hash, Table>,
    dice: Dice,
    known: &'a Known,
    /// The story's own states after one cut.
    own: HashSet<Hash>,
    pub(super) figures: Figures,
}

impl<'a> Exploring<'a> {
    pub(super) fn new(
        story: &'a Story,
        extents: &'a Extents,
        world: &'a World,
        published: &'a Published,
        shapes: &'a Shapes,
        benches: Vec<Bench>,
        known: &'a Known,
    ) -> Self {
        Self {
            story,
            extents,
            world,
            published,
            shapes,
            memos: Memos::default(),
            benches,
            tables: HashMap::new(),
            dice: Dice::new(extents.rng_seed),
            known,
            own: HashSet::new(),
            figures: Figures {
                name: story.name.to_owned(),
                rng_seed: extents.rng_seed,
                ..Figures::default()
            },
        }
    }

    /// Looks at every state after one cut, and draws those that are to be cut again.
    pub(super) fn cut(
        &mut self,
        played: &Played,
        expected: &Expected,
        firsts: &mut Firsts,
    ) -> Result<(), Box<dyn Error>> {
        let making = self.making(played, self.extents.depth.measures[0], self.story.name);
        let making = Making { only: self.extents.first(), ..making };
        let mut cases = Cases::of(&making, &played.read);
        let everywhere = match self.extents.depth.firsts[0] {
            ALL => Everywhere::AtSwitches,
            _ => Everywhere::Nowhere,
        };
        let (mut distinct, reach) = (0, Reach { everywhere, ..self.reach() });
        while let Some(mut batch) = self.next(&mut cases)? {
            self.own.extend(batch.iter().map(|case| case.state.hash));
            distinct += self.fresh(&batch);
            if self.extents.state.is_some() {
                firsts.take(batch.extract_if(.., |case| self.extents.wants_below(&case.place)));
            }
            self.look(&mut batch, &mut cases, expected, reach)?;
            if self.extents.state.is_none() {
                firsts.draw(batch, &self.memos, &mut self.dice);
            }
        }
        self.figures.took(&cases.count, distinct);
        Ok(())
    }

    /// Lets the host that a first cut left do the same again, and looks at every state after a second cut.
    pub(super) fn cut_again(&mut self, first: &Case, expected: &Expected) -> Result<(), Box<dyn Error>> {
        let second = twice::again(
            first,
            self.story.again,
            expected,
            self.published,
            self.shapes,
            &mut self.benches[0],
        )?;
        self.figures.firsts += 1;
        self.cut_second(&second, &first.place)
    }

    fn cut_second(&mut self, second: &Second, place: &str) -> Result<(), Box<dyn Error>> {
        let Second { played, from, expected } = second;
        let name = format!("{place}/");
        let making = self.making(played, self.extents.depth.measures[1], &name);
        let making = Making { from: *from, only: self.extents.state.as_deref(), ..making };
        let mut cases = Cases::of(&making, &played.read);
        let (mut distinct, reach) = (0, self.reach());
        while let Some(mut batch) = self.next(&mut cases)? {
            distinct += self.fresh(&batch);
            self.look(&mut batch, &mut cases, expected, reach)?;
        }
        self.figures.took_second(&cases.count, distinct);
        Ok(())
    }

    /// Kills programs at moments that are drawn, looks at what comes of typing the same again, and at every state after a cut
    /// that comes then.
    pub(super) fn kill(&mut self, played: &Played, expected: &Expected) -> Result<(), Box<dyn Error>> {
        let typed = self.story.killed();
        let asked = self.extents.kill();
        if typed.is_empty() || self.extents.state.is_some() != asked.is_some() {
            return Ok(());
        }
        let medium = played.at(0);
        let state = State::new(medium.tree(&played.read.kinds), medium.disk, false, self.published);
        let table = Tables { bench: &mut self.benches[0], known: &mut self.tables }.read(&state.disk)?;
        let mut start =
            Case { state, table, step: 0, ended: 0, bare: false, switch: false, place: String::new() };
        // What comes of typing it where nobody is killed is the one end that there is.
        let nobody = Mishap::Killed(u64::MAX);
        let (_, uncut) = self.benches[0].go_on(&start.state, nobody, &typed, self.published)?;
        let end = end_of(&start.state, &uncut, self.shapes);
        // Whoever takes back, or goes back from, what a killed program did so already is told that, by the exit code as well.
        let is_once = typed.last().is_some_and(|typed| matches!(typed.1[0], "update-revert" | "rollback"));
        let nothing = is_once.then(|| End { code: Some(1), ..end.clone() });
        let ends = Expected { ends: std::iter::once(end).chain(nothing).collect(), ..expected.clone() };
        let [kills, cuts] = self.extents.depth.kills;
        let moments = match asked {
            Some(moment) => BTreeSet::from([moment]),
            None => {
                let changes = uncut.turn.spared.map_or(0, |spared| u64::MAX - spared);
                drawn(&mut self.dice, kills, changes)
            }
        };
        for (number, &moment) in moments.iter().enumerate() {
            start.place = format!("{}{KILL}{moment}", self.story.name);
            let bench = &mut self.benches[0];
            let Some(Killed { came, second }) =
                twice::kill(&start, (&typed, moment), expected, self.published, bench)?
            else {
                continue;
            };
            self.figures.kills += 1;
            if self.extents.wants(&start.place) {
                let end = end_of(&start.state, &came, self.shapes);
                let broken = judge::of_the_same_again(&came, &end, (0, start.table), &ends);
                self.figures.looked_at(&start.place, Invariant::Again, broken);
            }
            // As many as there are to be, spread over all moments.
            if asked.is_some() || number * cuts / moments.len() < (number + 1) * cuts / moments.len() {
                let place = start.place.clone();
                self.cut_second(&second, &place)?;
            }
        }
        Ok(())
    }

    /// Makes the mistakes that belong to the story.
    pub(super) fn make_mistakes(
        &mut self,
        played: &Played,
        expected: &Expected,
    ) -> Result<(), Box<dyn Error>> {
        let wanted = |control: &&controls::Control| {
            let asked = self.extents.mistake.as_ref();
            control.story == self.story.name && asked.is_none_or(|asked| asked == control.name)
        };
        for control in CONTROLS.iter().filter(wanted).collect::<Vec<_>>() {
            let caught = self.make_mistake(control.name, &control.mistake, played, expected)?;
            self.figures.controls.push(caught);
        }
        Ok(())
    }

    /// Forgets one sync after the other, and tells which promise needs it. Those that another story was found to need are
    /// left out: they are needed.
    pub(super) fn forget_syncs(
        &mut self,
        played: &Played,
        expected: &Expected,
    ) -> Result<(), Box<dyn Error>> {
        let needed = || self.known.needed.lock().expect("nobody panics while holding it");
        let syncs = controls::syncs(&played.read).into_iter();
        for name in syncs.filter(|name| !needed().contains(*name)).collect::<Vec<_>>() {
            let mistake = Mistake::ForgetsOnly(name.to_owned());
            let caught = self.make_mistake(name, &mistake, played, expected)?;
            if caught.by.is_some() {
                self.known.needed.lock().expect("nobody panics while holding it").insert(name.to_owned());
            }
            self.figures.syncs_forgotten.push(caught);
        }
        Ok(())
    }

    /// Looks at the states that only a mistake leaves, until one is caught.
    fn make_mistake(
        &mut self,
        name: &str,
        mistake: &Mistake,
        played: &Played,
        expected: &Expected,
    ) -> Result<Caught, Box<dyn Error>> {
        let guard = mistake.guard();
        let unguarded = match guard {
            Some(guard) => {
                let (medium, bench) = (played.at(0), &mut self.benches[0]);
                let state = State::new(medium.tree(&played.read.kinds), medium.disk, false, self.published);
                Some(Played::without_guard(self.story, guard, self.world, &state, bench)?)
            }
            None => None,
        };
        // What is told there by the number of a step is of another record.
        let own = unguarded.as_ref().map(|unguarded| {
            let mut trust = expected.trust.clone();
            for (path, contents) in unguarded.trust() {
                trust.entry(path).or_default().extend(contents);
            }
            Expected { trust, promises: Vec::new(), ..expected.clone() }
        });
        let (played, expected) = (unguarded.as_ref().unwrap_or(played), own.as_ref().unwrap_or(expected));
        let wrong = mistake.made(&played.read);
        let making = self.making(played, self.extents.depth.measures[0], self.story.name);
        let making = Making { only: self.extents.state.as_deref(), ..making };
        let mut cases = Cases::of(&making, &wrong);
        // What a mistake leaves is no verdict on states that are left without one.
        let memos = Memos::default();
        let everywhere = guard.map_or(Everywhere::Nowhere, |_| Everywhere::WhereBare);
        // A guard is missed between one step and the next, and nothing that a boot shows tells of it.
        let reach = Reach { ends: [CONTROL_ENDS; 2], everywhere, one_is_enough: true };
        let (mut states, mut by) = (0, None::<Violation>);
        self.leave_out(guard)?;
        while let Some(mut batch) = self.next(&mut cases)?
            && by.is_none()
        {
            // A guard that is not asked after a cut either may be missed in a state that is also left otherwise.
            match guard {
                Some(_) => batch.retain(|case| case.bare),
                None => batch.retain(|case| !self.own.contains(&case.state.hash)),
            }
            states += batch.len();
            let shared = Shared::new(self.story.again, expected, self.published, self.shapes, reach, &memos);
            let found = shared.work(&batch, &mut self.benches, self.extents.rng_seed)?;
            let mut all = Figures::default();
            all.found(found, &std::mem::take(&mut cases.broken));
            by = all.violations.first().cloned();
            // The one state that was asked for is told like any other, and is what is left.
            if let (Some(_), Some(case)) = (&self.extents.state, batch.first()) {
                self.benches[0].lay_out(&case.state.disk, &case.state.tree)?;
                self.figures.checks.append(&mut all.checks);
                self.figures.violations.append(&mut all.violations);
            }
        }
        self.leave_out(None)?;
        Ok(Caught { name: name.to_owned(), states, by })
    }

    /// From now on a guard is not asked on any bench, or all are.
    fn leave_out(&self, guard: Option<&str>) -> std::io::Result<()> {
        self.benches.iter().try_for_each(|bench| bench.record().leave_out(guard))
    }

    fn making<'b>(&self, played: &'b Played, measure: Measure, name: &'b str) -> Making<'b>
    where
        'a: 'b,
    {
        Making {
            name,
            base: &played.base,
            published: self.published,
            full: &played.full,
            milestones: &played.milestones,
            from: 0,
            measure,
            only: None,
            rng_seed: self.extents.rng_seed,
        }
    }

    fn next(&mut self, cases: &mut Cases<'_>) -> Result<Option<Vec<Case>>, Box<dyn Error>> {
        cases.next(&mut Tables { bench: &mut self.benches[0], known: &mut self.tables })
    }

    /// How many of these no story before had.
    fn fresh(&self, cases: &[Case]) -> usize {
        let mut known = self.known.states.lock().expect("nobody panics while holding it");
        cases.iter().filter(|case| known.insert(case.state.hash)).count()
    }

    /// As far as what follows one cut is looked at: so many ways more than were gone before.
    fn reach(&self) -> Reach {
        let ends = self.memos.ends().map(|gone| gone + self.extents.depth.ends);
        Reach { ends, everywhere: Everywhere::Nowhere, one_is_enough: false }
    }

    /// Looks at the cases that are wanted, and notes what was found.
    fn look(
        &mut self,
        batch: &mut Vec<Case>,
        cases: &mut Cases<'_>,
        expected: &Expected,
        reach: Reach,
    ) -> Result<(), Box<dyn Error>> {
        batch.retain(|case| self.extents.wants(&case.place));
        let again = self.story.again;
        let shared = Shared::new(again, expected, self.published, self.shapes, reach, &self.memos);
        // Drawn for each batch: the same dice again would prove the same few shared verdicts, or none.
        let found = shared.work(batch, &mut self.benches, self.dice.below(u64::from(u32::MAX)))?;
        self.figures.found(found, &std::mem::take(&mut cases.broken));
        // The one state that was asked for is what is left.
        if let (Some(_), Some(case)) = (&self.extents.state, batch.first()) {
            self.benches[0].lay_out(&case.state.disk, &case.state.tree)?;
        }
        Ok(())
    }
}

/// So many numbers below an end, each once, or all there are.
fn drawn(dice: &mut Dice, count: usize, end: u64) -> BTreeSet<u64> {
    let mut drawn = BTreeSet::new();
    while drawn.len() < count && (drawn.len() as u64) < end {
        drawn.insert(dice.below(end));
    }
    drawn
}
