//! Every way in which a device fails, for each image and each way to make it: it is told, nothing is proven, nothing else
//! was touched, and a disk that works goes on from what is there.

use std::sync::Arc;

use host_io::Advise as _;
use signpost::Role;
use testdata::noise;
use verity::BLOCK_SIZE;

use super::frames::{PER_FRAME, Published};
use super::{EIO, ENOSPC, Fault, FaultyDisk, Image, Shared, said, target};
use crate::look::plan::{Lookup, Parts, origin};
use crate::tell::events::Events;
use crate::wait::Waiter;
use crate::write::install::durable::Synced;
use crate::write::install::parts::Assembly;
use crate::write::install::plain::{write_boot, write_hash, write_root};
use crate::write::install::{Crew, Error, PIECE, ReadBack, scan};

const BLOCK: u64 = BLOCK_SIZE as u64;
const FILLING: u8 = 0xa5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Frames,
    Stream,
}

/// The three images of a release.
struct Release {
    boot: Published,
    root: Published,
}

impl Release {
    fn new() -> Self {
        // More than one piece, and more than two; no whole number of blocks, and none of pieces.
        let boot = noise(21, PIECE + 20 * BLOCK_SIZE + 100);
        let root = noise(22, 2 * PIECE + 40 * BLOCK_SIZE);
        Self { boot: Published::new(Role::Boot, boot), root: Published::new(Role::Root, root) }
    }

    fn image(&self, role: Role) -> &[u8] {
        match role {
            Role::Boot => &self.boot.image,
            Role::Root => &self.root.image,
            Role::Hash => self.root.tree.raw(),
        }
    }
}

/// The partitions of a set, in the order of [`Role::ALL`], each longer than its image.
struct Set([Arc<FaultyDisk>; 3]);

impl Set {
    fn new(release: &Release, failing: Role, fault: Fault) -> Self {
        Self(Role::ALL.map(|role| {
            let fault = if role == failing { fault } else { Fault::None };
            FaultyDisk::new(vec![FILLING; release.image(role).len() + 3 * BLOCK_SIZE], fault)
        }))
    }

    /// The same set after the power went and came back, on a disk that works.
    fn repaired(&self) -> Self {
        Self(self.0.each_ref().map(|disk| FaultyDisk::new(disk.durable_bytes(), Fault::None)))
    }

    fn disk(&self, role: Role) -> &Arc<FaultyDisk> {
        &self.0[Role::ALL.iter().position(|known| *known == role).unwrap()]
    }

    fn install(&self, release: &Release, way: Way) -> Result<ReadBack, Error> {
        let (waiter, events) = (Waiter::new().unwrap(), Events::silent());
        let crew = Crew::new(&waiter, &events);
        let of = |role| target(role, self.disk(role));
        let Release { boot: boot_image, root: root_image } = release;
        let hash = write_hash(of(Role::Hash), &root_image.tree, crew)?;
        let in_place = scan::blocks_in_place(&*of(Role::Root).disk, root_image.tree.tree(), crew)?;
        let nothing = Shared(FaultyDisk::new(Vec::new(), Fault::None));
        let (boot, root) = match way {
            Way::Frames => {
                let index = &boot_image.index;
                let wanted: Vec<_> = (0..index.frames()).map(|frame| index.raw_digest(frame)).collect();
                let there = scan::frame_digests(&*of(Role::Boot).disk, "boot", index, crew)?;
                let parts = Parts::of(origin::of_frames(&wanted, &there, &[]), &index.cut());
                let mut boot = Assembly::boot(of(Role::Boot), index)?;
                let rotten = boot.put(&parts, &nothing, Some((&**index, &boot_image.frames)), crew)?;
                assert!(rotten.is_empty());

                let origins = origin::of_root(root_image.tree.tree(), &in_place, &Lookup::default());
                let parts = Parts::of(origins, &root_image.index.cut());
                let mut root = Assembly::root(of(Role::Root), &root_image.tree)?;
                let frames = Some((&*root_image.index, &root_image.frames));
                let rotten = root.put(&parts, &nothing, frames, crew)?;
                assert!(rotten.is_empty());
                (boot.into_boot(), root.into_root())
            }
            Way::Stream => {
                let boot = write_boot(of(Role::Boot), Image::signed(&boot_image.image), crew)?;
                let stream = Image::signed(&root_image.image);
                (boot, write_root(of(Role::Root), &root_image.tree, &in_place, stream, crew)?)
            }
        };
        Synced::new(boot, root, hash, crew)?.read_back(crew)
    }

    fn assert_nothing_past_the_images(&self, release: &Release) {
        for role in Role::ALL {
            let bytes = self.disk(role).bytes();
            let past = &bytes[release.image(role).len()..];
            // Behind boot nothing but zeros may come.
            let may = |byte: u8| byte == FILLING || (role == Role::Boot && byte == 0);
            assert!(past.iter().all(|byte| may(*byte)), "written past the {role} image");
        }
    }
}

/// In the last piece of an image, not at the beginning of anything.
fn place(release: &Release, role: Role) -> u64 {
    release.image(role).len() as u64 - 2 * BLOCK + 5
}

/// `error` names image, device and place, and says what to look at.
fn assert_told(error: &Error, role: Role, way: Way, fault: Fault) {
    let sentence = said(error);
    let device = format!("/dev/vda-{role}");
    assert_eq!(error.code(), "disk", "{sentence}");
    assert!(error.help().unwrap().contains("the kernel's log"), "{sentence}");
    let near = |offset: u64, at: u64| offset <= at && at - offset < PIECE as u64;
    match (error, fault) {
        (Error::Write { image, offset, source, .. }, Fault::Write(at, errno)) => {
            assert_eq!((*image, source.raw_os_error()), (role, Some(errno)));
            assert!(near(*offset, at), "{sentence}");
            let start = format!("failed to write the {role} image to {device} at offset {offset}: ");
            assert!(sentence.contains(&start), "{sentence}");
        }
        (Error::Sync { image, source, .. }, Fault::Sync) => {
            assert_eq!((*image, source.raw_os_error()), (role, Some(EIO)));
            assert!(
                sentence.contains(&format!("failed to sync the {role} image on {device}: ")),
                "{sentence}"
            );
        }
        (Error::Differs { image, offset, .. }, Fault::Lie(at)) => {
            let unit =
                if (role, way) == (Role::Boot, Way::Frames) { PER_FRAME as u64 * BLOCK } else { BLOCK };
            assert_eq!((*image, *offset), (role, at / unit * unit));
            let start = format!("failed to write the {role} image to {device}: read-back differs at offset");
            assert!(sentence.contains(&start), "{sentence}");
        }
        (Error::ReadBack { image, offset, source, .. }, Fault::ReadBack(at)) => {
            assert_eq!((*image, source.raw_os_error()), (role, Some(EIO)));
            assert!(near(*offset, at), "{sentence}");
            let start = format!("failed to read the {role} image back from {device} at offset {offset}: ");
            assert!(sentence.contains(&start), "{sentence}");
        }
        (_, fault) => panic!("{fault:?} was told as {sentence}"),
    }
}

fn each_fault_is_told_and_a_disk_that_works_goes_on(way: Way) {
    let release = Release::new();
    for role in Role::ALL {
        let at = place(&release, role);
        for fault in [
            Fault::Write(at, EIO),
            Fault::Write(at, ENOSPC),
            Fault::Sync,
            Fault::Lie(at),
            Fault::ReadBack(at),
        ] {
            let set = Set::new(&release, role, fault);
            let error = set.install(&release, way).unwrap_err();
            assert_told(&error, role, way, fault);
            set.assert_nothing_past_the_images(&release);

            let set = set.repaired();
            let (boot, len) = (set.disk(Role::Boot), release.image(Role::Boot).len());
            let behind = boot.bytes()[len..].iter().filter(|byte| **byte != 0).count();
            let tally = set.install(&release, way).unwrap().tally();
            let whole: usize = Role::ALL.iter().map(|role| release.image(*role).len()).sum();
            assert_eq!(tally.written + tally.skipped, (whole + behind) as u64, "{role} {fault:?}");
            assert!(tally.skipped > 0, "what was right was left alone: {role} {fault:?}");
            for role in Role::ALL {
                let image = release.image(role);
                assert!(set.disk(role).bytes()[..image.len()] == *image, "{role} after {fault:?}");
            }
            set.assert_nothing_past_the_images(&release);
            assert!(set.disk(Role::Boot).bytes()[len..].iter().all(|byte| *byte == 0));
        }
    }
}

#[test]
fn each_fault_behind_the_boot_image_is_told_and_a_disk_that_works_goes_on() {
    let release = Release::new();
    let len = release.image(Role::Boot).len();
    let at = (len.next_multiple_of(BLOCK_SIZE) + BLOCK_SIZE) as u64 + 7;
    for fault in [Fault::Write(at, EIO), Fault::Lie(at), Fault::ReadBack(at)] {
        let set = Set::new(&release, Role::Boot, fault);
        let error = set.install(&release, Way::Stream).unwrap_err();
        assert_told(&error, Role::Boot, Way::Stream, fault);
        let set = set.repaired();
        set.install(&release, Way::Stream).unwrap();
        assert!(set.disk(Role::Boot).bytes()[len..].iter().all(|byte| *byte == 0), "{fault:?}");
    }
}

#[test]
fn each_fault_on_the_way_of_frames_is_told_and_a_disk_that_works_goes_on() {
    each_fault_is_told_and_a_disk_that_works_goes_on(Way::Frames);
}

#[test]
fn each_fault_on_the_way_of_streams_is_told_and_a_disk_that_works_goes_on() {
    each_fault_is_told_and_a_disk_that_works_goes_on(Way::Stream);
}
