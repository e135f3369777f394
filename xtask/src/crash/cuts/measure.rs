//! How many subsets of an epoch are made, and how much of it these are.

/// Up to so many independent things, every subset of them is a state of its own.
pub(super) const ALL_SUBSETS: usize = 12;

/// How many subsets of an epoch are made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measure {
    /// Of up to so many things that are under way, every subset. Of [`ALL_SUBSETS`], where they are sectors and names
    /// outside stores of settings.
    pub(super) all: usize,
    /// The same of epochs in which a store of settings is written: nearly each of their states is run for itself.
    pub(super) store: usize,
    /// Of more: how many at most are missing, or alone. Where any are, so is every subset of sectors and links, with all else
    /// there.
    pub(super) few: Few,
    /// The same where a store of settings is written.
    pub(super) store_few: Few,
    /// Of more: so many that are drawn.
    pub(super) drawn: usize,
    /// The same where a store of settings is written.
    pub(super) store_drawn: usize,
}

/// How many things are missing while all else is there, or there while all else is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Few {
    /// Such subsets are not made.
    None,
    /// Each one.
    One,
    /// Each one and each pair.
    Two,
}

/// Where an epoch writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// In a store of settings, perhaps elsewhere, too.
    Store,
    /// Nowhere in one.
    Elsewhere,
}

impl Measure {
    /// How few are missing, or alone.
    pub(super) const fn few(&self, written: Written) -> Few {
        match written {
            Written::Store => self.store_few,
            Written::Elsewhere => self.few,
        }
    }

    /// How many subsets are drawn.
    pub(super) const fn draws(&self, written: Written) -> usize {
        match written {
            Written::Store => self.store_drawn,
            Written::Elsewhere => self.drawn,
        }
    }
}

/// How much of an epoch was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Every subset.
    All,
    /// Prefixes, losses, survivors, pairs, and subsets that were drawn.
    Drawn,
}
