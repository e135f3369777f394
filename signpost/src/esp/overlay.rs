//! A partition with changes that are not written yet. What a file system library writes stays in memory until it is put
//! onto the medium in one go.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Seek, SeekFrom, Write};

use host_io::Disk;

/// What is read and written at a time: a sector of most disks, so that it is known which sectors change together.
pub const BLOCK: usize = 512;

/// A partition, and what is to change on it.
pub struct Overlay<'a> {
    disk: &'a dyn Disk,
    /// Blocks as they are to be, or as they were read.
    blocks: BTreeMap<u64, [u8; BLOCK]>,
    changed: BTreeSet<u64>,
    at: u64,
}

impl<'a> Overlay<'a> {
    /// A partition without changes.
    #[must_use]
    pub fn new(disk: &'a dyn Disk) -> Self {
        Self { disk, blocks: BTreeMap::new(), changed: BTreeSet::new(), at: 0 }
    }

    /// Writes all changes, makes them durable, and reads them back. Answers with how many blocks changed.
    ///
    /// # Errors
    /// When the disk refuses, or holds something else afterwards; then some of the changes may be there.
    pub fn put(&mut self) -> io::Result<usize> {
        let sector = u64::from(self.disk.sector_size()).max(BLOCK as u64);
        let per_sector = sector / BLOCK as u64;
        let sectors: BTreeSet<u64> = self.changed.iter().map(|block| block / per_sector).collect();
        let whole = |overlay: &mut Self, number: u64| -> io::Result<Vec<u8>> {
            let blocks = number * per_sector..(number + 1) * per_sector;
            blocks
                .map(|block| overlay.block(block))
                .collect::<io::Result<Vec<_>>>()
                .map(|blocks| blocks.concat())
        };
        for &number in &sectors {
            let bytes = whole(self, number)?;
            self.disk.write_at(number * sector, &bytes)?;
        }
        self.disk.sync()?;
        for &number in &sectors {
            let wanted = whole(self, number)?;
            let mut found = vec![0; wanted.len()];
            self.disk.read_back_at(number * sector, &mut found)?;
            if found != wanted {
                return Err(io::Error::other(format!("byte {} is not what was written", number * sector)));
            }
        }
        let changed = self.changed.len();
        self.changed.clear();
        Ok(changed)
    }

    fn block(&mut self, number: u64) -> io::Result<[u8; BLOCK]> {
        if let Some(block) = self.blocks.get(&number) {
            return Ok(*block);
        }
        let mut block = [0; BLOCK];
        self.disk.read_at(number * BLOCK as u64, &mut block)?;
        self.blocks.insert(number, block);
        Ok(block)
    }

    /// The part of the block at the present place that a transfer of `len` bytes touches.
    fn here(&self, len: usize) -> (u64, std::ops::Range<usize>) {
        let (number, from) =
            (self.at / BLOCK as u64, usize::try_from(self.at % BLOCK as u64).unwrap_or_default());
        let left = usize::try_from(self.disk.len().saturating_sub(self.at)).unwrap_or(usize::MAX);
        (number, from..from + len.min(BLOCK - from).min(left))
    }
}

impl Read for Overlay<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let (number, part) = self.here(buf.len());
        if part.is_empty() {
            return Ok(0);
        }
        let block = self.block(number)?;
        buf[..part.len()].copy_from_slice(&block[part.clone()]);
        self.at += part.len() as u64;
        Ok(part.len())
    }
}

impl Write for Overlay<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let (number, part) = self.here(buf.len());
        if part.is_empty() {
            return Ok(0);
        }
        let mut block = self.block(number)?;
        if block[part.clone()] != buf[..part.len()] {
            block[part.clone()].copy_from_slice(&buf[..part.len()]);
            self.blocks.insert(number, block);
            self.changed.insert(number);
        }
        self.at += part.len() as u64;
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        // Only `put` writes.
        Ok(())
    }
}

impl Seek for Overlay<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.disk.len().checked_add_signed(by),
        };
        self.at = place.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
