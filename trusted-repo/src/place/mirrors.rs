//! The places of one repository, in the order in which they are tried.

use std::sync::{Mutex, MutexGuard};

use crate::place::source::{Place, Source};

/// A repository's metadata places in order, and the targets places that belong to them.
pub(crate) struct Places {
    pub(crate) metadata: Vec<Place>,
    pub(crate) targets: Vec<Place>,
}

impl Places {
    pub(crate) fn of(source: &Source) -> Self {
        let mirrors = source.mirrors.iter();
        let metadata = std::iter::once(&source.metadata_base_url)
            .chain(mirrors.clone().map(|mirror| &mirror.metadata_base_url));
        let targets =
            std::iter::once(&source.targets_base_url).chain(mirrors.map(|mirror| &mirror.targets_base_url));
        Self { metadata: metadata.map(Place::from).collect(), targets: targets.map(Place::from).collect() }
    }
}

/// Where targets are fetched from. A place that handed out wrong bytes goes to the end of the line, after a second turn
/// if those bytes were put together from parts.
#[derive(Debug)]
pub(crate) struct Mirrors {
    places: Vec<Place>,
    line: Mutex<Line>,
}

#[derive(Debug)]
struct Line {
    first: usize,
    manners: Vec<Manners>,
    /// How often somebody was blamed, and what came of the last time.
    blamed: u64,
    last: Turn,
}

/// How a place was asked.
#[derive(Debug, Clone, Copy, Default)]
struct Manners {
    /// A part from there was put to what came before, or from elsewhere.
    joined: bool,
    /// It is asked for whole objects only.
    in_one_piece: bool,
}

/// Whose turn it is after wrong bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The same place once more, without asking for parts: the parts may not have been of one object.
    SameInOnePiece,
    /// The next place.
    Next,
}

impl Mirrors {
    /// `places` has at least one; `first` is the number of the one to begin with.
    pub(crate) fn new(places: Vec<Place>, first: usize) -> Self {
        let manners = vec![Manners::default(); places.len()];
        Self { places, line: Mutex::new(Line { first, manners, blamed: 0, last: Turn::Next }) }
    }

    /// Each place once, the one to begin with first.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = (usize, &Place)> {
        let count = self.places.len();
        let first = self.line().first;
        (0..count).map(move |step| (first + step) % count).map(|number| (number, &self.places[number]))
    }

    /// Each place once, under its number.
    pub(crate) fn all(&self) -> impl Iterator<Item = (usize, &Place)> {
        self.places.iter().enumerate()
    }

    /// From now on the place with this number comes last, if it came first until now.
    pub(crate) fn pass_over(&self, number: usize) {
        self.line().pass_over(number);
    }

    /// Notes that a part from the place with this number was put to what came before.
    pub(crate) fn joined(&self, number: usize) {
        self.line().manners[number].joined = true;
    }

    /// Whether the place with this number is asked for whole objects only.
    pub(crate) fn in_one_piece(&self, number: usize) -> bool {
        self.line().manners[number].in_one_piece
    }

    /// How often somebody was blamed so far.
    pub(crate) fn blamed(&self) -> u64 {
        self.line().blamed
    }

    /// What came last from the place with this number turned out to be wrong. Says whose turn it is.
    pub(crate) fn blame(&self, number: usize) -> Turn {
        let mut line = self.line();
        line.blamed += 1;
        let manners = &mut line.manners[number];
        line.last = if std::mem::take(&mut manners.joined) && !manners.in_one_piece {
            manners.in_one_piece = true;
            line.first = number;
            Turn::SameInOnePiece
        } else {
            line.pass_over(number);
            Turn::Next
        };
        line.last
    }

    /// [`Mirrors::blame`], unless somebody was blamed since there were `before` of them: then that holds.
    pub(crate) fn blame_once(&self, number: usize, before: u64) -> Turn {
        if self.blamed() == before {
            return self.blame(number);
        }
        self.line().last
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().expect("no panic while held")
    }
}

impl Line {
    fn pass_over(&mut self, number: usize) {
        if self.first == number {
            self.first = (number + 1) % self.manners.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_passed_over_comes_last() {
        let mirrors = Mirrors::new(["/a", "/b", "/c"].map(|dir| Place::Directory(dir.into())).to_vec(), 1);
        let order = || mirrors.in_order().map(|(number, _)| number).collect::<Vec<_>>();
        assert_eq!(order(), [1, 2, 0]);
        mirrors.pass_over(0);
        assert_eq!(order(), [1, 2, 0], "it did not come first");
        mirrors.pass_over(1);
        assert_eq!(order(), [2, 0, 1]);
    }

    #[test]
    fn a_place_whose_parts_did_not_fit_has_one_more_turn_in_one_piece() {
        let mirrors = Mirrors::new(["/a", "/b"].map(|dir| Place::Directory(dir.into())).to_vec(), 0);
        let first = || mirrors.in_order().next().map(|(number, _)| number);
        mirrors.joined(1);
        let before = mirrors.blamed();
        assert_eq!(mirrors.blame(1), Turn::SameInOnePiece);
        assert_eq!(mirrors.blame_once(0, before), Turn::SameInOnePiece, "that was it already");
        assert_eq!((first(), mirrors.in_one_piece(1)), (Some(1), true), "even if another came first");
        mirrors.joined(1);
        assert_eq!(mirrors.blame_once(1, mirrors.blamed()), Turn::Next);
        assert_eq!(first(), Some(0));
        assert_eq!(mirrors.blame(0), Turn::Next, "nothing was put together there");
    }
}
