//! A second copy of the store, which the next commit begins from.
//!
//! ```text
//! .spare/live/…       as a data directory; no link leads to it, and no other program looks at it
//! ```
//!
//! A commit brings the spare copy up to date with a few files, makes it durable, gives it the name of a data directory
//! and switches the one live link to it; the directory that was live is the next spare copy. So a commit costs what it
//! changes, and whoever reads the store by its links finds a whole one at every moment, without knowing of any of this
//! (`docs/decisions/0004-commits-beside-the-live-store.md`).
//!
//! What is in the copy is known by the process that wrote it. One that was found is compared with the live store first,
//! and nothing is believed about what of it is on the medium.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use host_io::fs::{Fs, Kind};
use host_io::swap;

use crate::encoding::encode;
use crate::error::Error;
use crate::key::Key;
use crate::store_dir::{self, Contents, DIR_MODE, LIVE};
use crate::unsynced::Unsynced;

/// Its name, in the directory that holds the stores.
pub(crate) const SPARE: &str = ".spare";

/// What is known of the spare copy.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Spare {
    /// Nothing: another process may have left one, in any state.
    Unknown,
    /// It is not there.
    None,
    /// It is there.
    Behind(Lag),
}

/// In what a spare copy differs from the live store.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Lag {
    /// Settings that may have another value.
    pub(crate) keys: BTreeSet<Key>,
    /// Transactions that may be another.
    pub(crate) transactions: BTreeSet<String>,
    /// Whether all else of it may still have to be written to the medium.
    pub(crate) unsynced: bool,
}

/// The names of settings and transactions in which two stores differ.
pub(crate) fn difference(one: &Contents, two: &Contents) -> Lag {
    let mut lag = Lag::default();
    for (settings, other) in [(&one.live, &two.live), (&two.live, &one.live)] {
        let differ = settings.iter().filter(|(key, value)| other.get(*key) != Some(*value));
        lag.keys.extend(differ.map(|(key, _)| key.clone()));
    }
    let names: BTreeSet<String> = one.transactions().into_iter().chain(two.transactions()).collect();
    lag.transactions = names.into_iter().filter(|name| one.change(name) != two.change(name)).collect();
    lag
}

impl Spare {
    /// Looks for a spare copy and compares it with the live store. One that cannot be used is removed.
    pub(crate) fn find(fs: &dyn Fs, base: &Path, live: &Contents) -> Result<Self, Error> {
        let dir = base.join(SPARE);
        if fs.kind(&dir).map_err(Error::io("look at", &dir))?.is_none() {
            return Ok(Self::None);
        }
        let (found, damage) = store_dir::read_usable(fs, &dir);
        if damage.is_empty() && found.metadata == live.metadata {
            let mut lag = difference(&found, live);
            // A transaction that cannot be read is not among these, and would come along.
            lag.transactions.extend(store_dir::transactions(fs, &dir).unwrap_or_default());
            lag.unsynced = true;
            return Ok(Self::Behind(lag));
        }
        swap::discard(fs, &dir).map_err(Error::io("remove", &dir))?;
        Ok(Self::None)
    }
}

/// Brings the spare copy in line with `wanted`, from which it differs in `lag` and nothing else.
pub(crate) fn follow(
    fs: &dyn Fs,
    base: &Path,
    wanted: &Contents,
    lag: &Lag,
    unsynced: &mut Unsynced,
) -> Result<(), Error> {
    let dir = base.join(SPARE);
    let root = dir.join(LIVE);
    for key in &lag.keys {
        remove(fs, &root, key, unsynced)?;
    }
    for key in &lag.keys {
        if let Some(value) = wanted.live.get(key) {
            write(fs, &root, key, value.to_string().as_bytes(), unsynced)?;
        }
    }
    for name in &lag.transactions {
        let tree = store_dir::transaction_dir(&dir, name)?;
        if fs.kind(&tree).map_err(Error::io("look at", &tree))?.is_some() {
            swap::discard(fs, &tree).map_err(Error::io("remove", &tree))?;
            unsynced.removed(&tree);
            unsynced.directory(&dir.join(store_dir::PENDING));
        }
        let change = wanted.change(name);
        if !change.is_empty() {
            store_dir::write_change(fs, &dir, name, &change, unsynced)?;
        }
    }
    Ok(())
}

/// The directories above a key's file, outermost first, and the file.
fn place(root: &Path, key: &Key) -> (Vec<PathBuf>, PathBuf) {
    let mut path = root.to_owned();
    let mut above = Vec::new();
    for segment in key.segments() {
        above.push(path.clone());
        path.push(encode(segment));
    }
    (above, path)
}

/// Removes the value of a key and the directories that are empty without it.
fn remove(fs: &dyn Fs, root: &Path, key: &Key, unsynced: &mut Unsynced) -> Result<(), Error> {
    let (above, file) = place(root, key);
    // A directory has other keys below it.
    if fs.kind(&file).map_err(Error::io("look at", &file))? != Some(Kind::File) {
        return Ok(());
    }
    fs.remove_file(&file).map_err(Error::io("remove", &file))?;
    let mut changed = root;
    for dir in above.iter().skip(1).rev() {
        let empty = fs.list(dir).map_err(Error::io("list", dir))?.is_empty();
        // One with names that are not ours is not empty either, and stays.
        if !empty || fs.remove_dir(dir).is_err() {
            changed = dir;
            break;
        }
        unsynced.removed(dir);
    }
    unsynced.directory(changed);
    Ok(())
}

fn write(fs: &dyn Fs, root: &Path, key: &Key, bytes: &[u8], unsynced: &mut Unsynced) -> Result<(), Error> {
    let (above, file) = place(root, key);
    for (index, dir) in above.iter().enumerate() {
        if fs.kind(dir).map_err(Error::io("look at", dir))?.is_none() {
            fs.make_dir(dir, DIR_MODE).map_err(Error::io("make the directory", dir))?;
            unsynced.directory(above.get(index.wrapping_sub(1)).unwrap_or(dir));
        }
    }
    unsynced.directory(above.last().expect("a key lies in a directory"));
    store_dir::write_file(fs, &file, bytes, unsynced)
}
