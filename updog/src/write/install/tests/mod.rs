//! Stories of one set on disks that fail in every way that disks do.

mod cuts;
mod devices;
mod faults;
mod frames;
mod pack;
mod scans;

use std::io::{self, Cursor, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use host_io::{Advise as _, Disk, Medium};
use proptest::prelude::*;
use signpost::Role;
use testdata::noise;
use verity::{BLOCK_SIZE, Salt, TreeBuilder};

use super::durable::Synced;
use super::plain::{write_boot, write_hash, write_root};
use super::stream::RawImage;
use super::target::{RootWritten, Tally, Target};
use super::{Crew, Error, PIECE, ReadBack, VerifiedTree, WriteCount, scan};
use crate::tell::events::Events;
use crate::wait::Waiter;

const BLOCK: u64 = BLOCK_SIZE as u64;
/// More than two pieces, and no whole number of them.
const ROOT_BLOCKS: usize = 2 * PIECE / BLOCK_SIZE + 37;
/// No whole number of blocks.
const BOOT_LEN: usize = PIECE + 5 * BLOCK_SIZE + 100;
pub(super) const EIO: i32 = 5;
pub(super) const ENOSPC: i32 = 28;

/// A disk in memory that fails on request.
pub(super) struct FaultyDisk {
    /// What reads see.
    cache: Mutex<Vec<u8>>,
    /// What read-backs see.
    medium: Mutex<Vec<u8>>,
    /// How many bytes were read.
    read: AtomicU64,
    fault: Fault,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// A write that covers this offset stops before it, with this error.
    Write(u64, i32),
    /// Sync fails.
    Sync,
    /// What is written to this offset never reaches the medium.
    Lie(u64),
    /// Reading this offset fails.
    Read(u64),
    /// Reading this offset back fails.
    ReadBack(u64),
}

impl FaultyDisk {
    pub(super) fn new(content: Vec<u8>, fault: Fault) -> Arc<Self> {
        Arc::new(Self {
            cache: Mutex::new(content.clone()),
            medium: Mutex::new(content),
            read: AtomicU64::new(0),
            fault,
        })
    }

    pub(super) fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.cache.lock().unwrap().clone()
    }

    /// What is left when the power goes.
    pub(super) fn durable_bytes(&self) -> Vec<u8> {
        self.medium.lock().unwrap().clone()
    }
}

fn range(offset: u64, len: usize) -> std::ops::Range<usize> {
    let start = usize::try_from(offset).unwrap();
    start..start + len
}

fn covers(offset: u64, len: usize, at: u64) -> bool {
    (offset..offset + len as u64).contains(&at)
}

impl Disk for FaultyDisk {
    fn len(&self) -> u64 {
        self.cache.lock().unwrap().len() as u64
    }

    fn sector_size(&self) -> u32 {
        512
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        if matches!(self.fault, Fault::Read(at) if covers(offset, buf.len(), at)) {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        buf.copy_from_slice(&self.cache.lock().unwrap()[range(offset, buf.len())]);
        self.read.fetch_add(buf.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        assert!(offset + bytes.len() as u64 <= self.len(), "a write past the partition");
        let (kept, result) = match self.fault {
            Fault::Write(at, errno) if covers(offset, bytes.len(), at) => {
                (usize::try_from(at - offset).unwrap(), Err(io::Error::from_raw_os_error(errno)))
            }
            _ => (bytes.len(), Ok(())),
        };
        self.cache.lock().unwrap()[range(offset, kept)].copy_from_slice(&bytes[..kept]);
        let mut medium = self.medium.lock().unwrap();
        for (at, byte) in (offset..).zip(&bytes[..kept]) {
            if self.fault != Fault::Lie(at) {
                medium[usize::try_from(at).unwrap()] = *byte;
            }
        }
        result
    }

    fn sync(&self) -> io::Result<()> {
        if self.fault == Fault::Sync { Err(io::Error::from_raw_os_error(EIO)) } else { Ok(()) }
    }

    fn read_back_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        if matches!(self.fault, Fault::ReadBack(at) if covers(offset, buf.len(), at)) {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        buf.copy_from_slice(&self.medium.lock().unwrap()[range(offset, buf.len())]);
        Ok(())
    }

    fn medium(&self) -> Medium {
        Medium::Device
    }
}

/// So that a test keeps its disk while the installer owns the partition.
pub(super) struct Shared(pub(super) Arc<FaultyDisk>);

impl Disk for Shared {
    fn len(&self) -> u64 {
        self.0.len()
    }
    fn sector_size(&self) -> u32 {
        self.0.sector_size()
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, buf)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, bytes)
    }
    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
    fn read_back_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.0.read_back_at(offset, buf)
    }
    fn medium(&self) -> Medium {
        self.0.medium()
    }
}

/// A signed image in memory, with what its end will say.
pub(super) struct Image(Cursor<Vec<u8>>, Result<(), trusted_repo::Error>);

impl Image {
    pub(super) fn signed(bytes: &[u8]) -> Self {
        Self(Cursor::new(bytes.to_vec()), Ok(()))
    }

    fn tampered(bytes: &[u8]) -> Self {
        let (name, reason) = ("root".to_owned(), "its SHA-256 differs".to_owned());
        Self(Cursor::new(bytes.to_vec()), Err(trusted_repo::Error::Tampered { name, reason }))
    }
}

impl Read for Image {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        // As decoders do: in pieces that fit nobody's blocks.
        let count = buf.len().min(60_001);
        self.0.read(&mut buf[..count])
    }
}

impl RawImage for Image {
    fn finish(self) -> Result<(), trusted_repo::Error> {
        self.1
    }
}

pub(super) fn tree_over(root: &[u8]) -> Arc<VerifiedTree> {
    let mut builder = TreeBuilder::new(Salt::default(), [7; 16]);
    for block in root.chunks(BLOCK_SIZE) {
        builder.push(block).unwrap();
    }
    Arc::new(VerifiedTree::from_signed(builder.finish().bytes).unwrap())
}

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

pub(super) fn target(image: Role, disk: &Arc<FaultyDisk>) -> Target {
    Target {
        image,
        disk: Arc::new(Shared(Arc::clone(disk))),
        device: format!("/dev/vda-{image}"),
        count: WriteCount::default(),
    }
}

pub(super) fn said(error: &Error) -> String {
    host_io::report::sentence("updog", error)
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
