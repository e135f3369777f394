//! Where each block of an image comes from.

use std::ops::Range;

use serde::Serialize;
use verity::HashTree;

use super::lookup::Lookup;

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

/// The origins of all units of an image, in their order: four bytes for each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origins(Vec<u32>);

/// What stands for the origins that are no unit. So units that far away, at 16 TiB, are fetched.
const IN_PLACE: u32 = u32::MAX;
const FETCH: u32 = u32::MAX - 1;

impl Origin {
    fn pack(self) -> u32 {
        match self {
            Self::InPlace => IN_PLACE,
            Self::Copy(unit) => unit.min(FETCH),
            Self::Fetch => FETCH,
        }
    }

    fn unpack(packed: u32) -> Self {
        match packed {
            IN_PLACE => Self::InPlace,
            FETCH => Self::Fetch,
            unit => Self::Copy(unit),
        }
    }
}

impl Origins {
    /// As many units, all of the same origin.
    #[must_use]
    pub fn all(units: usize, origin: Origin) -> Self {
        Self(vec![origin.pack(); units])
    }

    /// How many units there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where a unit comes from; none past the last one.
    #[must_use]
    pub fn get(&self, unit: usize) -> Option<Origin> {
        self.0.get(unit).copied().map(Origin::unpack)
    }

    /// Changes where units come from, the first of them at `first`.
    ///
    /// # Panics
    /// When there are not as many.
    pub fn set(&mut self, first: usize, origins: &[Origin]) {
        let packed = &mut self.0[first..first + origins.len()];
        packed.iter_mut().zip(origins).for_each(|(packed, origin)| *packed = origin.pack());
    }

    /// Where each comes from, in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Origin> + '_ {
        self.0.iter().copied().map(Origin::unpack)
    }

    /// Units that are all in place, but for those that are fetched after all.
    #[must_use]
    pub fn fetched_again(units: usize, again: &[usize]) -> Self {
        let mut origins = Self::all(units, Origin::InPlace);
        for unit in again {
            origins.0[*unit] = FETCH;
        }
        origins
    }

    /// The frames of which a unit is fetched, by their number. With it comes all of them, so that nothing of them is copied.
    pub fn fetch_whole(&mut self, units_per_frame: usize) -> impl Iterator<Item = usize> + '_ {
        self.0.chunks_mut(units_per_frame.max(1)).enumerate().filter_map(|(frame, units)| {
            if !units.contains(&FETCH) {
                return None;
            }
            units.iter_mut().filter(|unit| **unit != IN_PLACE).for_each(|unit| *unit = FETCH);
            Some(frame)
        })
    }

    /// Whether some unit comes from there.
    #[must_use]
    pub fn any(&self, origin: Origin) -> bool {
        self.0.contains(&origin.pack())
    }
}

impl FromIterator<Origin> for Origins {
    fn from_iter<I: IntoIterator<Item = Origin>>(origins: I) -> Self {
        Self(origins.into_iter().map(Origin::pack).collect())
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

/// The origins of the blocks of the root that `tree` is over: those that are [in place](Origin::InPlace) already, and what
/// `running` knows of the rest.
#[must_use]
pub fn of_root(tree: &HashTree, mut origins: Origins, running: &Lookup) -> Origins {
    let mut near = 0;
    for (index, block) in origins.0.iter_mut().zip(0..) {
        if Origin::unpack(*index) == Origin::InPlace {
            continue;
        }
        let Some(leaf) = tree.leaf(block) else { continue };
        // Where an image keeps its layout the block lies where it lay; behind a shift, right after the last one.
        let found = running.find(&leaf, block).or_else(|| running.find(&leaf, near));
        *index = found.map_or(Origin::Fetch, Origin::Copy).pack();
        near = found.map_or(near, |unit| u64::from(unit) + 1);
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
    let mut at = 0;
    std::iter::from_fn(move || {
        let to = at + origins.0.get(at..)?.iter().position(|packed| *packed < FETCH)?;
        let mut from: Vec<Range<u32>> = Vec::new();
        at = to;
        while let Some(Origin::Copy(unit)) = origins.get(at).filter(|_| at - to < most) {
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

    #[test]
    fn what_is_too_far_away_for_a_number_is_fetched() {
        let far = [Origin::Copy(u32::MAX), Origin::Copy(u32::MAX - 1), Origin::Copy(u32::MAX - 2)];
        let packed = Origins::from_iter(far);
        assert!(packed.iter().eq([Origin::Fetch, Origin::Fetch, Origin::Copy(u32::MAX - 2)]));
    }

    fn any_origin() -> impl Strategy<Value = Origin> {
        prop_oneof![Just(Origin::InPlace), Just(Origin::Fetch), (0..FETCH).prop_map(Origin::Copy)]
    }

    proptest! {
        /// The model: a list of origins as they are.
        #[test]
        fn packed_origins_are_the_ones_that_were_packed(
            model in prop::collection::vec(any_origin(), 0..50),
            piece in prop::collection::vec(any_origin(), 0..50),
            first in 0usize..50,
        ) {
            let mut model = model;
            let mut packed = Origins::from_iter(model.iter().copied());
            let piece = &piece[..piece.len().min(model.len().saturating_sub(first))];
            if !piece.is_empty() {
                packed.set(first, piece);
                model[first..first + piece.len()].copy_from_slice(piece);
            }
            prop_assert_eq!((packed.len(), packed.is_empty()), (model.len(), model.is_empty()));
            prop_assert!(packed.iter().eq(model.iter().copied()));
            for (unit, origin) in model.iter().enumerate() {
                prop_assert_eq!(packed.get(unit), Some(*origin));
                prop_assert!(packed.any(*origin));
            }
            prop_assert_eq!(packed.get(model.len()), None);
            prop_assert_eq!(packed.any(Origin::Fetch), model.contains(&Origin::Fetch));
        }
    }
}
