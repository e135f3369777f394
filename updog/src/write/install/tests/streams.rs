//! A release that comes as streams.

use std::io::{self, Read};
use std::sync::{Arc, mpsc};

use host_io::{Advise as _, Disk, Medium};
use proptest::prelude::*;
use signpost::Role;
use testdata::noise;
use verity::BLOCK_SIZE;

use super::{EIO, ENOSPC, Fault, FaultyDisk, Image, Shared, said, target, tree_over};
use crate::tell::events::Events;
use crate::wait::Waiter;
use crate::write::install::durable::Synced;
use crate::write::install::plain::{write_boot, write_hash, write_root};
use crate::write::install::stream::RawImage;
use crate::write::install::target::{RootWritten, Tally};
use crate::write::install::{Crew, Error, PIECE, ReadBack, VerifiedTree, scan};

const BLOCK: u64 = BLOCK_SIZE as u64;
/// More than two pieces, and no whole number of them.
const ROOT_BLOCKS: usize = 2 * PIECE / BLOCK_SIZE + 37;
/// No whole number of blocks.
const BOOT_LEN: usize = PIECE + 5 * BLOCK_SIZE + 100;

/// The three images of a release.
struct Release {
    boot: Vec<u8>,
    root: Vec<u8>,
    tree: Arc<VerifiedTree>,
}

impl Release {
    fn new(seed: u64) -> Self {
        let root = noise(seed, ROOT_BLOCKS * BLOCK_SIZE);
        Self { boot: noise(seed + 1, BOOT_LEN), tree: tree_over(&root), root }
    }
}

/// The three partitions of a set, each larger than its image and full of something else.
struct Set {
    boot: Arc<FaultyDisk>,
    root: Arc<FaultyDisk>,
    hash: Arc<FaultyDisk>,
}

impl Set {
    fn new(faults: [(Role, Fault); 1]) -> Self {
        let disk = |role: Role, len: usize| {
            let fault = faults.iter().find(|(at, _)| *at == role).map_or(Fault::None, |(_, fault)| *fault);
            FaultyDisk::new(vec![0xa5; len], fault)
        };
        Self {
            boot: disk(Role::Boot, BOOT_LEN + 3 * BLOCK_SIZE),
            root: disk(Role::Root, (ROOT_BLOCKS + 2) * BLOCK_SIZE),
            hash: disk(Role::Hash, 16 * BLOCK_SIZE),
        }
    }

    fn healthy() -> Self {
        Self::new([(Role::Boot, Fault::None)])
    }

    fn install(&self, release: &Release) -> Result<ReadBack, Error> {
        let (waiter, events) = (Waiter::new().unwrap(), Events::silent());
        let crew = Crew::new(&waiter, &events);
        let boot = write_boot(target(Role::Boot, &self.boot), Image::signed(&release.boot), crew)?;
        let root = self.write_root(release, Image::signed(&release.root), crew)?;
        let hash = write_hash(target(Role::Hash, &self.hash), &release.tree, crew)?;
        Synced::new(boot, root, hash, crew)?.read_back(crew)
    }

    fn write_root(&self, release: &Release, image: Image, crew: Crew<'_>) -> Result<RootWritten, Error> {
        let root = target(Role::Root, &self.root);
        let origins = scan::blocks_in_place(&*root.disk, release.tree.tree(), crew)?;
        write_root(root, &release.tree, &origins, image, crew)
    }
}

#[test]
fn a_release_is_written_and_read_back_and_past_it_boot_is_zero_and_the_others_are_untouched() {
    let (set, release) = (Set::healthy(), Release::new(1));
    let proof = set.install(&release).unwrap();
    let images =
        [(&set.boot, &release.boot[..]), (&set.root, &release.root), (&set.hash, release.tree.raw())];
    let mut total = 0;
    for (number, (disk, image)) in images.into_iter().enumerate() {
        let bytes = disk.bytes();
        assert_eq!(&bytes[..image.len()], image);
        let behind = if number == 0 { 0 } else { 0xa5 };
        assert!(bytes[image.len()..].iter().all(|byte| *byte == behind));
        total += if number == 0 { bytes.len() } else { image.len() } as u64;
    }
    assert_eq!(proof.tally(), Tally { written: total, copied: 0, skipped: 0 });
    assert_eq!(proof.medium(), Medium::Device);
}

#[test]
fn what_is_right_already_is_not_written_again() {
    let (set, release) = (Set::healthy(), Release::new(1));
    set.install(&release).unwrap();
    let total = (release.boot.len() + release.root.len() + release.tree.raw().len()) as u64;
    assert_eq!(set.install(&release).unwrap().tally(), Tally { written: 0, copied: 0, skipped: total });
    set.root.cache.lock().unwrap()[9 * BLOCK_SIZE] ^= 1;
    set.root.medium.lock().unwrap()[9 * BLOCK_SIZE] ^= 1;
    assert_eq!(
        set.install(&release).unwrap().tally(),
        Tally { written: BLOCK, copied: 0, skipped: total - BLOCK }
    );
}

#[test]
fn a_skipped_block_that_is_not_on_the_medium_is_found() {
    let (set, release) = (Set::healthy(), Release::new(1));
    set.install(&release).unwrap();
    set.root.medium.lock().unwrap()[9 * BLOCK_SIZE] ^= 1;
    let error = set.install(&release).unwrap_err();
    assert!(said(&error).contains("read-back differs at offset 36864"), "{}", said(&error));
}

#[test]
fn a_block_that_the_tree_does_not_name_never_reaches_the_disk() {
    let (set, mut release) = (Set::healthy(), Release::new(1));
    let index = PIECE / BLOCK_SIZE + 3;
    release.root[index * BLOCK_SIZE + 17] ^= 0x40;
    let error = set.install(&release).unwrap_err();
    assert_eq!(error.code(), "tampered");
    assert!(said(&error).contains(&format!("check block {index}")), "{}", said(&error));
    assert!(set.root.bytes()[index * BLOCK_SIZE..][..BLOCK_SIZE].iter().all(|byte| *byte == 0xa5));
}

#[test]
fn a_root_image_that_is_shorter_or_longer_than_its_tree_is_refused() {
    let release = Release::new(1);
    let longer = [&release.root[..], &[0; BLOCK_SIZE]].concat();
    let ragged = [&release.root[..], &[0; 7]].concat();
    for root in [
        &release.root[..release.root.len() - BLOCK_SIZE],
        &release.root[..release.root.len() - 7],
        &longer,
        &ragged,
        &[],
    ] {
        let set = Set::healthy();
        let release =
            Release { root: root.to_vec(), boot: release.boot.clone(), tree: Arc::clone(&release.tree) };
        let error = set.install(&release).unwrap_err();
        assert!(matches!(error, Error::Length { image: Role::Root, .. }), "{error}");
        assert_eq!(error.code(), "tampered");
    }
}

#[test]
fn a_byte_past_the_partition_stops_the_write() {
    let (set, mut release) = (Set::healthy(), Release::new(1));
    release.boot = noise(5, usize::try_from(set.boot.len()).unwrap() + 1);
    let error = set.install(&release).unwrap_err();
    assert_eq!(error.code(), "no_fit");
    assert!(said(&error).contains("more than the partition's"), "{}", said(&error));
    release.boot.pop();
    set.install(&release).unwrap();
}

#[test]
fn images_that_cannot_fit_are_known_before_anything_is_written() {
    let tree = tree_over(&noise(3, 40 * BLOCK_SIZE));
    let disk = |blocks: usize| Shared(FaultyDisk::new(vec![0; blocks * BLOCK_SIZE], Fault::None));
    tree.check_fit(&disk(40), &disk(2)).unwrap();
    let error = tree.check_fit(&disk(39), &disk(2)).unwrap_err();
    assert!(
        matches!(error, Error::NoFit { image: Role::Root, need: Some(163_840), have: 159_744 }),
        "{error}"
    );
    let error = tree.check_fit(&disk(40), &disk(1)).unwrap_err();
    assert!(matches!(error, Error::NoFit { image: Role::Hash, .. }), "{error}");
}

#[test]
fn a_stream_whose_end_does_not_agree_is_no_image() {
    let (set, release) = (Set::healthy(), Release::new(1));
    let (waiter, events) = (Waiter::new().unwrap(), Events::silent());
    let crew = Crew::new(&waiter, &events);
    let result = set.write_root(&release, Image::tampered(&release.root), crew);
    let Err(error) = result else { panic!("its end did not agree") };
    assert_eq!(error.code(), "tampered");
    let image = Image::tampered(&release.boot);
    let result = write_boot(target(Role::Boot, &set.boot), image, crew);
    assert!(matches!(result, Err(Error::Source { image: Role::Boot, .. })));
    assert!(set.boot.bytes().iter().all(|byte| *byte == 0), "of what was wrong nothing is left");
}

#[test]
fn behind_a_boot_image_nothing_of_an_earlier_one_is_left_and_that_is_read_back() {
    let (set, release) = (Set::healthy(), Release::new(1));
    let longer = Release { boot: noise(4, release.boot.len() + BLOCK_SIZE + 9), ..Release::new(1) };
    set.install(&longer).unwrap();
    set.install(&release).unwrap();
    let len = release.boot.len();
    assert_eq!(set.boot.bytes()[..len], release.boot);
    assert!(set.boot.bytes()[len..].iter().all(|byte| *byte == 0));
    // Zeros are not written again, and a block that the medium has not taken is found.
    assert_eq!(set.install(&release).unwrap().tally().written, 0);
    let at = len.next_multiple_of(BLOCK_SIZE) + BLOCK_SIZE;
    set.boot.medium.lock().unwrap()[at] ^= 1;
    let error = set.install(&release).unwrap_err();
    assert!(said(&error).contains(&format!("read-back differs at offset {at}")), "{}", said(&error));
}

#[test]
fn a_write_that_stops_short_names_device_and_offset() {
    let at = PIECE as u64 + 2 * BLOCK;
    for (role, errno) in [(Role::Boot, EIO), (Role::Root, EIO), (Role::Root, ENOSPC)] {
        let set = Set::new([(role, Fault::Write(at, errno))]);
        let error = set.install(&Release::new(1)).unwrap_err();
        assert_eq!(error.code(), "disk");
        assert!(
            said(&error).contains(&format!("write the {role} image to /dev/vda-{role}")),
            "{}",
            said(&error)
        );
        assert!(said(&error).contains("os error"), "{}", said(&error));
    }
}

#[test]
fn a_failed_sync_is_seen() {
    for role in Role::ALL {
        let error = Set::new([(role, Fault::Sync)]).install(&Release::new(1)).unwrap_err();
        assert!(matches!(error, Error::Sync { image, .. } if image == role), "{error}");
        assert_eq!(error.code(), "disk");
    }
}

#[test]
fn a_lying_write_is_found_by_the_read_back() {
    for (role, at) in
        [(Role::Boot, PIECE as u64 + 4097), (Role::Root, 2 * PIECE as u64 + 5), (Role::Hash, 9000)]
    {
        let error = Set::new([(role, Fault::Lie(at))]).install(&Release::new(2)).unwrap_err();
        let Error::Differs { image, offset, .. } = error else { panic!("{error}") };
        assert_eq!((image, offset), (role, at / BLOCK * BLOCK));
    }
}

#[test]
fn a_block_that_cannot_be_read_back_is_not_taken_for_right() {
    let error = Set::new([(Role::Hash, Fault::ReadBack(4096))]).install(&Release::new(1)).unwrap_err();
    assert!(matches!(error, Error::ReadBack { image: Role::Hash, .. }), "{error}");
}

#[test]
fn an_old_block_that_cannot_be_read_is_simply_written() {
    let set = Set::new([(Role::Root, Fault::Read(70_000))]);
    let release = Release::new(1);
    set.install(&release).unwrap();
    assert_eq!(&set.root.bytes()[..release.root.len()], &release.root);
}

#[test]
fn a_stop_ends_a_write_even_while_the_network_is_silent() {
    /// Says that it was asked, and then never answers.
    struct Silent(mpsc::Sender<()>, mpsc::Receiver<()>);
    impl Read for Silent {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            self.0.send(()).unwrap();
            let _until_the_test_is_over = self.1.recv();
            Ok(0)
        }
    }
    impl RawImage for Silent {
        fn finish(self) -> Result<(), trusted_repo::Error> {
            Ok(())
        }
    }
    let (waiter, events, set) = (Waiter::new().unwrap(), Events::silent(), Set::healthy());
    let (asked, was_asked) = mpsc::channel();
    let (_answer, never) = mpsc::channel();
    let result = std::thread::scope(|scope| {
        let waiter = &waiter;
        scope.spawn(move || {
            was_asked.recv().unwrap();
            waiter.stop();
        });
        write_boot(target(Role::Boot, &set.boot), Silent(asked, never), Crew::new(waiter, &events))
    });
    assert!(matches!(result, Err(Error::Stopped(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn exactly_the_blocks_that_differ_are_written(
        differs in prop::collection::vec(any::<bool>(), 1..600), tail in 1usize..=BLOCK_SIZE,
    ) {
        let len = (differs.len() - 1) * BLOCK_SIZE + tail;
        let image = noise(11, len);
        let mut old = image.clone();
        old.resize(len + BLOCK_SIZE, 0xa5);
        let mut expected = Tally::default();
        for (index, differs) in differs.iter().enumerate() {
            let count = BLOCK_SIZE.min(len - index * BLOCK_SIZE) as u64;
            if *differs {
                old[index * BLOCK_SIZE] ^= 0xff;
                expected.written += count;
            } else {
                expected.skipped += count;
            }
        }
        let disk = FaultyDisk::new(old, Fault::None);
        let (waiter, events) = (Waiter::new().unwrap(), Events::silent());
        let crew = Crew::new(&waiter, &events);
        let written = write_boot(target(Role::Boot, &disk), Image::signed(&image), crew).unwrap();
        prop_assert_eq!(written.tally(), expected);
        prop_assert_eq!(&disk.bytes()[..len], &image[..]);
        prop_assert!(disk.bytes()[len..].iter().all(|byte| *byte == 0xa5));
    }
}
