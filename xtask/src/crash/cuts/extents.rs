//! How far a run goes.

use super::measure::{ALL_SUBSETS, Few, Measure, Written};

/// How much of everything is tried.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Depth {
    /// Subsets of an epoch, and of an epoch of what is done after a first cut.
    pub(super) measures: [Measure; 2],
    /// So many different ways to go on from a state are gone to their end, in each story and after each first cut.
    pub(super) ends: usize,
    /// So many first cuts are followed by a second one, in each story: that lose nothing but sectors and links, and of the others.
    pub(super) firsts: [usize; 2],
    /// So many programs are killed in each story, and what follows so many of them is cut.
    pub(super) kills: [usize; 2],
}

/// As many as there are.
pub(super) const ALL: usize = usize::MAX;

impl Depth {
    /// What every change is tried with.
    pub(crate) const QUICK: Self = Self {
        measures: [first(5, Few::One, [32, 8]), second(4, [8, 2])],
        ends: 4,
        firsts: [1, 0],
        kills: [1, 0],
    };
    /// Where nothing else is asked for.
    pub(crate) const USUAL: Self = Self {
        measures: [first(5, Few::Two, [256, 64]), second(4, [16, 4])],
        ends: 6,
        firsts: [1, 1],
        kills: [4, 1],
    };
    /// What takes hours.
    pub(crate) const FULL: Self = Self {
        measures: [first(6, Few::Two, [6144, 64]), second(4, [16, 4])],
        ends: 6,
        firsts: [ALL, 1],
        kills: [4, 1],
    };
}

impl Depth {
    /// What each is about, with the figures of a quick, a usual and a full run.
    pub(crate) fn figures() -> [(&'static str, [String; 3]); 13] {
        let each = |of: fn(&Self) -> usize| {
            [Self::QUICK, Self::USUAL, Self::FULL].map(|depth| match of(&depth) {
                ALL => "all".to_owned(),
                count => count.to_string(),
            })
        };
        [
            ("every subset of up to so many things", each(|depth| depth.measures[0].all)),
            ("every subset where a store of settings is written", each(|depth| depth.measures[0].store)),
            (
                "of more, so many missing or alone where a store of settings is written",
                each(|depth| depth.measures[0].few(Written::Store) as usize),
            ),
            ("drawn subsets of more", each(|depth| depth.measures[0].draws(Written::Elsewhere))),
            (
                "drawn subsets where a store of settings is written",
                each(|depth| depth.measures[0].draws(Written::Store)),
            ),
            (
                "ways gone to their end in any case, in each story and after each first cut",
                each(|depth| depth.ends),
            ),
            (
                "first cuts in each story that lose sectors of the table and links alone",
                each(|depth| depth.firsts[0]),
            ),
            ("other first cuts in each story", each(|depth| depth.firsts[1])),
            ("programs that are killed in each story", each(|depth| depth.kills[0])),
            ("of these, where what follows is cut", each(|depth| depth.kills[1])),
            (
                "after those cuts and kills: every subset of up to so many things",
                each(|depth| depth.measures[1].all),
            ),
            (
                "after those cuts and kills: drawn subsets of more",
                each(|depth| depth.measures[1].draws(Written::Elsewhere)),
            ),
            (
                "after those cuts and kills: drawn subsets where a store of settings is written",
                each(|depth| depth.measures[1].draws(Written::Store)),
            ),
        ]
    }
}

const fn first(store: usize, store_few: Few, [drawn, store_drawn]: [usize; 2]) -> Measure {
    Measure { all: ALL_SUBSETS, store, few: Few::Two, store_few, drawn, store_drawn }
}

const fn second(all: usize, [drawn, store_drawn]: [usize; 2]) -> Measure {
    Measure { all, store: all, few: Few::None, store_few: Few::None, drawn, store_drawn }
}

/// What follows the name of a story where a program is killed in it; then comes after how many changes.
pub(super) const KILL: &str = ":kill";

/// What a run is about.
#[derive(Debug, Clone)]
pub(crate) struct Extents {
    pub(crate) depth: Depth,
    /// Whether each sync is forgotten as well, to see what needs it.
    pub(crate) syncs: bool,
    /// Whether mistakes are made as well.
    pub(crate) mistakes: bool,
    pub(crate) rng_seed: u64,
    /// Only stories whose name begins so.
    pub(crate) story: Option<String>,
    /// Only this state, whose host is then left.
    pub(crate) state: Option<String>,
    /// The mistake that is made on the way to it.
    pub(crate) mistake: Option<String>,
    pub(crate) json: bool,
}

impl Extents {
    /// Whether a state is to be run: it, or every one.
    pub(super) fn wants(&self, place: &str) -> bool {
        self.state.as_ref().is_none_or(|state| state == place)
    }

    /// The moment at which a program is killed in the one state, where it lies after one.
    pub(super) fn kill(&self) -> Option<u64> {
        let (_, moment) = self.state.as_ref()?.split_once(KILL)?;
        moment.split('/').next()?.parse().ok()
    }

    /// The one state, or the first cut before it.
    pub(super) fn first(&self) -> Option<&str> {
        let state = self.state.as_deref()?;
        Some(state.split_once('/').map_or(state, |(first, _)| first))
    }

    /// Whether what is done after this first cut is to be cut: when the one state lies there.
    pub(super) fn wants_below(&self, place: &str) -> bool {
        let first = self.state.as_ref().and_then(|state| state.split_once('/'));
        first.is_some_and(|(first, _)| first == place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_has_the_figures_of_each_depth() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/crash-consistency.md");
        let text = std::fs::read_to_string(path).expect("it lies beside this");
        for (what, [quick, usual, full]) in Depth::figures() {
            let row = format!("| {what} | {quick} | {usual} | {full} |");
            assert!(text.lines().any(|line| line == row), "{row}");
        }
    }
}
