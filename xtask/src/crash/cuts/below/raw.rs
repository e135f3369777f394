//! A disk as bytes: the ends where its table is, the images, and the persistent partition. What was written over can be put
//! back.

use std::error::Error;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use testdata::DiskImage;
use testdata::disk::layout::types;

use super::super::medium::{Disk, Partition, SECTOR};
use super::super::published::IMAGES;
use super::super::tree::{Hash, hash};

/// Where an ext4 has its superblock, whatever the size of its blocks.
const SUPERBLOCK: Range<usize> = 1024..2048;
/// What is compared at once where a disk is written.
const PIECE: usize = 1 << 16;
/// The places of what is here: both ends, the images, and the persistent partition.
const ENDS: Range<usize> = 0..2;
const PARTITIONS: Range<usize> = 2..8;
const PERSISTENT: usize = 8;

/// A part of the disk.
struct Region {
    start: u64,
    bytes: Vec<u8>,
    /// What tells its content from others, all sectors together.
    key: Hash,
    /// The same bytes, once somebody has asked for them.
    partition: Option<Arc<Partition>>,
}

/// A disk as bytes.
pub(super) struct Raw {
    regions: Vec<Region>,
    /// Both ends as they were at the beginning of everything.
    tables: Arc<Tables>,
    pub(super) len: u64,
}

/// Where the first and the last table of a disk lie, in bytes, and what they are.
pub(super) type Tables = [(u64, Vec<u8>); 2];

/// What was there before something was written.
#[derive(Default)]
pub(super) struct Undo(Vec<(u64, Vec<u8>)>);

impl Raw {
    /// Reads a disk. Its table is told by what differs from `tables`; without them from what it is now.
    pub(super) fn read(path: &Path, tables: Option<&Arc<Tables>>) -> io::Result<Self> {
        let disk = DiskImage::at(path);
        let [first, last] = disk.tables();
        let tables = tables.map_or_else(|| Arc::new([first.clone(), last.clone()]), Arc::clone);
        let persistent = disk.partitions().into_iter().find(|partition| partition.type_guid == types::DATA);
        let persistent =
            persistent.ok_or_else(|| io::Error::other("the disk has no persistent partition"))?;
        let labels = IMAGES.iter().map(|(set, role)| set.label(role)).chain([persistent.label]);
        let partitions = labels.map(|label| (disk.partition(&label).start, disk.read_all(&label)));
        let region = |(start, bytes): (u64, Vec<u8>)| {
            let key = key(start, &bytes);
            Region { start, bytes, key, partition: None }
        };
        let regions = [first, last].into_iter().chain(partitions).map(region).collect();
        Ok(Self { regions, tables, len: std::fs::metadata(path)?.len() })
    }

    /// Where the images are.
    pub(super) fn spans(&self) -> Vec<(u64, u64)> {
        self.regions[PARTITIONS].iter().map(|region| (region.start, region.bytes.len() as u64)).collect()
    }

    /// Both ends as they were at the beginning of everything.
    pub(super) fn tables(&self) -> &Arc<Tables> {
        &self.tables
    }

    /// Writes, and keeps in `undo` what was there before.
    pub(super) fn write(&mut self, at: u64, bytes: &[u8], undo: Option<&mut Undo>) -> Result<(), String> {
        let end = at + bytes.len() as u64;
        let mut regions = self.regions.iter_mut();
        let region =
            regions.find(|region| region.start <= at && end <= region.start + region.bytes.len() as u64);
        let region = region.ok_or_else(|| {
            format!("judge what was written at {at}: neither the table nor a set nor the persistent partition is there")
        })?;
        let from = usize::try_from(at - region.start).expect("within memory");
        let old = &mut region.bytes[from..from + bytes.len()];
        if let Some(undo) = undo {
            undo.0.push((at, old.to_vec()));
        }
        if old != bytes {
            region.key ^= key(at, old) ^ key(at, bytes);
            region.partition = None;
            old.copy_from_slice(bytes);
        }
        Ok(())
    }

    /// Puts back what was written over.
    pub(super) fn put_back(&mut self, undo: Undo) -> Result<(), String> {
        undo.0.into_iter().rev().try_for_each(|(at, bytes)| self.write(at, &bytes, None))
    }

    /// What tells it from other disks.
    pub(super) fn key(&self) -> Hash {
        self.regions.iter().fold(0, |all, region| all ^ region.key)
    }

    /// What tells its persistent partition from others.
    pub(super) fn persistent_key(&self) -> Hash {
        self.regions[PERSISTENT].key
    }

    /// The superblock of its persistent partition.
    pub(super) fn superblock(&self) -> &[u8] {
        &self.regions[PERSISTENT].bytes[SUPERBLOCK]
    }

    /// The bytes of its persistent partition.
    pub(super) fn persistent(&self) -> &[u8] {
        &self.regions[PERSISTENT].bytes
    }

    /// It without the persistent partition.
    pub(super) fn disk(&mut self) -> Disk {
        let mut sectors = std::collections::BTreeMap::new();
        for (region, (start, first)) in self.regions[ENDS].iter().zip(self.tables.iter()) {
            let both = region.bytes.chunks(SECTOR).zip(first.chunks(SECTOR));
            for (place, (now, _)) in (0..).zip(both).filter(|(_, (now, first))| now != first) {
                sectors.insert(start + place * SECTOR as u64, Arc::from(now));
            }
        }
        let images = self.regions[PARTITIONS].iter_mut().map(|region| {
            let bytes = &region.bytes;
            Arc::clone(region.partition.get_or_insert_with(|| Arc::new(Partition::new(bytes.clone()))))
        });
        Disk { images: images.collect(), tables: Arc::clone(&self.tables), sectors }
    }

    /// Makes `disk`, which is a copy of the base, this one.
    pub(super) fn write_to(&self, disk: &Path) -> io::Result<()> {
        let file = File::options().read(true).write(true).open(disk)?;
        let mut there = vec![0; PIECE];
        for region in &self.regions {
            for (place, piece) in (0..).zip(region.bytes.chunks(PIECE)) {
                let at = region.start + place * PIECE as u64;
                let there = &mut there[..piece.len()];
                file.read_exact_at(there, at)?;
                if there != piece {
                    file.write_all_at(piece, at)?;
                }
            }
        }
        Ok(())
    }

    /// Whether another one holds the same; where it does not, the first place.
    pub(super) fn agrees(&self, other: &Self) -> Result<(), Box<dyn Error>> {
        for (one, other) in self.regions.iter().zip(&other.regions) {
            if one.bytes != other.bytes {
                let differs = one.bytes.iter().zip(&other.bytes).position(|(one, other)| one != other);
                let at = one.start + differs.unwrap_or_default() as u64;
                return Err(format!("the record does not account for what is at {at} of the disk").into());
            }
        }
        Ok(())
    }
}

/// What tells the content of sectors from others: the same whatever the order in which they were written.
fn key(at: u64, bytes: &[u8]) -> Hash {
    let mut one = [0; 8 + SECTOR];
    (0..).zip(bytes.chunks(SECTOR)).fold(0, |all, (place, sector)| {
        // Most of a disk is empty, and empty sectors are the same everywhere: they tell nothing apart.
        if sector == &[0; SECTOR][..sector.len()] {
            return all;
        }
        let at: u64 = at + place * SECTOR as u64;
        one[..8].copy_from_slice(&at.to_le_bytes());
        one[8..8 + sector.len()].copy_from_slice(sector);
        all ^ hash(&one[..8 + sector.len()])
    })
}
