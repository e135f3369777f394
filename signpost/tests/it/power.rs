//! A disk that loses power.
//!
//! What was written since the last sync may be on the medium or not, each sector for itself. A reader of the running
//! system sees all of it; after a power cut any choice of it may be there.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::RangeInclusive;
use std::sync::Mutex;

use host_io::{Disk, Medium};

use crate::disks::Image;

pub(crate) const SECTOR: usize = 512;
/// What a table takes at either end of a disk, and a little more.
const TABLE_SECTORS: u64 = 40;

pub(crate) type Content = BTreeMap<u64, [u8; SECTOR]>;

/// What reached the disk, in order; writes are cut into sectors.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "logs are short")]
pub(crate) enum Op {
    Write(u64, [u8; SECTOR]),
    Sync,
}

/// A disk in memory with the writes that are not yet durable, and a record of everything done to it.
pub(crate) struct Disk512 {
    sectors: u64,
    state: Mutex<DiskState>,
}

#[derive(Clone)]
struct DiskState {
    durable: Content,
    pending: Vec<(u64, [u8; SECTOR])>,
    log: Vec<Op>,
}

impl Disk512 {
    /// A disk with an image's tables, all of it durable.
    pub(crate) fn holding(image: &Image) -> Self {
        let mut file = File::open(&image.path).unwrap();
        let sectors = file.metadata().unwrap().len() / SECTOR as u64;
        let ends = (0..TABLE_SECTORS).chain(sectors - TABLE_SECTORS..sectors);
        let mut sector = |lba: u64| {
            let mut bytes = [0; SECTOR];
            file.seek(SeekFrom::Start(lba * SECTOR as u64)).unwrap();
            file.read_exact(&mut bytes).unwrap();
            (lba, bytes)
        };
        let durable = ends.map(&mut sector).filter(|(_, bytes)| *bytes != [0; SECTOR]).collect();
        Self::new(sectors, durable, Vec::new())
    }

    /// Takes more of the image's sectors onto the disk.
    pub(crate) fn keep(&mut self, image: &Image, sectors: RangeInclusive<u64>) {
        let bytes = image.bytes();
        for lba in sectors {
            let sector = bytes.as_chunks::<SECTOR>().0[usize::try_from(lba).unwrap()];
            self.state.get_mut().unwrap().durable.insert(lba, sector);
        }
    }

    fn new(sectors: u64, durable: Content, pending: Vec<(u64, [u8; SECTOR])>) -> Self {
        Self { sectors, state: Mutex::new(DiskState { durable, pending, log: Vec::new() }) }
    }

    /// What a power cut cannot take away any more.
    pub(crate) fn durable(&self) -> Content {
        self.state.lock().unwrap().durable.clone()
    }

    /// Loses all writes that are not durable, as a kernel may after it has reported an error once.
    pub(crate) fn forget(&self) {
        self.state.lock().unwrap().pending.clear();
    }

    /// What was done to the disk.
    pub(crate) fn log(&self) -> Vec<Op> {
        self.state.lock().unwrap().log.clone()
    }

    /// The disk before anything that is in its log was done to it.
    fn before(&self, start: &Self, ops: &[Op]) -> (Content, Vec<(u64, [u8; SECTOR])>) {
        let state = start.state.lock().unwrap();
        let (mut durable, mut pending) = (state.durable.clone(), state.pending.clone());
        for op in ops {
            match op {
                Op::Write(lba, sector) => pending.push((*lba, *sector)),
                Op::Sync => durable.extend(pending.drain(..)),
            }
        }
        (durable, pending)
    }

    /// What the disk may hold if the power fails when the first `done` operations of `log` were done to it: one disk
    /// for each choice of the writes that are not durable then.
    pub(crate) fn cut_after(&self, log: &[Op], done: usize) -> Vec<Self> {
        let (durable, pending) = self.before(self, &log[..done]);
        // A sector that was written twice may hold either.
        let mut versions: BTreeMap<u64, Vec<[u8; SECTOR]>> = BTreeMap::new();
        for (lba, sector) in pending {
            versions.entry(lba).or_default().push(sector);
        }
        let mut outcomes = vec![durable];
        for (lba, versions) in versions {
            let written = outcomes.iter().flat_map(|outcome| {
                versions.iter().map(move |sector| {
                    let mut outcome = outcome.clone();
                    outcome.insert(lba, *sector);
                    outcome
                })
            });
            let written: Vec<Content> = written.collect();
            outcomes.extend(written);
        }
        outcomes.into_iter().map(|durable| Self::new(self.sectors, durable, Vec::new())).collect()
    }

    /// The disk as the next process finds it when the one that wrote `log` was killed after `done` operations: nothing
    /// is lost, but what was not synced may still be.
    pub(crate) fn killed_after(&self, log: &[Op], done: usize) -> Self {
        let (durable, pending) = self.before(self, &log[..done]);
        Self::new(self.sectors, durable, pending)
    }
}

impl Disk for Disk512 {
    fn len(&self) -> u64 {
        self.sectors * SECTOR as u64
    }

    fn sector_size(&self) -> u32 {
        512
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        if offset + buf.len() as u64 > self.len() {
            return Err(io::Error::other("outside of the disk"));
        }
        let state = self.state.lock().unwrap();
        for (lba, sector) in (offset / SECTOR as u64..).zip(buf.as_chunks_mut::<SECTOR>().0) {
            let last = state.pending.iter().rev().find(|(at, _)| *at == lba).map(|(_, written)| written);
            *sector = last.or_else(|| state.durable.get(&lba)).copied().unwrap_or([0; SECTOR]);
        }
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        for (lba, sector) in (offset / SECTOR as u64..).zip(bytes.as_chunks::<SECTOR>().0) {
            state.pending.push((lba, *sector));
            state.log.push(Op::Write(lba, *sector));
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        let pending = std::mem::take(&mut state.pending);
        state.durable.extend(pending);
        state.log.push(Op::Sync);
        Ok(())
    }

    fn read_back_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        // As a direct read does: dirty pages are written out first, but the device may still lose them.
        self.read_at(offset, buf)
    }

    fn medium(&self) -> Medium {
        Medium::Device
    }
}
