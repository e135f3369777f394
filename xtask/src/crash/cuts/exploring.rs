//! A story that was played, and is now cut.

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::sync::Mutex;

use testdata::World;

use super::cases::{Case, Cases, Making, Tables};
use super::controls::{self, CONTROLS, Mistake};
use super::extents::Extents;
use super::hands::{Memos, Reach, Shared};
use super::judge::{Expected, Invariant, Table};
use super::live::{Bench, State};
use super::published::Published;
use super::shapes::Shapes;
use super::stage::Played;
use super::story::Story;
use super::table::{Caught, Figures};
use super::tree::Hash;
use super::twice::{self, Firsts, Second};
use crate::crash::dice::Dice;

/// So many ways to go on are gone to their end for a mistake.
const CONTROL_ENDS: usize = 12;

/// Every state that was made so far, of all stories.
pub(super) type Known = Mutex<HashSet<Hash>>;

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
            figures: Figures { name: story.name.to_owned(), ..Figures::default() },
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
        let mut cases = Cases::of(&making, &played.read);
        let (mut distinct, reach) = (0, self.reach());
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
        let Second { played, expected } = twice::again(
            first,
            self.story.again,
            expected,
            self.published,
            self.shapes,
            &mut self.benches[0],
        )?;
        let name = format!("{}/", first.place);
        let making = self.making(&played, self.extents.depth.measures[1], &name);
        let mut cases = Cases::of(&making, &played.read);
        let (mut distinct, reach) = (0, self.reach());
        while let Some(mut batch) = self.next(&mut cases)? {
            distinct += self.fresh(&batch);
            self.look(&mut batch, &mut cases, &expected, reach)?;
        }
        self.figures.took_second(&cases.count, distinct);
        Ok(())
    }

    /// Makes the mistakes that belong to the story.
    pub(super) fn make_mistakes(
        &mut self,
        played: &Played,
        expected: &Expected,
    ) -> Result<(), Box<dyn Error>> {
        for control in CONTROLS.iter().filter(|control| control.story == self.story.name) {
            let caught = self.make_mistake(control.name, &control.mistake, played, expected)?;
            self.figures.controls.push(caught);
        }
        Ok(())
    }

    /// Forgets one sync after the other, and tells which promise needs it.
    pub(super) fn forget_syncs(
        &mut self,
        played: &Played,
        expected: &Expected,
    ) -> Result<(), Box<dyn Error>> {
        for name in controls::syncs(&played.read) {
            let mistake = Mistake::ForgetsOnly(name.to_owned());
            let caught = self.make_mistake(name, &mistake, played, expected)?;
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
        let unguarded = match mistake {
            Mistake::WithoutGuard(guard) => {
                let (medium, bench) = (played.at(0), &mut self.benches[0]);
                let state = State::new(medium.tree(&played.read.kinds), medium.disk, false, self.published);
                Some(Played::without_guard(self.story, guard, self.world, &state, bench)?)
            }
            _ => None,
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
        let mut cases = Cases::of(&making, &wrong);
        // What a mistake leaves is no verdict on states that are left without one.
        let memos = Memos::default();
        let reach = Reach { ends: [CONTROL_ENDS; 2], one_is_enough: true };
        let (mut states, mut by) = (0, None::<Invariant>);
        while let Some(mut batch) = self.next(&mut cases)?
            && by.is_none()
        {
            batch.retain(|case| !self.own.contains(&case.state.hash));
            states += batch.len();
            let shared = Shared::new(self.story.again, expected, self.published, self.shapes, reach, &memos);
            let caught = shared.work(&batch, &mut self.benches, self.extents.rng_seed)?.violations;
            let images = cases.broken.drain(..).map(|(_, one)| one.invariant);
            by = caught.into_iter().map(|one| one.invariant).chain(images).next();
        }
        Ok(Caught { name: name.to_owned(), states, by })
    }

    fn making<'b>(&self, played: &'b Played, measure: super::epochs::Measure, name: &'b str) -> Making<'b>
    where
        'a: 'b,
    {
        Making {
            name,
            base: &played.base,
            published: self.published,
            full: &played.full,
            milestones: &played.milestones,
            measure,
            rng_seed: self.extents.rng_seed,
        }
    }

    fn next(&mut self, cases: &mut Cases<'_>) -> Result<Option<Vec<Case>>, Box<dyn Error>> {
        cases.next(&mut Tables { bench: &mut self.benches[0], known: &mut self.tables })
    }

    /// How many of these no story before had.
    fn fresh(&self, cases: &[Case]) -> usize {
        let mut known = self.known.lock().expect("nobody panics while holding it");
        cases.iter().filter(|case| known.insert(case.state.hash)).count()
    }

    /// As far as what follows one cut is looked at: so many ways more than were gone before.
    fn reach(&self) -> Reach {
        Reach { ends: self.memos.ends().map(|gone| gone + self.extents.depth.ends), one_is_enough: false }
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
