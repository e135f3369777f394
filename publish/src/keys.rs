//! Where the keys lie that sign what is below root, and how they are opened.
//!
//! A directory has a file for each role: `targets.pem`, plain or encrypted, or an executable `targets.sign` that asks
//! whatever holds the key, such as a key management service. A program that uses this crate may bring its own
//! [`KeySources`] instead.
//!
//! - [`program`]: a key that another program holds

pub mod program;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use trusted_repo::author::{KeyPair, KeySource, KeySources};

use self::program::ProgramKey;
use crate::Error;
use crate::layout::{KeyLayout, ROLES};
use crate::passphrase::Passphrase;

/// The keys of a publisher.
#[derive(Debug, Clone)]
pub struct Keys {
    dir: PathBuf,
    passphrase: Passphrase,
    elsewhere: Option<Arc<KeySources>>,
    team: Option<String>,
}

impl Keys {
    /// The keys in a directory, with the root role that images ship beside them.
    #[must_use]
    pub fn in_dir(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), passphrase: Passphrase::None, elsewhere: None, team: None }
    }

    /// The same, where files are encrypted. New keys are encrypted with a passphrase that is known.
    #[must_use]
    pub fn with_passphrase(self, passphrase: Passphrase) -> Self {
        Self { passphrase, ..self }
    }

    /// The keys of a team: its own, in `NAME.pem` or behind `NAME.sign`, takes the place of that of the targets role.
    #[must_use]
    pub fn of_team(self, team: Option<String>) -> Self {
        Self { team, ..self }
    }

    /// The team.
    pub(crate) fn team(&self) -> Option<&str> {
        self.team.as_deref()
    }

    /// Keys that lie anywhere; the directory has the root role that images ship, and no key.
    #[must_use]
    pub fn from_sources(dir: impl Into<PathBuf>, sources: KeySources) -> Self {
        Self { elsewhere: Some(Arc::new(sources)), ..Self::in_dir(dir) }
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn layout(&self) -> KeyLayout {
        KeyLayout::new(&self.dir)
    }

    /// The first role without a key, as the file that is missing.
    pub(crate) fn missing(&self) -> Option<PathBuf> {
        let layout = self.layout();
        let is_there = |role: &str| layout.role(role).exists() || layout.program(role).exists();
        let mut roles = ROLES.into_iter().filter(|_| self.elsewhere.is_none());
        roles.find(|role| !is_there(role)).map(|role| layout.role(role))
    }

    /// The files of the roles below root, whatever they are.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let layout = self.layout();
        let either =
            |role: &str| [layout.program(role), layout.role(role)].into_iter().find(|path| path.exists());
        ROLES.into_iter().filter_map(either).collect()
    }

    /// Who signs. Encrypted files are opened, and a terminal is asked if need be.
    pub(crate) fn open(&self) -> Result<Arc<KeySources>, Error> {
        if let Some(sources) = &self.elsewhere {
            return Ok(Arc::clone(sources));
        }
        let layout = self.layout();
        let [targets, snapshot, timestamp] = ROLES.map(|role| -> Result<Box<dyn KeySource>, Error> {
            let role = self.team().filter(|_| role == ROLES[0]).unwrap_or(role);
            let program = layout.program(role);
            if program.exists() {
                return Ok(Box::new(ProgramKey::new(program)));
            }
            Ok(Box::new(self.passphrase.open(&layout.role(role))?))
        });
        Ok(Arc::new(KeySources { targets: targets?, snapshot: snapshot?, timestamp: timestamp? }))
    }

    pub(crate) fn save(&self, key: &KeyPair, path: &Path) -> Result<(), Error> {
        self.passphrase.save(key, path)
    }
}

impl From<PathBuf> for Keys {
    fn from(dir: PathBuf) -> Self {
        Self::in_dir(dir)
    }
}
