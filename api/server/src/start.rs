//! What is made ready before anybody can connect.
//!
//! The first boot of a host makes the store, its links, the defaults and the host's place in the fleet. Every start
//! adds defaults for settings that have no value yet: that is how a setting which a newer release brings gets one. What
//! a person has set is never changed here; that is what migrations are for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use datastore::{Datastore, Key, Value};
use host_io::{Advise, Fs, Host, Paths, host, swap};
use semver::Version;
use thiserror::Error;

use crate::only::{self, OnlyServer};
use crate::store::{self, Store};
use settings_model::{Model, ModelError, known};

/// Why a server could not get ready.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// What the image says of itself is unreadable.
    #[error("find out which version runs")]
    Host(#[from] host::Error),
    /// The image's settings model is unusable.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The directory of the datastore cannot be made.
    #[error("make the datastore's directory {path}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another server runs.
    #[error(transparent)]
    OnlyServer(#[from] only::Error),
    /// The store is that of another release.
    #[error("use the datastore in {base}: it is that of version {found}, and {running} runs")]
    Version {
        /// Where it lies.
        base: PathBuf,
        /// Its version.
        found: Version,
        /// The running version.
        running: Version,
    },
    /// The store cannot be read or changed.
    #[error("get the settings ready")]
    Datastore(#[from] datastore::Error),
    /// The first configuration cannot be written.
    #[error("get the configuration ready")]
    Store(#[from] store::Error),
    /// The mark of this boot cannot be written.
    #[error("write {path}")]
    Mark {
        /// The mark.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Advise for Error {
    fn help(&self) -> Option<String> {
        match self {
            Self::Version { .. } => Some(
                "migrator brings the settings over before apiserver starts: see why it did not".to_owned(),
            ),
            Self::OnlyServer(only::Error::Held(_)) => {
                Some("stop the other one first, or leave it running: it answers".to_owned())
            }
            Self::Model(_) => {
                Some("the file is part of the image: install a release whose model is whole".to_owned())
            }
            Self::Store(error) => error.help(),
            Self::Host(_)
            | Self::Directory { .. }
            | Self::OnlyServer(only::Error::Io { .. })
            | Self::Datastore(_)
            | Self::Mark { .. } => None,
        }
    }
}

/// Which start of the server this is in the life of the running system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boot {
    /// The first since the machine started.
    Fresh,
    /// A later one.
    Same,
}

/// Opens the settings of the host in `base`, made and filled where that is needed. `seed` is the host's place in the
/// fleet if it has none yet.
///
/// # Errors
/// When the image is not as it must be, the store is another release's, another server runs, or the storage refuses.
pub fn open(
    fs: &Arc<dyn Fs>,
    paths: &Paths,
    host: &dyn Host,
    base: &Path,
    seed: u32,
) -> Result<(Store, Boot), Error> {
    let running = host.os_release()?.version_id;
    let model = Model::load(fs.as_ref(), &paths.settings_model())?;
    swap::make_dirs(fs.as_ref(), base, 0o755)
        .map_err(|source| Error::Directory { path: base.to_owned(), source })?;
    let only = OnlyServer::claim(base)?;
    let mut data = match Datastore::open(Arc::clone(fs), base) {
        Err(datastore::Error::Absent { .. }) => {
            tracing::info!("first boot: making the datastore of version {running} in {}", base.display());
            Datastore::create(Arc::clone(fs), base, &running)?
        }
        opened => opened?,
    };
    if *data.version() != running {
        return Err(Error::Version { base: base.to_owned(), found: data.version().clone(), running });
    }
    let boot = boot(fs.as_ref(), paths)?;
    if boot == Boot::Fresh {
        // Nobody is left who could commit what was pending before the machine went down.
        for transaction in data.transactions()? {
            data.delete_transaction(&transaction)?;
        }
    }
    let mut defaults = model.defaults();
    let seed_key = Key::parse(known::SEED).expect("a constant key");
    if model.get(&seed_key).is_some() {
        defaults.entry(seed_key).or_insert_with(|| Value::from(seed));
    }
    for key in data.populate(&defaults)? {
        tracing::info!("{key} has its first value now");
    }
    let store = Store::new(Arc::clone(fs), paths.clone(), model, data, only);
    store.render()?;
    mark(fs.as_ref(), paths)?;
    Ok((store, boot))
}

/// `/run` is empty after each boot; a file in it says that this start is not the first one.
fn boot(fs: &dyn Fs, paths: &Paths) -> Result<Boot, Error> {
    let path = paths.api_started();
    match fs.kind(&path) {
        Ok(Some(_)) => Ok(Boot::Same),
        Ok(None) => Ok(Boot::Fresh),
        Err(source) => Err(Error::Mark { path, source }),
    }
}

fn mark(fs: &dyn Fs, paths: &Paths) -> Result<(), Error> {
    let path = paths.api_started();
    swap::replace_file(fs, &path, b"", 0o644).map_err(|source| Error::Mark { path, source })
}
