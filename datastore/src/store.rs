//! The live store: reading it, and changing it all or nothing.
//!
//! What the store holds is read once and kept in memory: one process writes it. Every change that adds anything is made
//! in the spare copy beside the live directory, made durable, and then the one link is switched. So there is one way to
//! change a store, with one proof that a power cut at any step leaves the old state or the new one, and it costs what
//! changes.
//!
//! A store in which something cannot be read is opened all the same. What is lost is told by [`Datastore::damage`]; the
//! directory as it was is put aside, and not removed, when the store is changed next.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use host_io::fs::Fs;
use host_io::swap;
use semver::Version;

use crate::error::Error;
use crate::key::Key;
use crate::links::{self, Chain, DAMAGED};
use crate::spare::{self, Lag, SPARE, Spare};
use crate::store_dir::{self, Change, Contents, Damage, Metadata, Settings};
use crate::unsynced::Unsynced;

/// The mode of the directory that holds the stores.
const BASE_MODE: u32 = 0o700;
/// By how many settings a spare copy may be behind before it is brought up to date ahead of the next commit.
const FAR: usize = 16;

/// The store that the links lead to. One process writes a store at a time; inside of it, threads may share this value.
pub struct Datastore {
    fs: Arc<dyn Fs>,
    base: PathBuf,
    version: Version,
    /// What is known of the store; nothing, before the first use and after a change that failed.
    held: Mutex<Option<Held>>,
}

/// What is known of the store.
struct Held {
    chain: Chain,
    contents: Arc<Contents>,
    damage: Vec<Damage>,
    spare: Spare,
}

/// Why a change was not made, and what is still known of the store then.
type Failed = (Option<Held>, Error);

impl Datastore {
    /// Opens the store in `base`, the directory that holds the link `current` (`host_io::Paths::datastore`). A link
    /// `current` that is lost is set again where it is certain to which store it led.
    ///
    /// # Errors
    /// [`Error::Absent`] on the first boot; [`Error::Link`] when the chain of links is broken or leads out of `base`,
    /// [`Error::Lost`] when it is lost and there are several stores.
    pub fn open(fs: Arc<dyn Fs>, base: &Path) -> Result<Self, Error> {
        let chain = links::find(&*fs, base)?.ok_or_else(|| Error::Absent { base: base.to_owned() })?;
        Ok(Self { fs, base: base.to_owned(), version: chain.version, held: Mutex::new(None) })
    }

    /// Makes an empty store of `version` in `base`, which is made where it is missing. After a power cut there is this
    /// store or none.
    ///
    /// # Errors
    /// [`Error::Present`] when there is one already.
    pub fn create(fs: Arc<dyn Fs>, base: &Path, version: &Version) -> Result<Self, Error> {
        if let Some(chain) = links::find(&*fs, base)? {
            return Err(Error::Present { base: base.to_owned(), version: chain.version });
        }
        swap::make_dirs(&*fs, base, BASE_MODE).map_err(Error::io("make the directory", base))?;
        let chain = Chain::fresh(version);
        store_dir::write(&*fs, &base.join(&chain.data_dir), &Contents::default())?;
        // A cut up to the last rename in here leaves no store; after it, the new one.
        links::apply(&*fs, base, &links::plan(None, &chain))?;
        Ok(Self { fs, base: base.to_owned(), version: version.clone(), held: Mutex::new(None) })
    }

    /// The version whose settings these are.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// All that the store holds, as far as it can be read.
    ///
    /// # Errors
    /// When no link leads to a store any more.
    pub fn contents(&self) -> Result<Arc<Contents>, Error> {
        self.with(|held| Ok(Arc::clone(&held.contents)))
    }

    /// What in the store cannot be read. It is told until the process ends, also after it was set again.
    ///
    /// # Errors
    /// As [`Datastore::contents`].
    pub fn damage(&self) -> Result<Vec<Damage>, Error> {
        self.with(|held| Ok(held.damage.clone()))
    }

    /// All committed settings that can be read.
    ///
    /// # Errors
    /// As [`Datastore::contents`].
    pub fn live(&self) -> Result<Settings, Error> {
        Ok(self.contents()?.live.clone())
    }

    /// The metadata of committed settings.
    ///
    /// # Errors
    /// As [`Datastore::contents`].
    pub fn metadata(&self) -> Result<Metadata, Error> {
        Ok(self.contents()?.metadata.clone())
    }

    /// The settings that a transaction gives values to; none when there is no such transaction.
    ///
    /// # Errors
    /// As [`Datastore::contents`], and when the name cannot be one of a transaction.
    pub fn pending(&self, transaction: &str) -> Result<Settings, Error> {
        Ok(self.pending_change(transaction)?.set)
    }

    /// What a transaction would change; nothing when there is no such transaction.
    ///
    /// # Errors
    /// As [`Datastore::pending`].
    pub fn pending_change(&self, transaction: &str) -> Result<Change, Error> {
        store_dir::transaction_dir(&self.base, transaction)?;
        Ok(self.contents()?.change(transaction))
    }

    /// The names of all transactions, sorted.
    ///
    /// # Errors
    /// As [`Datastore::contents`].
    pub fn transactions(&self) -> Result<Vec<String>, Error> {
        Ok(self.contents()?.transactions().into_iter().collect())
    }

    /// Adds settings to a transaction, over those of the same name that it has.
    ///
    /// # Errors
    /// As [`Datastore::stage`].
    pub fn set_pending(&self, transaction: &str, settings: &Settings) -> Result<(), Error> {
        self.stage(transaction, &Change { set: settings.clone(), ..Change::default() })
    }

    /// Puts `change` over what a transaction has.
    ///
    /// # Errors
    /// When a key or value cannot be stored, or the storage refuses. The transaction is then as it was.
    pub fn stage(&self, transaction: &str, change: &Change) -> Result<(), Error> {
        self.change(|contents| {
            let mut all = contents.change(transaction);
            all.then(change);
            store_dir::transaction_dir(&self.base, transaction)?;
            store_dir::check_change(&all)?;
            let mut wanted = contents.clone();
            wanted.put(transaction, all);
            let lag = Lag { transactions: [transaction.to_owned()].into(), ..Lag::default() };
            Ok(Some((wanted, lag, ())))
        })?;
        Ok(())
    }

    /// Drops a transaction and returns the keys that it had. One that does not exist is dropped already. This works on
    /// a full partition, and on a transaction that cannot be read.
    ///
    /// # Errors
    /// When the storage refuses. The transaction is then whole or gone.
    pub fn delete_transaction(&self, transaction: &str) -> Result<Vec<Key>, Error> {
        let mut held = self.held();
        let known = self.known(&mut held)?;
        let keys = known.contents.change(transaction).keys();
        if let Spare::Behind(lag) = &mut known.spare {
            lag.transactions.insert(transaction.to_owned());
        }
        match store_dir::drop_pending(&*self.fs, &self.base.join(&known.chain.data_dir), transaction) {
            Ok(()) => Arc::make_mut(&mut known.contents).put(transaction, Change::default()),
            Err(error) => {
                *held = None;
                return Err(error);
            }
        }
        Ok(keys)
    }

    /// Drops all transactions, those that cannot be read as well: for a boot, as nobody is left who could commit them.
    /// What the power left of one that was dropped goes too: where nothing is set any more, nobody else would take it away.
    ///
    /// # Errors
    /// When the storage refuses; each transaction is then whole or gone.
    pub fn delete_transactions(&self) -> Result<(), Error> {
        let dir = self.with(|held| Ok(self.base.join(&held.chain.data_dir)))?;
        for transaction in store_dir::transactions(&*self.fs, &dir)? {
            self.delete_transaction(&transaction)?;
        }
        store_dir::sweep_dropped(&*self.fs, &dir)
    }

    /// Carries out a transaction on the live settings, all or nothing, and returns its keys. An empty or unknown
    /// transaction changes nothing.
    ///
    /// # Errors
    /// When a key lies below one that holds a value, or the storage refuses. Live settings and transaction are then as
    /// they were.
    pub fn commit(&mut self, transaction: &str) -> Result<Vec<Key>, Error> {
        let change = self.pending_change(transaction)?;
        self.commit_as(transaction, &change)
    }

    /// [`Datastore::commit`] with other changes than the transaction has: some of what it takes away may have a default
    /// that comes back.
    ///
    /// # Errors
    /// As [`Datastore::commit`].
    pub fn commit_as(&mut self, transaction: &str, change: &Change) -> Result<Vec<Key>, Error> {
        let keys = self.change(|contents| {
            if change.is_empty() {
                return Ok(None);
            }
            let keys = change.keys();
            let mut wanted = contents.clone();
            change.make(&mut wanted.live);
            wanted.put(transaction, Change::default());
            store_dir::check_live(&wanted, &change.set)?;
            let transactions = [transaction.to_owned()].into();
            let lag = Lag { keys: keys.iter().cloned().collect(), transactions, unsynced: false };
            Ok(Some((wanted, lag, keys)))
        })?;
        Ok(keys.unwrap_or_default())
    }

    /// Gives live values to those of `defaults` that have none yet, and returns their keys: first boot, and settings
    /// that a newer system brings. What a person has set is never changed, and what stands where a default has no place
    /// keeps that one out and no other. Writes only when something is missing.
    ///
    /// # Errors
    /// As [`Datastore::commit`].
    pub fn populate(&mut self, defaults: &Settings) -> Result<Vec<Key>, Error> {
        let keys = self.change(|contents| {
            let missing: Settings = defaults
                .iter()
                .filter(|(key, _)| !contents.live.contains_key(*key))
                .filter(|(key, _)| store_dir::check_place(contents, key).is_ok())
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            if missing.is_empty() {
                return Ok(None);
            }
            let keys: Vec<Key> = missing.keys().cloned().collect();
            let change = Change { set: missing, ..Change::default() };
            let mut wanted = contents.clone();
            change.make(&mut wanted.live);
            store_dir::check_live(&wanted, &change.set)?;
            let lag = Lag { keys: keys.iter().cloned().collect(), ..Lag::default() };
            Ok(Some((wanted, lag, keys)))
        })?;
        Ok(keys.unwrap_or_default())
    }

    /// Makes the spare copy where there is none and brings one up to date that is far behind, so that the first commit
    /// costs no more than a later one.
    ///
    /// # Errors
    /// When the storage refuses. There is no spare copy then, and nothing else has changed.
    pub fn prepare(&self) -> Result<(), Error> {
        let mut held = self.held();
        let known = self.known(&mut held)?;
        if known.spare == Spare::Unknown {
            known.spare = Spare::find(&*self.fs, &self.base, &known.contents)?;
        }
        let mut unsynced = Unsynced::default();
        match &mut known.spare {
            Spare::Behind(lag) if lag.keys.len() <= FAR => return Ok(()),
            Spare::Behind(lag) => {
                if std::mem::replace(&mut lag.unsynced, true) {
                    unsynced.everything();
                }
                spare::follow(&*self.fs, &self.base, &known.contents, lag, &mut unsynced)?;
            }
            Spare::None | Spare::Unknown => self.write_spare(&known.contents, &mut unsynced)?,
        }
        known.spare = Spare::Behind(Lag { unsynced: true, ..Lag::default() });
        unsynced.settle(&*self.fs, &self.base)?;
        known.spare = Spare::Behind(Lag::default());
        Ok(())
    }

    /// Lets `edit` say what the store is to hold and in what that differs, and makes it live. `None` from `edit`: there
    /// is nothing to write.
    fn change<T>(
        &self,
        edit: impl FnOnce(&Contents) -> Result<Option<(Contents, Lag, T)>, Error>,
    ) -> Result<Option<T>, Error> {
        let mut held = self.held();
        let known = self.known(&mut held)?;
        let Some((wanted, changed, answer)) = edit(&known.contents)? else { return Ok(None) };
        // Until the end nothing is known: an error in between says so to whoever comes next.
        let known = held.take().expect("it was known a moment ago");
        match self.switch(known, wanted, changed) {
            Ok(now) => *held = Some(now),
            Err(failed) => {
                let (before, error) = *failed;
                *held = before;
                return Err(error);
            }
        }
        Ok(Some(answer))
    }

    /// Makes `wanted` live, which differs from what is in `changed`. With an error comes what is still known then.
    fn switch(&self, mut before: Held, wanted: Contents, changed: Lag) -> Result<Held, Box<Failed>> {
        let fs = &*self.fs;
        let mut unsynced = Unsynced::default();
        if let Err(error) = self.make_spare(&mut before, &wanted, &changed, &mut unsynced) {
            return Err(Box::new((Some(before), error)));
        }
        let chain = Chain::fresh(&self.version);
        let spare = self.base.join(SPARE);
        let dir = self.base.join(&chain.data_dir);
        if let Err(error) = unsynced.settle(fs, &self.base) {
            return Err(Box::new((None, error)));
        }
        // A cut from here up to the rename of the link leaves a data directory that no link names: garbage. After that
        // rename the new store is live; the sync of the link makes both names durable in their order.
        let switched = fs
            .rename(&spare, &dir)
            .map_err(Error::io("rename", &spare))
            .and_then(|()| links::apply(fs, &self.base, &links::plan(Some(&before.chain), &chain)));
        if let Err(error) = switched {
            return Err(Box::new((None, error)));
        }
        let spare = self.put_aside(&before, changed).unwrap_or_else(|error| {
            // The change is made and durable. What was live is garbage now, and the next writer removes it.
            tracing::warn!("the old store stays for now: failed to {}", host_io::report::chain(&error));
            Spare::Unknown
        });
        Ok(Held { chain, contents: Arc::new(wanted), damage: before.damage, spare })
    }

    /// Brings a spare copy in line with `wanted`. What is known of it is right afterwards, also after an error.
    fn make_spare(
        &self,
        held: &mut Held,
        wanted: &Contents,
        changed: &Lag,
        unsynced: &mut Unsynced,
    ) -> Result<(), Error> {
        let fs = &*self.fs;
        // Room first: what an earlier cut left lies here unused.
        links::sweep_garbage(fs, &self.base)?;
        if held.spare == Spare::Unknown {
            held.spare = Spare::find(fs, &self.base, &held.contents)?;
        }
        let Spare::Behind(lag) = &mut held.spare else {
            self.write_spare(wanted, unsynced)?;
            // Should it be of no use in the end, the next change compares it.
            held.spare = Spare::Unknown;
            return Ok(());
        };
        lag.keys.extend(changed.keys.iter().cloned());
        lag.transactions.extend(changed.transactions.iter().cloned());
        if std::mem::replace(&mut lag.unsynced, true) {
            unsynced.everything();
        }
        spare::follow(fs, &self.base, wanted, lag, unsynced)
    }

    fn write_spare(&self, contents: &Contents, unsynced: &mut Unsynced) -> Result<(), Error> {
        let dir = self.base.join(SPARE);
        unsynced.directory(&self.base);
        if let Err(error) = store_dir::write_unsynced(&*self.fs, &dir, contents, unsynced) {
            // Half of a copy helps nobody and may be what fills the partition. If this fails too, the next writer
            // removes it.
            let _left_for_the_next_writer = swap::discard(&*self.fs, &dir);
            return Err(error);
        }
        Ok(())
    }

    /// Makes the directory that was live the spare copy, or keeps it where somebody may need it.
    fn put_aside(&self, before: &Held, changed: Lag) -> Result<Spare, Error> {
        let fs = &*self.fs;
        let name = &before.chain.data_dir;
        if links::is_named(fs, &self.base, name)? {
            return Ok(Spare::None);
        }
        let dir = self.base.join(name);
        let damaged = !before.damage.is_empty() && store_dir::read_live(fs, &dir).is_err();
        let (to, spare) = if damaged {
            // One is enough to look at; an earlier one was followed by a store that was whole.
            links::remove_damaged(fs, &self.base)?;
            let to = self.base.join(format!("{DAMAGED}{name}"));
            tracing::warn!("the store in which something could not be read is kept as {}", to.display());
            (to, Spare::None)
        } else {
            (self.base.join(SPARE), Spare::Behind(changed))
        };
        fs.rename(&dir, &to).map_err(Error::io("rename", &dir))?;
        Ok(spare)
    }

    fn with<T>(&self, look: impl FnOnce(&mut Held) -> Result<T, Error>) -> Result<T, Error> {
        let mut held = self.held();
        look(self.known(&mut held)?)
    }

    /// What is known of the store, read now if nothing is.
    fn known<'a>(&self, held: &'a mut Option<Held>) -> Result<&'a mut Held, Error> {
        if held.is_none() {
            let chain = links::read(&*self.fs, &self.base)?
                .ok_or_else(|| Error::Absent { base: self.base.clone() })?;
            let (contents, damage) = store_dir::read_usable(&*self.fs, &self.base.join(&chain.data_dir));
            *held = Some(Held { chain, contents: Arc::new(contents), damage, spare: Spare::Unknown });
        }
        Ok(held.as_mut().expect("it was read just now"))
    }

    // It holds files that stay whole when a thread panics, and nothing at all while they change.
    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Datastore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Datastore").field("base", &self.base).field("version", &self.version).finish()
    }
}
