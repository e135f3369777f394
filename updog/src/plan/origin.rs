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

/// The origins of the blocks of the root that `tree` is over, where `in_place` says which of them the inactive set
/// has already and `running` knows the running root.
#[must_use]
pub fn of_root(tree: &HashTree, in_place: &[bool], running: &Lookup) -> Vec<Origin> {
    let mut origins = Vec::with_capacity(in_place.len());
    let mut near = 0;
    for index in 0..tree.data_blocks() {
        let right = usize::try_from(index).ok().and_then(|index| in_place.get(index)).copied();
        let leaf = tree.leaf(index).expect("the tree has a leaf for each of its blocks");
        // Where an image keeps its layout the block lies where it lay; behind a shift, right after the last one.
        let found = || running.find(&leaf, index).or_else(|| running.find(&leaf, near));
        origins.push(match right {
            Some(true) => Origin::InPlace,
            _ => match found().and_then(|at| u32::try_from(at).ok().map(|unit| (at, unit))) {
                Some((at, unit)) => {
                    near = at + 1;
                    Origin::Copy(unit)
                }
                None => Origin::Fetch,
            },
        });
    }
    origins
}

/// The origins of the frames of an image that has no tree, by the digest of each. `inactive` and `running` are the digests of what
/// lies at the place of each frame, as far as something lies there.
#[must_use]
pub fn of_frames<D: PartialEq + Ord>(wanted: &[D], inactive: &[D], running: &[D]) -> Vec<Origin> {
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
pub fn copies(origins: &[Origin], most: usize) -> impl Iterator<Item = Copies> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let is_copy = |origin: &Origin| matches!(origin, Origin::Copy(_));
        let to = at + origins.get(at..)?.iter().position(is_copy)?;
        let mut from: Vec<Range<u32>> = Vec::new();
        at = to;
        while let Some(Origin::Copy(unit)) = origins.get(at).filter(|_| at - to < most) {
            match from.last_mut() {
                Some(run) if run.end == *unit => run.end += 1,
                _ => from.push(*unit..*unit + 1),
            }
            at += 1;
        }
        Some(Copies { to, from })
    })
}
