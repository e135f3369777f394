//! What this server could not do, and still owes.
//!
//! Nothing of it keeps the server from listening. It is in the status of updates, in the log when it comes up, and in
//! `GET /health`.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use api_model::Owed;
use datastore::Key;

use crate::render;

/// Where the parts of an image's settings model are told.
const MODEL: &str = "settings-model";
/// Where the store itself is told.
pub const STORE: &str = "datastore";

/// What is owed, by where it comes from.
#[derive(Debug, Default)]
pub struct Board(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    model: Vec<String>,
    store: Vec<String>,
    /// Values of the store that cannot be used, until they are set again.
    values: BTreeMap<Key, String>,
    services: Vec<(String, String)>,
    units: BTreeMap<String, String>,
}

impl Board {
    /// A part of the image's model cannot be used.
    pub fn model(&self, reason: String) {
        self.entries().model.push(reason);
    }

    /// Something of the store could not be read or written.
    pub fn store(&self, reason: String) {
        self.entries().store.push(reason);
    }

    /// A value of the store cannot be used.
    pub fn value(&self, key: Key, reason: String) {
        self.entries().values.insert(key, reason);
    }

    /// These were set again.
    pub fn mended(&self, keys: &[Key]) {
        self.entries().values.retain(|key, _| !keys.contains(key));
    }

    /// What is owed to services now, in the place of what was.
    pub fn services<'a>(&self, failures: impl Iterator<Item = &'a render::Failure>) {
        let told = |failure: &render::Failure| {
            (failure.service().to_owned(), format!("failed to {}", host_io::report::chain(failure)))
        };
        self.entries().services = failures.map(told).collect();
    }

    /// Which units fail now, in the place of those that did.
    pub fn units(&self, units: BTreeMap<String, String>) {
        let mut entries = self.entries();
        for (name, reason) in units.iter().filter(|(name, reason)| entries.units.get(*name) != Some(*reason))
        {
            tracing::error!("{name}: failed to {reason}");
        }
        entries.units = units;
    }

    /// All of it.
    #[must_use]
    pub fn all(&self) -> Vec<Owed> {
        let entries = self.entries();
        let owed = |to: &str, reason: &str| Owed { to: to.to_owned(), reason: reason.to_owned() };
        let model = entries.model.iter().map(|reason| owed(MODEL, reason));
        let store = entries.store.iter().map(|reason| owed(STORE, reason));
        let values = entries.values.iter().map(|(key, reason)| owed(&key.to_string(), reason));
        let services = entries.services.iter().map(|(to, reason)| owed(to, reason));
        let units = entries.units.iter().map(|(to, reason)| owed(to, &format!("failed to {reason}")));
        model.chain(store).chain(values).chain(services).chain(units).collect()
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        // Assignments are all that happens under it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
