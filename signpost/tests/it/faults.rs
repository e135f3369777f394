//! A disk that fails or lies at one operation: the error says where, the other copy is not touched after that, and the
//! next run mends what was left.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use host_io::{Disk, Medium};
use signpost::sectors::DiskSectors;
use signpost::step::Step;
use signpost::table::{Copies, Which};
use signpost::{BootBits, Command, Error};

use crate::disks;
use crate::power::{Disk512, SECTOR};
use crate::torn::os_disk;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// A write answers EIO, and nothing of it is kept.
    Write,
    /// A write is acknowledged and dropped.
    Lie,
    /// A sync answers EIO, and what it should have made durable is forgotten.
    Sync,
    /// A read answers EIO.
    Read,
}

/// Does wrong at the `at`-th operation of the kind, counted from 0.
struct Faulty<'a> {
    disk: &'a Disk512,
    fault: Fault,
    at: usize,
    seen: AtomicUsize,
}

impl Faulty<'_> {
    fn hits(&self, kinds: &[Fault]) -> bool {
        kinds.contains(&self.fault) && self.seen.fetch_add(1, Ordering::SeqCst) == self.at
    }
}

fn eio() -> io::Error {
    io::Error::from_raw_os_error(5)
}

impl Disk for Faulty<'_> {
    fn len(&self) -> u64 {
        self.disk.len()
    }

    fn sector_size(&self) -> u32 {
        self.disk.sector_size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.disk.read_at(offset, buf)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        match self.hits(&[Fault::Write, Fault::Lie]) {
            true if self.fault == Fault::Lie => Ok(()),
            true => Err(eio()),
            false => self.disk.write_at(offset, bytes),
        }
    }

    fn sync(&self) -> io::Result<()> {
        if self.hits(&[Fault::Sync]) {
            self.disk.forget();
            return Err(eio());
        }
        self.disk.sync()
    }

    fn read_back_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        if self.hits(&[Fault::Read]) { Err(eio()) } else { self.disk.read_back_at(offset, buf) }
    }

    fn medium(&self) -> Medium {
        Medium::Device
    }
}

/// Runs a change with a fault and answers with its outcome; then the disk, now healthy, is mended.
fn change_with(fault: Fault, at: usize) -> Result<(), Error> {
    let image = disks::factory();
    let disk = Disk512::holding(&image);
    let os_disk = os_disk(signpost::SetName::A);
    let faulty = Faulty { disk: &disk, fault, at, seen: AtomicUsize::new(0) };
    let outcome = os_disk.apply_to(&faulty, Command::MarkInactiveValid).map(drop);
    let copies = Copies::read(&mut DiskSectors::on_medium(&disk));
    let (table, _) = copies.current().expect("some copy is whole");
    let bits = BootBits::from_attributes(table.entries().get(5).unwrap().attributes);
    assert!(bits.tries <= 1 && bits.priority == 0, "{fault:?} {at}: {bits:?}");
    if outcome.is_ok() {
        assert_eq!(bits.tries, 1, "{fault:?} {at}: what was said is true");
    }
    os_disk.apply_to(&disk, Command::MarkInactiveValid).unwrap();
    let copies = Copies::read(&mut DiskSectors::on_medium(&disk));
    assert!(copies.are_equal(), "{fault:?} {at}: mended");
    outcome
}

fn step(error: &Error) -> Step {
    match error {
        Error::Write { step, source, .. } => {
            assert_eq!(source.raw_os_error(), Some(5));
            *step
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_write_that_fails_names_the_copy_and_the_sector() {
    let last = disks::factory().bytes().len() as u64 / SECTOR as u64 - 1;
    let steps: Vec<Step> = (0..4).map(|at| step(&change_with(Fault::Write, at).unwrap_err())).collect();
    assert_eq!(
        steps,
        [
            Step::Write(Which::Backup, last - 31),
            Step::Write(Which::Backup, last),
            Step::Write(Which::Primary, 3),
            Step::Write(Which::Primary, 1),
        ]
    );
    change_with(Fault::Write, 4).expect("there is no fifth write");
}

#[test]
fn a_sync_that_fails_is_never_taken_for_success() {
    let steps: Vec<Step> = (0..3).map(|at| step(&change_with(Fault::Sync, at).unwrap_err())).collect();
    assert_eq!(steps, [Step::Settle, Step::Sync(Which::Backup), Step::Sync(Which::Primary)]);
    change_with(Fault::Sync, 3).expect("there is no fourth sync");
}

#[test]
fn a_write_that_was_only_pretended_is_noticed() {
    for at in 0..4 {
        let error = change_with(Fault::Lie, at).unwrap_err();
        let expected = if at < 2 { Which::Backup } else { Which::Primary };
        assert!(matches!(error, Error::Differs { which, .. } if which == expected), "{at}: {error}");
    }
}

#[test]
fn a_sector_that_cannot_be_read_breaks_its_copy_at_most() {
    let mut failed = 0;
    for at in 0..20 {
        // One copy that cannot be read is a broken copy, and is rewritten; a failed read-back is an error.
        failed += usize::from(change_with(Fault::Read, at).is_err());
    }
    assert!(failed > 0);
}
