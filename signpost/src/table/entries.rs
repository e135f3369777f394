//! The list of partitions.

use alloc::string::String;
use alloc::vec::Vec;

use uuid::Uuid;

use super::header::u64_at;

const AT_GUID: usize = 16;
const AT_FIRST: usize = 32;
const AT_LAST: usize = 40;
const AT_ATTRIBUTES: usize = 48;
const AT_NAME: usize = 56;
const NAME_UNITS: usize = 36;

/// One used entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The partition's number, counted from 1 as in its node's name.
    pub number: u32,
    /// What kind of partition it is.
    pub type_guid: Uuid,
    /// Which partition it is: its PARTUUID.
    pub guid: Uuid,
    /// Its first sector.
    pub first_lba: u64,
    /// Its last sector.
    pub last_lba: u64,
    /// Its 64 attribute bits.
    pub attributes: u64,
    /// Its label.
    pub name: String,
}

/// All entries of a table, as bytes; whatever we do not know in them is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entries {
    bytes: Vec<u8>,
    entry_size: usize,
}

impl Entries {
    /// The entries in `bytes`, each `entry_size` bytes (at least 128) long.
    #[must_use]
    pub fn new(bytes: Vec<u8>, entry_size: usize) -> Self {
        debug_assert!(entry_size >= AT_NAME + 2 * NAME_UNITS, "an entry holds all fields");
        Self { bytes, entry_size }
    }

    /// The bytes that the table's checksum covers.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The used entries, in the order of their numbers.
    pub fn used(&self) -> impl Iterator<Item = Entry> + '_ {
        self.bytes.chunks_exact(self.entry_size).zip(1u32..).filter_map(|(bytes, number)| {
            Some(parse(bytes, number)).filter(|entry| !entry.type_guid.is_nil())
        })
    }

    /// The used entry of a partition number.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<Entry> {
        let bytes = self.bytes.chunks_exact(self.entry_size).nth(index(number)?)?;
        Some(parse(bytes, number)).filter(|entry| !entry.type_guid.is_nil())
    }

    /// Sets the attribute bits of a partition that exists.
    pub fn set_attributes(&mut self, number: u32, attributes: u64) {
        let entry = index(number).and_then(|index| self.bytes.chunks_exact_mut(self.entry_size).nth(index));
        if let Some(entry) = entry {
            entry[AT_ATTRIBUTES..AT_ATTRIBUTES + 8].copy_from_slice(&attributes.to_le_bytes());
        }
    }
}

fn index(number: u32) -> Option<usize> {
    usize::try_from(number.checked_sub(1)?).ok()
}

fn parse(bytes: &[u8], number: u32) -> Entry {
    let units = (0..NAME_UNITS)
        .map(|unit| u16::from_le_bytes([bytes[AT_NAME + 2 * unit], bytes[AT_NAME + 2 * unit + 1]]))
        .take_while(|&unit| unit != 0);
    Entry {
        number,
        type_guid: guid_at(bytes, 0),
        guid: guid_at(bytes, AT_GUID),
        first_lba: u64_at(bytes, AT_FIRST),
        last_lba: u64_at(bytes, AT_LAST),
        attributes: u64_at(bytes, AT_ATTRIBUTES),
        name: char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect(),
    }
}

fn guid_at(bytes: &[u8], at: usize) -> Uuid {
    let mut guid = [0; 16];
    guid.copy_from_slice(&bytes[at..at + 16]);
    Uuid::from_bytes_le(guid)
}
