//! Settings and transactions, one change at a time.
//!
//! Everything here blocks; callers run it on threads that may wait. Settings are committed first and applied then, by one
//! caller after another and always from what is in force, so that the files show the last commit. Nobody who only reads
//! waits for a service that restarts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use datastore::{Datastore, Key, Value};
use host_io::{Advise, Fs, Paths};
use thiserror::Error;

use crate::only::OnlyServer;
use crate::render::{self, Changed, Extent};
use settings_model::Model;

/// Why settings could not be read or changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The datastore refused.
    #[error(transparent)]
    Datastore(#[from] datastore::Error),
    /// A transaction without a change.
    #[error("commit the transaction {0:?}: nothing is pending in it")]
    NothingPending(String),
    /// The settings are live, the configuration files are not yet.
    #[error("apply the settings that are now in force")]
    Render(#[from] render::Error),
}

impl Advise for Error {
    fn help(&self) -> Option<String> {
        match self {
            Self::Render(error) => error.help(),
            Self::Datastore(_) | Self::NothingPending(_) => None,
        }
    }
}

/// The settings of this host.
pub struct Store {
    fs: Arc<dyn Fs>,
    paths: Paths,
    model: Model,
    data: RwLock<Datastore>,
    /// Held by whoever applies: a slower older apply cannot write over a newer one.
    applying: Mutex<()>,
    /// Whether something is still to be applied.
    owes: AtomicBool,
    /// What was committed and is not applied. Only whoever holds `data` for writing adds to it.
    changed: Mutex<Changed>,
    _only: OnlyServer,
}

impl Store {
    /// The store over an open datastore.
    #[must_use]
    pub fn new(fs: Arc<dyn Fs>, paths: Paths, model: Model, data: Datastore, only: OnlyServer) -> Self {
        let (data, applying, owes) = (RwLock::new(data), Mutex::new(()), AtomicBool::new(true));
        let changed = Mutex::new(Changed::Anything);
        Self { fs, paths, model, data, applying, owes, changed, _only: only }
    }

    /// Which settings there can be.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The settings in force.
    ///
    /// # Errors
    /// When the datastore cannot be read.
    pub fn live(&self) -> Result<BTreeMap<Key, Value>, Error> {
        Ok(self.read().live()?)
    }

    /// The settings of a transaction that is not committed; none when there is no such transaction.
    ///
    /// # Errors
    /// When the datastore cannot be read, or the name cannot be one of a transaction.
    pub fn pending(&self, transaction: &str) -> Result<BTreeMap<Key, Value>, Error> {
        Ok(self.read().pending(transaction)?)
    }

    /// The names of all transactions.
    ///
    /// # Errors
    /// When the datastore cannot be read.
    pub fn transactions(&self) -> Result<Vec<String>, Error> {
        Ok(self.read().transactions()?)
    }

    /// Adds checked settings to a transaction.
    ///
    /// # Errors
    /// When they cannot be stored; the transaction is then as it was.
    pub fn change(&self, transaction: &str, settings: &BTreeMap<Key, Value>) -> Result<(), Error> {
        if settings.is_empty() {
            return Ok(());
        }
        Ok(self.write().set_pending(transaction, settings)?)
    }

    /// Drops a transaction and returns its keys.
    ///
    /// # Errors
    /// When the storage refuses.
    pub fn forget(&self, transaction: &str) -> Result<Vec<Key>, Error> {
        Ok(self.write().delete_transaction(transaction)?)
    }

    /// Puts a transaction in force, all of it or nothing, and returns its keys.
    ///
    /// # Errors
    /// [`Error::NothingPending`] when it is empty or unknown; otherwise when the storage refuses.
    pub fn commit(&self, transaction: &str) -> Result<Vec<Key>, Error> {
        let mut data = self.write();
        let keys = data.commit(transaction)?;
        if keys.is_empty() {
            return Err(Error::NothingPending(transaction.to_owned()));
        }
        self.changed().add(&keys);
        Ok(keys)
    }

    /// Brings configuration files in line with the settings in force, and leaves services for [`Store::apply`].
    ///
    /// # Errors
    /// When the datastore cannot be read or a file cannot be made or written.
    pub fn render(&self) -> Result<(), Error> {
        self.bring(Extent::Files)
    }

    /// Brings configuration files and services in line with the settings in force.
    ///
    /// # Errors
    /// When the datastore cannot be read, a file cannot be made or written, or a service cannot be restarted. What
    /// could be done is done, and what is left is owed.
    pub fn apply(&self) -> Result<(), Error> {
        self.bring(Extent::Services)
    }

    /// [`Store::commit`], then [`Store::apply`].
    ///
    /// # Errors
    /// As both.
    pub fn commit_and_apply(&self, transaction: &str) -> Result<Vec<Key>, Error> {
        let keys = self.commit(transaction)?;
        self.apply()?;
        Ok(keys)
    }

    /// Whether something is still to be applied: at first, and after an apply that failed.
    #[must_use]
    pub fn owes(&self) -> bool {
        self.owes.load(Ordering::Acquire)
    }

    fn bring(&self, extent: Extent) -> Result<(), Error> {
        let _alone = self.applying.lock().unwrap_or_else(PoisonError::into_inner);
        let brought = self.all_that_changed().and_then(|(settings, changed)| {
            Ok(render::apply(self.fs.as_ref(), &self.paths, &self.model, &settings, &changed, extent)?)
        });
        let failed = match &brought {
            Ok(()) => false,
            Err(Error::Render(error)) => error.may_pass(),
            Err(Error::Datastore(_) | Error::NothingPending(_)) => true,
        };
        self.owes.store(failed || extent == Extent::Files, Ordering::Release);
        if brought.is_err() || extent == Extent::Files {
            *self.changed() = Changed::Anything;
        }
        brought
    }

    /// The settings in force, and what of them is not applied. From here on nothing is left of that.
    fn all_that_changed(&self) -> Result<(BTreeMap<Key, Value>, Changed), Error> {
        let data = self.read();
        let settings = data.live()?;
        Ok((settings, std::mem::replace(&mut *self.changed(), Changed::nothing())))
    }

    fn changed(&self) -> MutexGuard<'_, Changed> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // A request that panicked left the disk whole (a commit is one rename); the others go on.
    fn read(&self) -> RwLockReadGuard<'_, Datastore> {
        self.data.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Datastore> {
        self.data.write().unwrap_or_else(PoisonError::into_inner)
    }
}
