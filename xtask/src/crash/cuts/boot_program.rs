//! The boot program's own work on the table: its core, without a firmware, over a disk whose writes are recorded.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::path::Path;

use bootpick::boot::{Machine, NothingBoots, boot};
use host_io::explore::record::{Line, Record};
use host_io::{Access, Disk as _, FileDisk};
use signpost::SetName;
use signpost::handover::Handover;
use signpost::start::Candidate;
use signpost::table::{Geometry, Sectors};

/// Which sets can be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loads {
    Both,
    /// What set B holds is no kernel.
    OnlyA,
}

/// Lets the boot program start a set of the disk at `path`, and returns which one that was. From then on the disk is the
/// set's.
pub(super) fn start(path: &Path, loads: Loads, record: &Record) -> io::Result<Option<SetName>> {
    let disk = FileDisk::open(path, Access::ReadWrite)?;
    let started = Cell::new(None);
    let mut medium = Medium { disk, record, started: &started };
    // A start does not come back. Here it does, to a program that can write and load nothing any more.
    let NothingBoots = boot(&mut medium, &mut Board { loads, started: &started });
    Ok(started.get())
}

struct Medium<'a> {
    disk: FileDisk,
    record: &'a Record,
    started: &'a Cell<Option<SetName>>,
}

impl Medium<'_> {
    fn is_ours(&self) -> io::Result<()> {
        match self.started.get() {
            Some(_) => Err(io::Error::other("another set runs")),
            None => Ok(()),
        }
    }
}

impl Sectors for Medium<'_> {
    type Error = io::Error;

    fn geometry(&self) -> Geometry {
        let sector_size = self.disk.sector_size();
        Geometry { sector_size, sectors: self.disk.len() / u64::from(sector_size) }
    }

    fn read(&mut self, lba: u64, buf: &mut [u8]) -> io::Result<()> {
        self.disk.read_at(lba * u64::from(self.disk.sector_size()), buf)
    }

    fn write(&mut self, lba: u64, bytes: &[u8]) -> io::Result<()> {
        self.is_ours()?;
        let (at, path) = (lba * u64::from(self.disk.sector_size()), self.disk.path().to_owned());
        let write = || self.disk.write_at(at, bytes);
        self.record.change(bytes, write, |(), bytes| Line::DiskWrite { path, at, bytes })
    }

    /// Only noted, as every sync in a record.
    fn sync(&mut self) -> io::Result<()> {
        self.is_ours()?;
        let path = self.disk.path().to_owned();
        self.record.change(&[], || Ok(()), |(), _| Line::DiskSync { path })
    }
}

struct Board<'a> {
    loads: Loads,
    started: &'a Cell<Option<SetName>>,
}

impl Machine for Board<'_> {
    type Loaded = SetName;

    fn say(&mut self, _: fmt::Arguments<'_>) {}

    fn arm_watchdog(&mut self) {}

    fn disarm_watchdog(&mut self) {}

    fn load(&mut self, candidate: &Candidate) -> Result<SetName, String> {
        match (self.started.get(), candidate.set) {
            (None, Some(SetName::B)) if self.loads == Loads::OnlyA => Err("it holds no kernel".to_owned()),
            (None, Some(set)) => Ok(set),
            (Some(_), _) | (None, None) => Err("another set runs".to_owned()),
        }
    }

    fn start(&mut self, loaded: SetName, _: &Handover) -> String {
        self.started.set(Some(loaded));
        "it came back".to_owned()
    }
}
