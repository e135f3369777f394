//! How far a run goes.

use super::epochs::Measure;

/// How far a run goes.
#[derive(Debug, Clone)]
pub(crate) struct Extents {
    /// Subsets of an epoch, and of an epoch of what is done after a first cut.
    pub(crate) measures: [Measure; 2],
    /// So many different ways to go on from a state are gone to their end, in each story.
    pub(crate) ends: usize,
    /// So many first cuts are followed by a second one, in each story: between sectors and names, and of the others.
    pub(crate) firsts: [usize; 2],
    /// Whether each sync is forgotten as well, to see what needs it.
    pub(crate) syncs: bool,
    /// Whether mistakes are made as well.
    pub(crate) mistakes: bool,
    pub(crate) rng_seed: u64,
    /// Only stories whose name begins so.
    pub(crate) story: Option<String>,
    /// Only this state, whose host is then left.
    pub(crate) state: Option<String>,
    pub(crate) json: bool,
}

impl Extents {
    /// Whether a state is to be run: it, or every one.
    pub(super) fn wants(&self, place: &str) -> bool {
        self.state.as_ref().is_none_or(|state| state == place)
    }

    /// Whether what is done after this first cut is to be cut: when the one state lies there.
    pub(super) fn wants_below(&self, place: &str) -> bool {
        let first = self.state.as_ref().and_then(|state| state.split_once('/'));
        first.is_some_and(|(first, _)| first == place)
    }
}
