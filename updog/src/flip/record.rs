//! What each partition set holds, as far as this program put it there or ran from it.
//!
//! A partition table has no room for a version. So a successful write notes the version beside the verity root hash of
//! the image, and the note counts only while that hash can still be computed from the set's HASH partition
//! (`docs/design.md`, "Details"). Both releases of a host share this file: fields are only ever added, and unknown
//! ones are ignored.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use host_io::{Advise, Disk, Fs, Paths, swap};
use semver::Version;
use serde::{Deserialize, Serialize};
use signpost::SetName;
use thiserror::Error;
use verity::RootHash;

use crate::decide::standing::{Against, ChosenBy, Kind};
use crate::look::hash_partition::StoredTree;

/// The file's name.
const FILE: &str = "sets.json";

/// What lies in one set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Which flavour of the system.
    pub variant: String,
    /// For which architecture.
    pub arch: String,
    /// Its version.
    pub version: Version,
    /// The root hash of its tree, as 64 hex digits.
    #[serde(with = "root_hash_text")]
    pub root_hash: RootHash,
    /// When this was noted.
    pub recorded: DateTime<Utc>,
    /// Who chose it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub chosen_by: ChosenBy,
    /// What was found to speak against it since, before it was booted.
    #[serde(default, skip_serializing_if = "is_default")]
    pub against: Option<Against>,
    /// What a person was told to speak against it, and insisted.
    #[serde(default, skip_serializing_if = "is_default")]
    pub insisted: Vec<Kind>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What lies in the sets of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    #[serde(default)]
    sets: BTreeMap<String, Entry>,
}

/// Why the record cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The file is there and cannot be read.
    #[error("read the record of installed versions {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no record.
    #[error("understand the record of installed versions {path}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The file cannot be replaced.
    #[error("write the record of installed versions {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A HASH partition cannot be read.
    #[error("read the hash tree of a set")]
    Tree(#[source] std::io::Error),
}

impl Advise for Error {
    fn help(&self) -> Option<String> {
        match self {
            Self::Parse { .. } => Some(
                "it holds nothing but version numbers; \"updog update-image\" writes a new one".to_owned(),
            ),
            Self::Write { .. } => {
                Some("see that its file system is mounted, writable and not full".to_owned())
            }
            Self::Read { .. } | Self::Tree(_) => None,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Tree(_) => "disk",
            Self::Read { .. } | Self::Parse { .. } | Self::Write { .. } => "failed",
        }
    }
}

impl Record {
    /// Loads the record of a host; an absent one is empty.
    ///
    /// # Errors
    /// When it is there and cannot be read or understood.
    pub fn load(fs: &dyn Fs, paths: &Paths) -> Result<Self, Error> {
        let path = file(paths);
        let bytes = match fs.read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(Error::Read { path, source }),
        };
        serde_json::from_slice(&bytes).map_err(|source| Error::Parse { path, source })
    }

    /// Loads the record of a host; one that cannot be read is taken for empty and reported, because it only says less
    /// than it might.
    #[must_use]
    pub fn load_or_empty(fs: &dyn Fs, paths: &Paths) -> Self {
        Self::load(fs, paths).unwrap_or_else(|error| {
            tracing::warn!("failed to {}", host_io::report::chain(&error));
            Self::default()
        })
    }

    /// Replaces the record of a host, in one step.
    ///
    /// # Errors
    /// When the file system refuses; the old record is then still there.
    pub fn save(&self, fs: &dyn Fs, paths: &Paths) -> Result<(), Error> {
        self.save_in(fs, &paths.record())
    }

    /// [`Record::save`] where the record of another host lies below `dir`.
    ///
    /// # Errors
    /// As there.
    pub fn save_in(&self, fs: &dyn Fs, dir: &Path) -> Result<(), Error> {
        let path = dir.join(FILE);
        let text = serde_json::to_vec_pretty(self).expect("a record is plain text and times");
        swap::replace_file(fs, &path, &text, 0o644).map_err(|source| Error::Write { path, source })
    }

    /// This record with `entry` noted for `set`.
    #[must_use]
    pub fn with(mut self, set: SetName, entry: Entry) -> Self {
        self.sets.insert(set.to_string(), entry);
        self
    }

    /// This record with nothing known of `set`.
    #[must_use]
    pub fn without(mut self, set: SetName) -> Self {
        self.sets.remove(&set.to_string());
        self
    }

    /// What `set` holds, if the tree in its HASH partition has the root hash `found`.
    #[must_use]
    pub fn holds(&self, set: SetName, found: Option<RootHash>) -> Option<&Entry> {
        self.sets.get(&set.to_string()).filter(|entry| Some(entry.root_hash) == found)
    }
}

/// The root hash of the tree in a HASH partition, computed from the tree itself; `None` when there is no sound tree.
///
/// # Errors
/// When the partition cannot be read.
pub fn root_hash_of(hash_partition: &dyn Disk) -> Result<Option<RootHash>, Error> {
    let Some(tree) = StoredTree::find(hash_partition).map_err(Error::Tree)? else { return Ok(None) };
    tree.walk(|_| ()).map_err(Error::Tree)
}

/// [`root_hash_of`] for whoever only tells or notes it: a partition that cannot be read is one whose tree is not known,
/// which is said. An update may be what helps against it.
#[must_use]
pub fn root_hash_if_known(hash_partition: &dyn Disk) -> Option<RootHash> {
    root_hash_of(hash_partition).unwrap_or_else(|error| {
        tracing::warn!("what a set holds is not known: failed to {}", host_io::report::chain(&error));
        None
    })
}

/// The root hash of the tree in a HASH partition by its superblock and its top block, for whoever only tells which image
/// lies there; before a set is booted the whole tree is asked ([`root_hash_of`]). A partition that cannot be read is told
/// of as [`root_hash_if_known`] does.
#[must_use]
pub fn top_hash_if_known(hash_partition: &dyn Disk) -> Option<RootHash> {
    let top = || StoredTree::find(hash_partition)?.map_or(Ok(None), StoredTree::top);
    top().map_err(Error::Tree).unwrap_or_else(|error| {
        tracing::warn!("what a set holds is not known: failed to {}", host_io::report::chain(&error));
        None
    })
}

fn file(paths: &Paths) -> PathBuf {
    paths.record().join(FILE)
}

/// A root hash is written as it is printed.
mod root_hash_text {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
    use verity::RootHash;

    pub(super) fn serialize<S: Serializer>(hash: &RootHash, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(hash)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RootHash, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use host_io::{Access, FileDisk, Medium, SystemFs};
    use verity::{BLOCK_SIZE, HashImage, Salt, TreeBuilder};

    use super::*;
    use crate::testing::{entry, hash};

    #[test]
    fn a_note_counts_only_while_the_hash_is_the_same() {
        let record = Record::default().with(SetName::B, entry("1.1.0", hash('1')));
        assert_eq!(record.holds(SetName::B, Some(hash('1'))).unwrap().version, Version::new(1, 1, 0));
        assert_eq!(record.holds(SetName::B, Some(hash('2'))), None);
        assert_eq!(record.holds(SetName::B, None), None);
        assert_eq!(record.holds(SetName::A, Some(hash('1'))), None);
        assert_eq!(record.without(SetName::B), Record::default());
    }

    #[test]
    fn an_absent_record_is_empty_and_a_written_one_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path());
        assert_eq!(Record::load(&SystemFs, &paths).unwrap(), Record::default());
        let record = Record::default()
            .with(SetName::A, entry("1.0.0", hash('a')))
            .with(SetName::B, entry("1.1.0-rc.1+b", hash('b')));
        record.save(&SystemFs, &paths).unwrap();
        assert_eq!(Record::load(&SystemFs, &paths).unwrap(), record);
    }

    #[test]
    fn a_record_of_a_newer_program_is_read_and_a_broken_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path());
        let text = format!(
            r#"{{"attempts": [1], "sets": {{"B": {{"variant": "metal", "arch": "x86_64", "version": "1.1.0",
               "root_hash": "{}", "recorded": "2024-06-01T00:00:00Z", "evidence": {{}}}}}}}}"#,
            hash('1')
        );
        std::fs::create_dir_all(paths.record()).unwrap();
        std::fs::write(file(&paths), text).unwrap();
        let record = Record::load(&SystemFs, &paths).unwrap();
        assert_eq!(record.holds(SetName::B, Some(hash('1'))), Some(&entry("1.1.0", hash('1'))));
        std::fs::write(file(&paths), "{").unwrap();
        assert!(matches!(Record::load(&SystemFs, &paths), Err(Error::Parse { .. })));
    }

    fn image() -> HashImage {
        let mut builder = TreeBuilder::new(Salt::default(), [1; 16]);
        for number in 0..300u16 {
            builder.push(&number.to_le_bytes().repeat(BLOCK_SIZE / 2)).unwrap();
        }
        builder.finish()
    }

    /// A partition with one block that cannot be read.
    struct Rotten(Vec<u8>, u64);

    impl Disk for Rotten {
        fn len(&self) -> u64 {
            self.0.len() as u64
        }
        fn sector_size(&self) -> u32 {
            512
        }
        fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
            if (offset..offset + buf.len() as u64).contains(&self.1) {
                return Err(io::Error::from_raw_os_error(5));
            }
            let start = usize::try_from(offset).unwrap();
            buf.copy_from_slice(&self.0[start..start + buf.len()]);
            Ok(())
        }
        fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
            unreachable!("it is only read")
        }
        fn sync(&self) -> io::Result<()> {
            unreachable!("it is only read")
        }
        fn read_back_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
            self.read_at(offset, buf)
        }
        fn medium(&self) -> Medium {
            Medium::Device
        }
    }

    #[test]
    fn a_hash_partition_that_cannot_be_read_is_not_known_and_no_reason_to_stop() {
        let HashImage { bytes, root_hash, .. } = image();
        let healthy = Rotten(bytes.clone(), u64::MAX);
        assert_eq!(root_hash_if_known(&healthy), Some(root_hash));
        for block in 0..bytes.len() / BLOCK_SIZE {
            let rotten = Rotten(bytes.clone(), (block * BLOCK_SIZE + 9) as u64);
            assert_eq!(root_hash_if_known(&rotten), None, "block {block}");
        }
    }

    #[test]
    fn the_root_hash_comes_from_the_tree_in_the_partition() {
        let image = image();
        let partition = |bytes: &[u8], len: u64| {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), bytes).unwrap();
            file.as_file().set_len(len).unwrap();
            root_hash_of(&FileDisk::open(file.path(), Access::Read).unwrap()).unwrap()
        };
        assert_eq!(partition(&image.bytes, 1 << 20), Some(image.root_hash));
        let top = |bytes: &[u8]| top_hash_if_known(&Rotten(bytes.to_vec(), u64::MAX));
        assert_eq!(top(&image.bytes), Some(image.root_hash));
        // Something lies behind the tree: an older, larger one. It is not looked at.
        let mut behind = image.bytes.clone();
        behind.extend_from_slice(&[9; 5000]);
        assert_eq!(partition(&behind, 1 << 20), Some(image.root_hash));
        let mut flipped = image.bytes.clone();
        flipped[2 * BLOCK_SIZE + 5] ^= 1;
        assert_eq!(partition(&flipped, 1 << 20), None);
        assert_eq!(top(&flipped), Some(image.root_hash), "what lies below the top is not looked at");
        let mut other = image.bytes.clone();
        other[BLOCK_SIZE + 5] ^= 1;
        assert!(top(&other).is_some_and(|hash| hash != image.root_hash), "the top is");
        assert_eq!((top(&[]), top(&image.bytes[..2 * BLOCK_SIZE])), (None, None));
        assert_eq!(partition(&[], 1 << 20), None, "an empty partition");
        assert_eq!(partition(&image.bytes[..2 * BLOCK_SIZE], 2 * BLOCK_SIZE as u64), None, "a cut one");
        assert_eq!(partition(&[], 100), None, "one that is too small for anything");
    }

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (
                Error::Read { path: "/data/file".into(), source: std::io::Error::other("the disk is gone") },
                "read the record of installed versions /data/file",
            ),
            (
                Error::Write { path: "/data/file".into(), source: std::io::Error::other("the disk is gone") },
                "write the record of installed versions /data/file",
            ),
            (Error::Tree(std::io::Error::other("the disk is gone")), "read the hash tree of a set"),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
