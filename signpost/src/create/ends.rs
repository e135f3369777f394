//! The first and the last mebibyte of a disk, in memory: all of it that a table can lie in. A library that writes to files
//! makes a table here; it is brought onto the disk by the write rule.

use std::io::{self, Read, Seek, SeekFrom, Write};

use super::size::MIB;
use crate::table::{Geometry, Sectors};

/// The two ends of a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ends {
    geometry: Geometry,
    start: Vec<u8>,
    end: Vec<u8>,
    position: u64,
}

impl Ends {
    /// The ends of a disk that holds nothing; `None` for a disk that is too small to have two.
    #[must_use]
    pub fn blank(geometry: Geometry) -> Option<Self> {
        let len = usize::try_from(MIB).ok()?;
        (bytes(geometry) >= 2 * MIB).then(|| Self {
            geometry,
            start: vec![0; len],
            end: vec![0; len],
            position: 0,
        })
    }

    /// The ends of `disk` as they are; `None` as for [`Ends::blank`].
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn of<S: Sectors>(disk: &mut S) -> Result<Option<Self>, S::Error> {
        let Some(mut ends) = Self::blank(disk.geometry()) else { return Ok(None) };
        let lba = ends.end_at() / u64::from(ends.geometry.sector_size);
        disk.read(0, &mut ends.start)?;
        disk.read(lba, &mut ends.end)?;
        Ok(Some(ends))
    }

    /// The disk's first bytes.
    #[must_use]
    pub fn start(&self) -> &[u8] {
        &self.start
    }

    /// The disk's last bytes.
    #[must_use]
    pub fn end(&self) -> &[u8] {
        &self.end
    }

    /// Where on the disk the first byte lies that is not zero.
    #[must_use]
    pub fn first_used(&self) -> Option<u64> {
        let used = |bytes: &[u8]| bytes.iter().position(|&byte| byte != 0).map(|at| at as u64);
        used(&self.start).or_else(|| used(&self.end).map(|at| self.end_at() + at))
    }

    /// Whether a partition table can be seen, whole or not: a GUID one of either sector size, or an older one.
    #[must_use]
    pub fn have_a_table(&self) -> bool {
        let header = |bytes: &[u8], at: usize| bytes[at..].starts_with(b"EFI PART");
        let len = self.end.len();
        let guid = header(&self.start, 512)
            || header(&self.start, 4096)
            || header(&self.end, len - 512)
            || header(&self.end, len - 4096);
        let (entries, _) = self.start[446..510].as_chunks::<16>();
        // A file system's first sector ends in the same two bytes, but its code makes no entries.
        let older = self.start[510..512] == [0x55, 0xaa]
            && entries.iter().all(|entry| entry[0] & 0x7f == 0)
            && entries.iter().any(|entry| entry[4] != 0);
        guid || older
    }

    fn end_at(&self) -> u64 {
        bytes(self.geometry) - self.end.len() as u64
    }

    /// What lies at `offset`, as far as it lies in one of the ends.
    fn piece(&mut self, offset: u64, len: usize) -> io::Result<&mut [u8]> {
        let end_at = self.end_at();
        let (end, from) =
            if offset < end_at { (&mut self.start, offset) } else { (&mut self.end, offset - end_at) };
        usize::try_from(from)
            .ok()
            .and_then(|from| end.get_mut(from..from.checked_add(len)?))
            .ok_or_else(|| io::Error::other(format!("{len} bytes at {offset} belong to no table")))
    }
}

fn bytes(geometry: Geometry) -> u64 {
    geometry.sectors.saturating_mul(u64::from(geometry.sector_size))
}

impl Read for Ends {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let position = self.position;
        buf.copy_from_slice(self.piece(position, buf.len())?);
        self.position += buf.len() as u64;
        Ok(buf.len())
    }
}

impl Write for Ends {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let position = self.position;
        self.piece(position, bytes.len())?.copy_from_slice(bytes);
        self.position += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Ends {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let from = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => bytes(self.geometry).checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = from.ok_or_else(|| io::Error::other("a place before the disk's start"))?;
        Ok(self.position)
    }
}

impl Sectors for Ends {
    type Error = io::Error;

    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read(&mut self, lba: u64, buf: &mut [u8]) -> io::Result<()> {
        let offset = lba.saturating_mul(u64::from(self.geometry.sector_size));
        buf.copy_from_slice(self.piece(offset, buf.len())?);
        Ok(())
    }

    fn write(&mut self, lba: u64, bytes: &[u8]) -> io::Result<()> {
        let offset = lba.saturating_mul(u64::from(self.geometry.sector_size));
        self.piece(offset, bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISK: Geometry = Geometry { sector_size: 512, sectors: 9 * 2048 + 1 };

    #[test]
    fn what_is_written_at_the_ends_is_there_and_nothing_can_be_written_between() {
        let mut ends = Ends::blank(DISK).unwrap();
        assert_eq!(ends.first_used(), None);
        assert_eq!(ends.seek(SeekFrom::End(-1)).unwrap(), 9 * MIB + 511);
        ends.write_all(&[7]).unwrap();
        assert_eq!(ends.first_used(), Some(9 * MIB + 511));
        ends.seek(SeekFrom::Start(MIB - 1)).unwrap();
        ends.write_all(&[8]).unwrap();
        assert_eq!(ends.first_used(), Some(MIB - 1));
        assert!(ends.write_all(&[9]).is_err(), "the first partition starts there");
        let mut sector = [0; 512];
        Sectors::read(&mut ends, 9 * 2048, &mut sector).unwrap();
        assert_eq!((sector[510], sector[511]), (0, 7));
        assert!(Sectors::read(&mut ends, 9 * 2048 + 1, &mut sector).is_err());
        assert!(Sectors::read(&mut ends, u64::MAX, &mut sector).is_err());
    }

    #[test]
    fn a_disk_without_room_for_two_ends_has_none() {
        for sectors in [0, 1, 4095] {
            assert_eq!(Ends::blank(Geometry { sector_size: 512, sectors }), None);
        }
        assert!(Ends::blank(Geometry { sector_size: 4096, sectors: 512 }).is_some());
    }
}
