//! The resulting table for people and for programs.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::blueprint::Kind;
use super::size::MIB;
use crate::bits::BootBits;
use crate::layout::Layout;
use crate::table::{Copies, Entry, Unusable};

/// A disk's partitions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listing {
    disk: PathBuf,
    guid: String,
    /// Its size in bytes.
    len: u64,
    sector_size: u32,
    partitions: Vec<Row>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Row {
    number: u32,
    #[serde(rename = "type")]
    kind: String,
    type_guid: String,
    guid: String,
    label: String,
    /// First byte and length.
    start: u64,
    len: u64,
    set: Option<String>,
    bits: Option<Bits>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Bits {
    priority: u8,
    tries_left: u8,
    successful: bool,
}

impl Listing {
    /// The partitions of `disk` by the copy of its table that counts.
    ///
    /// # Errors
    /// When there is no table that can be used.
    pub fn new(disk: &Path, copies: &Copies) -> Result<Self, Unusable> {
        let geometry = copies.geometry();
        let sector = u64::from(geometry.sector_size);
        let (table, _) = copies.current()?;
        let layout = Layout::find(table).ok();
        let row = |entry: Entry| {
            let set = layout.as_ref().and_then(|layout| layout.set_of(entry.number));
            let boots = set.and_then(|set| layout.as_ref()?.members(set)).map(|members| members.boot);
            let bits = BootBits::from_attributes(entry.attributes);
            Row {
                number: entry.number,
                kind: named(Kind::of(entry.type_guid)),
                type_guid: entry.type_guid.to_string(),
                guid: entry.guid.to_string(),
                label: entry.name,
                start: entry.first_lba * sector,
                len: (entry.last_lba - entry.first_lba + 1) * sector,
                set: set.map(|set| set.to_string()),
                bits: (boots == Some(entry.number)).then_some(Bits {
                    priority: bits.priority,
                    tries_left: bits.tries,
                    successful: bits.successful,
                }),
            }
        };
        Ok(Self {
            disk: disk.to_owned(),
            guid: table.header().disk_guid().to_string(),
            len: geometry.sectors * sector,
            sector_size: geometry.sector_size,
            partitions: table.entries().used().map(row).collect(),
        })
    }

    /// Start and length in bytes of each partition, by number.
    pub(crate) fn extents(&self) -> impl Iterator<Item = (u32, u64, u64)> + '_ {
        self.partitions.iter().map(|row| (row.number, row.start, row.len))
    }
}

/// A type that has no name of its own stands beside it in full.
fn named(kind: Kind) -> String {
    match kind {
        Kind::Other(_) => "other".to_owned(),
        named => named.to_string(),
    }
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Disk:    {}", self.disk.display())?;
        writeln!(f, "Size:    {} MiB, sectors of {} bytes", self.len / MIB, self.sector_size)?;
        writeln!(f, "{:>4}{:>10}{:>10}  {:<10}  {:<3}  label", "#", "from MiB", "MiB", "type", "set")?;
        for row in &self.partitions {
            let set = row.set.as_deref().unwrap_or_default();
            let line = format!(
                "{:>4}{:>10}{:>10}  {:<10}  {set:<3}  {}",
                row.number,
                row.start / MIB,
                row.len / MIB,
                row.kind,
                row.label
            );
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
