//! What a migration takes of the partition that holds the stores, in bytes and in files.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use datastore::Key;
use datastore::store_dir::{self, Contents, Settings};
use host_io::Fs;

use crate::args::Request;
use crate::error::Error;
use crate::scratch::{Room, STORES};

/// What is needed, and where copies will lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Where copies lie.
    pub copies: Room,
    /// Bytes on the partition.
    pub bytes: u64,
    /// Files and directories on the partition.
    pub files: u64,
}

/// What may be had beside what is free: old stores that make room at the boot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Surplus {
    /// Bytes on the partition.
    pub bytes: u64,
    /// Files and directories.
    pub files: u64,
}

impl Surplus {
    /// What these directories take.
    #[must_use]
    pub fn of(directories: &[PathBuf]) -> Self {
        let mut surplus = Self::default();
        directories.iter().for_each(|directory| surplus.add(directory));
        surplus
    }

    /// What cannot be looked at makes no room.
    fn add(&mut self, path: &Path) {
        let Ok(metadata) = std::fs::symlink_metadata(path) else { return };
        self.bytes += metadata.blocks() * 512;
        self.files += 1;
        let entries = if metadata.is_dir() { std::fs::read_dir(path).ok() } else { None };
        entries.into_iter().flatten().flatten().for_each(|entry| self.add(&entry.path()));
    }
}

impl Need {
    /// What carrying these settings takes: the new store, and the copies where those do not lie in memory.
    ///
    /// # Errors
    /// When they cannot be stored.
    pub fn of(request: &Request, contents: &Contents) -> Result<Self, Error> {
        let (bytes, files) = (store_dir::room(contents)?, files(contents));
        let copies = Room::choose(request, bytes);
        let stores = match copies {
            Room::Memory => 1,
            Room::Partition => 1 + STORES,
        };
        Ok(Self { copies, bytes: stores * bytes, files: stores * files })
    }

    /// [`Need::is_met`] where `surplus` goes first.
    ///
    /// # Errors
    /// As [`Need::is_met`].
    pub fn is_met_with(&self, surplus: Surplus, fs: &dyn Fs, base: &Path) -> Result<u64, Error> {
        let less = Self {
            copies: self.copies,
            bytes: self.bytes.saturating_sub(surplus.bytes),
            files: self.files.saturating_sub(surplus.files),
        };
        less.is_met(fs, base).map_err(|error| match error {
            Error::NoRoom { base, of, free, .. } => {
                let (needed, goes) =
                    if of == "files" { (self.files, surplus.files) } else { (self.bytes, surplus.bytes) };
                Error::NoRoom { base, of, needed, free: free + goes }
            }
            other => other,
        })
    }

    /// Whether there is that much, and how much there is.
    ///
    /// # Errors
    /// [`Error::NoRoom`] when there is not; also when the file system does not say.
    pub fn is_met(&self, fs: &dyn Fs, base: &Path) -> Result<u64, Error> {
        let unknown = |source| Error::FreeSpace { base: base.to_owned(), source };
        let (bytes, files) = (fs.free_bytes(base).map_err(unknown)?, fs.free_files(base).map_err(unknown)?);
        let short = |of, needed, free| Error::NoRoom { base: base.to_owned(), of, needed, free };
        if bytes < self.bytes {
            return Err(short("bytes", self.bytes, bytes));
        }
        if files < self.files {
            return Err(short("files", self.files, files));
        }
        Ok(bytes)
    }
}

/// The files and directories of a store.
fn files(contents: &Contents) -> u64 {
    let metadata: usize = contents.metadata.values().map(std::collections::BTreeMap::len).sum();
    let trees: usize = contents.pending.values().map(tree).sum();
    let above_them = 3 + contents.pending.len();
    (tree(&contents.live) + directories(contents.metadata.keys()) + metadata + trees + above_them) as u64
}

fn tree(settings: &Settings) -> usize {
    settings.len() + directories(settings.keys())
}

fn directories<'a>(keys: impl Iterator<Item = &'a Key>) -> usize {
    let above = |key: &'a Key| (1..key.segments().len()).map(|len| &key.segments()[..len]);
    keys.flat_map(above).collect::<BTreeSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use host_io::SystemFs;
    use serde_json::json;

    use super::*;

    #[test]
    fn files_are_counted_as_they_will_lie() {
        let settings = |names: &[&str]| -> Settings {
            names.iter().map(|name| (Key::parse(name).unwrap(), json!(1))).collect()
        };
        let contents = Contents {
            live: settings(&["settings.a", "settings.b.c", "settings.b.d"]),
            pending: [("tx".to_owned(), settings(&["settings.x"]))].into(),
            ..Contents::default()
        };
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("store");
        store_dir::write(&SystemFs, &store, &contents).unwrap();
        assert_eq!(count(&store), files(&contents));
    }

    fn count(path: &Path) -> u64 {
        if !path.is_dir() {
            return 1;
        }
        1 + std::fs::read_dir(path).unwrap().map(|entry| count(&entry.unwrap().path())).sum::<u64>()
    }
}
