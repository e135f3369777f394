//! One header sector of a partition table.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use uuid::Uuid;

use super::sectors::Geometry;

/// The primary header's place.
pub const PRIMARY_LBA: u64 = 1;
/// Where the primary copy's entries belong. Boot programs in the field look nowhere else.
pub const PRIMARY_ENTRIES_LBA: u64 = 2;

const SIGNATURE: &[u8; 8] = b"EFI PART";
/// The fields that every version of the format has.
const MIN_HEADER: usize = 92;
/// A list of entries above this is not a partition table but damage.
const MAX_ENTRIES_BYTES: u64 = 1 << 20;

const AT_HEADER_SIZE: usize = 12;
const AT_CRC: usize = 16;
const AT_MY_LBA: usize = 24;
const AT_ALTERNATE_LBA: usize = 32;
const AT_FIRST_USABLE: usize = 40;
const AT_LAST_USABLE: usize = 48;
const AT_DISK_GUID: usize = 56;
const AT_ENTRIES_LBA: usize = 72;
const AT_ENTRY_COUNT: usize = 80;
const AT_ENTRY_SIZE: usize = 84;
const AT_ENTRIES_CRC: usize = 88;

/// What is wrong with one copy of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Defect {
    /// The disk does not give it out.
    Unreadable(String),
    /// There is no table at that place.
    NoSignature,
    /// The header's length is impossible.
    HeaderSize(u32),
    /// The header does not match its checksum: it is torn or damaged.
    HeaderChecksum,
    /// The header belongs to another sector.
    WrongPlace {
        /// The sector it was found in.
        found_at: u64,
        /// The sector it says it is in.
        says: u64,
    },
    /// The other copy's place is impossible.
    AlternatePlace(u64),
    /// Number or size of entries is out of range.
    EntriesShape {
        /// How many entries it says there are.
        count: u32,
        /// How long it says each is, in bytes.
        size: u32,
    },
    /// The range for partitions is empty or overlaps the table.
    UsableRange {
        /// First sector for partitions.
        first: u64,
        /// Last sector for partitions.
        last: u64,
    },
    /// The entries do not lie where this copy's entries can lie.
    EntriesPlace(u64),
    /// The disk ends before what the header describes.
    DiskTooShort {
        /// The last sector that it describes.
        needs: u64,
    },
    /// The entries do not match their checksum: they are torn or damaged.
    EntriesChecksum,
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "it cannot be read ({why})"),
            Self::NoSignature => f.write_str("there is no table"),
            Self::HeaderSize(size) => write!(f, "its header says that it is {size} bytes long"),
            Self::HeaderChecksum => f.write_str("its header does not match its checksum"),
            Self::WrongPlace { found_at, says } => {
                write!(f, "its header says that it belongs to sector {says}, not {found_at}")
            }
            Self::AlternatePlace(lba) => write!(f, "it says that the other copy is at sector {lba}"),
            Self::EntriesShape { count, size } => {
                write!(f, "it says that it has {count} entries of {size} bytes")
            }
            Self::UsableRange { first, last } => {
                write!(f, "its range for partitions, sectors {first} to {last}, is impossible")
            }
            Self::EntriesPlace(lba) => write!(f, "its entries are at sector {lba}"),
            Self::DiskTooShort { needs } => {
                write!(f, "it describes a disk of at least {} sectors", needs.saturating_add(1))
            }
            Self::EntriesChecksum => f.write_str("its entries do not match their checksum"),
        }
    }
}

/// A header whose own checksum and fields are right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Exactly the bytes that the header's checksum covers; fields that we do not know are kept.
    bytes: Vec<u8>,
}

impl Header {
    /// Reads the header in `sector`, which was found at `lba`. The entries are not looked at.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(sector: &[u8], lba: u64, geometry: Geometry) -> Result<Self, Defect> {
        if !has_signature(sector) {
            return Err(Defect::NoSignature);
        }
        let size = u32_at(sector, AT_HEADER_SIZE);
        let length = usize::try_from(size).unwrap_or(usize::MAX);
        let Some(bytes) = sector.get(..length).filter(|bytes| bytes.len() >= MIN_HEADER) else {
            return Err(Defect::HeaderSize(size));
        };
        let header = Self { bytes: bytes.to_vec() };
        if header.checksum() != u32_at(bytes, AT_CRC) {
            return Err(Defect::HeaderChecksum);
        }
        header.check_fields(lba, geometry)?;
        Ok(header)
    }

    fn check_fields(&self, lba: u64, geometry: Geometry) -> Result<(), Defect> {
        if self.my_lba() != lba {
            return Err(Defect::WrongPlace { found_at: lba, says: self.my_lba() });
        }
        let (count, size) = (self.entry_count(), self.entry_size());
        let shape_is_right = count > 0
            && size >= 128
            && size.is_power_of_two()
            && u64::from(count) * u64::from(size) <= MAX_ENTRIES_BYTES;
        if !shape_is_right {
            return Err(Defect::EntriesShape { count, size });
        }
        let (first, last) = (self.first_usable(), self.last_usable());
        let entries_end = self.entries_lba().saturating_add(self.entries_sectors(geometry));
        if first > last {
            return Err(Defect::UsableRange { first, last });
        }
        let primary = lba == PRIMARY_LBA;
        let alternate = self.alternate_lba();
        let described = if primary { last.max(alternate) } else { last };
        if described >= geometry.sectors {
            return Err(Defect::DiskTooShort { needs: described });
        }
        if primary && alternate <= last || !primary && alternate != PRIMARY_LBA {
            return Err(Defect::AlternatePlace(alternate));
        }
        // The entries lie between the headers and the partitions, at either end of the disk.
        let in_place = if primary {
            self.entries_lba() == PRIMARY_ENTRIES_LBA
        } else {
            self.entries_lba() > last && entries_end <= lba
        };
        if !in_place {
            return Err(Defect::EntriesPlace(self.entries_lba()));
        }
        if primary && entries_end > first {
            return Err(Defect::UsableRange { first, last });
        }
        Ok(())
    }

    /// The sector that this header is for.
    #[must_use]
    pub fn my_lba(&self) -> u64 {
        u64_at(&self.bytes, AT_MY_LBA)
    }

    /// The sector of the other copy's header.
    #[must_use]
    pub fn alternate_lba(&self) -> u64 {
        u64_at(&self.bytes, AT_ALTERNATE_LBA)
    }

    /// The first sector that may belong to a partition.
    #[must_use]
    pub fn first_usable(&self) -> u64 {
        u64_at(&self.bytes, AT_FIRST_USABLE)
    }

    /// The last sector that may belong to a partition.
    #[must_use]
    pub fn last_usable(&self) -> u64 {
        u64_at(&self.bytes, AT_LAST_USABLE)
    }

    /// The disk's own identifier.
    #[must_use]
    pub fn disk_guid(&self) -> Uuid {
        let mut guid = [0; 16];
        guid.copy_from_slice(&self.bytes[AT_DISK_GUID..AT_DISK_GUID + 16]);
        Uuid::from_bytes_le(guid)
    }

    /// The first sector of this copy's entries.
    #[must_use]
    pub fn entries_lba(&self) -> u64 {
        u64_at(&self.bytes, AT_ENTRIES_LBA)
    }

    /// How many entries there are, used and unused.
    #[must_use]
    pub fn entry_count(&self) -> u32 {
        u32_at(&self.bytes, AT_ENTRY_COUNT)
    }

    /// Bytes per entry.
    #[must_use]
    pub fn entry_size(&self) -> u32 {
        u32_at(&self.bytes, AT_ENTRY_SIZE)
    }

    /// The checksum that the entries must have.
    #[must_use]
    pub fn entries_checksum(&self) -> u32 {
        u32_at(&self.bytes, AT_ENTRIES_CRC)
    }

    /// How many bytes all entries take. At most 1 MiB.
    #[must_use]
    pub fn entries_len(&self) -> usize {
        (self.entry_count() as usize) * (self.entry_size() as usize)
    }

    /// How many sectors the entries take, the last one perhaps not whole.
    #[must_use]
    pub fn entries_sectors(&self, geometry: Geometry) -> u64 {
        geometry.sectors_for(u64::from(self.entry_count()) * u64::from(self.entry_size()))
    }

    /// Where entries belong that lie directly in front of a backup header at `lba`.
    #[must_use]
    pub fn entries_before(&self, lba: u64, geometry: Geometry) -> u64 {
        lba.saturating_sub(self.entries_sectors(geometry))
    }

    /// The same header for another place on the disk. Its checksum is renewed.
    #[must_use]
    pub fn placed(&self, my_lba: u64, alternate_lba: u64, entries_lba: u64) -> Self {
        let mut header = self.clone();
        put(&mut header.bytes, AT_MY_LBA, &my_lba.to_le_bytes());
        put(&mut header.bytes, AT_ALTERNATE_LBA, &alternate_lba.to_le_bytes());
        put(&mut header.bytes, AT_ENTRIES_LBA, &entries_lba.to_le_bytes());
        header.sealed()
    }

    /// The same header for other entries. Its checksum is renewed.
    #[must_use]
    pub fn with_entries(&self, entries: &[u8]) -> Self {
        let mut header = self.clone();
        put(&mut header.bytes, AT_ENTRIES_CRC, &crc32fast::hash(entries).to_le_bytes());
        header.sealed()
    }

    /// The same header with another end of the range for partitions. Its checksum is renewed.
    #[must_use]
    pub fn with_last_usable(&self, lba: u64) -> Self {
        let mut header = self.clone();
        put(&mut header.bytes, AT_LAST_USABLE, &lba.to_le_bytes());
        header.sealed()
    }

    /// Writes the header into `sector`; bytes beyond the header stay.
    pub fn write_into(&self, sector: &mut [u8]) {
        put(sector, 0, &self.bytes);
    }

    fn sealed(mut self) -> Self {
        let checksum = self.checksum();
        put(&mut self.bytes, AT_CRC, &checksum.to_le_bytes());
        self
    }

    /// The checksum over the header with its own field taken as zero.
    fn checksum(&self) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.bytes[..AT_CRC]);
        hasher.update(&[0; 4]);
        hasher.update(&self.bytes[AT_CRC + 4..]);
        hasher.finalize()
    }
}

/// Where what should be a primary header says that the backup is: a hint that is worth following even when the header
/// itself is damaged, as what is found there is judged by its own checksums.
#[must_use]
pub fn alternate_hint(sector: &[u8]) -> Option<u64> {
    (sector.len() >= MIN_HEADER).then(|| u64_at(sector, AT_ALTERNATE_LBA))
}

fn has_signature(sector: &[u8]) -> bool {
    sector.len() >= MIN_HEADER && sector.starts_with(SIGNATURE)
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut value = [0; 4];
    value.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(value)
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut value = [0; 8];
    value.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(value)
}
