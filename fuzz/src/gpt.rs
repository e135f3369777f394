//! A disk in memory with a partition table to be damaged.

use signpost::bits::PRIVATE_TYPE;
use signpost::table::{Geometry, Sectors};
use signpost::{BootBits, Role};

use crate::input::Input;

/// Bytes per sector.
pub const SECTOR: usize = 512;
/// Sectors of the disk that [`Disk::with_sets`] makes: both copies with 16 entries each, and a few to spare.
pub const SECTORS: u64 = 64;
const ENTRY: usize = 128;
const ENTRIES: usize = 16;
const FIRST_USABLE: u64 = 2 + (ENTRY * ENTRIES / SECTOR) as u64;
const BACKUP_ENTRIES: u64 = SECTORS - 1 - (ENTRY * ENTRIES / SECTOR) as u64;

/// A disk whose sectors lie in memory.
#[derive(Clone)]
pub struct Disk {
    pub bytes: Vec<u8>,
}

impl Disk {
    /// A disk with two sets and a private partition, each partition one sector long.
    pub fn with_sets() -> Self {
        let mut disk = Self { bytes: vec![0; SECTOR * SECTORS as usize] };
        let types = [Role::Boot, Role::Root, Role::Hash].map(Role::type_guid);
        let types = types.into_iter().chain(types).chain([PRIVATE_TYPE]);
        let mut entries = vec![0; ENTRY * ENTRIES];
        for ((entry, kind), number) in entries.chunks_exact_mut(ENTRY).zip(types).zip(1u8..) {
            let lba = FIRST_USABLE + u64::from(number);
            entry[..16].copy_from_slice(&kind.to_bytes_le());
            entry[16..32].copy_from_slice(&[number; 16]);
            entry[32..40].copy_from_slice(&lba.to_le_bytes());
            entry[40..48].copy_from_slice(&lba.to_le_bytes());
            let bits = BootBits { priority: 3 - number / 3, tries: 0, successful: number == 1 };
            if matches!(number, 1 | 4) {
                entry[48..56].copy_from_slice(&bits.patch(0).to_le_bytes());
            }
        }
        let last = SECTORS - 1;
        for (lba, other, at) in [(1, last, 2), (last, 1, BACKUP_ENTRIES)] {
            let mut header = vec![0; SECTOR];
            header[..8].copy_from_slice(b"EFI PART");
            header[8..12].copy_from_slice(&0x0001_0000u32.to_le_bytes());
            header[12..16].copy_from_slice(&92u32.to_le_bytes());
            for (place, value) in
                [(24, lba), (32, other), (40, FIRST_USABLE), (48, BACKUP_ENTRIES - 1), (72, at)]
            {
                header[place..place + 8].copy_from_slice(&u64::to_le_bytes(value));
            }
            header[56..72].copy_from_slice(&[0xD1; 16]);
            header[80..84].copy_from_slice(&(ENTRIES as u32).to_le_bytes());
            header[84..88].copy_from_slice(&(ENTRY as u32).to_le_bytes());
            disk.put(lba, &header);
            disk.put(at, &entries);
        }
        disk.seal();
        disk
    }

    fn put(&mut self, lba: u64, bytes: &[u8]) {
        let at = lba as usize * SECTOR;
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Overwrites parts of the tables as the input says: which sector of them, where in it, and with what.
    pub fn damage(&mut self, input: &mut Input<'_>) {
        let table = (0..FIRST_USABLE).chain(BACKUP_ENTRIES..SECTORS);
        let table: Vec<usize> = table.map(|lba| lba as usize * SECTOR).collect();
        while !input.is_empty() {
            let at = table[usize::from(input.byte()) % table.len()] + usize::from(input.u16()) % SECTOR;
            let count = 1 + usize::from(input.byte() % 16);
            let bytes = input.take(count.min(self.bytes.len() - at));
            self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        }
    }

    /// Renews all checksums, so that damage reaches the code behind them.
    pub fn seal(&mut self) {
        for (lba, at) in [(1, 2), (SECTORS - 1, BACKUP_ENTRIES)] {
            let entries = crc32fast::hash(&self.bytes[at as usize * SECTOR..][..ENTRY * ENTRIES]);
            let header = &mut self.bytes[lba as usize * SECTOR..][..SECTOR];
            header[88..92].copy_from_slice(&entries.to_le_bytes());
            seal_header(header);
        }
    }
}

/// Renews the checksum of one header, as far as its length makes sense.
pub fn seal_header(sector: &mut [u8]) {
    let Some(Ok(len)) = sector.get(12..16).map(|len| len.try_into().map(u32::from_le_bytes)) else { return };
    let len = len as usize;
    if (20..=sector.len()).contains(&len) {
        sector[16..20].fill(0);
        let checksum = crc32fast::hash(&sector[..len]);
        sector[16..20].copy_from_slice(&checksum.to_le_bytes());
    }
}

impl Sectors for Disk {
    type Error = &'static str;

    fn geometry(&self) -> Geometry {
        Geometry { sector_size: SECTOR as u32, sectors: (self.bytes.len() / SECTOR) as u64 }
    }

    fn read(&mut self, lba: u64, buf: &mut [u8]) -> Result<(), Self::Error> {
        let at = usize::try_from(lba).ok().and_then(|lba| lba.checked_mul(SECTOR)).ok_or("far off")?;
        let end = at.checked_add(buf.len()).ok_or("far off")?;
        buf.copy_from_slice(self.bytes.get(at..end).ok_or("beyond the end")?);
        Ok(())
    }

    fn write(&mut self, lba: u64, bytes: &[u8]) -> Result<(), Self::Error> {
        let at = usize::try_from(lba).ok().and_then(|lba| lba.checked_mul(SECTOR)).ok_or("far off")?;
        let end = at.checked_add(bytes.len()).ok_or("far off")?;
        self.bytes.get_mut(at..end).ok_or("beyond the end")?.copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}
