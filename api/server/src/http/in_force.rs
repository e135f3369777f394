//! The settings in force, read and written down once per commit.
//!
//! Fleets and programs ask for all settings again and again, and a host may have thousands of them, each a file. Only
//! requests change them (the datastore has one server), so what was read stands until one of those.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use datastore::{Key, Value};

use settings_model::tree::nested;

/// All settings in force.
#[derive(Debug)]
pub struct InForce {
    /// By key.
    pub settings: BTreeMap<Key, Value>,
    /// As the answer to a request for all of them.
    pub json: Bytes,
}

/// What was read last, and whether it still stands. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Cache(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    commits: u64,
    read: Option<Arc<InForce>>,
}

impl Cache {
    /// What was read last, if it still stands.
    #[must_use]
    pub fn kept(&self) -> Option<Arc<InForce>> {
        self.lock().read.clone()
    }

    /// What was read last, or else what `read` reads now.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn get<E>(&self, read: impl FnOnce() -> Result<BTreeMap<Key, Value>, E>) -> Result<Arc<InForce>, E> {
        let before = {
            let kept = self.lock();
            if let Some(read) = &kept.read {
                return Ok(Arc::clone(read));
            }
            kept.commits
        };
        let settings = read()?;
        let json = serde_json::to_vec(&nested(&settings)).expect("settings are plain data").into();
        let read = Arc::new(InForce { settings, json });
        let mut kept = self.lock();
        // A commit in between may be in what was read or not; it must not stand for what comes after it.
        if kept.commits == before {
            kept.read = Some(Arc::clone(&read));
        }
        Ok(read)
    }

    /// Says that settings may have changed: before whoever changed them is answered, whatever came of it.
    pub fn changed(&self) {
        let mut kept = self.lock();
        kept.commits += 1;
        kept.read = None;
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Assignments are all that happens under it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn motd(text: &str) -> Result<BTreeMap<Key, Value>, ()> {
        Ok(BTreeMap::from([(Key::parse("settings.motd").unwrap(), Value::from(text))]))
    }

    #[test]
    fn what_was_read_stands_until_the_next_change() {
        let cache = Cache::default();
        assert!(cache.kept().is_none());
        assert_eq!(cache.get(|| motd("a")).unwrap().json, r#"{"motd":"a"}"#);
        assert_eq!(cache.get(|| motd("b")).unwrap().json, r#"{"motd":"a"}"#);
        cache.changed();
        assert_eq!(cache.get(|| motd("b")).unwrap().json, r#"{"motd":"b"}"#);
        cache.changed();
        assert!(cache.get(|| Err(())).is_err());
        assert!(cache.kept().is_none());
    }

    #[test]
    fn what_was_read_while_something_changed_is_used_once() {
        let cache = Cache::default();
        let during = cache
            .get(|| {
                cache.changed();
                motd("old or new")
            })
            .unwrap();
        assert_eq!(during.json, r#"{"motd":"old or new"}"#);
        assert_eq!(cache.get(|| motd("new")).unwrap().json, r#"{"motd":"new"}"#);
    }
}
