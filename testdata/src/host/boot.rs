//! What happens between the firmware's pick and a running system: load BOOT, verify ROOT, unpack what programs read.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use serde::Serialize;
use verity::{BLOCK_SIZE, HashTree, RootHash};

use super::firmware::Pick;
use crate::disk::layout::types;
use crate::disk::{DiskImage, Partition, Set, Window};
use crate::image::boot::{self, Loaded};
use crate::image::root::{self, MARKER, Marker};

/// Files of the root up to this size become files of the host.
const SMALL_FILE: usize = 128 << 10;

/// How far a boot came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Kernel, initrd and command line are loaded from BOOT.
    Load,
    /// Every block of ROOT is checked against HASH, and HASH against the command line.
    Verify,
    /// ROOT is unpacked.
    Unpack,
    /// The kernel runs; a root that asks for it panics here.
    Start,
    /// Settings are migrated.
    Migrate,
    /// The system starts; a root that asks for it panics here.
    System,
    /// The API answers.
    Api,
    /// The boot is marked good.
    MarkGood,
}

/// How one start of one set went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// The set that the firmware picked.
    pub set: Set,
    /// The version in its root, where it came that far.
    pub version: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of an [`Attempt`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The system runs.
    Booted,
    /// It was reset.
    Failed {
        /// Where.
        stage: Stage,
        /// Why.
        reason: String,
    },
}

/// A boot that ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) stage: Stage,
    pub(super) reason: String,
}

/// One boot of a host: every start until one of them runs, or nothing is left to try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct BootReport {
    /// The starts in their order.
    pub attempts: Vec<Attempt>,
    /// Why there was no further start, when none of them runs.
    pub stopped: Option<String>,
}

impl BootReport {
    /// The start that runs now.
    #[must_use]
    pub fn booted(&self) -> Option<&Attempt> {
        self.attempts.last().filter(|attempt| attempt.outcome == Outcome::Booted)
    }

    /// The starts that failed before.
    pub fn failed(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts.iter().filter(|attempt| attempt.outcome != Outcome::Booted)
    }

    /// The version that runs now, when it was the first one tried: no start failed.
    #[must_use]
    pub fn version_at_once(&self) -> Option<&str> {
        self.booted()
            .filter(|_| self.failed().next().is_none())
            .and_then(|attempt| attempt.version.as_deref())
    }
}

/// The three partitions of the set that was picked, as a boot loader finds them: they stand side by side.
pub(super) struct Picked {
    pub(super) set: Set,
    boot: Partition,
    root: Partition,
    hash: Partition,
}

impl Picked {
    pub(super) fn find(disk: &DiskImage, pick: &Pick) -> Result<Self, Failure> {
        let all = disk.partitions();
        let take = |number: u32, kind| {
            all.iter()
                .find(|partition| partition.number == number && partition.type_guid == kind)
                .cloned()
                .ok_or_else(|| fail(Stage::Load, format!("partition {number} is not of type {kind}")))
        };
        let first = all.iter().find(|partition| partition.type_guid == types::BOOT);
        Ok(Self {
            set: if first.is_some_and(|first| first.number == pick.number) { Set::A } else { Set::B },
            boot: take(pick.number, types::BOOT)?,
            root: take(pick.number + 1, types::ROOT)?,
            hash: take(pick.number + 2, types::HASH)?,
        })
    }

    /// Loads BOOT.
    pub(super) fn load(&self, disk: &DiskImage) -> Result<Loaded, Failure> {
        boot::load(window(disk, &self.boot)).map_err(|error| fail(Stage::Load, error.to_string()))
    }

    /// Checks all of ROOT, as a kernel would do over time.
    pub(super) fn verify(&self, disk: &DiskImage, command_line: &str) -> Result<(), Failure> {
        let check = || -> Result<(), Box<dyn std::error::Error>> {
            let expected = root_hash(command_line).ok_or("the command line names no root hash")?;
            let mut hash = window(disk, &self.hash);
            let mut first = vec![0; BLOCK_SIZE];
            hash.read_exact(&mut first)?;
            let len = usize::try_from(HashTree::len_from_superblock(&first)?)?;
            if len as u64 > hash.size() {
                return Err(format!("a hash tree of {len} bytes is larger than its partition").into());
            }
            let mut bytes = first;
            bytes.resize(len, 0);
            hash.read_exact(&mut bytes[BLOCK_SIZE..])?;
            let tree = HashTree::parse(&bytes)?;
            if tree.root_hash() != expected {
                return Err(format!("the root hash is {}, not {expected}", tree.root_hash()).into());
            }
            let mut root = io::BufReader::with_capacity(1 << 20, window(disk, &self.root));
            let mut block = vec![0; BLOCK_SIZE];
            for index in 0..tree.data_blocks() {
                root.read_exact(&mut block)?;
                tree.check_block(index, &block)?;
            }
            Ok(())
        };
        check().map_err(|error| fail(Stage::Verify, error.to_string()))
    }

    /// Unpacks what programs read from ROOT: `usr` of the host is replaced. Returns what the root asks for. A root that is
    /// `known` by its hash is not read: what lies in it is in that directory.
    pub(super) fn unpack(
        &self,
        disk: &DiskImage,
        host: &Path,
        known: Option<&Path>,
    ) -> Result<Option<Marker>, Failure> {
        let unpack = || -> io::Result<Option<Marker>> {
            match fs::remove_dir_all(host.join("usr")) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            if let Some(known) = known {
                copy_small(&known.join("usr"), &host.join("usr"))?;
                return Ok(None);
            }
            let mut marker = None;
            for (path, bytes) in root::small_files(window(disk, &self.root), SMALL_FILE)? {
                if path == Path::new(MARKER) {
                    marker = Marker::parse(&String::from_utf8_lossy(&bytes));
                } else if path.starts_with("usr") {
                    let target = host.join(&path);
                    fs::create_dir_all(target.parent().unwrap_or(host))?;
                    fs::write(target, bytes)?;
                }
            }
            Ok(marker)
        };
        unpack().map_err(|error| fail(Stage::Unpack, error.to_string()))
    }
}

/// The root hash that a command line names.
pub(super) fn root_hash(command_line: &str) -> Option<RootHash> {
    let mut words = command_line.split_whitespace();
    // Ours is named after the program that reads it, so that nobody else opens the root by it.
    words
        .find_map(|word| word.strip_prefix("signpost.").unwrap_or(word).strip_prefix("roothash="))?
        .parse()
        .ok()
}

/// The small files of a directory, and of those in it.
fn copy_small(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy_small(&entry.path(), &target)?;
        } else if kind.is_file() && entry.metadata()?.len() <= SMALL_FILE as u64 {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

pub(super) fn fail(stage: Stage, reason: impl Into<String>) -> Failure {
    Failure { stage, reason: reason.into() }
}

fn window(disk: &DiskImage, partition: &Partition) -> Window {
    Window::new(disk.file(), partition.start, partition.len)
}
