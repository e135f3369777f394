//! What is made ready before anybody can connect.
//!
//! The first boot of a host makes the store, its links, the defaults and the host's place in the fleet. Every start
//! adds defaults for settings that have no value yet: that is how a setting which a newer release brings gets one. What
//! a person has set is never changed here; that is what migrations are for.
//!
//! The way to correct a host leads through this server, so nothing that a setting, a service, a damaged store or a full
//! disk can bring about ends it. What cannot be done is owed ([`crate::owed`]), and the rest is done. A start fails only
//! where there would be nothing to serve: no image, no store, another release's store, another server.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use datastore::{Datastore, Key, Value};
use host_io::{Advise, Fs, Host, Paths, host, report, swap};
use semver::Version;
use thiserror::Error;

use crate::only::{self, OnlyServer};
use crate::owed::Board;
use crate::store::Store;
use settings_model::{Model, ModelError, fit, known};

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
            Self::Datastore(datastore::Error::Lost { base, .. }) => Some(format!(
                "nothing was changed; link the right one: ln -s vMAJOR {}, with the links vMAJOR, vMAJOR.MINOR and its whole version below it",
                base.join("current").display()
            )),
            Self::Datastore(datastore::Error::Link { path, .. }) => Some(format!(
                "nothing was changed; set {} right, or start the other set, which may have the store that it left",
                path.display()
            )),
            Self::Directory { path, .. } => {
                Some(format!("see that {} can be written: mounted, not full, a directory", path.display()))
            }
            Self::Datastore(_) => Some(
                "see that the partition is mounted, writable and not full; nothing was removed".to_owned(),
            ),
            Self::Host(_) | Self::OnlyServer(only::Error::Io { .. }) => None,
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
    let (model, broken) = Model::load_usable(fs.as_ref(), &paths.settings_model())?;
    let board = Board::default();
    for error in broken {
        let told = format!("failed to {}", report::chain(&error));
        tracing::error!("{told}");
        board.model(told);
    }
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
    let boot = boot(fs.as_ref(), paths);
    if boot == Boot::Fresh {
        // Nobody is left who could commit what was pending before the machine went down.
        if let Err(error) = data.delete_transactions() {
            tracing::warn!("old transactions stay for now: failed to {}", report::chain(&error));
        }
    }
    let mut defaults = model.defaults();
    let seed_key = Key::parse(known::SEED).expect("a constant key");
    if model.get(&seed_key).is_some() {
        defaults.entry(seed_key).or_insert_with(|| Value::from(seed));
    }
    tell_damage(&model, &data, &board)?;
    match data.populate(&defaults) {
        Ok(keys) => keys.iter().for_each(|key| tracing::info!("{key} has its first value now")),
        Err(error) => {
            let told = format!("defaults are in force and not stored: failed to {}", report::chain(&error));
            tracing::error!("{told}");
            board.store(told);
        }
    }
    let store = Store::new(Arc::clone(fs), paths.clone(), model, defaults, data, board, only);
    if let Err(error) = store.render() {
        tracing::error!("{}", report::sentence("apiserver", &error));
    }
    mark(fs.as_ref(), paths);
    Ok((store, boot))
}

/// Says what of the store cannot be used, and what goes for it.
fn tell_damage(model: &Model, data: &Datastore, board: &Board) -> Result<(), Error> {
    let instead = |value: Option<&Value>| match value {
        Some(value) => format!("its default {value} is in force until it is set again"),
        None => "it is left out until it is set again".to_owned(),
    };
    for damage in data.damage()? {
        let told = format!("failed to {}", damage.told);
        match damage.key {
            Some(key) => {
                let told = format!("{told}: {}", instead(model.default_of(&key)));
                tracing::error!("{key}: {told}");
                board.value(key, told);
            }
            None => {
                tracing::error!("{told}");
                board.store(told);
            }
        }
    }
    for misfit in fit(model, &data.live()?).misfits {
        let told = format!("{misfit}: {}", instead(misfit.instead.as_ref()));
        tracing::error!("{told}");
        board.value(misfit.key, told);
    }
    Ok(())
}

/// `/run` is empty after each boot; a file in it says that this start is not the first one. Where that cannot be seen,
/// what is pending stays: it hurts nobody.
fn boot(fs: &dyn Fs, paths: &Paths) -> Boot {
    let path = paths.api_started();
    match fs.kind(&path) {
        Ok(Some(_)) => Boot::Same,
        Ok(None) => Boot::Fresh,
        Err(error) => {
            tracing::warn!("failed to look at {}: {error}", path.display());
            Boot::Same
        }
    }
}

fn mark(fs: &dyn Fs, paths: &Paths) {
    let path = paths.api_started();
    if let Err(error) = swap::replace_file(fs, &path, b"", 0o644) {
        tracing::warn!(
            "the next start takes itself for the first one: failed to write {}: {error}",
            path.display()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (
                Error::Host(host::Error::Reboot {
                    through: "systemctl".into(),
                    source: std::io::Error::other("gone"),
                }),
                "find out which version runs",
            ),
            (
                Error::Directory {
                    path: "/data/file".into(),
                    source: std::io::Error::other("the disk is gone"),
                },
                "make the datastore's directory /data/file",
            ),
            (
                Error::Datastore(datastore::Error::Value { path: "/s".into(), reason: "torn".into() }),
                "get the settings ready",
            ),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
