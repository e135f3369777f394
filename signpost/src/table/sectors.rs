//! What the code for tables needs of a disk: whole sectors, and a way to make them durable.

use core::fmt::Display;

/// The shape of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Bytes per sector: 512 or 4096 in practice.
    pub sector_size: u32,
    /// How many sectors there are.
    pub sectors: u64,
}

impl Geometry {
    /// The address of the last sector, where a backup header belongs; 0 for a disk without sectors.
    #[must_use]
    pub const fn last_lba(self) -> u64 {
        self.sectors.saturating_sub(1)
    }

    /// How many sectors `bytes` fill, the last one perhaps not whole.
    #[must_use]
    pub const fn sectors_for(self, bytes: u64) -> u64 {
        bytes.div_ceil(self.sector_size as u64)
    }

    /// A sector's size in memory.
    pub(super) const fn sector_len(self) -> usize {
        self.sector_size as usize
    }
}

/// A disk, addressed by sectors. Buffers are a whole number of sectors long.
pub trait Sectors {
    /// Why the disk refused.
    type Error: Display;

    /// The disk's shape.
    fn geometry(&self) -> Geometry;

    /// Fills `buf` from sector `lba` on.
    ///
    /// # Errors
    /// When the disk refuses.
    fn read(&mut self, lba: u64, buf: &mut [u8]) -> Result<(), Self::Error>;

    /// Writes `bytes` from sector `lba` on. Each sector is written whole or not at all; durable only after
    /// [`Sectors::sync`].
    ///
    /// # Errors
    /// When the disk refuses.
    fn write(&mut self, lba: u64, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Makes all earlier writes durable.
    ///
    /// # Errors
    /// When the disk refuses; nothing may then be assumed of any earlier write.
    fn sync(&mut self) -> Result<(), Self::Error>;
}
