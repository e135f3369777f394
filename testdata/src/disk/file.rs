//! A disk image file: its table, its partitions, its bits.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use gptman::{GPT, GPTHeader};
use uuid::Uuid;

use super::layout::{self, Layout, SECTOR};
use super::{BootBits, Window};
use crate::image::Images;

/// So much is kept free for a copy of the table at each end of a disk.
const TABLE_ROOM: u64 = 1 << 20;

/// One of the two partition sets, in the words of the fixtures: the product's own type is under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
pub enum Set {
    /// The first partition of each type.
    A,
    /// The second one.
    B,
}

impl Set {
    /// The other set.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// The label of one of its partitions, such as `BOTTLEROCKET-ROOT-A`; `role` is `BOOT`, `ROOT` or `HASH`.
    #[must_use]
    pub fn label(self, role: &str) -> String {
        format!("BOTTLEROCKET-{role}-{self:?}")
    }
}

/// One partition, as the table describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Its place in the table, from 1.
    pub number: u32,
    /// Its label.
    pub label: String,
    /// What it is for.
    pub type_guid: Uuid,
    /// Its own identity.
    pub guid: Uuid,
    /// Where it starts, in bytes.
    pub start: u64,
    /// Its size in bytes.
    pub len: u64,
    /// Its attribute bits.
    pub attributes: u64,
}

/// A disk image file.
///
/// Everything here panics with what went wrong: a fixture that cannot look at its own disk has no test to go on with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskImage {
    path: PathBuf,
}

impl DiskImage {
    /// Makes a new disk at `path`, laid out as `layout` says, with factory bits and nothing installed. `seed` makes its
    /// GUIDs: two disks with the same seed are the same.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(path: &Path, layout: &Layout, seed: &str) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        layout::write(layout, seed, file)?;
        Ok(Self { path: path.to_owned() })
    }

    /// The disk at `path`.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The image file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a release into a set, as the factory does: images only, no bits.
    ///
    /// # Errors
    /// When an image is larger than its partition or cannot be read.
    pub fn install(&self, set: Set, images: &Images) -> io::Result<()> {
        for (role, image) in [("BOOT", &images.boot), ("ROOT", &images.root), ("HASH", &images.hash)] {
            let label = set.label(role);
            let len = fs::metadata(image)?.len();
            let room = self.partition(&label).len;
            if len > room {
                return Err(io::Error::other(format!(
                    "an image of {len} bytes does not fit {label} with {room}"
                )));
            }
            io::copy(&mut File::open(image)?, &mut self.window(&label))?;
        }
        Ok(())
    }

    /// The partitions, in the order of their numbers.
    #[must_use]
    pub fn partitions(&self) -> Vec<Partition> {
        let table = self.table();
        let guid = Uuid::from_bytes_le;
        table
            .iter()
            .filter(|(_, entry)| entry.is_used())
            .map(|(number, entry)| Partition {
                number,
                label: entry.partition_name.as_str().to_owned(),
                type_guid: guid(entry.partition_type_guid),
                guid: guid(entry.unique_partition_guid),
                start: entry.starting_lba * SECTOR,
                len: entry.size().expect("a partition ends after its start") * SECTOR,
                attributes: entry.attribute_bits,
            })
            .collect()
    }

    /// The partition with this label.
    #[must_use]
    pub fn partition(&self, label: &str) -> Partition {
        let mut all = self.partitions().into_iter();
        all.find(|partition| partition.label == label)
            .unwrap_or_else(|| panic!("{} has no partition {label}", self.path.display()))
    }

    /// The first `len` bytes of a partition.
    #[must_use]
    pub fn read(&self, label: &str, len: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.window(label).take(len).read_to_end(&mut bytes).expect("the partition lies within its disk");
        bytes
    }

    /// All bytes of a partition.
    #[must_use]
    pub fn read_all(&self, label: &str) -> Vec<u8> {
        self.read(label, u64::MAX)
    }

    /// Overwrites bytes of a partition.
    pub fn write(&self, label: &str, offset: u64, bytes: &[u8]) {
        let mut window = self.window(label);
        window.seek(SeekFrom::Start(offset)).expect("a window can be moved");
        window.write_all(bytes).expect("the bytes lie within the partition");
    }

    /// The boot bits of a set.
    #[must_use]
    pub fn bits(&self, set: Set) -> BootBits {
        BootBits::from_attributes(self.partition(&set.label("BOOT")).attributes)
    }

    /// Overwrites the boot bits of a set, in both copies of the table.
    pub fn set_bits(&self, set: Set, bits: BootBits) {
        let number = self.partition(&set.label("BOOT")).number;
        let mut table = self.table();
        table[number].attribute_bits = bits.onto(table[number].attribute_bits);
        table.write_into(&mut self.file()).expect("the table was valid before");
    }

    /// Counts so many starts of a proven set in its boot entry, as a boot program does, in both copies of the table.
    pub fn set_starts(&self, set: Set, starts: u8) {
        let number = self.partition(&set.label("BOOT")).number;
        let mut table = self.table();
        let bits = table[number].attribute_bits;
        table[number].attribute_bits = bits & !(3 << 58) | u64::from(starts & 3) << 58;
        table.write_into(&mut self.file()).expect("the table was valid before");
    }

    /// Takes the partition table away, both copies of it.
    pub fn wipe_table(&self) {
        let file = self.file();
        let len = file.metadata().expect("an open file").len();
        let nothing = vec![0; usize::try_from(TABLE_ROOM).expect("small")];
        for start in [0, len - TABLE_ROOM] {
            file.write_all_at(&nothing, start).expect("the disk is a file of ours");
        }
    }

    /// What lies before the first partition and behind the last one, where nothing but the two copies of the table is:
    /// each with its place.
    #[must_use]
    pub fn tables(&self) -> [(u64, Vec<u8>); 2] {
        let file = self.file();
        let len = file.metadata().expect("an open file").len();
        [0, len - TABLE_ROOM].map(|start| {
            let mut bytes = vec![0; usize::try_from(TABLE_ROOM).expect("small")];
            file.read_exact_at(&mut bytes, start).expect("a disk is larger than its tables");
            (start, bytes)
        })
    }

    /// Overwrites the header of the table's first copy with zeros.
    pub fn damage_table(&self) {
        let header = vec![0; usize::try_from(SECTOR).expect("small")];
        self.file().write_all_at(&header, SECTOR).expect("the disk is a file of ours");
    }

    /// Which copies of the table are whole: the one at the start, and the one in the last sectors.
    #[must_use]
    pub fn whole_tables(&self) -> [bool; 2] {
        let mut file = self.file();
        let last = file.metadata().expect("an open file").len() / SECTOR - 1;
        [1, last].map(|lba| {
            let header = file.seek(SeekFrom::Start(lba * SECTOR)).map_err(gptman::Error::from);
            let header = header.and_then(|_| GPTHeader::read_from(&mut file));
            header.is_ok_and(|header| {
                header.primary_lba == lba && header.read_partitions(&mut file, SECTOR).is_ok()
            })
        })
    }

    /// A partition as something to read, write and seek in.
    #[must_use]
    pub fn window(&self, label: &str) -> Window {
        let Partition { start, len, .. } = self.partition(label);
        Window::new(self.file(), start, len)
    }

    fn table(&self) -> GPT {
        GPT::read_from(&mut self.file(), SECTOR)
            .unwrap_or_else(|error| panic!("{} has no valid GPT: {error}", self.path.display()))
    }

    pub(crate) fn file(&self) -> File {
        OpenOptions::new()
            .read(true)
            .write(true)
            .open(&self.path)
            .unwrap_or_else(|error| panic!("failed to open {}: {error}", self.path.display()))
    }
}
