//! A disk as the table code wants it.

use std::io;

use host_io::Disk;

use crate::table::{Geometry, Sectors};

/// A disk, addressed by sectors.
pub struct DiskSectors<'a> {
    disk: &'a dyn Disk,
    from_medium: bool,
}

impl<'a> DiskSectors<'a> {
    /// Reads what is on the medium: for a change, and for everything that must be true after a power cut.
    #[must_use]
    pub fn on_medium(disk: &'a dyn Disk) -> Self {
        Self { disk, from_medium: true }
    }

    /// Reads what the kernel has: quick, for looking only.
    #[must_use]
    pub fn cached(disk: &'a dyn Disk) -> Self {
        Self { disk, from_medium: false }
    }

    fn offset(&self, lba: u64) -> io::Result<u64> {
        lba.checked_mul(u64::from(self.disk.sector_size()))
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, format!("sector {lba} is on no disk")))
    }
}

impl Sectors for DiskSectors<'_> {
    type Error = io::Error;

    fn geometry(&self) -> Geometry {
        let sector_size = self.disk.sector_size();
        Geometry { sector_size, sectors: self.disk.len() / u64::from(sector_size) }
    }

    fn read(&mut self, lba: u64, buf: &mut [u8]) -> io::Result<()> {
        let offset = self.offset(lba)?;
        if self.from_medium { self.disk.read_back_at(offset, buf) } else { self.disk.read_at(offset, buf) }
    }

    fn write(&mut self, lba: u64, bytes: &[u8]) -> io::Result<()> {
        self.disk.write_at(self.offset(lba)?, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.sync()
    }
}
