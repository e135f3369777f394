//! Disk images as other tools make them (gptman lays them out), and what other tools say of them afterwards.

use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use gptman::{GPT, GPTHeader, GPTPartitionEntry};
use signpost::bits::PRIVATE_TYPE;
use signpost::{BootBits, Role};
use uuid::Uuid;

use crate::loops::Loop;

pub(crate) const MIB: u64 = 1 << 20;
/// The factory state: A is proven, B is empty.
pub(crate) const PROVEN: BootBits = BootBits { priority: 1, tries: 0, successful: true };

/// A disk image in a directory of its own, which is a host's root directory at the same time.
pub(crate) struct Image {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) path: PathBuf,
    pub(crate) sector_size: u64,
    /// The block device over it, where there is one.
    pub(crate) device: Option<Loop>,
}

/// A partition to lay out: name, type, mebibytes, attributes.
pub(crate) type Part = (&'static str, Uuid, u64, u64);

const ESP_TYPE: Uuid = Uuid::from_u128(0xc12a7328_f81f_11d2_ba4b_00a0c93ec93b);
const DATA_TYPE: Uuid = Uuid::from_u128(0x626f7474_6c65_6474_6861_726d61726b73);

/// The partitions of one set, as they follow each other on a disk.
pub(crate) fn set(name: char, bits: BootBits) -> Vec<Part> {
    let label = |role: &str| -> &'static str { format!("BOTTLEROCKET-{role}-{name}").leak() };
    vec![
        (label("BOOT"), Role::Boot.type_guid(), 1, bits.patch(0)),
        (label("ROOT"), Role::Root.type_guid(), 2, 0),
        (label("HASH"), Role::Hash.type_guid(), 1, 0),
    ]
}

/// What every disk has beside its sets.
pub(crate) fn with_the_rest(sets: Vec<Part>) -> Vec<Part> {
    let mut parts = vec![("EFI-SYSTEM", ESP_TYPE, 1, 0)];
    parts.extend(sets);
    parts.push(("BOTTLEROCKET-PRIVATE", PRIVATE_TYPE, 1, 0));
    parts.push(("", DATA_TYPE, 1, 0));
    parts
}

/// A disk with two sets in the factory state.
pub(crate) fn factory() -> Image {
    two_sets(512, PROVEN, BootBits::CLEAR)
}

/// A disk with two sets.
pub(crate) fn two_sets(sector_size: u64, a: BootBits, b: BootBits) -> Image {
    image(sector_size, with_the_rest([set('A', a), set('B', b)].concat()))
}

/// A directory for an image file that is not there yet.
pub(crate) fn nothing() -> Image {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("disk.img");
    Image { dir, path, sector_size: 512, device: None }
}

/// A disk of that many mebibytes that holds nothing.
pub(crate) fn empty(mebibytes: u64) -> Image {
    let image = nothing();
    File::create(&image.path).unwrap().set_len(mebibytes * MIB).unwrap();
    image
}

/// A disk with these partitions, one after the other.
pub(crate) fn image(sector_size: u64, parts: Vec<Part>) -> Image {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("disk.img");
    let total: u64 = parts.iter().map(|part| part.2).sum();
    File::create(&path).unwrap().set_len((total + 2) * MIB).unwrap();
    let mut file = open(&path);
    let mut gpt = GPT::new_from(&mut file, sector_size, guid(0xd15c)).unwrap();
    GPT::write_protective_mbr_into(&mut file, sector_size).unwrap();
    let mut start = MIB / sector_size;
    for (number, (name, kind, mib, attributes)) in (1u32..).zip(parts) {
        let sectors = mib * MIB / sector_size;
        gpt[number] = GPTPartitionEntry {
            partition_type_guid: kind.to_bytes_le(),
            unique_partition_guid: guid(number.into()),
            starting_lba: start,
            ending_lba: start + sectors - 1,
            attribute_bits: attributes,
            partition_name: name.into(),
        };
        start += sectors;
    }
    gpt.write_into(&mut file).unwrap();
    Image { dir, path, sector_size, device: None }
}

/// The identifier of the partition with a number, as it lies in the table.
fn guid(number: u128) -> [u8; 16] {
    partuuid(number).to_bytes_le()
}

/// The identifier of the partition with a number.
pub(crate) fn partuuid(number: u128) -> Uuid {
    Uuid::from_u128(0x5151_0000_0000_4000_8000_0000_0000_0000 + number)
}

fn open(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}

impl Image {
    /// Changes the image's bytes.
    pub(crate) fn damage(&self, change: impl FnOnce(&mut [u8])) {
        let mut bytes = self.bytes();
        change(&mut bytes);
        std::fs::write(&self.path, bytes).unwrap();
        self.device.iter().for_each(Loop::forget);
    }

    /// Makes the disk larger.
    pub(crate) fn grow(&self, bytes: u64) {
        let file = open(&self.path);
        file.set_len(file.metadata().unwrap().len() + bytes).unwrap();
        self.device.iter().for_each(Loop::forget);
    }

    /// Does the same to the image file, and to a block device over a copy of it.
    pub(crate) fn everywhere(self, check: impl Fn(&Self)) {
        let device = self.as_device();
        check(&self);
        device.iter().for_each(check);
    }

    /// A copy of the image as a block device, where the machine lets us make one.
    pub(crate) fn as_device(&self) -> Option<Self> {
        let copy = Self { sector_size: self.sector_size, ..nothing() };
        std::fs::copy(&self.path, &copy.path).unwrap();
        let device = Loop::over(&copy.path, self.sector_size)?;
        Some(Self { device: Some(device), ..copy })
    }

    /// What the program is told to take for the disk.
    pub(crate) fn disk(&self) -> &str {
        self.device.as_ref().map_or_else(|| self.path.to_str().unwrap(), |device| &device.0)
    }

    /// All bytes of the image.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        std::fs::read(&self.path).unwrap()
    }

    /// Sets the attribute bits of a partition, in both copies.
    pub(crate) fn set_attributes(&self, number: u32, attributes: u64) {
        let mut gpt = self.gptman();
        gpt[number].attribute_bits = attributes;
        gpt.write_into(&mut open(&self.path)).unwrap();
        self.device.iter().for_each(Loop::forget);
    }

    /// What gptman reads; it insists on a whole copy.
    pub(crate) fn gptman(&self) -> GPT {
        GPT::read_from(&mut open(&self.path), self.sector_size).unwrap()
    }

    /// The bits of the partition with a number, by gptman.
    pub(crate) fn bits(&self, number: u32) -> BootBits {
        BootBits::from_attributes(self.gptman()[number].attribute_bits)
    }

    /// Asserts that other tools find nothing to complain about: both copies are whole for gptman, and `sgdisk` agrees
    /// where it is installed (it knows 512-byte sectors of image files only).
    pub(crate) fn judged_whole_by_others(&self) {
        let mut file = open(&self.path);
        let mut header_at = |lba: u64| {
            file.seek(SeekFrom::Start(lba * self.sector_size)).unwrap();
            let header = GPTHeader::read_from(&mut file).unwrap();
            assert_eq!(header.generate_crc32_checksum(), header.crc32_checksum);
            header.read_partitions(&mut file, self.sector_size).expect("gptman checks the entries' checksum");
            header
        };
        let primary = header_at(1);
        header_at(primary.backup_lba);
        let sectors = file.metadata().unwrap().len() / self.sector_size;
        if self.sector_size == 512 && primary.backup_lba == sectors - 1 {
            match std::process::Command::new("sgdisk").arg("-v").arg(&self.path).output() {
                Ok(output) => {
                    let said = String::from_utf8_lossy(&output.stdout).into_owned();
                    assert!(said.contains("No problems found"), "{said}");
                }
                Err(_) => eprintln!("SKIPPED: sgdisk is not installed: its opinion was not asked"),
            }
        }
    }
}
