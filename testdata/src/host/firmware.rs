//! The firmware of the simulated host: which set is started, and the try that it costs.
//!
//! Written from what GRUB's `gptprio.next` does (`docs/compatibility.md`, "GRUB") and deliberately without `signpost`,
//! so that the two can judge each other.

use std::io;
use std::path::Path;

use gptman::{GPT, GPTHeader, GPTPartitionEntry};

use host_io::explore::record::{Line, Record};

use crate::disk::layout::{SECTOR, types};
use crate::disk::{BootBits, DiskImage};

/// What the firmware decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pick {
    /// The BOOT partition's place in the table, from 1. ROOT and HASH are the two that follow it.
    pub number: u32,
    /// The BOOT partition's own GUID, as text.
    pub guid: String,
    /// Whether one copy of the table was broken and has been made again from the other.
    pub repaired: bool,
}

/// Looks at the disk, repairs the table, picks a set and spends one of its tries. `None` when no set is bootable.
///
/// # Errors
/// When neither copy of the table can be read, or it cannot be written.
pub fn pick(disk: &DiskImage) -> io::Result<Option<Pick>> {
    let mut file = disk.file();
    let mut table = GPT::read_from(&mut file, SECTOR).map_err(|error| io::Error::other(error.to_string()))?;
    let repaired = !both_copies_equal(&mut file, &table);
    if table.is_backup() {
        // From here on this is the primary: what is written below makes it again.
        table.header = primary_of(&table.header);
    }
    let boots: Vec<(u32, BootBits)> = table
        .iter()
        .filter(|(_, entry)| entry.partition_type_guid == types::BOOT.to_bytes_le())
        .map(|(number, entry)| (number, BootBits::from_attributes(entry.attribute_bits)))
        .collect();
    let bits: Vec<BootBits> = boots.iter().map(|(_, bits)| *bits).collect();
    let chosen = choose(&bits).map(|index| boots[index]);
    let mut changed = repaired;
    if let Some((number, bits)) = chosen.filter(|(_, bits)| bits.tries > 0) {
        let spent = BootBits { tries: bits.tries - 1, ..bits };
        table[number].attribute_bits = spent.onto(table[number].attribute_bits);
        changed = true;
    }
    if changed {
        table.write_into(&mut file).map_err(|error| io::Error::other(error.to_string()))?;
        file.sync_all()?;
    }
    Ok(chosen.map(|(number, _)| Pick { number, guid: guid_text(&table[number]), repaired }))
}

/// [`pick`], whose changes of the disk are added to the record in `dir`, where there is one: the copy of the table that is
/// not read first goes first, or the one that is broken, each followed by a sync.
///
/// # Errors
/// As [`pick`].
pub(super) fn pick_recorded(disk: &DiskImage, dir: Option<&Path>) -> io::Result<Option<Pick>> {
    let Some(record) = dir.map(Record::at) else { return pick(disk) };
    let (before, [primary_is_whole, _]) = (disk.tables(), disk.whole_tables());
    let picked = pick(disk)?;
    let after = disk.tables();
    let mut order: Vec<_> = before.iter().zip(&after).collect();
    if primary_is_whole {
        order.reverse();
    }
    for ((at, old), (_, new)) in order {
        let sector = usize::try_from(SECTOR).expect("small");
        for (place, (old, new)) in (0..).zip(old.chunks(sector).zip(new.chunks(sector))) {
            if old != new {
                let at = at + place * SECTOR;
                let line = |(): &(), bytes| Line::DiskWrite { path: disk.path().to_owned(), at, bytes };
                record.change(new, || Ok(()), line)?;
            }
        }
        record.change(&[], || Ok(()), |(), _| Line::DiskSync { path: disk.path().to_owned() })?;
    }
    Ok(picked)
}

/// Which of the boot entries is started, by its place in `entries`: the highest priority above 0 among those that have
/// tries left or have succeeded; the first of equals.
#[must_use]
pub fn choose(entries: &[BootBits]) -> Option<usize> {
    let mut best = 0;
    let mut found = None;
    for (index, bits) in entries.iter().enumerate() {
        if (bits.tries > 0 || bits.successful) && bits.priority > best {
            best = bits.priority;
            found = Some(index);
        }
    }
    found
}

fn both_copies_equal(file: &mut std::fs::File, table: &GPT) -> bool {
    use std::io::{Seek as _, SeekFrom};
    let mut other = |lba: u64| -> Option<Vec<GPTPartitionEntry>> {
        file.seek(SeekFrom::Start(lba.checked_mul(SECTOR)?)).ok()?;
        GPTHeader::read_from(file).ok()?.read_partitions(file, SECTOR).ok()
    };
    other(table.header.backup_lba).is_some_and(|entries| table.iter().map(|(_, entry)| entry).eq(&entries))
}

fn primary_of(backup: &GPTHeader) -> GPTHeader {
    GPTHeader {
        primary_lba: backup.backup_lba,
        backup_lba: backup.primary_lba,
        partition_entry_lba: 2,
        ..backup.clone()
    }
}

fn guid_text(entry: &GPTPartitionEntry) -> String {
    uuid::Uuid::from_bytes_le(entry.unique_partition_guid).to_string()
}
