//! Which frames have to be fetched, and what is copied beside them.

use std::fmt;
use std::ops::Range;

use super::origin::{Bytes, Origin, Origins};

/// How an image is cut: its units into frames, and its bytes into units.
#[derive(Debug, Clone, Copy)]
pub struct Cut<'a> {
    /// Bytes of the image.
    pub image_len: u64,
    /// Bytes of a unit; the last one may have fewer.
    pub unit_len: u64,
    /// Units of a frame; the last one may have fewer.
    pub units_per_frame: usize,
    /// What each frame weighs.
    pub lengths: &'a dyn Lengths,
}

/// What the frames of an image weigh.
pub trait Lengths: fmt::Debug {
    /// Bytes of a frame that there is, compressed.
    fn length(&self, frame: usize) -> u64;
}

/// An image as the parts that it is put together from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// Where each unit comes from.
    pub origins: Origins,
    /// The frames to fetch: runs of neighbours.
    pub runs: Vec<Range<usize>>,
    /// What that makes in bytes.
    pub bytes: Bytes,
}

impl Parts {
    /// The parts of an image of which each unit comes from `origins`: every frame that has a unit which is nowhere on
    /// this disk is fetched, and no other. What such a frame brings besides is taken from it rather than copied.
    #[must_use]
    pub fn of(mut origins: Origins, cut: &Cut<'_>) -> Self {
        let runs = origins.fetch_whole(cut.units_per_frame);
        let fetch = runs.iter().cloned().flatten().map(|frame| cut.lengths.length(frame)).sum();
        let bytes = Bytes { fetch, ..count(&origins, cut.image_len, cut.unit_len) };
        Self { origins, runs, bytes }
    }

    /// The parts of an image that is all on this disk, by units of `unit_len` bytes.
    #[must_use]
    pub fn of_disk(origins: Origins, image_len: u64, unit_len: u64) -> Self {
        let bytes = count(&origins, image_len, unit_len);
        Self { origins, runs: Vec::new(), bytes }
    }

    /// The parts that come when `rotten` units, which were to be copied, turn out to be something else: those alone.
    #[must_use]
    pub fn instead_of(rotten: &[usize], cut: &Cut<'_>) -> Self {
        let units = usize::try_from(cut.image_len.div_ceil(cut.unit_len.max(1))).unwrap_or(usize::MAX);
        Self::of(Origins::fetched_again(units, rotten), cut)
    }
}

/// What is copied, left alone and written of an image with these origins.
#[must_use]
pub fn count(origins: &Origins, image_len: u64, unit_len: u64) -> Bytes {
    let mut bytes = Bytes::default();
    let mut left = image_len;
    for origin in origins.iter() {
        let len = unit_len.min(left);
        left -= len;
        match origin {
            Origin::InPlace => bytes.skip += len,
            Origin::Copy(_) => {
                bytes.copy += len;
                bytes.write += len;
            }
            Origin::Fetch => bytes.write += len,
        }
    }
    bytes
}

/// Cuts runs of frames so that none weighs more than `most` bytes, except one that is a single frame.
pub fn in_pieces(runs: &[Range<usize>], lengths: &dyn Lengths, most: u64) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    for run in runs {
        let mut start = run.start;
        let mut weight = 0u64;
        for frame in run.clone() {
            let length = lengths.length(frame);
            if frame > start && weight + length > most {
                pieces.push(start..frame);
                (start, weight) = (frame, 0);
            }
            weight += length;
        }
        pieces.push(start..run.end);
    }
    pieces
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "one run of frames is what is meant")]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use verity::{BLOCK_SIZE, HashTree, Salt, TreeBuilder};

    use super::*;
    use crate::look::plan::origin::{self, Copies};
    use crate::look::plan::running_root::Lookup;

    impl Lengths for Vec<u32> {
        fn length(&self, frame: usize) -> u64 {
            self[frame].into()
        }
    }

    /// A block is told by one byte here; 0 is the block of zeros.
    fn tree(blocks: &[u8]) -> HashTree {
        let mut builder = TreeBuilder::new(Salt::new(*b"salt").unwrap(), [1; 16]);
        for block in blocks {
            builder.push(&[*block; BLOCK_SIZE]).unwrap();
        }
        HashTree::parse(&builder.finish().bytes).unwrap()
    }

    fn lengths(frames: usize) -> Vec<u32> {
        (0..frames).map(|frame| 100 + u32::try_from(frame).unwrap()).collect()
    }

    /// The plan of `new` over what the disk holds.
    fn planned(new: &[u8], inactive: &[u8], running: &[u8], per_frame: usize) -> (Parts, Vec<u32>) {
        let tree = tree(new);
        let right = |at, block: &u8| inactive.get(at) == Some(block);
        let origin = |(at, block)| if right(at, block) { Origin::InPlace } else { Origin::Fetch };
        let in_place = new.iter().enumerate().map(origin).collect();
        let salt = &tree.superblock().salt;
        let lookup = Lookup::over(running.iter().map(|block| salt.digest(&[*block; BLOCK_SIZE])));
        let lengths = lengths(new.len().div_ceil(per_frame));
        let (image_len, unit_len) = (tree.data_len(), BLOCK_SIZE as u64);
        let cut = Cut { image_len, unit_len, units_per_frame: per_frame, lengths: &lengths };
        (Parts::of(origin::of_root(&tree, &in_place, &lookup), &cut), lengths)
    }

    #[test]
    fn frames_side_by_side_are_one_run_and_runs_are_cut_by_weight() {
        let (parts, lengths) = planned(&[9, 1, 1, 9, 9, 1, 1, 1], &[], &[1], 2);
        assert_eq!(parts.runs, [0..3]);
        assert_eq!(parts.bytes.fetch, 100 + 101 + 102);
        assert_eq!(in_pieces(&parts.runs, &lengths, 201), [0..2, 2..3]);
        assert_eq!(in_pieces(&parts.runs, &lengths, 1), [0..1, 1..2, 2..3]);
        assert!(in_pieces(&[], &lengths, 1).is_empty());
    }

    #[test]
    fn copies_are_cut_where_the_new_image_has_a_gap_and_where_they_are_long() {
        use Origin::{Copy, Fetch, InPlace};
        let origins = [Copy(5), Copy(6), Copy(2), InPlace, Copy(3), Fetch, Copy(4), Copy(5), Copy(6)];
        let origins = Origins::from_iter(origins);
        let found: Vec<Copies> = origin::copies(&origins, 2).collect();
        let copies = |to, from: &[Range<u32>]| Copies { to, from: from.to_vec() };
        assert_eq!(
            found,
            [
                copies(0, &[5..7]),
                copies(2, &[2..3]),
                copies(4, &[3..4]),
                copies(6, &[4..6]),
                copies(8, &[6..7])
            ]
        );
        assert_eq!(origin::copies(&origins, 9).next(), Some(copies(0, &[5..7, 2..3])));
    }

    #[test]
    fn rotten_units_bring_their_frames_and_write_nothing_else() {
        let lengths = lengths(3);
        let cut = Cut { image_len: 5 * 4096, unit_len: 4096, units_per_frame: 2, lengths: &lengths };
        let parts = Parts::instead_of(&[3, 4], &cut);
        assert_eq!(parts.runs, [1..3]);
        assert_eq!(parts.bytes, Bytes { fetch: 203, copy: 0, skip: 3 * 4096, write: 2 * 4096 });
    }

    #[test]
    fn a_boot_image_goes_by_the_digests_of_its_frames() {
        use Origin::{Copy, Fetch, InPlace};
        let origins = origin::of_frames(&["a", "b", "c", "d", "c"], &["a", "x"], &["c", "d", "b", "a"]);
        assert!(origins.iter().eq([InPlace, Copy(2), Copy(0), Copy(1), Copy(0)]));
        assert!(origin::of_frames(&["a", "b"], &[], &["b"]).iter().eq([Fetch, Copy(0)]));
    }

    proptest! {
        #[test]
        fn a_plan_makes_the_new_image_from_as_few_frames_as_can_be(
            new in prop::collection::vec(0u8..12, 2..120),
            inactive in prop::collection::vec(0u8..16, 0..130),
            running in prop::collection::vec(0u8..10, 0..130),
            keep in prop::collection::vec(any::<bool>(), 120),
            per_frame in 1usize..20,
            most in 1usize..9,
        ) {
            // Some of the inactive set is right.
            let mut inactive = inactive;
            for (at, block) in inactive.iter_mut().enumerate() {
                if keep.get(at) == Some(&true) && at < new.len() {
                    *block = new[at];
                }
            }
            let (parts, lengths) = planned(&new, &inactive, &running, per_frame);

            // Carried out on bytes, it gives exactly the new image and never writes what is right.
            let mut set = inactive.clone();
            set.resize(set.len().max(new.len()), 255);
            let mut writes = 0;
            let mut put = |at: usize, block: u8| {
                assert_ne!(set[at], block, "block {at} was right already");
                set[at] = block;
                writes += 1;
            };
            for copies in origin::copies(&parts.origins, most) {
                prop_assert!(copies.len() <= most && !copies.is_empty());
                let units = copies.from.iter().cloned().flatten();
                for (at, unit) in (copies.to..).zip(units) {
                    put(at, running[unit as usize]);
                }
            }
            let pieces = in_pieces(&parts.runs, &lengths, 250);
            let frames: Vec<usize> = pieces.iter().cloned().flatten().collect();
            for frame in &frames {
                for (at, block) in new.iter().enumerate().skip(frame * per_frame).take(per_frame) {
                    if parts.origins.is_fetched(at) {
                        put(at, *block);
                    }
                }
            }
            prop_assert_eq!(&set[..new.len()], &new[..]);
            prop_assert_eq!(&set[new.len()..], inactive.get(new.len()..).unwrap_or_default());
            prop_assert_eq!(parts.bytes.write, writes * 4096);

            // A frame is fetched exactly if one of its blocks is nowhere on the disk.
            let nowhere = |at: &usize| inactive.get(*at) != Some(&new[*at]) && !running.contains(&new[*at]);
            let needed: BTreeSet<usize> = (0..new.len()).filter(nowhere).map(|at| at / per_frame).collect();
            prop_assert_eq!(frames.iter().copied().collect::<BTreeSet<_>>(), needed);
            let weight: u64 = frames.iter().map(|frame| u64::from(lengths[*frame])).sum();
            prop_assert_eq!(parts.bytes.fetch, weight);
            let Bytes { copy, skip, write, .. } = parts.bytes;
            prop_assert_eq!(skip + write, new.len() as u64 * 4096);
            prop_assert!(copy <= write);
        }
    }
}
