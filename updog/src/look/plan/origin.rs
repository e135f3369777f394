//! Where each block of an image comes from.

use std::ops::Range;

use serde::Serialize;
use verity::HashTree;

use super::bits::Bits;
use super::running_root::Lookup;

/// Where one unit of an image comes from: a block of root, a frame of boot. A unit of zeros is like any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It is right in the inactive set already.
    InPlace,
    /// The running set has it, as this unit.
    Copy(u32),
    /// The repository has it.
    Fetch,
}

/// The origins of all units of an image, in their order: a quarter of a byte for each, and four for each that is copied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origins {
    fetch: Bits,
    copy: Bits,
    /// From where, for each that is copied.
    from: Vec<u32>,
}

impl Origins {
    /// As many units, all of which are fetched.
    #[must_use]
    pub fn all_fetched(units: usize) -> Self {
        let mut origins = Self { fetch: Bits::none(units), copy: Bits::none(units), from: Vec::new() };
        (0..units).for_each(|unit| origins.fetch.set(unit, true));
        origins
    }

    /// Units that are all in place, but for those that are fetched after all.
    #[must_use]
    pub fn fetched_again(units: usize, again: &[usize]) -> Self {
        let mut origins = Self { fetch: Bits::none(units), copy: Bits::none(units), from: Vec::new() };
        again.iter().for_each(|unit| origins.fetch.set(*unit, true));
        origins
    }

    /// A unit that was to be fetched is in place already.
    pub fn found_in_place(&mut self, unit: usize) {
        self.fetch.set(unit, false);
    }

    fn push(&mut self, origin: Origin) {
        self.fetch.push(origin == Origin::Fetch);
        self.copy.push(matches!(origin, Origin::Copy(_)));
        if let Origin::Copy(unit) = origin {
            self.from.push(unit);
        }
    }

    /// How many units there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fetch.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fetch.is_empty()
    }

    /// Whether a unit is fetched.
    #[must_use]
    pub fn is_fetched(&self, unit: usize) -> bool {
        self.fetch.get(unit)
    }

    /// Whether a unit is in place.
    #[must_use]
    pub fn is_in_place(&self, unit: usize) -> bool {
        unit < self.len() && !self.fetch.get(unit) && !self.copy.get(unit)
    }

    /// How many bytes from the first one on are in place, where units are blocks.
    #[must_use]
    pub fn in_place_from_the_start(&self) -> u64 {
        let blocks = (0..self.len()).take_while(|unit| self.is_in_place(*unit)).count();
        (blocks * verity::BLOCK_SIZE) as u64
    }

    /// Whether any unit is fetched.
    #[must_use]
    pub fn any_fetched(&self) -> bool {
        self.fetch.count() > 0
    }

    /// Where each comes from, in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Origin> + '_ {
        let mut from = self.from.iter();
        (0..self.len()).map(move |unit| match () {
            () if self.fetch.get(unit) => Origin::Fetch,
            () if self.copy.get(unit) => Origin::Copy(*from.next().expect("each copy comes from somewhere")),
            () => Origin::InPlace,
        })
    }

    /// Fetches all of a frame where one of its units is fetched, so that nothing of it is copied. Gives these frames, as runs of
    /// neighbours.
    pub fn fetch_whole(&mut self, units_per_frame: usize) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        let (mut next, mut kept) = (0, 0);
        for (frame, first) in (0..self.len()).step_by(units_per_frame.max(1)).enumerate() {
            let units = first..self.len().min(first + units_per_frame.max(1));
            let is_fetched = units.clone().any(|unit| self.fetch.get(unit));
            for unit in units {
                if !self.copy.get(unit) {
                    continue;
                }
                if is_fetched {
                    self.copy.set(unit, false);
                    self.fetch.set(unit, true);
                } else {
                    self.from[kept] = self.from[next];
                    kept += 1;
                }
                next += 1;
            }
            match runs.last_mut() {
                _ if !is_fetched => {}
                Some(run) if run.end == frame => run.end += 1,
                _ => runs.push(frame..frame + 1),
            }
        }
        self.from.truncate(kept);
        runs
    }
}

impl FromIterator<Origin> for Origins {
    fn from_iter<I: IntoIterator<Item = Origin>>(origins: I) -> Self {
        let mut all = Self::default();
        origins.into_iter().for_each(|origin| all.push(origin));
        all
    }
}

/// Bytes by where they come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Bytes {
    /// From the repository, as it sends them.
    #[serde(rename = "fetch_bytes")]
    pub fetch: u64,
    /// From the running set.
    #[serde(rename = "copy_bytes")]
    pub copy: u64,
    /// Right where they are.
    #[serde(rename = "skip_bytes")]
    pub skip: u64,
    /// Into the inactive set: what is copied, and what is fetched and decoded.
    #[serde(rename = "write_bytes")]
    pub write: u64,
}

/// The origins of the blocks of the root that `tree` is over: those that are in place already, and what `running` knows of
/// the rest.
#[must_use]
pub fn of_root(tree: &HashTree, in_place: &Origins, running: &Lookup) -> Origins {
    let mut near = 0;
    let mut origins = Origins::default();
    // No more than these, and room for them that is never used is none.
    origins.from.reserve_exact(in_place.fetch.count());
    for ((block, leaf), known) in (0..).zip(tree.leaves()).zip(in_place.iter()) {
        // Where an image keeps its layout the block lies where it lay; behind a shift, right after the last one.
        let found = || running.find(&leaf, block).or_else(|| running.find(&leaf, near));
        let copied = if known == Origin::Fetch { found() } else { None };
        near = copied.map_or(near, |unit| u64::from(unit) + 1);
        origins.push(copied.map_or(known, Origin::Copy));
    }
    origins
}

/// The origins of the frames of an image that has no tree, by the digest of each. `inactive` and `running` are the digests of what
/// lies at the place of each frame, as far as something lies there.
#[must_use]
pub fn of_frames<D: PartialEq + Ord>(wanted: &[D], inactive: &[D], running: &[D]) -> Origins {
    let mut known: Vec<(&D, u32)> = running.iter().zip(0..).collect();
    known.sort_unstable();
    let origin = |(index, digest): (usize, &D)| {
        if inactive.get(index) == Some(digest) {
            return Origin::InPlace;
        }
        let at = known.partition_point(|(other, _)| *other < digest);
        known
            .get(at)
            .filter(|(other, _)| *other == digest)
            .map_or(Origin::Fetch, |(_, unit)| Origin::Copy(*unit))
    };
    wanted.iter().enumerate().map(origin).collect()
}

/// Blocks to copy that lie side by side in the new image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copies {
    /// The first of them, in the new image.
    pub to: usize,
    /// Where they lie in the running one, in order: runs of units.
    pub from: Vec<Range<u32>>,
}

impl Copies {
    /// How many units it is.
    #[must_use]
    pub fn len(&self) -> usize {
        self.from.iter().map(ExactSizeIterator::len).sum()
    }

    /// Whether it is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.from.is_empty()
    }
}

/// All that is to copy, cut into pieces of at most `most` units.
pub fn copies(origins: &Origins, most: usize) -> impl Iterator<Item = Copies> + '_ {
    let (mut at, mut sources) = (0, origins.from.iter());
    std::iter::from_fn(move || {
        let to = (at..origins.len()).find(|unit| origins.copy.get(*unit))?;
        let mut from: Vec<Range<u32>> = Vec::new();
        at = to;
        while at - to < most && origins.copy.get(at) {
            let unit = *sources.next().expect("each copy comes from somewhere");
            match from.last_mut() {
                Some(run) if run.end == unit => run.end += 1,
                _ => from.push(unit..unit + 1),
            }
            at += 1;
        }
        Some(Copies { to, from })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_origin() -> impl Strategy<Value = Origin> {
        prop_oneof![Just(Origin::InPlace), Just(Origin::Fetch), any::<u32>().prop_map(Origin::Copy)]
    }

    proptest! {
        /// The model: a list of origins as they are.
        #[test]
        fn packed_origins_are_the_ones_that_were_packed(
            model in prop::collection::vec(any_origin(), 0..200),
            per_frame in 1usize..9,
        ) {
            let mut packed = Origins::from_iter(model.iter().copied());
            prop_assert_eq!((packed.len(), packed.is_empty()), (model.len(), model.is_empty()));
            prop_assert!(packed.iter().eq(model.iter().copied()));
            for (unit, origin) in model.iter().enumerate() {
                prop_assert_eq!(packed.is_fetched(unit), *origin == Origin::Fetch);
                prop_assert_eq!(packed.is_in_place(unit), *origin == Origin::InPlace);
            }
            prop_assert!(!packed.is_fetched(model.len()) && !packed.is_in_place(model.len()));
            prop_assert_eq!(packed.any_fetched(), model.contains(&Origin::Fetch));

            let runs = packed.fetch_whole(per_frame);
            let (mut whole, mut fetched) = (Vec::new(), Vec::new());
            for (number, frame) in model.chunks(per_frame).enumerate() {
                let is_fetched = frame.contains(&Origin::Fetch);
                fetched.extend(is_fetched.then_some(number));
                let origin = |origin: &Origin| match origin {
                    Origin::Copy(_) if is_fetched => Origin::Fetch,
                    other => *other,
                };
                whole.extend(frame.iter().map(origin));
            }
            prop_assert!(packed.iter().eq(whole));
            prop_assert_eq!(runs.iter().cloned().flatten().collect::<Vec<_>>(), fetched);
            prop_assert!(runs.windows(2).all(|pair| pair[0].end < pair[1].start));
        }

        #[test]
        fn what_is_found_in_place_or_fetched_again_is_said_of_its_unit(
            units in 1usize..200,
            places in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let places: Vec<usize> = places.iter().map(|place| place.index(units)).collect();
            let mut found = Origins::all_fetched(units);
            places.iter().for_each(|unit| found.found_in_place(*unit));
            let again = Origins::fetched_again(units, &places);
            for unit in 0..units {
                prop_assert_eq!(found.is_in_place(unit), places.contains(&unit));
                prop_assert_eq!(again.is_fetched(unit), places.contains(&unit));
                prop_assert!(found.is_fetched(unit) != found.is_in_place(unit));
                prop_assert!(again.is_fetched(unit) != again.is_in_place(unit));
            }
        }
    }
}
