//! Which settings changed, for the commands of the services that follow them.

use std::collections::BTreeSet;

use datastore::Key;

use settings_model::service::Service;

/// What changed since services were last in line with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// Nobody knows: nothing is remembered of the time before a start, nor of what a failure left behind.
    Anything,
    /// These and no others.
    These(BTreeSet<Key>),
}

impl Changed {
    /// Nothing.
    #[must_use]
    pub fn nothing() -> Self {
        Self::These(BTreeSet::new())
    }

    /// Takes a commit down.
    pub fn add(&mut self, committed: &[Key]) {
        match self {
            Self::Anything => {}
            Self::These(keys) => keys.extend(committed.iter().cloned()),
        }
    }

    /// What the commands of a service are told: the keys that it follows, apart by spaces; `None` where nobody knows, or
    /// where none of them changed and something else is the reason.
    #[must_use]
    pub fn told(&self, service: &Service) -> Option<String> {
        let Self::These(keys) = self else { return None };
        let keys: Vec<String> =
            keys.iter().filter(|key| service.follows(key)).map(ToString::to_string).collect();
        (!keys.is_empty()).then(|| keys.join(" "))
    }
}
