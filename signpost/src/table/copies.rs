//! Both copies of a table, judged.
//!
//! The backup is looked for where the primary says that it is, and at the disk's end: on a disk that has grown these
//! differ. What a damaged primary header says counts as a hint only, since the backup is judged by its own checksums.

use alloc::string::ToString as _;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use super::entries::Entries;
use super::header::{Defect, Header, PRIMARY_ENTRIES_LBA, PRIMARY_LBA, alternate_hint};
use super::sectors::{Geometry, Sectors};

/// One of the two copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// At the start of the disk.
    Primary,
    /// At its end.
    Backup,
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Primary => "primary",
            Self::Backup => "backup",
        })
    }
}

/// A copy that is whole: its header's and its entries' checksums are right, and its fields are possible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    header: Header,
    entries: Entries,
    /// The header's sector as it was read.
    sector: Vec<u8>,
    /// What follows the entries in their last sector.
    tail: Vec<u8>,
}

impl Table {
    /// The copy's header.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The copy's entries.
    #[must_use]
    pub const fn entries(&self) -> &Entries {
        &self.entries
    }
}

/// What was found at the place of one copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A whole copy.
    Valid(Table),
    /// Something else.
    Broken(Defect),
}

impl Found {
    /// The whole copy, if it is one.
    #[must_use]
    pub const fn table(&self) -> Option<&Table> {
        match self {
            Self::Valid(table) => Some(table),
            Self::Broken(_) => None,
        }
    }
}

/// Why a disk's table can be neither used nor repaired.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unusable {
    /// Neither copy is whole.
    NoTable {
        /// What is wrong with the primary copy.
        primary: Defect,
        /// What is wrong with the backup copy.
        backup: Defect,
    },
    /// The primary copy keeps its entries elsewhere than in sector 2.
    EntriesElsewhere(u64),
    /// The disk is shorter than its table says.
    DiskTooShort {
        /// How many sectors the table describes.
        described: u64,
        /// How many sectors there are.
        sectors: u64,
    },
    /// There is no room to write the other copy.
    NoRoom(Which),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTable { primary: Defect::NoSignature, backup: Defect::NoSignature } => {
                f.write_str("there is no GUID partition table on it")
            }
            Self::NoTable { primary, backup } => {
                write!(f, "neither copy is whole: of the primary, {primary}; of the backup, {backup}")
            }
            Self::EntriesElsewhere(lba) => {
                write!(f, "its entries are at sector {lba}, where boot programs do not look, not at sector 2")
            }
            Self::DiskTooShort { described, sectors } => {
                write!(f, "it describes at least {described} sectors, but the disk has {sectors}")
            }
            Self::NoRoom(which) => write!(f, "there is no room for its {which} copy beside the partitions"),
        }
    }
}

impl core::error::Error for Unusable {}

/// Both copies as they were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copies {
    geometry: Geometry,
    primary: Found,
    backup: Found,
    backup_lba: u64,
}

impl Copies {
    /// Reads and judges both copies. A sector that cannot be read breaks its copy only.
    pub fn read<S: Sectors>(disk: &mut S) -> Self {
        let geometry = disk.geometry();
        let sector = read_sector(disk, PRIMARY_LBA);
        let hint = sector.as_ref().ok().and_then(|sector| alternate_hint(sector));
        let primary = match sector.and_then(|sector| read_rest(disk, PRIMARY_LBA, &sector)) {
            Ok(table) => Found::Valid(table),
            Err(defect) => Found::Broken(defect),
        };
        let on_disk = |lba: &u64| (PRIMARY_ENTRIES_LBA..geometry.sectors).contains(lba);
        let named = hint.filter(on_disk).unwrap_or(geometry.last_lba());
        let mut backup = read_copy(disk, named);
        let mut backup_lba = named;
        if backup.table().is_none() && named != geometry.last_lba() {
            let at_end = read_copy(disk, geometry.last_lba());
            // What a whole primary names stays the place to write to, unless there is a whole copy at the end.
            if at_end.table().is_some() {
                (backup, backup_lba) = (at_end, geometry.last_lba());
            }
        }
        Self { geometry, primary, backup, backup_lba }
    }

    /// The disk's shape.
    #[must_use]
    pub const fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// What was found at the place of a copy.
    #[must_use]
    pub const fn found(&self, which: Which) -> &Found {
        match which {
            Which::Primary => &self.primary,
            Which::Backup => &self.backup,
        }
    }

    /// The sector of the backup's header, or where it belongs when it is broken.
    #[must_use]
    pub const fn backup_lba(&self) -> u64 {
        self.backup_lba
    }

    /// The copy that counts: the primary while it is whole, else the backup.
    ///
    /// # Errors
    /// When neither can be used.
    pub fn current(&self) -> Result<(&Table, Which), Unusable> {
        // A header that is whole but describes something that we must not touch is not damage to be repaired.
        match &self.primary {
            Found::Broken(Defect::EntriesPlace(lba)) => return Err(Unusable::EntriesElsewhere(*lba)),
            Found::Broken(Defect::DiskTooShort { needs }) => {
                let described = needs.saturating_add(1);
                return Err(Unusable::DiskTooShort { described, sectors: self.geometry.sectors });
            }
            Found::Broken(_) | Found::Valid(_) => {}
        }
        match (&self.primary, &self.backup) {
            (Found::Valid(table), _) => Ok((table, Which::Primary)),
            (Found::Broken(_), Found::Valid(table)) => Ok((table, Which::Backup)),
            (Found::Broken(primary), Found::Broken(backup)) => {
                Err(Unusable::NoTable { primary: primary.clone(), backup: backup.clone() })
            }
        }
    }

    /// Whether both copies are whole and say the same.
    #[must_use]
    pub fn are_equal(&self) -> bool {
        match (&self.primary, &self.backup) {
            (Found::Valid(primary), Found::Valid(backup)) => {
                let mirrored =
                    primary.header.placed(backup.header.my_lba(), PRIMARY_LBA, backup.header.entries_lba());
                mirrored == backup.header
                    && primary.header.alternate_lba() == backup.header.my_lba()
                    && primary.entries == backup.entries
            }
            (Found::Broken(_), _) | (_, Found::Broken(_)) => false,
        }
    }

    /// Whether the backup lies before the disk's end, as on a disk that was enlarged.
    #[must_use]
    pub const fn has_grown(&self) -> bool {
        self.backup_lba != self.geometry.last_lba()
    }

    /// Both copies as they are to be with `entries` in place of the present ones. The copy that counts gives everything
    /// else; what a whole copy has beside header and entries stays.
    ///
    /// # Errors
    /// When no copy can be used, or the other one cannot be written anywhere.
    pub(super) fn with_entries(&self, entries: &Entries) -> Result<(Image, Image), Unusable> {
        let (table, _) = self.current()?;
        let header = table.header.with_entries(entries.as_bytes());
        let backup_entries = match &self.backup {
            Found::Valid(backup) if backup.header.entries_len() == header.entries_len() => {
                backup.header.entries_lba()
            }
            Found::Valid(_) | Found::Broken(_) => header.entries_before(self.backup_lba, self.geometry),
        };
        self.images(&header, entries, self.backup_lba, backup_entries)
    }

    /// Both copies as they are to be with the backup at the disk's very end, and all that lies before it free for
    /// partitions.
    ///
    /// # Errors
    /// As [`Copies::with_entries`].
    pub(super) fn at_the_end(&self) -> Result<(Image, Image), Unusable> {
        let (table, _) = self.current()?;
        let backup_lba = self.geometry.last_lba();
        let backup_entries = table.header.entries_before(backup_lba, self.geometry);
        let last_usable = backup_entries.saturating_sub(1);
        // On a disk that has grown by less than a table's length the new place would lie over the old one, which has to
        // stay whole until the new one is.
        if backup_entries <= self.backup_lba || last_usable < table.header.last_usable() {
            return Err(Unusable::NoRoom(Which::Backup));
        }
        let header = table.header.with_last_usable(last_usable);
        self.images(&header, &table.entries, backup_lba, backup_entries)
    }

    fn images(
        &self,
        header: &Header,
        entries: &Entries,
        backup_lba: u64,
        backup_entries: u64,
    ) -> Result<(Image, Image), Unusable> {
        if backup_entries <= header.last_usable() {
            return Err(Unusable::NoRoom(Which::Backup));
        }
        if PRIMARY_ENTRIES_LBA + header.entries_sectors(self.geometry) > header.first_usable() {
            return Err(Unusable::NoRoom(Which::Primary));
        }
        let primary = header.placed(PRIMARY_LBA, backup_lba, PRIMARY_ENTRIES_LBA);
        let backup = header.placed(backup_lba, PRIMARY_LBA, backup_entries);
        Ok((self.image(Which::Primary, &primary, entries), self.image(Which::Backup, &backup, entries)))
    }

    /// Both copies as `images` have made them, read back: what a next change may start from without reading again.
    pub(super) fn after(&self, images: &[Image; 2]) -> Self {
        let mut after = self.clone();
        for image in images {
            let found = match judge(&image.header.1, image.header.0, self.geometry, image.entries.1.clone()) {
                Ok(table) => Found::Valid(table),
                Err(defect) => Found::Broken(defect),
            };
            match image.which {
                Which::Primary => after.primary = found,
                Which::Backup => (after.backup, after.backup_lba) = (found, image.header.0),
            }
        }
        after
    }

    fn image(&self, which: Which, header: &Header, entries: &Entries) -> Image {
        let present = self.found(which).table();
        let len = self.geometry.sector_len();
        let mut sector = present.map_or_else(|| vec![0; len], |table| table.sector.clone());
        header.write_into(&mut sector);
        let mut area = entries.as_bytes().to_vec();
        if let Some(table) = present.filter(|table| table.header.entries_len() == area.len()) {
            area.extend_from_slice(&table.tail);
        }
        area.resize(area.len().next_multiple_of(len), 0);
        let same_place = |table: &&Table| {
            table.header.my_lba() == header.my_lba()
                && table.header.entries_lba() == header.entries_lba()
                && table.header.entries_len() == header.entries_len()
        };
        let present = present.filter(same_place).map(|table| {
            let area = [table.entries.as_bytes(), &table.tail].concat();
            (table.sector.clone(), area)
        });
        Image { which, header: (header.my_lba(), sector), entries: (header.entries_lba(), area), present }
    }
}

/// One copy as it is to be on the disk: whole sectors and where they belong.
pub(super) struct Image {
    pub(super) which: Which,
    pub(super) header: (u64, Vec<u8>),
    pub(super) entries: (u64, Vec<u8>),
    /// What these two places hold now, where that was read already.
    pub(super) present: Option<(Vec<u8>, Vec<u8>)>,
}

fn read_copy<S: Sectors>(disk: &mut S, lba: u64) -> Found {
    match try_read_copy(disk, lba) {
        Ok(table) => Found::Valid(table),
        Err(defect) => Found::Broken(defect),
    }
}

fn try_read_copy<S: Sectors>(disk: &mut S, lba: u64) -> Result<Table, Defect> {
    let sector = read_sector(disk, lba)?;
    read_rest(disk, lba, &sector)
}

fn read_sector<S: Sectors>(disk: &mut S, lba: u64) -> Result<Vec<u8>, Defect> {
    let mut sector = vec![0; disk.geometry().sector_len()];
    disk.read(lba, &mut sector).map_err(|error| Defect::Unreadable(error.to_string()))?;
    Ok(sector)
}

/// The entries that the header in `sector` names, and both judged.
fn read_rest<S: Sectors>(disk: &mut S, lba: u64, sector: &[u8]) -> Result<Table, Defect> {
    let geometry = disk.geometry();
    let header = Header::parse(sector, lba, geometry)?;
    let mut area = vec![0; header.entries_len().next_multiple_of(geometry.sector_len())];
    disk.read(header.entries_lba(), &mut area).map_err(|error| Defect::Unreadable(error.to_string()))?;
    with_area(header, sector, area)
}

fn judge(sector: &[u8], lba: u64, geometry: Geometry, area: Vec<u8>) -> Result<Table, Defect> {
    with_area(Header::parse(sector, lba, geometry)?, sector, area)
}

fn with_area(header: Header, sector: &[u8], mut area: Vec<u8>) -> Result<Table, Defect> {
    let tail = area.split_off(header.entries_len());
    if crc32fast::hash(&area) != header.entries_checksum() {
        return Err(Defect::EntriesChecksum);
    }
    let entries = Entries::new(area, header.entry_size() as usize);
    Ok(Table { header, entries, sector: sector.to_vec(), tail })
}
