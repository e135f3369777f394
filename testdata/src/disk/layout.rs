//! Which partitions a disk has: `docs/compatibility.md`, "Disk layout", scaled down to what the images need.

use std::fs::File;
use std::io;

use gptman::{GPT, GPTPartitionEntry};
use ring::digest::{SHA256, digest};
use uuid::Uuid;

use super::BootBits;
use crate::image::Size;

/// Bytes in a logical sector of every disk here.
pub(crate) const SECTOR: u64 = 512;
const MIB: u64 = 1 << 20;

/// Partition type GUIDs.
pub mod types {
    use uuid::{Uuid, uuid};

    /// The BIOS boot loader's own space.
    pub const BIOS_BOOT: Uuid = uuid!("21686148-6449-6e6f-744e-656564454649");
    /// An EFI system partition.
    pub const EFI: Uuid = uuid!("c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
    /// BOOT.
    pub const BOOT: Uuid = uuid!("6b636168-7420-6568-2070-6c616e657421");
    /// ROOT.
    pub const ROOT: Uuid = uuid!("5526016a-1a97-4ea4-b39a-b7c8c6ca4502");
    /// HASH.
    pub const HASH: Uuid = uuid!("598f10af-c955-4456-6a99-7720068a6cea");
    /// Kept free.
    pub const RESERVED: Uuid = uuid!("0c5d99a5-d331-4147-baef-08e2b855bdc9");
    /// The persistent partition of the system.
    pub const PRIVATE: Uuid = uuid!("440408bb-eb0b-4328-a6e5-a29038fad706");
    /// The persistent partition of the workloads.
    pub const DATA: Uuid = uuid!("626f7474-6c65-6474-6861-726d61726b73");
}

/// How many partition sets a disk has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Banks {
    /// A and B.
    #[default]
    Two,
    /// Only A, with twice the room: a disk that cannot be updated in place.
    One,
}

/// Whether a disk has a partition table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Table {
    /// As it should.
    #[default]
    Gpt,
    /// Zeros only.
    None,
}

/// The plan of a disk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Layout {
    /// How large the releases are that it must hold.
    pub size: Size,
    /// How many sets.
    pub banks: Banks,
    /// Whether there is a table at all.
    pub table: Table,
    /// Room for ROOT in MiB, where it should not follow from `size`.
    pub root_mib: Option<u64>,
}

impl Layout {
    /// Room for ROOT in bytes.
    #[must_use]
    pub fn root_len(&self) -> u64 {
        let mib = match self.size {
            Size::Small => 8,
            Size::Demo => 64,
        };
        self.root_mib.unwrap_or(mib) * MIB
    }

    /// Label, type and size in MiB, in the order of the disk.
    fn partitions(&self) -> Vec<(&'static str, Uuid, u64)> {
        let (boot, private) = match self.size {
            Size::Small => (2, 4),
            Size::Demo => (16, 16),
        };
        let root = self.root_len() / MIB;
        // A tree has a 124th of what it is over, and a little.
        let hash = root / 120 + 1;
        let bank = match self.banks {
            Banks::Two => 1,
            Banks::One => 2,
        };
        let mut all = vec![
            ("BIOS-BOOT", types::BIOS_BOOT, 4),
            ("EFI-SYSTEM", types::EFI, 5),
            ("BOTTLEROCKET-BOOT-A", types::BOOT, boot * bank),
            ("BOTTLEROCKET-ROOT-A", types::ROOT, root * bank),
            ("BOTTLEROCKET-HASH-A", types::HASH, hash * bank),
            ("BOTTLEROCKET-RESERVED-A", types::RESERVED, bank),
            ("EFI-BACKUP", types::EFI, 5),
        ];
        if self.banks == Banks::Two {
            all.extend([
                ("BOTTLEROCKET-BOOT-B", types::BOOT, boot),
                ("BOTTLEROCKET-ROOT-B", types::ROOT, root),
                ("BOTTLEROCKET-HASH-B", types::HASH, hash),
                ("BOTTLEROCKET-RESERVED-B", types::RESERVED, 1),
            ]);
        }
        all.extend([("BOTTLEROCKET-PRIVATE", types::PRIVATE, private), ("", types::DATA, 1)]);
        all
    }
}

/// Makes `file` a disk of this layout: its length (sparse), and the table with factory bits.
pub(super) fn write(layout: &Layout, seed: &str, mut file: File) -> io::Result<()> {
    let partitions = layout.partitions();
    // One MiB before the partitions and one behind them for the two copies of the table.
    let mib: u64 = 2 + partitions.iter().map(|(_, _, mib)| mib).sum::<u64>();
    file.set_len(mib * MIB)?;
    if layout.table == Table::None {
        return Ok(());
    }
    let failed = |error: gptman::Error| io::Error::other(error.to_string());
    let mut table = GPT::new_from(&mut file, SECTOR, guid(seed, "disk")).map_err(failed)?;
    let mut start = MIB / SECTOR;
    for (number, (label, kind, mib)) in (1u32..).zip(&partitions) {
        let sectors = mib * MIB / SECTOR;
        table[number] = GPTPartitionEntry {
            partition_type_guid: kind.to_bytes_le(),
            unique_partition_guid: guid(seed, &format!("{number} {label}")),
            starting_lba: start,
            ending_lba: start + sectors - 1,
            attribute_bits: if *label == "BOTTLEROCKET-BOOT-A" { BootBits::FACTORY.onto(0) } else { 0 },
            partition_name: (*label).into(),
        };
        start += sectors;
    }
    GPT::write_protective_mbr_into(&mut file, SECTOR).map_err(failed)?;
    table.write_into(&mut file).map_err(failed)?;
    file.sync_all()
}

/// A GUID that follows from a name, in the byte order of a GPT.
fn guid(seed: &str, name: &str) -> [u8; 16] {
    let hash = digest(&SHA256, format!("{seed}/{name}").as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_ref()[..16]);
    // Version 8 of RFC 9562: made by a rule of one's own.
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Uuid::from_bytes(bytes).to_bytes_le()
}
