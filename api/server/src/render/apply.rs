//! Making files and services as they should be.
//!
//! Beside each service stands, in `/run`, what it was last brought in line with. The note is changed to "owed" before
//! its first file is, and to the new state after its last command: wherever we are stopped in between, the next apply
//! sees what is left to do. After a boot nothing is noted: services start with the files that are there, and only
//! instances that nobody else starts are started by us.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use datastore::{Key, Value};
use host_io::{Advise, Fs, Paths, report, swap};
use thiserror::Error;

use super::changed::Changed;
use super::command;
use super::place;
use super::plan::{self, Lasting, Plan, Wanted, plan};
use super::template::Templates;
use settings_model::service::{Service, with_id};
use settings_model::{Model, tree};

/// What is noted of a service that is not in line yet.
const OWED: &[u8] = b"owed";

/// How far to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Only files; what services miss is owed to them.
    Files,
    /// Files and services.
    Services,
}

/// How much is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// All files and services, whatever became of them.
    Everything,
    /// Those that a change concerns.
    WhatChanged,
}

/// What could not be done. Everything else was.
#[derive(Debug)]
pub struct Error {
    failures: Vec<Failure>,
}

/// One thing that could not be done.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Failure {
    /// It is not known how a service should be.
    #[error(transparent)]
    Plan(#[from] plan::Error),
    /// A file cannot be replaced or removed.
    #[error("write {path}")]
    Write {
        /// The service.
        service: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A command failed.
    #[error("bring {service} in line")]
    Command {
        /// The service.
        service: String,
        /// Why.
        source: command::Error,
    },
}

impl Error {
    /// The part of it that `mine` says so of; `None` when that is nothing.
    #[must_use]
    pub fn of(self, mine: impl Fn(&str) -> bool) -> Option<Self> {
        let failures: Vec<_> = self.failures.into_iter().filter(|failure| mine(failure.service())).collect();
        (!failures.is_empty()).then_some(Self { failures })
    }

    /// Each thing that could not be done, with the service that it is owed to.
    pub fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.failures.iter()
    }
}

impl Failure {
    /// What people call the service.
    #[must_use]
    pub fn service(&self) -> &str {
        match self {
            Self::Plan(error) => error.service(),
            Self::Write { service, .. } | Self::Command { service, .. } => service,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told: Vec<String> = self.failures.iter().map(|failure| report::chain(failure)).collect();
        f.write_str(&told.join("; "))
    }
}

impl std::error::Error for Error {}

impl Advise for Error {
    fn help(&self) -> Option<String> {
        let command = self.failures.iter().any(|failure| matches!(failure, Failure::Command { .. }));
        let unset =
            self.failures.iter().any(|failure| matches!(failure, Failure::Plan(plan::Error::Needs { .. })));
        let unmade = self.failures.iter().all(|failure| matches!(failure, Failure::Plan(_)));
        Some(if unset {
            "the settings themselves are kept; set what is missing".to_owned()
        } else if unmade {
            "the settings themselves are kept; the template or a setting that it uses is wrong".to_owned()
        } else if command {
            "the settings and files are kept; it is tried again by itself, and with the next change"
                .to_owned()
        } else {
            "the settings themselves are kept; make room or mend the file system, then apply again".to_owned()
        })
    }
}

/// Brings the files of this host in line with its settings, and its services as far as the extent says; their commands
/// are told what has `changed`. What goes wrong with one stops no other.
///
/// # Errors
/// What could not be done; a file is then as it was, and a service is owed its restart.
pub fn apply(
    fs: &dyn Fs,
    paths: &Paths,
    model: &Model,
    settings: &BTreeMap<Key, Value>,
    changed: &Changed,
    (reach, extent): (Reach, Extent),
) -> Result<(), Error> {
    let looked_at = match reach {
        Reach::Everything => &Changed::Anything,
        Reach::WhatChanged => changed,
    };
    let templates = Templates::new(fs, paths.templates());
    let Plan { wanted, errors, waiting, made } = plan(model, settings, &templates, looked_at);
    tracing::debug!("{made} services and instances are concerned");
    for told in waiting {
        // Once is enough for what may be meant to be so.
        match extent {
            Extent::Files => tracing::warn!("{told}"),
            Extent::Services => tracing::debug!("{told}"),
        }
    }
    let mut failures: Vec<Failure> = errors.into_iter().map(Failure::from).collect();
    let notes = Notes { fs, paths };
    for one in &wanted {
        let kind = one.name.split_once('@').map_or(one.name.as_str(), |(kind, _)| kind);
        let service = model.services().iter().find(|service| service.name == kind);
        let told = service.and_then(|service| changed.told(service));
        if let Err(failure) = bring(fs, paths, &notes, one, told.as_deref(), extent) {
            failures.push(failure);
        }
    }
    if extent == Extent::Services {
        failures.extend(stop_the_gone(fs, paths, &notes, model, settings, looked_at));
    }
    if failures.is_empty() { Ok(()) } else { Err(Error { failures }) }
}

fn bring(
    fs: &dyn Fs,
    paths: &Paths,
    notes: &Notes<'_>,
    wanted: &Wanted,
    told: Option<&str>,
    extent: Extent,
) -> Result<(), Failure> {
    let changed: Vec<_> = wanted
        .files
        .iter()
        .map(|file| (paths.resolve(&file.path), file))
        .filter(|(path, file)| !place::holds(fs, path, &file.bytes))
        .collect();
    let failed =
        |path: &Path, source| Failure::Write { service: wanted.name.clone(), path: path.to_owned(), source };
    let due = !wanted.commands.is_empty()
        && match notes.read(&wanted.name) {
            Some(note) => note != wanted.fingerprint.as_bytes(),
            None => wanted.lasting == Lasting::ThroughUs || !changed.is_empty(),
        };
    if due {
        notes.write(&wanted.name, OWED)?;
    }
    for (path, file) in changed {
        place::put(fs, &path, file).map_err(|source| failed(&path, source))?;
        tracing::info!("wrote {}", path.display());
    }
    for path in wanted.gone.iter().map(|path| paths.resolve(path)) {
        place::take_away(fs, &path).map_err(|source| failed(&path, source))?;
    }
    if !due {
        return if wanted.commands.is_empty() {
            Ok(())
        } else {
            notes.write(&wanted.name, wanted.fingerprint.as_bytes())
        };
    }
    if extent == Extent::Files {
        return Ok(());
    }
    for words in &wanted.commands {
        tracing::info!("{}: {}", wanted.name, words.join(" "));
        command::run(paths, words, told)
            .map_err(|source| Failure::Command { service: wanted.name.clone(), source })?;
    }
    notes.write(&wanted.name, wanted.fingerprint.as_bytes())
}

/// Stops instances that were started and that no setting speaks of any more, and removes what was made for them: people
/// and migrations take settings away.
fn stop_the_gone(
    fs: &dyn Fs,
    paths: &Paths,
    notes: &Notes<'_>,
    model: &Model,
    settings: &BTreeMap<Key, Value>,
    changed: &Changed,
) -> Vec<Failure> {
    let mut failures = Vec::new();
    for name in notes.instances(model, changed) {
        let Some((service, id)) = name.split_once('@') else { continue };
        let Some(service) = model.services().iter().find(|one| one.name == service) else { continue };
        let there = service.each.as_ref().is_some_and(|group| {
            let entry = group.segments().iter().map(String::as_str).chain([id]);
            Key::from_segments(entry).is_ok_and(|entry| tree::at_or_below(settings, &entry).next().is_some())
        });
        if there {
            continue;
        }
        let stopped = service.stop.iter().try_for_each(|words| {
            let words: Vec<String> = words.iter().map(|word| with_id(word, Some(id))).collect();
            command::run(paths, &words, None)
        });
        if let Err(source) = stopped {
            failures.push(Failure::Command { service: name, source });
            continue;
        }
        for words in &service.clean {
            let words: Vec<String> = words.iter().map(|word| with_id(word, Some(id))).collect();
            if let Err(error) = command::run(paths, &words, None) {
                tracing::debug!("nothing was left of {name}: failed to {}", report::chain(&error));
            }
        }
        let gone =
            service.files.iter().map(|file| paths.resolve(&file.path_for(Some(id)))).try_for_each(|path| {
                place::take_away(fs, &path).map_err(|source| Failure::Write {
                    service: name.clone(),
                    path,
                    source,
                })
            });
        match gone {
            Ok(()) => {
                tracing::info!("{name} is gone");
                notes.forget(&name);
            }
            Err(failure) => failures.push(failure),
        }
    }
    failures
}

/// What each service was last brought in line with.
struct Notes<'a> {
    fs: &'a dyn Fs,
    paths: &'a Paths,
}

impl Notes<'_> {
    fn read(&self, name: &str) -> Option<Vec<u8>> {
        self.fs.read(&self.paths.applied().join(name)).ok()
    }

    fn write(&self, name: &str, note: &[u8]) -> Result<(), Failure> {
        if self.read(name).is_some_and(|now| now == note) {
            return Ok(());
        }
        let path = self.paths.applied().join(name);
        swap::replace_file(self.fs, &path, note, 0o644).map_err(|source| Failure::Write {
            service: name.to_owned(),
            path,
            source,
        })
    }

    /// The instances that something is noted of and whose settings may have changed.
    fn instances(&self, model: &Model, changed: &Changed) -> Vec<String> {
        let Changed::These(keys) = changed else {
            let entries = self.fs.list(&self.paths.applied()).unwrap_or_default();
            return entries.into_iter().map(|entry| entry.name).collect();
        };
        let named = |service: &Service| -> BTreeSet<String> {
            let ids = keys.iter().filter_map(|key| service.entry(key));
            ids.map(|id| format!("{}@{id}", service.name)).collect()
        };
        let names = model.services().iter().flat_map(named);
        names.filter(|name| self.read(name).is_some()).collect()
    }

    fn forget(&self, name: &str) {
        if let Err(error) = self.fs.remove_file(&self.paths.applied().join(name)) {
            tracing::debug!("the note on {name} stays: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (
                Failure::Write {
                    service: "chrony".into(),
                    path: "/data/file".into(),
                    source: std::io::Error::other("the disk is gone"),
                },
                "write /data/file",
            ),
            (
                Failure::Command { service: "chrony".into(), source: command::Error::Slow("x".into()) },
                "bring chrony in line",
            ),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
