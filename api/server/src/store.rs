//! Settings and transactions, one change at a time.
//!
//! Everything here blocks; callers run it on threads that may wait. A change that would newly make a file impossible is
//! refused before it is committed. Settings are committed first and applied then, by one caller after another and always
//! from what is in force, so that the files show the last commit. Nobody who only reads waits for a service that
//! restarts.
//!
//! What is in force is what the store holds and this image takes; where a value is missing or none that the image takes,
//! its default is.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use api_model::Owed;
use datastore::store_dir::Contents;
use datastore::{Change, Datastore, Key, Value};
use host_io::{Advise, Fs, Paths, report};
use settings_model::{Model, fit, fitting, known, tree};
use thiserror::Error;
use tokio::sync::Notify;

use crate::limits;
use crate::only::OnlyServer;
use crate::owed::Board;
use crate::render::plan::{self, plan};
use crate::render::template::Templates;
use crate::render::{self, Changed, Extent, Reach, watch};
use crate::seed;

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
    /// More transactions than can be open.
    #[error("open the transaction {0:?}: {most} are open, and more are not possible", most = limits::TRANSACTIONS)]
    TooManyOpen(String),
    /// More than a host may be told.
    #[error("put {} in force: that would be {excess}", list(.keys))]
    TooMuch {
        /// What was to change.
        keys: Vec<Key>,
        /// How much that would be.
        excess: String,
    },
    /// A file or a service could be made with what is in force, and not with this.
    #[error("put {} in force: it would not be possible to {why}", list(.keys))]
    Impossible {
        /// What was to change.
        keys: Vec<Key>,
        /// What could not be done any more.
        why: String,
    },
    /// No new place in the fleet.
    #[error(transparent)]
    Seed(#[from] seed::NoRandom),
    /// The settings are live, the configuration files are not yet.
    #[error("apply the settings that are now in force")]
    Render(#[from] render::Error),
}

impl Advise for Error {
    fn help(&self) -> Option<String> {
        match self {
            Self::Render(error) => error.help(),
            Self::Impossible { .. } => Some(
                "nothing has changed; correct the value, or set what is missing in the same change"
                    .to_owned(),
            ),
            Self::TooManyOpen(_) => {
                Some("commit or drop some of them first: GET /tx/list names them".to_owned())
            }
            Self::TooMuch { .. } => Some("nothing has changed; unset what is not needed any more".to_owned()),
            Self::Datastore(_) | Self::NothingPending(_) | Self::Seed(_) => None,
        }
    }
}

/// How many settings at once make it worth while to get ready for the next commit ahead of it.
const MUCH: usize = 16;

/// A few of these keys, for a sentence.
fn list(keys: &[Key]) -> String {
    const SHOWN: usize = 5;
    let mut told: Vec<String> = keys.iter().take(SHOWN).map(ToString::to_string).collect();
    if keys.len() > SHOWN {
        told.push(format!("{} more", keys.len() - SHOWN));
    }
    told.join(", ")
}

/// What the store held, and what was in force with that.
type View = (Arc<Contents>, Arc<BTreeMap<Key, Value>>);

/// The settings of this host.
pub struct Store {
    fs: Arc<dyn Fs>,
    paths: Paths,
    model: Model,
    /// The image's values, and a place in the fleet for a host that has none and cannot store it.
    defaults: BTreeMap<Key, Value>,
    data: RwLock<Datastore>,
    /// What is in force, and what the store held when that was found.
    view: Mutex<Option<View>>,
    /// Tells that much was committed at once.
    much: Notify,
    /// Held by whoever applies: a slower older apply cannot write over a newer one.
    applying: Mutex<()>,
    /// Whether something is still to be applied.
    owes: AtomicBool,
    board: Board,
    /// What was committed and is not applied. Only whoever holds `data` for writing adds to it.
    changed: Mutex<Changed>,
    _only: OnlyServer,
}

impl Store {
    /// The store over an open datastore. `defaults` are in force where the store has no value that can be used.
    #[must_use]
    pub fn new(
        fs: Arc<dyn Fs>,
        paths: Paths,
        model: Model,
        defaults: BTreeMap<Key, Value>,
        data: Datastore,
        board: Board,
        only: OnlyServer,
    ) -> Self {
        let (data, applying, owes) = (RwLock::new(data), Mutex::new(()), AtomicBool::new(true));
        let changed = Mutex::new(Changed::Anything);
        let (view, much) = (Mutex::new(None), Notify::new());
        Self { fs, paths, model, defaults, data, view, much, applying, owes, board, changed, _only: only }
    }

    /// Which settings there can be.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The settings in force.
    ///
    /// # Errors
    /// When there is no datastore any more.
    pub fn live(&self) -> Result<BTreeMap<Key, Value>, Error> {
        Ok(self.in_force(&self.read())?.as_ref().clone())
    }

    /// What a transaction that is not committed would change; nothing when there is no such transaction.
    ///
    /// # Errors
    /// When there is no datastore any more, or the name cannot be one of a transaction.
    pub fn pending(&self, transaction: &str) -> Result<Change, Error> {
        Ok(self.read().pending_change(transaction)?)
    }

    /// The names of all transactions.
    ///
    /// # Errors
    /// When there is no datastore any more.
    pub fn transactions(&self) -> Result<Vec<String>, Error> {
        Ok(self.read().transactions()?)
    }

    /// Adds to a transaction what `work` makes of the settings that there would be if it was committed now. A refusal
    /// of `work` changes nothing.
    ///
    /// # Errors
    /// Those of `work`; when its changes cannot be stored, the transaction is as it was.
    pub fn change<E: From<Error>>(
        &self,
        transaction: &str,
        work: impl FnOnce(&BTreeMap<Key, Value>) -> Result<Change, E>,
    ) -> Result<(), E> {
        let refused = |error: datastore::Error| E::from(Error::from(error));
        let data = self.write();
        let pending = data.pending_change(transaction).map_err(refused)?;
        let contents = data.contents().map_err(refused)?;
        let change = if pending.is_empty() {
            work(&contents.live)?
        } else {
            let mut settings = contents.live.clone();
            pending.make(&mut settings);
            work(&settings)?
        };
        if change.is_empty() {
            return Ok(());
        }
        let open = data.transactions().map_err(refused)?;
        if open.len() >= limits::TRANSACTIONS && !open.iter().any(|open| open == transaction) {
            return Err(Error::TooManyOpen(transaction.to_owned()).into());
        }
        let mut all = pending;
        all.then(&change);
        if let Some(excess) = limits::exceeded(&self.model, &all.set, &change.set) {
            return Err(Error::TooMuch { keys: change.keys(), excess }.into());
        }
        let now = self.in_force(&data)?;
        data.stage(transaction, &change).map_err(refused)?;
        // What is staged is not in force: nothing has to be held against the model again.
        *self.view() = Some((data.contents().map_err(refused)?, now));
        Ok(())
    }

    /// Drops a transaction and returns its keys.
    ///
    /// # Errors
    /// When the storage refuses.
    pub fn forget(&self, transaction: &str) -> Result<Vec<Key>, Error> {
        let data = self.write();
        let now = self.in_force(&data)?;
        // Nobody else holds what the store held, so that it need not be copied.
        *self.view() = None;
        let keys = data.delete_transaction(transaction)?;
        *self.view() = Some((data.contents()?, now));
        Ok(keys)
    }

    /// Puts a transaction in force, all of it or nothing, and returns its keys. Where it takes away what the image has a
    /// default for, that comes back.
    ///
    /// # Errors
    /// [`Error::NothingPending`] when it is empty or unknown, [`Error::Impossible`] when a file or a service could not
    /// be made any more, [`Error::TooMuch`] when it is beyond the limits; otherwise when the storage refuses.
    pub fn commit(&self, transaction: &str) -> Result<Vec<Key>, Error> {
        let mut data = self.write();
        let mut change = data.pending_change(transaction)?;
        if change.is_empty() {
            return Err(Error::NothingPending(transaction.to_owned()));
        }
        let keys = change.keys();
        for key in std::mem::take(&mut change.unset) {
            if let Some(default) = self.model.default_of(&key) {
                change.set.insert(key, default.clone());
            } else if key.to_string() == known::SEED {
                let seed = seed::draw()?;
                tracing::info!("{key} is drawn anew: {seed}");
                change.set.insert(key, Value::from(seed));
            } else {
                change.unset.insert(key);
            }
        }
        self.make_place(&data, &mut change)?;
        let now = self.in_force(&data)?;
        let then = Arc::new(self.changed_view(&now, &change));
        if let Some(excess) = limits::exceeded(&self.model, &then, &change.set) {
            return Err(Error::TooMuch { keys, excess });
        }
        if let Some(why) = self.newly_impossible(&now, &then, &keys) {
            let concerned = self.concerned(&why, &keys);
            return Err(Error::Impossible { keys: concerned, why: report::chain(&why) });
        }
        data.commit_as(transaction, &change)?;
        *self.view() = Some((data.contents()?, then));
        if keys.len() > MUCH {
            self.much.notify_one();
        }
        self.board.mended(&keys);
        self.changed().add(&keys);
        Ok(keys)
    }

    /// Brings configuration files in line with the settings in force, and leaves services for [`Store::apply`].
    ///
    /// # Errors
    /// When the datastore cannot be read or a file cannot be made or written.
    pub fn render(&self) -> Result<(), Error> {
        self.bring(Extent::Files, Reach::Everything)
    }

    /// Brings configuration files and services in line with the settings in force.
    ///
    /// # Errors
    /// When the datastore cannot be read, a file cannot be made or written, or a service cannot be restarted. What
    /// could be done is done, and what is left is owed.
    pub fn apply(&self) -> Result<(), Error> {
        self.bring(Extent::Services, Reach::Everything)
    }

    /// [`Store::commit`], then as [`Store::apply`], of what is concerned by what was committed since the last time.
    ///
    /// # Errors
    /// As both; of what could not be applied, that which concerns this change. What else is owed is told elsewhere.
    pub fn commit_and_apply(&self, transaction: &str) -> Result<Vec<Key>, Error> {
        let keys = self.commit(transaction)?;
        match self.bring(Extent::Services, Reach::WhatChanged) {
            Ok(()) => Ok(keys),
            Err(Error::Render(error)) => match error.of(|service| self.is_concerned(service, &keys)) {
                Some(own) => Err(Error::Render(own)),
                None => Ok(keys),
            },
            Err(error) => Err(error),
        }
    }

    /// Whether something is still to be applied: at first, and after an apply that failed.
    #[must_use]
    pub fn owes(&self) -> bool {
        self.owes.load(Ordering::Acquire)
    }

    /// What could not be done.
    #[must_use]
    pub fn owed(&self) -> Vec<Owed> {
        self.board.all()
    }

    /// Does ahead what makes the next commit quick.
    pub fn prepare(&self) {
        if let Err(error) = self.write().prepare() {
            tracing::debug!("the next commit takes longer: failed to {}", report::chain(&error));
        }
    }

    /// Asks what became of the units whose start nobody waited for.
    pub fn look_after_units(&self) {
        let Ok(settings) = self.live() else { return };
        let templates = Templates::new(self.fs.as_ref(), self.paths.templates());
        let units = if self.model.services().iter().any(|service| service.unit.is_some()) {
            plan(&self.model, &settings, &templates, &Changed::Anything).wanted
        } else {
            Vec::new()
        };
        let failing = units.into_iter().filter_map(|wanted| {
            let reason = watch::look(&self.paths, wanted.unit.as_deref()?)?;
            Some((wanted.name, reason))
        });
        self.board.units(failing.collect());
    }

    /// Waits until the next commit of much at once.
    pub async fn much_was_committed(&self) {
        self.much.notified().await;
    }

    /// What is in force with what the store holds now.
    fn in_force(&self, data: &Datastore) -> Result<Arc<BTreeMap<Key, Value>>, Error> {
        let contents = data.contents()?;
        if let Some((of, view)) = self.view().as_ref()
            && Arc::ptr_eq(of, &contents)
        {
            return Ok(Arc::clone(view));
        }
        let mut settings = fit(&self.model, &contents.live).settings;
        for (key, value) in &self.defaults {
            settings.entry(key.clone()).or_insert_with(|| value.clone());
        }
        let view = Arc::new(settings);
        *self.view() = Some((contents, Arc::clone(&view)));
        Ok(view)
    }

    /// Takes away what can be no setting and stands where one is to be set: below it, or in the place of its group.
    /// Nothing of it is in force, and nobody could name it.
    fn make_place(&self, data: &Datastore, change: &mut Change) -> Result<(), Error> {
        let contents = data.contents()?;
        let mut away = Vec::new();
        for key in change.set.keys().filter(|key| self.model.has(key)) {
            let above =
                (1..key.segments().len()).filter_map(|len| Key::from_segments(&key.segments()[..len]).ok());
            away.extend(above.filter(|above| contents.live.contains_key(above)));
            let below = tree::at_or_below(&contents.live, key).map(|(below, _)| below);
            away.extend(below.filter(|below| *below != key).cloned());
        }
        for key in away {
            tracing::warn!("{key} is taken away: it is no setting, and stands where one is set");
            change.unset.insert(key);
        }
        Ok(())
    }

    /// What is in force after a change of what is now.
    fn changed_view(&self, now: &BTreeMap<Key, Value>, change: &Change) -> BTreeMap<Key, Value> {
        let mut then = now.clone();
        for key in change.set.keys().chain(&change.unset) {
            let stored = change.set.get(key).and_then(|value| fitting(&self.model, key, value));
            match stored.or_else(|| self.defaults.get(key).cloned()) {
                Some(value) => drop(then.insert(key.clone(), value)),
                None => drop(then.remove(key)),
            }
        }
        then
    }

    fn view(&self) -> MutexGuard<'_, Option<View>> {
        // Assignments are all that happens under it.
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What could be made with the settings `now` and could not with those `then`, which differ in `keys`. What cannot be made now is owed
    /// already, and counts against nobody.
    fn newly_impossible(
        &self,
        now: &BTreeMap<Key, Value>,
        then: &BTreeMap<Key, Value>,
        keys: &[Key],
    ) -> Option<plan::Error> {
        let templates = Templates::new(self.fs.as_ref(), self.paths.templates());
        let changed = Changed::These(keys.iter().cloned().collect());
        let errors = plan(&self.model, then, &templates, &changed).errors;
        if errors.is_empty() {
            return None;
        }
        let before = plan(&self.model, now, &templates, &changed).errors;
        errors.into_iter().find(|error| !before.iter().any(|before| before.is_same_as(error)))
    }

    /// Those of the changed keys that have to do with what cannot be done; all, where none has.
    fn concerned(&self, error: &plan::Error, keys: &[Key]) -> Vec<Key> {
        let one = |key: &&Key| self.is_concerned(error.service(), std::slice::from_ref(*key));
        let concerned: Vec<Key> = keys.iter().filter(one).cloned().collect();
        if concerned.is_empty() { keys.to_vec() } else { concerned }
    }

    /// Whether a change of these keys is one of the service of that name, which may be an instance.
    fn is_concerned(&self, name: &str, keys: &[Key]) -> bool {
        let (service, id) = name.split_once('@').map_or((name, None), |(service, id)| (service, Some(id)));
        let service = self.model.services().iter().find(|one| one.name == service);
        service.is_some_and(|service| keys.iter().any(|key| service.is_concerned(id, key)))
    }

    fn bring(&self, extent: Extent, reach: Reach) -> Result<(), Error> {
        let _alone = self.applying.lock().unwrap_or_else(PoisonError::into_inner);
        let brought = self.all_that_changed().and_then(|(settings, changed)| {
            Ok(render::apply(
                self.fs.as_ref(),
                &self.paths,
                &self.model,
                &settings,
                &changed,
                (reach, extent),
            )?)
        });
        match &brought {
            Err(Error::Render(error)) => self.board.services(error.failures()),
            Ok(()) => self.board.services(std::iter::empty()),
            Err(_) => {}
        }
        self.owes.store(brought.is_err() || extent == Extent::Files, Ordering::Release);
        if brought.is_err() || extent == Extent::Files {
            *self.changed() = Changed::Anything;
        }
        brought
    }

    /// The settings in force, and what of them is not applied. From here on nothing is left of that.
    fn all_that_changed(&self) -> Result<(Arc<BTreeMap<Key, Value>>, Changed), Error> {
        let data = self.read();
        let settings = self.in_force(&data)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (
                Error::TooManyOpen("x".into()),
                "open the transaction \"x\": 64 are open, and more are not possible",
            ),
            (
                Error::TooMuch {
                    keys: vec!["settings.motd".parse().unwrap()],
                    excess: "2 more than fit".into(),
                },
                "put settings.motd in force: that would be 2 more than fit",
            ),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
