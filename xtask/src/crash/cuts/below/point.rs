//! Which moments of a record are made disks of, and what a disk had kept by then.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::crash::dice::Dice;
use crate::vm::recording::Act;
use crate::vm::writes::{Record, Step};

/// Of so many writes every subset is made.
const ALL: usize = 4;
/// So many subsets of more are drawn.
const DRAWN: usize = 48;
/// For one in so many subsets there is another one in which only some of a write is kept.
const TORN: u64 = 4;

/// What became of a write that was not flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kept {
    Lost,
    Whole,
    /// Some of its sectors, or of its blocks where a file system is.
    Torn,
}

/// The power goes away when so many steps of a cycle had begun. All up to `durable` is on the medium, and of the writes after
/// that what is said of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Point {
    /// The act by whose promises it is judged.
    pub(super) act: usize,
    pub(super) durable: usize,
    pub(super) cut: usize,
    pub(super) kept: Vec<Kept>,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}-{}:", self.act, self.durable, self.cut)?;
        self.kept.iter().try_for_each(|kept| {
            f.write_str(match kept {
                Kept::Lost => "0",
                Kept::Whole => "1",
                Kept::Torn => "t",
            })
        })
    }
}

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let mut parts = text.split(':');
            let act = parts.next()?.parse().ok()?;
            let (durable, cut) = parts.next()?.split_once('-')?;
            let kept = parts.next()?.chars().map(|one| match one {
                '0' => Some(Kept::Lost),
                '1' => Some(Kept::Whole),
                't' => Some(Kept::Torn),
                _ => None,
            });
            let kept = kept.collect::<Option<_>>()?;
            Some(Self { act, durable: durable.parse().ok()?, cut: cut.parse().ok()?, kept })
        };
        parse().ok_or_else(|| {
            format!("read {text:?} as a point: one is ACT:STEP-STEP:KEPT, as a violation names it")
        })
    }
}

impl Point {
    /// The moment at which everything up to a step has landed.
    pub(super) fn whole(act: usize, record: &Record, cut: usize) -> Self {
        let durable = record.last_flush(cut).map_or(0, |at| at + 1);
        let kept = vec![Kept::Whole; writes(record, durable, cut).count()];
        Self { act, durable, cut, kept }
    }
}

/// The writes between two steps: each with its place in the record and its step.
pub(super) fn writes(record: &Record, from: usize, to: usize) -> impl Iterator<Item = Step> + '_ {
    record.steps[from..to].iter().copied().filter(|step| matches!(step, Step::Write { .. }))
}

/// A stretch of a record between two flushes, or up to the end of an act.
pub(super) struct Stretch {
    pub(super) act: usize,
    pub(super) durable: usize,
    pub(super) cut: usize,
    /// What may have been kept, in the order in which it is tried: nothing of it first.
    pub(super) candidates: Vec<Vec<Kept>>,
    /// So many different ones are wanted.
    pub(super) wanted: usize,
}

impl Stretch {
    pub(super) fn point(&self, kept: &[Kept]) -> Point {
        Point { act: self.act, durable: self.durable, cut: self.cut, kept: kept.to_vec() }
    }
}

/// Cuts the record of a cycle into stretches, act by act. What was under way when an act ended may be lost until it is
/// flushed: it belongs to the next act as well, which has the ended one's promises to keep.
pub(super) fn stretches(acts: &[(usize, &Act)], record: &Record, dice: &mut Dice) -> Vec<Stretch> {
    let mut stretches = Vec::new();
    for &(number, act) in acts {
        let mut durable = record.last_flush(act.from).map_or(0, |at| at + 1);
        let flushes = (act.from..act.to).filter(|&step| record.steps[step] == Step::Flush);
        for cut in flushes.chain([act.to]) {
            let under_way: Vec<bool> = writes(record, durable, cut)
                .map(|step| matches!(step, Step::Write { durable: true, .. }))
                .collect();
            let candidates = candidates(&under_way, dice);
            stretches.push(Stretch { act: number, durable, cut, candidates, wanted: 0 });
            durable = cut + 1;
        }
    }
    stretches
}

/// Says of how many candidates of each stretch points are made: one of each in any case, and then of one after the other
/// until there are enough.
pub(super) fn share_out(stretches: &mut [Stretch], points: usize) {
    for stretch in stretches.iter_mut() {
        stretch.wanted = 1;
    }
    let mut left = points.saturating_sub(stretches.len());
    while left > 0 {
        let mut given = false;
        for stretch in stretches.iter_mut().filter(|stretch| stretch.wanted < stretch.candidates.len()) {
            if left == 0 {
                return;
            }
            (stretch.wanted, left, given) = (stretch.wanted + 1, left - 1, true);
        }
        if !given {
            return;
        }
    }
}

/// Draws as many points as are wanted from those that are made, of every act about as many.
pub(super) fn draw(stretches: &[Stretch], acts: usize, wanted: usize, dice: &mut Dice) -> Vec<Point> {
    let mut left: Vec<Vec<Point>> = (0..acts)
        .map(|act| {
            let own = stretches.iter().filter(|stretch| stretch.act == act);
            own.flat_map(|stretch| {
                stretch.candidates.iter().take(stretch.wanted).map(|kept| stretch.point(kept))
            })
            .collect()
        })
        .collect();
    let mut drawn = Vec::new();
    while drawn.len() < wanted && left.iter().any(|points| !points.is_empty()) {
        for points in left.iter_mut().filter(|points| !points.is_empty()) {
            if drawn.len() < wanted {
                let place = usize::try_from(dice.below(points.len() as u64)).expect("an index");
                drawn.push(points.swap_remove(place));
            }
        }
    }
    drawn
}

/// What may have been kept of so many writes, some of which are durable by themselves.
fn candidates(durable: &[bool], dice: &mut Dice) -> Vec<Vec<Kept>> {
    let count = durable.len();
    let subset = |is_kept: &mut dyn FnMut(usize) -> bool| -> Vec<Kept> {
        let keep = |place| if durable[place] || is_kept(place) { Kept::Whole } else { Kept::Lost };
        (0..count).map(keep).collect()
    };
    let nothing = subset(&mut |_| false);
    let mut all: Vec<Vec<Kept>> = Vec::new();
    if count <= ALL {
        all.extend((1..1usize << count).map(|bits| subset(&mut |place| bits >> place & 1 == 1)));
    } else {
        all.extend((0..count).map(|lost| subset(&mut |place| place != lost)));
        all.extend((0..count).map(|alone| subset(&mut |place| place == alone)));
        all.extend((1..=count).map(|end| subset(&mut |place| place < end)));
        all.extend((0..DRAWN).map(|_| subset(&mut |_| dice.below(2) == 0)));
    }
    let torn: Vec<Vec<Kept>> = all.iter().filter_map(|kept| tear(kept, durable, dice)).collect();
    all.extend(torn);
    for index in (1..all.len()).rev() {
        let other = usize::try_from(dice.below(index as u64 + 1)).expect("an index");
        all.swap(index, other);
    }
    let mut known = BTreeSet::from([nothing.clone()]);
    all.retain(|kept| known.insert(kept.clone()));
    all.insert(0, nothing);
    all
}

/// The same with one of the writes torn, for some.
fn tear(kept: &[Kept], durable: &[bool], dice: &mut Dice) -> Option<Vec<Kept>> {
    let whole: Vec<usize> =
        (0..kept.len()).filter(|&place| kept[place] == Kept::Whole && !durable[place]).collect();
    if whole.is_empty() || dice.below(TORN) != 0 {
        return None;
    }
    let mut torn = kept.to_vec();
    torn[whole[usize::try_from(dice.below(whole.len() as u64)).expect("an index")]] = Kept::Torn;
    Some(torn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Kept::{Lost, Torn, Whole};

    #[test]
    fn a_point_is_read_as_it_was_told() {
        let point = Point { act: 3, durable: 17, cut: 22, kept: vec![Lost, Whole, Torn] };
        assert_eq!(point.to_string(), "3:17-22:01t");
        assert_eq!(point.to_string().parse(), Ok(point));
        for wrong in ["", "3", "3:17:01", "3:17-22:012", "x:17-22:0"] {
            assert!(wrong.parse::<Point>().unwrap_err().contains("as a point"), "{wrong}");
        }
    }

    #[test]
    fn few_writes_are_kept_in_every_subset_and_one_that_is_durable_always_is() {
        let whole = |durable: &[bool]| {
            let mut all = candidates(durable, &mut Dice::new(1));
            assert!(all[0].iter().zip(durable).all(|(kept, durable)| (*kept == Whole) == *durable));
            all.retain(|kept| !kept.contains(&Torn));
            all.sort();
            all
        };
        assert_eq!(whole(&[false, false]), [[Lost, Lost], [Lost, Whole], [Whole, Lost], [Whole, Whole]]);
        assert_eq!(whole(&[true, false]), [[Whole, Lost], [Whole, Whole]]);
        assert_eq!(whole(&[]), [vec![]]);
    }

    #[test]
    fn of_many_writes_each_is_lost_and_alone_once_and_none_comes_twice() {
        let all = candidates(&[false; 20], &mut Dice::new(7));
        let count = |kept: &[Kept], what| kept.iter().filter(|one| **one == what).count();
        assert_eq!(all.iter().filter(|kept| count(kept, Lost) == 1 && count(kept, Torn) == 0).count(), 20);
        assert_eq!(all.iter().filter(|kept| count(kept, Whole) == 1 && count(kept, Torn) == 0).count(), 20);
        assert!(all.iter().any(|kept| kept.contains(&Torn)));
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        assert_eq!(all, candidates(&[false; 20], &mut Dice::new(7)));
    }

    #[test]
    fn every_stretch_has_a_point_and_the_rest_goes_round() {
        let stretch = |count: usize| Stretch {
            act: 0,
            durable: 0,
            cut: 0,
            candidates: vec![Vec::new(); count],
            wanted: 0,
        };
        let mut stretches = [stretch(1), stretch(2), stretch(9)];
        share_out(&mut stretches, 8);
        assert_eq!(stretches.each_ref().map(|stretch| stretch.wanted), [1, 2, 5]);
        stretches[2].act = 1;
        let drawn = draw(&stretches, 2, 4, &mut Dice::new(1));
        assert_eq!(drawn.iter().map(|point| point.act).collect::<Vec<_>>(), [0, 1, 0, 1]);
        assert_eq!(draw(&stretches, 2, 100, &mut Dice::new(1)).len(), 8);
        share_out(&mut stretches, 100);
        assert_eq!(stretches.each_ref().map(|stretch| stretch.wanted), [1, 2, 9]);
        share_out(&mut stretches, 0);
        assert_eq!(stretches.each_ref().map(|stretch| stretch.wanted), [1, 1, 1]);
    }
}
