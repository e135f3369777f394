//! Stories of images that are put together: from what is in place, from the running set, and from frames.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use blocks::encode::{Options, RawDigests};
use blocks::{FrameSize, Index, Level, encode};
use host_io::Advise as _;
use proptest::prelude::*;
use signpost::Role;
use testdata::noise;
use trusted_repo::FrameInfo;
use verity::BLOCK_SIZE;

use super::{EIO, Fault, FaultyDisk, Shared, said, target, tree_over};
use crate::look::plan::{Lookup, Parts, origin};
use crate::tell::events::Events;
use crate::wait::Waiter;
use crate::write::install::parts::{Assembly, FrameSource};
use crate::write::install::{Crew, Error, VerifiedIndex, VerifiedTree, scan};

/// Blocks of a frame here.
pub(super) const PER_FRAME: usize = 4;

/// Frames in memory, which notes what is fetched.
pub(super) struct Frames {
    pub(super) data: Vec<u8>,
    pub(super) fetched: Arc<Mutex<Vec<FrameInfo>>>,
    /// From this many frames on, none comes.
    pub(super) most: usize,
}

/// Some of them on their way.
pub(super) struct Run {
    frames: VecDeque<(FrameInfo, Vec<u8>)>,
    fetched: Arc<Mutex<Vec<FrameInfo>>>,
    most: usize,
}

impl FrameSource for Frames {
    type Frame = Vec<u8>;
    type Run = Run;

    async fn open(&self, frames: Vec<FrameInfo>) -> Result<Self::Run, trusted_repo::Error> {
        let bytes = |frame: FrameInfo| {
            let start = usize::try_from(frame.offset).unwrap();
            (frame, self.data[start..start + usize::try_from(frame.length).unwrap()].to_vec())
        };
        let frames = frames.into_iter().map(bytes).collect();
        Ok(Run { frames, fetched: Arc::clone(&self.fetched), most: self.most })
    }

    async fn next(run: &mut Self::Run) -> Result<Option<Vec<u8>>, trusted_repo::Error> {
        let Some((info, bytes)) = run.frames.pop_front() else { return Ok(None) };
        let mut fetched = run.fetched.lock().unwrap();
        if fetched.len() == run.most {
            // As a network ends, and not as what is published may be.
            return Err(trusted_repo::Error::Failed { place: "frames".to_owned(), reason: "cut".to_owned() });
        }
        fetched.push(info);
        Ok(Some(bytes))
    }
}

/// An image as it is published.
pub(super) struct Published {
    pub(super) image: Vec<u8>,
    pub(super) tree: Arc<VerifiedTree>,
    pub(super) index: Arc<VerifiedIndex>,
    pub(super) frames: Frames,
}

impl Published {
    pub(super) fn new(role: Role, image: Vec<u8>) -> Self {
        let mut data = Vec::new();
        let options = Options {
            frame_size: FrameSize::from_blocks(u32::try_from(PER_FRAME).unwrap()).unwrap(),
            level: Level::default(),
            raw_digests: if role == Role::Boot { RawDigests::Keep } else { RawDigests::LeaveOut },
            threads: std::num::NonZeroUsize::MIN,
        };
        let index = encode(&mut image.as_slice(), &mut data, &options, &mut |_| ()).unwrap();
        Self::with_index(role, image, data, index)
    }

    fn with_index(role: Role, image: Vec<u8>, data: Vec<u8>, index: Index) -> Self {
        let index = Arc::new(VerifiedIndex::new(role, index, "frames", data.len() as u64).unwrap());
        let frames = Frames { data, fetched: Arc::default(), most: usize::MAX };
        // A boot image need not be whole blocks, and nobody asks for its tree.
        let whole = image.len() / BLOCK_SIZE * BLOCK_SIZE;
        Self { tree: tree_over(&image[..whole]), image, index, frames }
    }

    fn fetched(&self) -> usize {
        self.frames.fetched.lock().unwrap().len()
    }
}

/// A world of one image and two partitions.
struct Disks {
    inactive: Arc<FaultyDisk>,
    running: Arc<FaultyDisk>,
}

impl Disks {
    fn new(inactive: Vec<u8>, running: Vec<u8>) -> Self {
        let healthy = |bytes| FaultyDisk::new(bytes, Fault::None);
        Self { inactive: healthy(inactive), running: healthy(running) }
    }

    /// The plan for root; `hint` is what the running root is believed to be.
    fn plan(&self, published: &Published, hint: &[u8], crew: Crew<'_>) -> Parts {
        let tree = published.tree.tree();
        let in_place = scan::blocks_in_place(&Shared(Arc::clone(&self.inactive)), tree, crew).unwrap();
        let salt = &tree.superblock().salt;
        let lookup = Lookup::over(hint.chunks(BLOCK_SIZE).map(|block| salt.digest(block)));
        Parts::of(origin::of_root(tree, &in_place, &lookup), &published.index.cut())
    }

    fn install(&self, published: &Published, hint: &[u8]) -> Result<(Assembly, Vec<usize>), Error> {
        let (waiter, events) = (Waiter::new().unwrap(), Events::silent());
        let crew = Crew::new(&waiter, &events);
        let parts = self.plan(published, hint, crew);
        let mut assembly = Assembly::root(target(Role::Root, &self.inactive), &published.tree)?;
        let running = Shared(Arc::clone(&self.running));
        let rotten = assembly.put(&parts, &running, Some((&*published.index, &published.frames)), crew)?;
        if !rotten.is_empty() {
            let parts = Parts::instead_of(&rotten, &published.index.cut());
            let none = assembly.put(&parts, &running, Some((&*published.index, &published.frames)), crew)?;
            assert!(none.is_empty());
        }
        Ok((assembly, rotten))
    }
}

/// 600 blocks of noise: more than two pieces.
fn old_root() -> Vec<u8> {
    noise(3, 600 * BLOCK_SIZE)
}

/// The same with block 100 changed, and everything from block 300 on shifted by one.
fn new_root(old: &[u8]) -> Vec<u8> {
    let (front, back) = old.split_at(300 * BLOCK_SIZE);
    let mut new = [front, &noise(5, BLOCK_SIZE), back].concat();
    new[100 * BLOCK_SIZE] ^= 1;
    new
}

#[test]
fn an_update_fetches_the_frames_of_what_is_nowhere_and_copies_the_rest() {
    let old = old_root();
    let published = Published::new(Role::Root, new_root(&old));
    let disks = Disks::new(vec![0xa5; 610 * BLOCK_SIZE], old.clone());
    let (assembly, rotten) = disks.install(&published, &old).unwrap();
    assert!(rotten.is_empty());
    assert!(disks.inactive.bytes()[..published.image.len()] == published.image);
    assert!(disks.inactive.bytes()[published.image.len()..].iter().all(|byte| *byte == 0xa5));
    assert_eq!(published.fetched(), 2);
    let tally = assembly.into_root().tally();
    assert_eq!(tally.written, published.image.len() as u64);
    assert_eq!(tally.copied, tally.written - (2 * PER_FRAME * BLOCK_SIZE) as u64);
    assert_eq!(tally.skipped, 0);
    // Once more: nothing is fetched and nothing is written.
    let (assembly, _) = disks.install(&published, &old).unwrap();
    assert_eq!(published.fetched(), 2);
    assert_eq!(assembly.into_root().tally().written, 0);
}

#[test]
fn what_was_written_before_a_cut_is_not_fetched_again() {
    let old = old_root();
    let mut published = Published::new(Role::Root, noise(99, 600 * BLOCK_SIZE));
    let disks = Disks::new(vec![0; 600 * BLOCK_SIZE], old.clone());
    published.frames.most = 140;
    assert!(disks.install(&published, &old).is_err());
    let there = disks.inactive.bytes();
    let frame = PER_FRAME * BLOCK_SIZE;
    let done =
        there.chunks(frame).zip(published.image.chunks(frame)).filter(|(there, new)| there == new).count();
    assert_eq!(done, 140, "what had come was written, though the network failed then");
    published.frames.most = usize::MAX;
    disks.install(&published, &old).unwrap();
    assert!(disks.inactive.bytes() == published.image);
    assert_eq!(published.fetched(), 150, "no frame was fetched twice");
}

#[test]
fn rotten_blocks_of_the_running_root_are_fetched_instead() {
    let old = old_root();
    let published = Published::new(Role::Root, new_root(&old));
    let mut rotten = old.clone();
    rotten[20 * BLOCK_SIZE + 7] ^= 1;
    rotten[500 * BLOCK_SIZE] ^= 0x80;
    let disks = Disks::new(vec![0; 601 * BLOCK_SIZE], rotten);
    let (_, found) = disks.install(&published, &old).unwrap();
    assert_eq!(found, [20, 501]);
    assert!(disks.inactive.bytes() == published.image);
    assert_eq!(published.fetched(), 4);
}

#[test]
fn a_block_of_the_running_root_that_cannot_be_read_is_fetched_instead() {
    let old = old_root();
    let published = Published::new(Role::Root, new_root(&old));
    let mut disks = Disks::new(vec![0; 601 * BLOCK_SIZE], Vec::new());
    disks.running = FaultyDisk::new(old.clone(), Fault::Read(40 * BLOCK_SIZE as u64 + 9));
    let (_, found) = disks.install(&published, &old).unwrap();
    assert_eq!(found, [40]);
    assert!(disks.inactive.bytes() == published.image);
}

#[test]
fn a_frame_that_holds_something_else_is_refused_and_not_written() {
    let image = noise(4, 16 * BLOCK_SIZE);
    // The index of one image with the data of another one: each frame decodes well.
    let other = Published::new(Role::Root, noise(6, 16 * BLOCK_SIZE));
    let tree = tree_over(&image);
    let published = Published { tree, image, ..other };
    let disks = Disks::new(vec![0xa5; 16 * BLOCK_SIZE], Vec::new());
    let Err(error) = disks.install(&published, &[]) else { panic!("its blocks are other ones") };
    assert!(matches!(error, Error::Block { image: Role::Root, .. }), "{error}");
    assert_eq!(error.code(), "tampered");
    assert!(disks.inactive.bytes().iter().all(|byte| *byte == 0xa5));
}

#[test]
fn a_frame_larger_than_its_index_says_is_refused() {
    let image = noise(4, 16 * BLOCK_SIZE);
    let mut data = Vec::new();
    let options = |blocks| Options {
        frame_size: FrameSize::from_blocks(blocks).unwrap(),
        level: Level::default(),
        raw_digests: RawDigests::LeaveOut,
        threads: std::num::NonZeroUsize::MIN,
    };
    // One frame of eight blocks at the place where the index says that there are four.
    let large = encode(&mut image.as_slice(), &mut data, &options(8), &mut |_| ()).unwrap();
    let half = &image[..8 * BLOCK_SIZE];
    let small = encode(&mut &half[..], &mut Vec::new(), &options(4), &mut |_| ()).unwrap();
    let mut bytes = small.encode();
    let length = large.length(0).to_le_bytes();
    let known = small.length(0).to_le_bytes();
    let at = bytes.windows(4).position(|window| window == known).unwrap();
    bytes[at..at + 4].copy_from_slice(&length);
    // No frame of four blocks is as long as one of eight, so such an index is none.
    assert!(Index::parse(&bytes).is_err());
}

#[test]
fn a_device_that_refuses_ends_it_with_its_name_and_the_offset() {
    let old = old_root();
    let published = Published::new(Role::Root, new_root(&old));
    let mut disks = Disks::new(Vec::new(), old.clone());
    disks.inactive = FaultyDisk::new(vec![0; 601 * BLOCK_SIZE], Fault::Write(70 * BLOCK_SIZE as u64, EIO));
    let Err(error) = disks.install(&published, &old) else { panic!("the device refuses") };
    assert_eq!(error.code(), "disk");
    assert!(said(&error).contains("write the root image to /dev/vda-root at offset"), "{}", said(&error));
}

#[test]
fn a_boot_image_goes_by_frames_as_well() {
    let (waiter, events) = (Waiter::new().unwrap(), Events::silent());
    let crew = Crew::new(&waiter, &events);
    // No whole number of blocks or frames.
    let image = noise(8, 37 * BLOCK_SIZE + 100);
    let published = Published::new(Role::Boot, image.clone());
    let frame = PER_FRAME * BLOCK_SIZE;
    let mut inactive = vec![0xa5; 40 * BLOCK_SIZE];
    inactive[..frame].copy_from_slice(&image[..frame]);
    let mut running = vec![0x5a; 40 * BLOCK_SIZE];
    running[2 * frame..4 * frame].copy_from_slice(&image[5 * frame..7 * frame]);
    running[9 * frame..image.len()].copy_from_slice(&image[9 * frame..]);
    let disks = Disks::new(inactive, running);
    let index = &published.index;
    let look = |disk: &Arc<FaultyDisk>, name| {
        scan::frame_digests(&Shared(Arc::clone(disk)), name, index, crew).unwrap()
    };
    let wanted: Vec<_> = (0..index.frames()).map(|frame| index.raw_digest(frame)).collect();
    let origins =
        origin::of_frames(&wanted, &look(&disks.inactive, "boot"), &look(&disks.running, "running boot"));
    let parts = Parts::of(origins, &index.cut());
    assert_eq!(parts.bytes.skip, frame as u64);
    assert_eq!(parts.bytes.copy, (2 * frame + BLOCK_SIZE + 100) as u64);
    let mut assembly = Assembly::boot(target(Role::Boot, &disks.inactive), index).unwrap();
    let running = Shared(Arc::clone(&disks.running));
    let rotten = assembly.put(&parts, &running, Some((&**index, &published.frames)), crew).unwrap();
    assert!(rotten.is_empty());
    assert!(disks.inactive.bytes()[..image.len()] == image);
    assert!(disks.inactive.bytes()[image.len()..].iter().all(|byte| *byte == 0xa5));
    assert_eq!(published.fetched(), 10 - 4);
    let boot = assembly.into_boot();
    assert_eq!(boot.sum(), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_the_disk_holds_the_new_image_comes_out(
        new in prop::collection::vec(0u8..9, 2..60),
        inactive in prop::collection::vec(0u8..9, 0..60),
        running in prop::collection::vec(0u8..5, 0..60),
        rot in prop::collection::vec(any::<prop::sample::Index>(), 0..3),
    ) {
        let bytes = |blocks: &[u8], len: usize| -> Vec<u8> {
            let mut bytes: Vec<u8> = blocks.iter().flat_map(|block| vec![*block; BLOCK_SIZE]).collect();
            bytes.resize(bytes.len().max(len), 0xee);
            bytes
        };
        let published = Published::new(Role::Root, bytes(&new, 0));
        let hint = bytes(&running, 0);
        let mut rotten = bytes(&running, BLOCK_SIZE);
        for place in &rot {
            let at = place.index(rotten.len());
            rotten[at] ^= 0x55;
        }
        let disks = Disks::new(bytes(&inactive, published.image.len()), rotten);
        let (_, found) = disks.install(&published, &hint).unwrap();
        prop_assert!(disks.inactive.bytes()[..published.image.len()] == published.image);
        prop_assert!(!rot.is_empty() || found.is_empty());
    }
}
