//! Random tables and random damage: our reader and gptman agree on what they read, and what we write gptman reads.

use std::io::Cursor;

use gptman::{GPT, GPTPartitionEntry};
use host_io::{Disk as _, FileDisk};
use proptest::prelude::*;
use signpost::sectors::DiskSectors;
use signpost::table::{Copies, Entries, Geometry, Sectors, Which, rewrite};

use crate::disks::partuuid;

/// A disk in memory.
struct Memory {
    bytes: Vec<u8>,
    sector_size: u32,
}

impl Sectors for Memory {
    type Error = String;

    fn geometry(&self) -> Geometry {
        Geometry {
            sector_size: self.sector_size,
            sectors: self.bytes.len() as u64 / u64::from(self.sector_size),
        }
    }

    fn read(&mut self, lba: u64, buf: &mut [u8]) -> Result<(), String> {
        let at = self.at(lba);
        let from = self.bytes.get(at..).and_then(|bytes| bytes.get(..buf.len()));
        buf.copy_from_slice(from.ok_or("outside of the disk")?);
        Ok(())
    }

    fn write(&mut self, lba: u64, bytes: &[u8]) -> Result<(), String> {
        let at = self.at(lba);
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), String> {
        Ok(())
    }
}

impl Memory {
    fn at(&self, lba: u64) -> usize {
        usize::try_from(lba.saturating_mul(self.sector_size.into())).unwrap_or(usize::MAX)
    }

    fn gptman(&self) -> GPT {
        GPT::read_from(&mut Cursor::new(&self.bytes), self.sector_size.into()).unwrap()
    }
}

#[derive(Debug, Clone)]
struct Shape {
    sector_size: u32,
    /// Number, length in sectors, attributes; laid out one after the other, with gaps.
    parts: Vec<(u32, u64, u64, u64)>,
    grown_by: u64,
}

fn shapes() -> impl Strategy<Value = Shape> {
    let part = (1u32..=128, 1u64..40, 0u64..3, any::<u64>());
    (prop_oneof![Just(512u32), Just(4096)], proptest::collection::vec(part, 0..12), 0u64..200).prop_map(
        |(sector_size, mut parts, grown_by)| {
            parts.sort_by_key(|part| part.0);
            parts.dedup_by_key(|part| part.0);
            Shape { sector_size, parts, grown_by }
        },
    )
}

fn build(shape: &Shape) -> Memory {
    let len = usize::try_from(shape.sector_size).unwrap();
    let mut disk = Cursor::new(vec![0u8; 700 * len]);
    let mut gpt = GPT::new_from(&mut disk, shape.sector_size.into(), [7; 16]).unwrap();
    let mut at = gpt.header.first_usable_lba;
    for &(number, sectors, gap, attributes) in &shape.parts {
        gpt[number] = GPTPartitionEntry {
            partition_type_guid: [0xa5; 16],
            unique_partition_guid: partuuid(number.into()).to_bytes_le(),
            starting_lba: at + gap,
            ending_lba: at + gap + sectors - 1,
            attribute_bits: attributes,
            partition_name: "part".into(),
        };
        at += gap + sectors;
    }
    gpt.write_into(&mut disk).unwrap();
    let mut bytes = disk.into_inner();
    bytes.resize(bytes.len() + usize::try_from(shape.grown_by).unwrap() * len, 0);
    Memory { bytes, sector_size: shape.sector_size }
}

fn current(disk: &mut Memory) -> (Entries, Which) {
    let copies = Copies::read(disk);
    let (table, which) = copies.current().unwrap();
    (table.entries().clone(), which)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn we_read_what_gptman_wrote(shape in shapes()) {
        let mut disk = build(&shape);
        let copies = Copies::read(&mut disk);
        prop_assert!(copies.are_equal());
        prop_assert_eq!(copies.has_grown(), shape.grown_by > 0);
        let (entries, which) = current(&mut disk);
        prop_assert_eq!(which, Which::Primary);
        let gpt = disk.gptman();
        let theirs: Vec<_> = gpt.iter().filter(|(_, entry)| entry.is_used()).collect();
        let ours: Vec<_> = entries.used().collect();
        prop_assert_eq!(theirs.len(), ours.len());
        for ((number, theirs), ours) in theirs.into_iter().zip(ours) {
            prop_assert_eq!(number, ours.number);
            prop_assert_eq!(theirs.unique_partition_guid, ours.guid.to_bytes_le());
            prop_assert_eq!((theirs.starting_lba, theirs.ending_lba), (ours.first_lba, ours.last_lba));
            prop_assert_eq!(theirs.attribute_bits, ours.attributes);
            prop_assert_eq!(theirs.partition_name.as_str(), &ours.name);
        }
    }

    #[test]
    fn gptman_reads_what_we_wrote_and_nothing_else_changes(
        shape in shapes(),
        attributes: u64,
        torn in prop_oneof![Just(None), Just(Some(Which::Primary)), Just(Some(Which::Backup))],
        byte in 0usize..16384,
    ) {
        let mut disk = build(&shape);
        let untouched = disk.bytes.clone();
        let backup_lba = Copies::read(&mut disk).backup_lba();
        let len = usize::try_from(shape.sector_size).unwrap();
        if let Some(which) = torn {
            let entries = match which {
                Which::Primary => 2 * len,
                Which::Backup => usize::try_from(backup_lba).unwrap() * len - 16384,
            };
            disk.bytes[entries + byte] ^= 0x10;
        }
        let (before, counts) = current(&mut disk);
        prop_assert_eq!(counts, if torn == Some(Which::Primary) { Which::Backup } else { Which::Primary });
        let mut wanted = before.clone();
        if let Some(part) = shape.parts.first() {
            wanted.set_attributes(part.0, attributes);
        }
        rewrite(&mut disk, |_| Ok::<_, String>(wanted.clone())).unwrap();
        let copies = Copies::read(&mut disk);
        prop_assert!(copies.are_equal());
        prop_assert_eq!(copies.backup_lba(), backup_lba);
        prop_assert_eq!(current(&mut disk).0, wanted);
        let mut gpt = disk.gptman();
        for (number, _, _, kept) in &shape.parts {
            let changed = Some(*number) == shape.parts.first().map(|part| part.0);
            prop_assert_eq!(gpt[*number].attribute_bits, if changed { attributes } else { *kept });
        }
        // gptman, writing the same table itself, comes to the same bytes.
        if shape.grown_by == 0 {
            let mut theirs = Cursor::new(untouched);
            if let Some(part) = shape.parts.first() {
                gpt[part.0].attribute_bits = attributes;
            }
            gpt.write_into(&mut theirs).unwrap();
            prop_assert!(theirs.into_inner() == disk.bytes);
        }
    }

    #[test]
    fn damage_never_passes_for_a_whole_copy(shape in shapes(), at in 0usize..(16384 + 92), bit in 0u8..8) {
        let mut disk = build(&shape);
        let len = usize::try_from(shape.sector_size).unwrap();
        let place = if at < 92 { len + at } else { 2 * len + at - 92 };
        disk.bytes[place] ^= 1 << bit;
        let copies = Copies::read(&mut disk);
        prop_assert!(copies.found(Which::Primary).table().is_none(), "byte {place}");
        // On a disk that has grown only the primary knows where the backup is.
        if shape.grown_by == 0 || !(32..40).contains(&at) {
            prop_assert!(copies.found(Which::Backup).table().is_some());
        }
    }

    #[test]
    fn any_bytes_at_all_are_judged_without_a_panic(
        head in proptest::collection::vec(any::<u8>(), 512),
        fields in proptest::collection::vec(any::<u64>(), 10),
        sealed: bool,
    ) {
        let mut disk = build(&Shape { sector_size: 512, parts: vec![(1, 1, 0, 0)], grown_by: 0 });
        let header = &mut disk.bytes[512..1024];
        if sealed {
            // A header whose checksum is right, whatever it says.
            for (field, value) in fields.iter().enumerate() {
                header[24 + 8 * field % 64..][..8].copy_from_slice(&value.to_le_bytes());
            }
            header[16..20].fill(0);
            let checksum = crc32fast::hash(&header[..92]);
            header[16..20].copy_from_slice(&checksum.to_le_bytes());
        } else {
            header.copy_from_slice(&head);
            header[..8].copy_from_slice(b"EFI PART");
        }
        let before = disk.bytes.clone();
        let copies = Copies::read(&mut disk);
        if copies.current().is_err() {
            prop_assert!(rewrite(&mut disk, |_| Err::<Entries, _>("unreachable")).is_err());
            prop_assert!(disk.bytes == before);
        }
    }
}

#[test]
fn a_disk_too_small_for_a_table_has_none() {
    for sectors in 0..40 {
        let mut disk = Memory { bytes: vec![0xff; sectors * 512], sector_size: 512 };
        assert!(Copies::read(&mut disk).current().is_err());
    }
}

#[test]
fn bytes_after_the_last_sector_do_not_matter() {
    let image = crate::disks::factory();
    let len = image.bytes().len() as u64;
    std::fs::OpenOptions::new().write(true).open(&image.path).unwrap().set_len(len + 100).unwrap();
    let disk = FileDisk::open(&image.path, host_io::Access::Read).unwrap();
    assert_eq!(disk.len(), len + 100);
    let copies = Copies::read(&mut DiskSectors::cached(&disk));
    assert!(copies.are_equal() && !copies.has_grown());
}
