//! The directory in which migrations work: copies that nothing leads to, and that nobody misses.
//!
//! It lies in memory where there is room (`/run`), so that a long way costs the partition nothing and no sync; else
//! beside the stores. A migration sees this directory and never the live store.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use datastore::store_dir::{self, Contents};
use host_io::fs::{Entry, Kind, NewFile};
use host_io::{Fs, SystemFs};

use crate::amount::Amount;
use crate::args::Request;
use crate::error::Error;
use crate::room::is_free;
use crate::sandbox::OWN_USER;

/// How the name of such a directory begins beside the stores, where a power cut may leave one.
const BESIDE: &str = ".migrating_";

/// Stores that lie in a scratch directory at one time: what a migration reads and what it writes.
pub const STORES: u64 = 2;

/// The most that may be taken of memory.
const MOST_MEMORY: u64 = 64 << 20;

/// A directory for copies. It goes away with this value.
#[derive(Debug)]
pub struct Scratch {
    dir: PathBuf,
    user: Option<u32>,
    free: Option<Amount>,
    made: u32,
}

/// Where scratch directories can be, and what that takes of the partition with the stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// In memory: nothing.
    Memory,
    /// Beside the stores: two more of them.
    Partition,
}

impl Room {
    /// Where copies of a store of `store` bytes are to be made. Memory is taken where it has twice the room.
    #[must_use]
    pub fn choose(request: &Request, store: u64) -> Self {
        let run = request.paths.run();
        let wanted = STORES * store;
        let fits = wanted <= MOST_MEMORY && SystemFs.free_bytes(&run).is_ok_and(|free| free / 2 >= wanted);
        if fits { Self::Memory } else { Self::Partition }
    }
}

impl Scratch {
    /// Makes an empty one.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn make(request: &Request, room: Room) -> Result<Self, Error> {
        let parent = match room {
            Room::Memory => request.paths.run(),
            Room::Partition => request.base.clone(),
        };
        let refused = |source| Error::Scratch { path: parent.clone(), source };
        let dir = parent.join(format!("{BESIDE}{}", fresh_name()));
        std::fs::create_dir(&dir).map_err(refused)?;
        let scratch = Self { user: own_user(&dir), free: Amount::free(&dir), dir, made: 0 };
        std::fs::set_permissions(&scratch.dir, Permissions::from_mode(0o700)).map_err(refused)?;
        scratch.give(&scratch.dir).map_err(refused)?;
        Ok(scratch)
    }

    /// Removes what a power cut left beside the stores. Only the one who holds the datastore's lock may do that.
    pub fn sweep(base: &Path) {
        let Ok(entries) = SystemFs.list(base) else { return };
        for left in entries.iter().filter(|entry| entry.name.starts_with(BESIDE)) {
            if let Err(error) = SystemFs.remove_tree(&base.join(&left.name)) {
                tracing::warn!("{} of an earlier run stays for now: {error}", left.name);
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whose it is, where that is nobody else.
    #[must_use]
    pub fn user(&self) -> Option<u32> {
        self.user
    }

    /// What was free here at the beginning, where that is known.
    #[must_use]
    pub fn free(&self) -> Option<Amount> {
        self.free
    }

    /// A directory in it that does not exist yet.
    pub fn another(&mut self) -> PathBuf {
        self.made += 1;
        self.dir.join(format!("store_{}", self.made))
    }

    /// A copy of these settings, for a migration to read.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn lay_out(&mut self, contents: &Contents) -> Result<PathBuf, Error> {
        let dir = self.another();
        store_dir::write(&Fleeting { user: self.user }, &dir, contents)?;
        Ok(dir)
    }

    /// That one more store like this one would fit beside what lies here.
    ///
    /// # Errors
    /// [`Error::NoRoom`] when it would not.
    pub fn room_for(&self, store: Amount) -> Result<(), Error> {
        let place = self.dir.parent().unwrap_or(&self.dir);
        is_free(store, &SystemFs, place).map(drop)
    }

    /// Removes all that lies here but this copy.
    pub fn keep_only(&self, copy: &Path) {
        let Ok(entries) = SystemFs.list(&self.dir) else { return };
        for path in entries.iter().map(|entry| self.dir.join(&entry.name)).filter(|path| path != copy) {
            self.remove(&path);
        }
    }

    /// Removes a copy that is no longer needed.
    pub fn remove(&self, copy: &Path) {
        if let Err(error) = SystemFs.remove_tree(copy) {
            tracing::warn!("{} stays for now: {error}", copy.display());
        }
    }

    fn give(&self, path: &Path) -> io::Result<()> {
        Fleeting { user: self.user }.give(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.remove(&self.dir);
    }
}

/// The user that migrations get, if this process may give files away and that user can reach `dir`.
fn own_user(dir: &Path) -> Option<u32> {
    let may_search =
        |above: &Path| std::fs::metadata(above).is_ok_and(|metadata| metadata.mode() & 0o001 != 0);
    let root = rustix::process::geteuid().is_root();
    (root && dir.ancestors().skip(1).all(may_search)).then_some(OWN_USER)
}

fn fresh_name() -> String {
    let chain = datastore::links::Chain::fresh(&semver::Version::new(0, 0, 0));
    chain.data_dir.rsplit('_').next().unwrap_or_default().to_owned()
}

/// The file system for what nobody misses after a power cut: nothing is synced, and what is made is given to a user.
#[derive(Debug, Clone, Copy)]
struct Fleeting {
    user: Option<u32>,
}

impl Fleeting {
    fn give(self, path: &Path) -> io::Result<()> {
        match self.user {
            Some(user) => std::os::unix::fs::chown(path, Some(user), Some(user)),
            None => Ok(()),
        }
    }
}

/// A file that is not synced.
struct Unsynced(Box<dyn NewFile>);

impl io::Write for Unsynced {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl NewFile for Unsynced {
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Fs for Fleeting {
    fn create(&self, path: &Path, mode: u32) -> io::Result<Box<dyn NewFile>> {
        let file = SystemFs.create(path, mode)?;
        self.give(path)?;
        Ok(Box::new(Unsynced(file)))
    }

    fn make_dir(&self, path: &Path, mode: u32) -> io::Result<()> {
        SystemFs.make_dir(path, mode)?;
        self.give(path)
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_all(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn read_regular(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        SystemFs.read_regular(path, limit)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        SystemFs.read(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read + Send>> {
        SystemFs.open(path)
    }

    fn kind(&self, path: &Path) -> io::Result<Option<Kind>> {
        SystemFs.kind(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        SystemFs.list(dir)
    }

    fn read_link(&self, link: &Path) -> io::Result<PathBuf> {
        SystemFs.read_link(link)
    }

    fn make_link(&self, target: &Path, link: &Path) -> io::Result<()> {
        SystemFs.make_link(target, link)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        SystemFs.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        SystemFs.remove_file(path)
    }

    fn remove_tree(&self, dir: &Path) -> io::Result<()> {
        SystemFs.remove_tree(dir)
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        SystemFs.remove_dir(dir)
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        SystemFs.free_bytes(path)
    }

    fn free_files(&self, path: &Path) -> io::Result<u64> {
        SystemFs.free_files(path)
    }
}
