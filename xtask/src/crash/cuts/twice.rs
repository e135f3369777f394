//! Two cuts: what the first one left boots and is told to do the same again, and all of that is cut as well. So is what
//! follows where a program was killed.

use std::collections::HashSet;
use std::error::Error;

use testdata::BootBits;

use super::cases::Case;
use super::firmware::{bootable, waits};
use super::going::{Came, Mishap, Typed};
use super::hands::{Memos, end_of};
use super::judge::{End, Expected, Promise};
use super::live::Bench;
use super::published::Published;
use super::shapes::Shapes;
use super::stage::Played;
use super::tree::Hash;
use crate::crash::dice::Dice;

/// What is done after a first cut, or around a program that is killed.
pub(super) struct Second {
    pub(super) played: Played,
    /// It is cut after so many steps, and no earlier.
    pub(super) from: usize,
    pub(super) expected: Expected,
}

/// First cuts after which the host is cut again, no two of which are known to do the same. They are drawn from all cases as these go
/// by: so many of those that have lost nothing but sectors of the table and links, and so many of the others.
pub(super) struct Firsts {
    switches: Drawn<Case>,
    others: Drawn<Case>,
}

struct Drawn<T> {
    limit: usize,
    ways: HashSet<Hash>,
    seen: u64,
    kept: Vec<T>,
}

impl Firsts {
    pub(super) fn new([switches, others]: [usize; 2]) -> Self {
        let drawn = |limit| Drawn { limit, ways: HashSet::new(), seen: 0, kept: Vec::new() };
        Self { switches: drawn(switches), others: drawn(others) }
    }

    /// Takes what it draws of these, which were looked at.
    pub(super) fn draw(&mut self, cases: Vec<Case>, memos: &Memos, dice: &mut Dice) {
        for case in cases {
            let drawn = if case.switch { &mut self.switches } else { &mut self.others };
            if drawn.ways.insert(memos.way_on(&case.state)) {
                drawn.offer(case, dice);
            }
        }
    }

    /// Takes these, whatever their ways are.
    pub(super) fn take(&mut self, cases: impl Iterator<Item = Case>) {
        self.others.kept.extend(cases);
    }

    /// All that were drawn.
    pub(super) fn all(self) -> Vec<Case> {
        let mut all = self.switches.kept;
        all.extend(self.others.kept);
        all
    }
}

impl<T> Drawn<T> {
    /// Each that was offered is kept with the same chance.
    fn offer(&mut self, one: T, dice: &mut Dice) {
        self.seen += 1;
        if self.kept.len() < self.limit {
            self.kept.push(one);
        } else if let Ok(place) = usize::try_from(dice.below(self.seen))
            && let Some(kept) = self.kept.get_mut(place)
        {
            *kept = one;
        }
    }
}

/// Lets a state go on, and says what has to hold whenever that is cut: what had to hold for the first cut, as long as
/// nobody has changed it since.
pub(super) fn again(
    first: &Case,
    typed: &[Typed],
    expected: &Expected,
    published: &Published,
    shapes: &Shapes,
    bench: &mut Bench,
) -> Result<Second, Box<dyn Error>> {
    // A set that was not proven before has one start. When that is cut off the other set runs, and whoever only asks
    // does not insist: that is an end of its own.
    let unproven = |bits: &BootBits| bootable(*bits) && !bits.successful;
    let lost = match first.table.bits.iter().any(unproven) {
        true => {
            let (_, came) = bench.go_on(&first.state, Mishap::BootLost, typed, published)?;
            Some(End { first_boot_lost: true, ..end_of(&first.state, &came, shapes) })
        }
        false => None,
    };
    let (_, came) = bench.go_on(&first.state, Mishap::Nothing, typed, published)?;
    let (mut played, turn) = played_on(first, &came, bench)?;
    if first.state.full {
        played.full = std::iter::once(0..turn).collect();
    }
    let mut expected = after(expected, first, &played);
    expected.ends = expected.ends_after(first.ended).iter().cloned().chain(lost).collect();
    Ok(Second { played, from: 0, expected })
}

/// A program that was killed, and what came of typing the same once more while the power stayed.
pub(super) struct Killed {
    pub(super) came: Came,
    /// What is cut of it: all from where somebody was killed.
    pub(super) second: Second,
}

/// Lets a state go on and kills whoever is about to make a change after so many others; `None` where there are not so many.
pub(super) fn kill(
    start: &Case,
    (typed, changes): (&[Typed], u64),
    expected: &Expected,
    published: &Published,
    bench: &mut Bench,
) -> Result<Option<Killed>, Box<dyn Error>> {
    let (_, came) = bench.go_on(&start.state, Mishap::Killed(changes), typed, published)?;
    if came.turn.spared.is_some() {
        return Ok(None);
    }
    let (played, from) = played_on(start, &came, bench)?;
    let expected = after(expected, start, &played);
    Ok(Some(Killed { came, second: Second { played, from, expected } }))
}

/// What a bench has just played, and after how many steps the way took its turn.
fn played_on(first: &Case, came: &Came, bench: &Bench) -> Result<(Played, usize), Box<dyn Error>> {
    let mut played = Played::of(bench.off(&first.state), bench.dir(), &bench.record(), &[came.turn.lines])?;
    // An act that had ended is none of these steps.
    let turn = played.milestones.pop().expect("one was asked for");
    Ok((played, turn))
}

/// What has to hold in the course of what was played on from a state.
fn after(expected: &Expected, first: &Case, played: &Played) -> Expected {
    let mut expected = expected.clone();
    expected.waited |= first.table.bits.iter().any(|bits| waits(*bits));
    for (path, contents) in played.trust() {
        expected.trust.entry(path).or_default().extend(contents);
    }
    let active = |promise: &&Promise| (promise.from..promise.until).contains(&first.step);
    let kept = expected.promises.iter().filter(active).map(|promise| Promise {
        from: 0,
        until: played.touched_after(0, &promise.path).unwrap_or(usize::MAX),
        ..promise.clone()
    });
    expected.promises = kept.collect();
    expected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_that_are_offered_are_kept_equally_often() {
        let mut often = [0; 10];
        let mut dice = Dice::new(1);
        for _ in 0..1000 {
            let mut drawn = Drawn { limit: 2, ways: HashSet::new(), seen: 0, kept: Vec::new() };
            (0..often.len()).for_each(|one| drawn.offer(one, &mut dice));
            assert_eq!(drawn.kept.len(), 2);
            drawn.kept.into_iter().for_each(|one| often[one] += 1);
        }
        // 200 each, give or take four times what chance does.
        assert!(often.iter().all(|often| (150..250).contains(often)), "{often:?}");
    }
}
