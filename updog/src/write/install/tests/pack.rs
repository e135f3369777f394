//! Stories of images that are made by a pack: cut at every group and frame, with a running image that rots, and on disks
//! that fail.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::Arc;

use blocks::Level;
use blocks::pack::{GROUP_LEN, Image, PackOptions, make};
use signpost::Role;
use testdata::noise;
use verity::BLOCK_SIZE;

use super::frames::Frames;
use super::{ENOSPC, Fault, FaultyDisk, Shared, target, tree_over};
use crate::tell::events::Events;
use crate::wait::Waiter;
use crate::write::install::pack::base::{Partition, Running};
use crate::write::install::pack::header::{Between, Unusable, VerifiedPack};
use crate::write::install::pack::{Applied, InPlace, apply, look};
use crate::write::install::{Crew, Error, VerifiedTree};

/// Blocks of the images: several groups, and the last one is no whole one.
const BLOCKS: usize = 5 * 128 + 37;

/// Two root images, and the pack that leads from one to the other.
struct Release {
    old: Vec<u8>,
    new: Vec<u8>,
    trees: [Arc<VerifiedTree>; 2],
    pack: VerifiedPack,
    frames: Frames,
}

impl Release {
    /// New blocks in every group but the third, which is only copied.
    fn new() -> Self {
        let old = noise(3, BLOCKS * BLOCK_SIZE);
        let mut new = old.clone();
        for group in [0, 1, 3, 4, 5] {
            let at = group * GROUP_LEN + 9 * BLOCK_SIZE;
            new[at..at + 4 * BLOCK_SIZE].copy_from_slice(&old[at + 5..at + 4 * BLOCK_SIZE + 5]);
        }
        let trees = [tree_over(&old), tree_over(&new)];
        let mut body = Vec::new();
        let options = PackOptions {
            span_blocks: 4,
            prefix_blocks: 512,
            level: Level::new(3).unwrap(),
            threads: NonZeroUsize::MIN,
        };
        let header = {
            let (old, new) = (&old[..], &new[..]);
            let image = |data, tree: &'static VerifiedTree| Image {
                data,
                len: (BLOCKS * BLOCK_SIZE) as u64,
                tree: Some(tree.tree()),
            };
            let [old_tree, new_tree] = trees.clone().map(|tree| &*Box::leak(Box::new(tree)));
            let (old, new) = (image(&old as &dyn blocks::pack::ReadAt, old_tree), image(&new, new_tree));
            make(&old, &new, &options, &mut body, &mut |_| ControlFlow::Continue(())).unwrap()
        };
        assert!(header.spans.len() >= 5, "{}", header.spans.len());
        let [running, wanted] = trees.each_ref().map(|tree| tree.root_hash());
        let signed = ("body", body.len() as u64);
        let pack = VerifiedPack::of(Role::Root, header, signed, Between { running, wanted }).unwrap();
        let frames = Frames { data: body, fetched: Arc::default(), most: usize::MAX };
        Self { old, new, trees, pack, frames }
    }

    /// Looks at `inactive` and applies the pack to it, as one run does.
    fn run(&self, inactive: &Arc<FaultyDisk>, running: &Arc<FaultyDisk>) -> Result<Applied, Error> {
        let (waiter, events) = (Waiter::new().unwrap(), Events::silent());
        let crew = Crew::new(&waiter, &events);
        let (running, hash) = (Shared(Arc::clone(running)), healthy(self.trees[0].raw().to_vec()));
        let hash = Shared(hash);
        let (running, hash) = (Partition(&running), Partition(&hash));
        let base = Running::open(&self.pack, &running, &hash).unwrap();
        let there = look(&Shared(Arc::clone(inactive)), &self.pack, crew)?;
        apply(&self.pack, there, &base, &target(Role::Root, inactive), &self.frames, crew)
    }

    fn fetched(&self) -> usize {
        self.frames.fetched.lock().unwrap().len()
    }

    fn assert_whole(&self, disk: &FaultyDisk, there: InPlace) {
        assert!(disk.bytes()[..self.new.len()] == self.new, "the image differs");
        assert!(
            disk.bytes()[self.new.len()..].iter().all(|byte| *byte == 0xa5),
            "something was written behind it"
        );
        let hash_image = there.into_hash_image().expect("all groups are in place");
        assert!(hash_image == self.trees[1].raw(), "the hash image differs");
    }

    /// How many groups of the image lie in a disk.
    fn groups_in(&self, disk: &FaultyDisk) -> usize {
        let there = disk.bytes();
        self.new
            .chunks(GROUP_LEN)
            .zip(there.chunks(GROUP_LEN))
            .filter(|(new, there)| there.starts_with(new))
            .count()
    }
}

fn healthy(bytes: Vec<u8>) -> Arc<FaultyDisk> {
    FaultyDisk::new(bytes, Fault::None)
}

fn empty() -> Vec<u8> {
    vec![0xa5; (BLOCKS + 10) * BLOCK_SIZE]
}

#[test]
fn a_pack_makes_the_image_and_its_hash_image_and_a_second_run_has_nothing_to_do() {
    let release = Release::new();
    let (inactive, running) = (healthy(empty()), healthy(release.old.clone()));
    let applied = release.run(&inactive, &running).unwrap();
    assert!(applied.failed.is_none() && applied.there.has_all());
    assert_eq!(applied.tally.written, release.new.len() as u64);
    assert_eq!(applied.tally.copied, (release.new.len() - 20 * BLOCK_SIZE) as u64);
    let before = release.fetched();
    assert_eq!(before, 5, "a span that is only copied has no frame");
    release.assert_whole(&inactive, applied.there);
    let again = release.run(&inactive, &running).unwrap();
    assert_eq!((again.tally.written, release.fetched()), (0, before));
    release.assert_whole(&inactive, again.there);
}

#[test]
fn an_older_image_that_lies_there_is_made_use_of() {
    let release = Release::new();
    let mut older = empty();
    older[..release.old.len()].copy_from_slice(&release.old);
    let (inactive, running) = (healthy(older), healthy(release.old.clone()));
    let applied = release.run(&inactive, &running).unwrap();
    assert_eq!(applied.tally.written, (release.new.len() - GROUP_LEN) as u64, "group 2 was there");
    release.assert_whole(&inactive, applied.there);
}

#[test]
fn a_run_that_ends_at_any_group_leaves_what_the_next_one_need_not_do() {
    let groups = BLOCKS.div_ceil(128);
    for group in 0..groups {
        let release = Release::new();
        let running = healthy(release.old.clone());
        let at = (group * GROUP_LEN) as u64;
        let full = FaultyDisk::new(empty(), Fault::Write(at, ENOSPC));
        let error = release.run(&full, &running).unwrap_err();
        assert!(matches!(error, Error::Write { offset, .. } if offset == at), "{group}: {error}");
        let (there, before) = (release.groups_in(&full), release.fetched());
        assert!(there < groups);
        let inactive = healthy(full.bytes());
        let applied = release.run(&inactive, &running).unwrap();
        let left = (release.new.len() as u64).div_ceil(GROUP_LEN as u64) - there as u64;
        assert_eq!(applied.tally.written.div_ceil(GROUP_LEN as u64), left, "{group}");
        assert!(release.fetched() - before <= groups - there, "{group}");
        release.assert_whole(&inactive, applied.there);
    }
}

#[test]
fn a_network_that_ends_at_any_frame_costs_no_frame_twice_that_was_written() {
    for frames in 0..5 {
        let mut release = Release::new();
        let (inactive, running) = (healthy(empty()), healthy(release.old.clone()));
        release.frames.most = frames;
        let error = release.run(&inactive, &running).unwrap_err();
        assert!(matches!(error, Error::Source { image: Role::Root, .. }), "{error}");
        release.frames.most = usize::MAX;
        let there = release.groups_in(&inactive);
        let before = release.fetched();
        let applied = release.run(&inactive, &running).unwrap();
        assert!(release.fetched() - before <= 5 - there.saturating_sub(1), "{frames}");
        release.assert_whole(&inactive, applied.there);
    }
}

#[test]
fn what_rots_in_the_running_image_is_named_and_its_groups_are_left_out() {
    let release = Release::new();
    let mut rotten = release.old.clone();
    // A block of group 2, which is only copied.
    rotten[(2 * 128 + 5) * BLOCK_SIZE] ^= 1;
    let (inactive, running) = (healthy(empty()), healthy(rotten));
    let applied = release.run(&inactive, &running).unwrap();
    let failed = applied.failed.expect("one group cannot be built");
    assert_eq!((failed.groups, failed.rotten), (1, true), "{}", failed.why);
    assert!(failed.why.contains("block 261 of the base"), "{}", failed.why);
    assert!(!applied.there.has_all() && !applied.there.has(2));
    assert!(
        inactive.bytes()[2 * GROUP_LEN..3 * GROUP_LEN].iter().all(|byte| *byte == 0xa5),
        "nothing was written"
    );
    assert_eq!(release.groups_in(&inactive), 5);
    assert!(applied.there.into_hash_image().is_none());
}

#[test]
fn a_running_image_that_cannot_be_read_is_rotten_and_a_frame_that_was_changed_is_not() {
    let mut release = Release::new();
    let unreadable = FaultyDisk::new(release.old.clone(), Fault::Read(2 * GROUP_LEN as u64));
    let applied = release.run(&healthy(empty()), &unreadable).unwrap();
    assert!(applied.failed.is_some_and(|failed| failed.rotten));
    let running = healthy(release.old.clone());
    release.frames.data[10] ^= 1;
    let applied = release.run(&healthy(empty()), &running).unwrap();
    let failed = applied.failed.expect("its frame is not what was signed");
    assert!(!failed.rotten && failed.why.contains("not what was signed"), "{}", failed.why);
    assert_eq!(failed.groups, 1);
}

#[test]
fn a_pack_for_something_else_is_not_used() {
    let release = Release::new();
    let header = release.pack.header();
    let len = release.frames.data.len() as u64;
    let [old, new] = release.trees.each_ref().map(|tree| tree.root_hash());
    let of = |image, signed, running, wanted| {
        VerifiedPack::of(image, header.clone(), ("body", signed), Between { running, wanted }).err()
    };
    assert!(of(Role::Root, len, old, new).is_none());
    assert!(matches!(of(Role::Root, len, new, new), Some(Unusable::Base { base, .. }) if base == old));
    assert!(matches!(of(Role::Root, len, old, old), Some(Unusable::Leads { to, .. }) if to == new));
    assert!(matches!(of(Role::Boot, len, old, new), Some(Unusable::Kind)));
    assert!(matches!(of(Role::Root, len - 1, old, new), Some(Unusable::Body { .. })));
    // A partition that is too small is told before anything is written.
    let small = healthy(vec![0; release.new.len() - BLOCK_SIZE]);
    let (waiter, events) = (Waiter::new().unwrap(), Events::silent());
    let crew = Crew::new(&waiter, &events);
    let (running, hash) =
        (Shared(healthy(release.old.clone())), Shared(healthy(release.trees[0].raw().to_vec())));
    let (running, hash) = (Partition(&running), Partition(&hash));
    let base = Running::open(&release.pack, &running, &hash).unwrap();
    let there = look(&Shared(healthy(empty())), &release.pack, crew).unwrap();
    let refused = apply(&release.pack, there, &base, &target(Role::Root, &small), &release.frames, crew);
    assert!(matches!(refused, Err(Error::NoFit { .. })), "{refused:?}");
}
