//! What a migration takes of the partition that holds the stores, in bytes and in files.

use std::collections::BTreeSet;
use std::path::Path;

use datastore::Key;
use datastore::store_dir::{self, Contents};
use host_io::Fs;

use crate::amount::Amount;
use crate::args::Request;
use crate::error::Error;
use crate::room::is_free;
use crate::scratch::{Room, STORES};

/// What is needed, and where copies will lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Where copies lie.
    pub copies: Room,
    /// What it takes of the partition.
    pub all: Amount,
}

impl Need {
    /// What carrying these settings takes, and those that were `kept` to see what migrations lose: the new store, and the
    /// copies where those do not lie in memory.
    ///
    /// # Errors
    /// When they cannot be stored.
    pub fn of(request: &Request, contents: &Contents, kept: Option<&Contents>) -> Result<Self, Error> {
        let store = match kept {
            Some(kept) => store(contents)?.greater(store(kept)?),
            None => store(contents)?,
        };
        let copies = Room::choose(request, store.bytes);
        let stores = match copies {
            Room::Memory => 1,
            Room::Partition => 1 + STORES,
        };
        Ok(Self { copies, all: store.times(stores) })
    }

    /// [`Need::is_met`] where `surplus` goes first.
    ///
    /// # Errors
    /// As [`Need::is_met`].
    pub fn is_met_with(&self, surplus: Amount, fs: &dyn Fs, base: &Path) -> Result<u64, Error> {
        let less = Self { copies: self.copies, all: self.all.less(surplus) };
        less.is_met(fs, base).map_err(|error| match error {
            Error::NoRoom { base, of, free, .. } => {
                let (needed, goes) = if of == "files" {
                    (self.all.files, surplus.files)
                } else {
                    (self.all.bytes, surplus.bytes)
                };
                Error::NoRoom { base, of, needed, free: free + goes }
            }
            other => other,
        })
    }

    /// Whether there is that much, and how many bytes there are.
    ///
    /// # Errors
    /// As [`is_free`].
    pub fn is_met(&self, fs: &dyn Fs, base: &Path) -> Result<u64, Error> {
        is_free(self.all, fs, base)
    }
}

/// What one store with these contents takes.
///
/// # Errors
/// When they cannot be stored.
pub fn store(contents: &Contents) -> Result<Amount, Error> {
    Ok(Amount { bytes: store_dir::room(contents)?, files: files(contents) })
}

/// The files and directories of a store.
fn files(contents: &Contents) -> u64 {
    let metadata: usize = contents.metadata.values().map(std::collections::BTreeMap::len).sum();
    let transactions: BTreeSet<&String> = contents.pending.keys().chain(contents.unset.keys()).collect();
    let changes: usize =
        transactions.iter().map(|name| tree(&contents.change(name).keys().iter().collect::<Vec<_>>())).sum();
    let live = tree(&contents.live.keys().collect::<Vec<_>>());
    let above_them = 3 + transactions.len();
    (live + directories(contents.metadata.keys()) + metadata + changes + above_them) as u64
}

fn tree(keys: &[&Key]) -> usize {
    keys.len() + directories(keys.iter().copied())
}

fn directories<'a>(keys: impl Iterator<Item = &'a Key>) -> usize {
    let above = |key: &'a Key| (1..key.segments().len()).map(|len| &key.segments()[..len]);
    keys.flat_map(above).collect::<BTreeSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use datastore::store_dir::Settings;
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
            // What a transaction takes away has files as well, in one that sets something and in one that does not.
            unset: [("tx", "settings.b.c"), ("other", "settings.a")]
                .map(|(name, key)| (name.to_owned(), [Key::parse(key).unwrap()].into()))
                .into(),
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
