//! All that a data directory holds, and what becomes of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::Value;
use crate::key::Key;

/// Settings and their values.
pub type Settings = BTreeMap<Key, Value>;
/// What is noted about settings: per key, name to JSON value.
pub type Metadata = BTreeMap<Key, BTreeMap<String, Value>>;

/// Everything that a data directory holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Contents {
    /// Committed settings.
    pub live: Settings,
    /// Metadata of settings; it is never part of a transaction.
    pub metadata: Metadata,
    /// Transactions by name. One without a key is not stored.
    pub pending: BTreeMap<String, Settings>,
    /// What transactions take away, by their names.
    pub unset: BTreeMap<String, BTreeSet<Key>>,
}

impl Contents {
    /// What a transaction would change.
    #[must_use]
    pub fn change(&self, transaction: &str) -> Change {
        Change {
            set: self.pending.get(transaction).cloned().unwrap_or_default(),
            unset: self.unset.get(transaction).cloned().unwrap_or_default(),
        }
    }

    /// Puts `change` in the place of what `transaction` was; an empty one is none.
    pub(crate) fn put(&mut self, transaction: &str, change: Change) {
        self.pending.remove(transaction);
        self.unset.remove(transaction);
        if !change.set.is_empty() {
            self.pending.insert(transaction.to_owned(), change.set);
        }
        if !change.unset.is_empty() {
            self.unset.insert(transaction.to_owned(), change.unset);
        }
    }

    /// The names of all transactions.
    pub(crate) fn transactions(&self) -> BTreeSet<String> {
        self.pending.keys().chain(self.unset.keys()).cloned().collect()
    }
}

/// What is to become of settings. No key is in both parts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// They get these values.
    pub set: Settings,
    /// They have none any more.
    pub unset: BTreeSet<Key>,
}

impl Change {
    /// Whether nothing is to change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.unset.is_empty()
    }

    /// The keys that it is about, sorted.
    #[must_use]
    pub fn keys(&self) -> Vec<Key> {
        let keys: BTreeSet<&Key> = self.set.keys().chain(&self.unset).collect();
        keys.into_iter().cloned().collect()
    }

    /// Puts `later` over this one.
    pub fn then(&mut self, later: &Self) {
        self.unset.retain(|key| !later.set.contains_key(key));
        self.set.retain(|key, _| !later.unset.contains(key));
        self.set.extend(later.set.iter().map(|(key, value)| (key.clone(), value.clone())));
        self.unset.extend(later.unset.iter().cloned());
    }

    /// Carries it out on `settings`.
    pub fn make(&self, settings: &mut Settings) {
        for key in &self.unset {
            settings.remove(key);
        }
        settings.extend(self.set.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
}

/// Something in a data directory that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The setting, where it is one.
    pub key: Option<Key>,
    /// What is wrong, with its path, as a fragment that completes "failed to".
    pub told: String,
}

/// Why a value cannot be a setting's value, if so.
pub(super) fn why_not_storable(value: &Value) -> Option<&'static str> {
    match value {
        Value::String(_) | Value::Number(_) | Value::Bool(_) => None,
        Value::Array(items) if items.iter().any(|item| !is_scalar(item)) => {
            Some("a list may hold text, numbers and truth values only")
        }
        Value::Array(_) => None,
        Value::Null => Some("null is not a value"),
        Value::Object(_) => Some("a table is not a value; its members are keys of their own"),
    }
}

fn is_scalar(value: &Value) -> bool {
    matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_))
}
