//! The live store: reading it, and changing it all or nothing.
//!
//! Every change that adds anything reads the whole data directory, writes the changed one beside it, makes it durable,
//! switches the one link, and only then removes the old directory. Stores are small (some hundred short files), and so
//! there is one way to change them, with one proof that a power cut at any step leaves the old state or the new one.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use host_io::fs::Fs;
use host_io::swap;
use semver::Version;

use crate::error::Error;
use crate::key::Key;
use crate::links::{self, Chain};
use crate::store_dir::{self, Contents, Metadata, Settings};

/// The mode of the directory that holds the stores.
const BASE_MODE: u32 = 0o700;

/// The store that the links lead to. One process writes a store at a time; inside of it, threads may share this value.
pub struct Datastore {
    fs: Arc<dyn Fs>,
    base: PathBuf,
    version: Version,
    /// Readers together, writers alone: a writer removes the directory that a reader would still be in.
    turn: RwLock<()>,
}

impl Datastore {
    /// Opens the store in `base`, the directory that holds the link `current` (`host_io::Paths::datastore`).
    ///
    /// # Errors
    /// [`Error::Absent`] on the first boot; [`Error::Link`] when the chain of links is broken or leads out of `base`.
    pub fn open(fs: Arc<dyn Fs>, base: &Path) -> Result<Self, Error> {
        let chain = links::read(&*fs, base)?.ok_or_else(|| Error::Absent { base: base.to_owned() })?;
        Ok(Self { fs, base: base.to_owned(), version: chain.version, turn: RwLock::new(()) })
    }

    /// Makes an empty store of `version` in `base`, which is made where it is missing. After a power cut there is this
    /// store or none.
    ///
    /// # Errors
    /// [`Error::Present`] when there is one already.
    pub fn create(fs: Arc<dyn Fs>, base: &Path, version: &Version) -> Result<Self, Error> {
        if let Some(chain) = links::read(&*fs, base)? {
            return Err(Error::Present { base: base.to_owned(), version: chain.version });
        }
        swap::make_dirs(&*fs, base, BASE_MODE).map_err(Error::io("make the directory", base))?;
        let store = Self { fs, base: base.to_owned(), version: version.clone(), turn: RwLock::new(()) };
        store.switch(None, &Contents::default())?;
        Ok(store)
    }

    /// The version whose settings these are.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// All committed settings.
    ///
    /// # Errors
    /// When a file is broken or something lies in the store that has no place there; the error names the path.
    pub fn live(&self) -> Result<Settings, Error> {
        let _turn = self.read_turn();
        Ok(store_dir::read_live(&*self.fs, &self.data_dir()?)?.0)
    }

    /// The metadata of committed settings.
    ///
    /// # Errors
    /// As [`Datastore::live`].
    pub fn metadata(&self) -> Result<Metadata, Error> {
        let _turn = self.read_turn();
        Ok(store_dir::read_live(&*self.fs, &self.data_dir()?)?.1)
    }

    /// The settings of a transaction; none when there is no such transaction.
    ///
    /// # Errors
    /// As [`Datastore::live`].
    pub fn pending(&self, transaction: &str) -> Result<Settings, Error> {
        let _turn = self.read_turn();
        store_dir::read_pending(&*self.fs, &self.data_dir()?, transaction)
    }

    /// The names of all transactions, sorted.
    ///
    /// # Errors
    /// As [`Datastore::live`].
    pub fn transactions(&self) -> Result<Vec<String>, Error> {
        let _turn = self.read_turn();
        store_dir::transactions(&*self.fs, &self.data_dir()?)
    }

    /// Adds settings to a transaction, over those of the same name that it has.
    ///
    /// # Errors
    /// When a key or value cannot be stored, or the storage refuses. The transaction is then as it was.
    pub fn set_pending(&self, transaction: &str, settings: &Settings) -> Result<(), Error> {
        self.change(|contents| {
            let pending = contents.pending.entry(transaction.to_owned()).or_default();
            pending.extend(settings.iter().map(|(key, value)| (key.clone(), value.clone())));
            Ok(Some(()))
        })?;
        Ok(())
    }

    /// Drops a transaction and returns the keys that it had. One that does not exist is dropped already. This works on
    /// a full partition.
    ///
    /// # Errors
    /// When the storage refuses. The transaction is then whole or gone.
    pub fn delete_transaction(&self, transaction: &str) -> Result<Vec<Key>, Error> {
        let _turn = self.write_turn();
        store_dir::drop_pending(&*self.fs, &self.data_dir()?, transaction)
    }

    /// Makes the settings of a transaction live, all or none, and returns their keys. An empty or unknown transaction
    /// changes nothing.
    ///
    /// # Errors
    /// When a key lies below one that holds a value, or the storage refuses. Live settings and transaction are then as
    /// they were.
    pub fn commit(&mut self, transaction: &str) -> Result<Vec<Key>, Error> {
        let keys = self.change(|contents| {
            let Some(settings) = contents.pending.remove(transaction).filter(|found| !found.is_empty())
            else {
                return Ok(None);
            };
            let keys = settings.keys().cloned().collect();
            contents.live.extend(settings);
            Ok(Some(keys))
        })?;
        Ok(keys.unwrap_or_default())
    }

    /// Gives live values to those of `defaults` that have none yet, and returns their keys: first boot, and settings
    /// that a newer system brings. What a person has set is never changed. Writes only when something is missing.
    ///
    /// # Errors
    /// As [`Datastore::commit`].
    pub fn populate(&mut self, defaults: &Settings) -> Result<Vec<Key>, Error> {
        let keys = self.change(|contents| {
            let missing: Settings = defaults
                .iter()
                .filter(|(key, _)| !contents.live.contains_key(*key))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            let keys: Vec<Key> = missing.keys().cloned().collect();
            contents.live.extend(missing);
            Ok((!keys.is_empty()).then_some(keys))
        })?;
        Ok(keys.unwrap_or_default())
    }

    /// Reads everything, lets `edit` change it, and makes that live. `None` from `edit`: there is nothing to write.
    fn change<T>(
        &self,
        edit: impl FnOnce(&mut Contents) -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error> {
        let _turn = self.write_turn();
        let chain = self.chain()?;
        let mut contents = store_dir::read(&*self.fs, &self.base.join(&chain.data_dir))?;
        let Some(answer) = edit(&mut contents)? else { return Ok(None) };
        self.switch(Some(&chain), &contents)?;
        Ok(Some(answer))
    }

    /// Makes `contents` the live store in place of `live`.
    fn switch(&self, live: Option<&Chain>, contents: &Contents) -> Result<(), Error> {
        // Room first: what an earlier cut left lies here unused.
        links::sweep(&*self.fs, &self.base)?;
        let wanted = Chain::fresh(&self.version);
        let dir = self.base.join(&wanted.data_dir);
        if let Err(error) = store_dir::write(&*self.fs, &dir, contents) {
            // Half of a store helps nobody and may be what fills the partition. If this fails too, the next writer
            // removes it.
            let _left_for_the_next_writer = swap::discard(&*self.fs, &dir);
            return Err(error);
        }
        // A cut up to the rename in here leaves the old store live; after it, the new one.
        links::apply(&*self.fs, &self.base, &links::plan(live, &wanted))?;
        // The change is made and durable; the old directory is only garbage now (or kept, if another version's link
        // names it), and the next writer removes what we cannot.
        if let Err(error) = links::sweep(&*self.fs, &self.base) {
            tracing::warn!("the old store stays for now: failed to {}", host_io::report::chain(&error));
        }
        Ok(())
    }

    fn chain(&self) -> Result<Chain, Error> {
        links::read(&*self.fs, &self.base)?.ok_or_else(|| Error::Absent { base: self.base.clone() })
    }

    fn data_dir(&self) -> Result<PathBuf, Error> {
        Ok(self.base.join(self.chain()?.data_dir))
    }

    // The lock guards files, which stay whole when a thread panics.
    fn read_turn(&self) -> RwLockReadGuard<'_, ()> {
        self.turn.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_turn(&self) -> RwLockWriteGuard<'_, ()> {
        self.turn.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Datastore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Datastore").field("base", &self.base).field("version", &self.version).finish()
    }
}
