//! States become hosts, several at a time.

use std::collections::HashSet;
use std::error::Error;
use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use testdata::Set;

use super::cases::Case;
use super::firmware::bootable;
use super::going::{Came, Mishap, Seen, Typed};
use super::judge::{self, Broken, End, Expected, Invariant};
use super::live::{Bench, State};
use super::memo::Memo;
use super::published::Published;
use super::shapes::Shapes;
use super::table::{Found, Violation};
use super::tree::{Hash, changed};
use crate::crash::dice::Dice;

/// One in so many shared verdicts is run for real all the same.
const PROVEN: u64 = 200;
/// How a person goes back.
pub(super) const BACK: &[Typed] = &[("updog", &["rollback"])];

/// How far a look at the states of a story goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach {
    /// So many different ways to go on from a state are gone to their end, the same again and back; more only where a boot
    /// shows what none of these has shown.
    pub(super) ends: [usize; 2],
    /// Where the same is typed again in every state, unless a way like its own was gone.
    pub(super) everywhere: Everywhere,
    /// Whether the first violation is enough.
    pub(super) one_is_enough: bool,
}

/// Which states all are gone to their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Everywhere {
    /// None for what they are.
    Nowhere,
    /// Those that have lost nothing but sectors of the table and links: each is then cut again.
    AtSwitches,
    /// Those between sectors and names.
    WhereBare,
}

impl Everywhere {
    const fn has(self, case: &Case) -> bool {
        match self {
            Self::Nowhere => false,
            Self::AtSwitches => case.switch,
            Self::WhereBare => case.bare,
        }
    }
}

/// Verdicts that states of a story share, also those that a second cut left.
#[derive(Default)]
pub(super) struct Memos {
    seen: Mutex<Memo<Seen>>,
    again: Mutex<Ways>,
    back: Mutex<Ways>,
}

/// Ways that were gone to their end.
#[derive(Default)]
struct Ways {
    memo: Memo<Came>,
    /// What their first boots have shown: where another end is to be expected.
    shown: HashSet<String>,
}

impl Memos {
    /// How many ways were gone to their end so far: the same again, and back.
    pub(super) fn ends(&self) -> [usize; 2] {
        [&self.again, &self.back].map(|ways| ways.lock().expect("nobody panics while holding it").memo.len())
    }

    /// What tells two states apart to a host that goes on from them: states with the same answer do the same.
    pub(super) fn way_on(&self, state: &State) -> Hash {
        let again = self.again.lock().expect("nobody panics while holding it");
        again.memo.key(state).unwrap_or(state.hash)
    }
}

/// What a boot of a state shows, and what came of going on from there, where that was done.
type Shown = (Arc<Seen>, Option<Arc<Came>>);

/// What all hands share.
pub(super) struct Shared<'a> {
    pub(super) again: &'a [Typed],
    pub(super) expected: &'a Expected,
    pub(super) published: &'a Published,
    pub(super) shapes: &'a Shapes,
    /// How far it goes.
    pub(super) reach: Reach,
    pub(super) memos: &'a Memos,
    next: AtomicUsize,
    over: AtomicBool,
    found: Mutex<Found>,
}

/// The end that a state comes to.
pub(super) fn end_of(state: &State, came: &Came, shapes: &Shapes) -> End {
    let tree = changed(&state.tree, &came.delta);
    End {
        first_boot_lost: false,
        code: came.code(),
        judged: judge::is_judged(&tree),
        version: came.booted.version.clone(),
        settings: came.settings.clone(),
        bits: came.bits,
        classes: came.classes.clone(),
        tree: shapes.of(&tree),
    }
}

impl<'a> Shared<'a> {
    pub(super) fn new(
        again: &'a [Typed],
        expected: &'a Expected,
        published: &'a Published,
        shapes: &'a Shapes,
        reach: Reach,
        memos: &'a Memos,
    ) -> Self {
        Self {
            again,
            expected,
            published,
            shapes,
            reach,
            memos,
            next: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            found: Mutex::default(),
        }
    }

    /// Looks at all cases, with as many hands as there are benches.
    pub(super) fn work(
        self,
        cases: &[Case],
        benches: &mut [Bench],
        seed: u64,
    ) -> Result<Found, Box<dyn Error>> {
        let failed = std::thread::scope(|scope| {
            let shared = &self;
            let work = |(hand, bench)| scope.spawn(move || shared.hand(cases, bench, seed + hand));
            let hands: Vec<_> = (0..).zip(benches).map(work).collect();
            let ends = hands.into_iter().map(|hand| hand.join().expect("a hand does not panic"));
            ends.filter_map(Result::err).next()
        });
        match failed {
            Some(error) => Err(error.into()),
            None => Ok(self.found.into_inner()?),
        }
    }

    fn hand(&self, cases: &[Case], bench: &mut Bench, seed: u64) -> Result<(), String> {
        let mut dice = Dice::new(seed);
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let over = self.over.load(Ordering::Relaxed);
            let Some(case) = cases.get(number).filter(|_| !over) else { return Ok(()) };
            self.one(case, bench, &mut dice)
                .map_err(|error| format!("run the state {}: {error}", case.place))?;
        }
    }

    fn one(&self, case: &Case, bench: &mut Bench, dice: &mut Dice) -> Result<(), Box<dyn Error>> {
        let broken = judge::of_medium(&case.state, case.step, case.table, self.expected);
        self.note(case, broken, &[Invariant::Whole, Invariant::Trust, Invariant::Kept, Invariant::Table]);
        let again = if self.reach.everywhere.has(case) { usize::MAX } else { self.reach.ends[0] };
        let (seen, came) = self.go_on(case, bench, (&self.memos.again, again), self.again, dice)?;
        let broken = judge::of_seen(&case.state, &seen, self.expected);
        self.note(case, broken, &[Invariant::Boots, Invariant::Settings, Invariant::Truth]);
        if let Some(came) = came {
            let end = end_of(&case.state, &came, self.shapes);
            let broken = judge::of_the_same_again(&came, &end, (case.ended, case.table), self.expected);
            self.note(case, broken, &[Invariant::Again]);
        }
        // The other set is proven: whoever wants to go back to it can.
        let other = seen.booted.set.map(|set| case.table.bits[usize::from(set == Set::A)]);
        if other.is_some_and(|bits| bootable(bits) && bits.successful)
            && let (_, Some(came)) =
                self.go_on(case, bench, (&self.memos.back, self.reach.ends[1]), BACK, dice)?
        {
            let broken = judge::of_the_way_back(&case.state, &came, self.expected);
            self.note(case, broken, &[Invariant::WayBack]);
        }
        Ok(())
    }

    /// What a boot of a state shows, and what comes of going on from there to the end: where a way like it was gone, where
    /// not enough were, or where no way was gone from what it shows.
    fn go_on(
        &self,
        case: &Case,
        bench: &mut Bench,
        (ways, ends): (&Mutex<Ways>, usize),
        typed: &[Typed],
        dice: &mut Dice,
    ) -> Result<Shown, Box<dyn Error>> {
        let ways = || ways.lock().expect("nobody panics while holding it");
        let known = ways().memo.find(&case.state);
        if let Some(known) = known {
            if dice.below(PROVEN) == 0 {
                let (_, real) = bench.go_on(&case.state, Mishap::Nothing, typed, self.published)?;
                self.proven(real.agrees(&known), &real, &known)?;
            }
            return Ok((Arc::new(known.seen.clone()), Some(known)));
        }
        let seen = self.look(case, bench, dice)?;
        let wanted = {
            let mut ways = ways();
            ways.shown.insert(seen.shown()) || ways.memo.len() < ends
        };
        if !wanted {
            return Ok((seen, None));
        }
        let (looks, came) = bench.go_on(&case.state, Mishap::Nothing, typed, self.published)?;
        self.found().runs += 1;
        Ok((seen, Some(ways().memo.keep(&case.state, looks, came))))
    }

    /// Lets a state boot and looks at it.
    fn look(&self, case: &Case, bench: &mut Bench, dice: &mut Dice) -> Result<Arc<Seen>, Box<dyn Error>> {
        let memo = || self.memos.seen.lock().expect("nobody panics while holding it");
        let known = memo().find(&case.state);
        if let Some(known) = known {
            if dice.below(PROVEN) == 0 {
                let (_, real) = bench.look(&case.state)?;
                self.proven(real.agrees(&known), &real, &known)?;
            }
            return Ok(known);
        }
        let (looks, seen) = bench.look(&case.state)?;
        self.found().runs += 1;
        Ok(memo().keep(&case.state, looks, seen))
    }

    fn proven(&self, agrees: bool, real: &impl Debug, known: &impl Debug) -> Result<(), String> {
        self.found().proven += 1;
        if agrees { Ok(()) } else { Err(format!("a shared verdict does not hold: {real:?}, {known:?}")) }
    }

    fn note(&self, case: &Case, broken: Vec<Broken>, looked: &[Invariant]) {
        let mut found = self.found();
        for invariant in looked {
            *found.checks.entry(*invariant).or_default() += 1;
        }
        if self.reach.one_is_enough && !broken.is_empty() {
            self.over.store(true, Ordering::Relaxed);
        }
        found.violations.extend(broken.into_iter().map(|one| Violation {
            invariant: one.invariant,
            state: case.place.clone(),
            how: one.how,
        }));
    }

    fn found(&self) -> std::sync::MutexGuard<'_, Found> {
        self.found.lock().expect("nobody panics while holding it")
    }
}
