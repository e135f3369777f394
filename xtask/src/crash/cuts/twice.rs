//! Two cuts: what the first one left boots and is told to do the same again, and all of that is cut as well.

use std::collections::HashSet;
use std::error::Error;

use testdata::BootBits;

use super::cases::Case;
use super::firmware::{bootable, waits};
use super::hands::{Memos, end_of};
use super::judge::{End, Expected, Promise};
use super::live::{Bench, Boot, Typed};
use super::published::Published;
use super::shapes::Shapes;
use super::stage::Played;
use super::tree::Hash;
use crate::crash::dice::Dice;

/// What is done after a first cut.
pub(super) struct Second {
    pub(super) played: Played,
    pub(super) expected: Expected,
}

/// First cuts after which the host is cut again, no two of which are known to do the same. They are drawn from all cases as these go
/// by: so many of those between sectors of the table and names, and so many of the others.
pub(super) struct Firsts {
    ways: HashSet<Hash>,
    bare: Drawn<Case>,
    others: Drawn<Case>,
}

struct Drawn<T> {
    limit: usize,
    seen: u64,
    kept: Vec<T>,
}

impl Firsts {
    pub(super) fn new([bare, others]: [usize; 2]) -> Self {
        let drawn = |limit| Drawn { limit, seen: 0, kept: Vec::new() };
        Self { ways: HashSet::new(), bare: drawn(bare), others: drawn(others) }
    }

    /// Takes what it draws of these, which were looked at.
    pub(super) fn draw(&mut self, cases: Vec<Case>, memos: &Memos, dice: &mut Dice) {
        for case in cases {
            // What is done without room is a story of its own.
            if !case.state.full && self.ways.insert(memos.way_on(&case.state)) {
                let drawn = if case.bare { &mut self.bare } else { &mut self.others };
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
        let mut all = self.bare.kept;
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
            let (_, came) = bench.go_on(&first.state, Boot::LostOnce, typed, published)?;
            Some(End { first_boot_lost: true, ..end_of(&first.state, &came, shapes) })
        }
        false => None,
    };
    let _same_as_ever = bench.go_on(&first.state, Boot::Uncut, typed, published)?;
    let played = Played::of(bench.off(&first.state), bench.dir(), &bench.record(), &[])?;
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
    expected.ends = expected.ends_after(first.ended).iter().cloned().chain(lost).collect();
    Ok(Second { played, expected })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_that_are_offered_are_kept_equally_often() {
        let mut often = [0; 10];
        let mut dice = Dice::new(1);
        for _ in 0..1000 {
            let mut drawn = Drawn { limit: 2, seen: 0, kept: Vec::new() };
            (0..often.len()).for_each(|one| drawn.offer(one, &mut dice));
            assert_eq!(drawn.kept.len(), 2);
            drawn.kept.into_iter().for_each(|one| often[one] += 1);
        }
        // 200 each, give or take four times what chance does.
        assert!(often.iter().all(|often| (150..250).contains(often)), "{often:?}");
    }
}
