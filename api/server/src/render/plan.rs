//! All files and services as they should be, as data.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use datastore::{Key, Value};
use ring::digest;
use thiserror::Error;

use super::changed::Changed;
use super::concerned::{self, Concerned, View};
use super::template::{self, Shared, Templates};
use settings_model::service::{ConfigFile, Decode, Service, Words, with_id};
use settings_model::{Model, format, tree};

/// How a host should be.
#[derive(Debug, Default)]
pub struct Plan {
    /// Its services.
    pub wanted: Vec<Wanted>,
    /// Why some of them are not among these.
    pub errors: Vec<Error>,
    /// Files that stay as they are, as settings that they need are not set; a sentence each.
    pub waiting: Vec<String>,
    /// How many services and instances were looked at.
    pub made: usize,
}

/// One service, or one instance of it, as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What people call it: the service's name, and for an instance its id behind an `@`.
    pub name: String,
    /// The unit that does its work, where it runs and has one.
    pub unit: Option<String>,
    /// Whether its last state is known to be none where nothing is remembered.
    pub lasting: Lasting,
    /// Its files.
    pub files: Vec<WantedFile>,
    /// Files of an instance that are not to be there: a setting that they need was taken away.
    pub gone: Vec<PathBuf>,
    /// What brings it in line with them.
    pub commands: Vec<Words>,
    /// Changes when the files, the commands or, for a service without files, its settings do.
    pub fingerprint: String,
}

/// What a service does while nobody remembers having brought it in line: after each boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasting {
    /// The system starts it, with the files that are there.
    ByItself,
    /// Only we start it.
    ThroughUs,
}

/// One file as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedFile {
    /// Where it lies on the host.
    pub path: PathBuf,
    /// Its content.
    pub bytes: Vec<u8>,
    /// Its permissions.
    pub mode: u32,
    /// The permissions of directories that are made for it.
    pub dir_mode: u32,
    /// Who else may write to its directory.
    pub directory: Directory,
}

/// Who may write to the directory of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Directory {
    /// The host alone.
    Ours,
    /// The instance as well, which has it as its own: a container finds its `user-data` there.
    OfTheInstance,
}

/// Why one service cannot be told how it should be.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A template does not work.
    #[error("make {path} for {service}")]
    Template {
        /// The file.
        path: PathBuf,
        /// The service.
        service: String,
        /// Why.
        source: template::Error,
    },
    /// What should be base64 is not.
    #[error("make {path} for {service}: its content is not in base64")]
    Decode {
        /// The file.
        path: PathBuf,
        /// The service.
        service: String,
    },
    /// An instance is to run and lacks a setting.
    #[error("start {service}: {setting} is not set")]
    Needs {
        /// The instance.
        service: String,
        /// The setting.
        setting: String,
    },
    /// An id that no file and no unit can have.
    #[error("start {service}: its name cannot be part of a file's name")]
    Id {
        /// The instance.
        service: String,
    },
}

impl Error {
    /// What people call the service.
    #[must_use]
    pub fn service(&self) -> &str {
        match self {
            Self::Template { service, .. }
            | Self::Decode { service, .. }
            | Self::Needs { service, .. }
            | Self::Id { service } => service,
        }
    }

    /// Whether the same thing could not be done, for whatever reason.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        let what = |error: &Self| match error {
            Self::Template { path, .. } | Self::Decode { path, .. } => Some(path.clone()),
            Self::Needs { .. } | Self::Id { .. } => None,
        };
        self.service() == other.service() && what(self) == what(other)
    }
}

/// What those services of the model should be like with these settings that `changed` concerns. What goes wrong with
/// one stops no other.
#[must_use]
pub fn plan(
    model: &Model,
    settings: &BTreeMap<Key, Value>,
    templates: &Templates<'_>,
    changed: &Changed,
) -> Plan {
    let whole = OnceCell::new();
    let mut plan = Plan::default();
    for service in model.services() {
        let reads = concerned::reads(service, templates);
        let concerned = Concerned::by(service, &reads, changed);
        if concerned.is_nothing() {
            continue;
        }
        let own;
        let view = match changed {
            Changed::Anything => whole.get_or_init(|| View::whole(model, settings)),
            Changed::These(_) => {
                own = View::of_service(model, settings, service, reads, &concerned);
                &own
            }
        };
        let nested = &view.nested;
        for (id, it) in service.instances(nested).into_iter().filter(|(id, _)| concerned.has(*id)) {
            plan.made += 1;
            match one(service, settings, view, id.map(|id| (id, it)), templates) {
                Ok(one) => plan.wanted.push(one),
                Err(error) => plan.errors.push(error),
            }
        }
        if service.each.is_none() {
            plan.waiting.extend(service.files.iter().filter_map(|file| waits(file, nested)));
        }
    }
    plan
}

fn one(
    service: &Service,
    settings: &BTreeMap<Key, Value>,
    View { nested, shared }: &View,
    instance: Option<(&str, &Value)>,
    templates: &Templates<'_>,
) -> Result<Wanted, Error> {
    let id = instance.map(|(id, _)| id);
    let name = id.map_or_else(|| service.name.clone(), |id| format!("{}@{id}", service.name));
    if id.is_some_and(|id| id.contains('/') || id.starts_with(['.', '-'])) {
        return Err(Error::Id { service: name });
    }
    let runs = match (&service.when, instance) {
        (Some(when), Some((_, it))) => it.get(when).and_then(Value::as_bool).unwrap_or_default(),
        _ => true,
    };
    if runs && let Some((id, it)) = instance {
        let missing = service.needs.iter().find(|need| !is_set(it.get(need.as_str())));
        if let (Some(missing), Some(each)) = (missing, &service.each) {
            return Err(Error::Needs { service: name, setting: format!("{each}.{id}.{missing}") });
        }
    }
    let (mut files, mut gone) = (Vec::new(), Vec::new());
    for file in &service.files {
        // A host may be kept without updates, for one; its other settings still work.
        if missing(file, nested, instance).is_empty() {
            files.push(made(&name, file, shared, instance, templates)?);
        } else if id.is_some() {
            gone.push(file.path_for(id));
        }
    }
    let commands: Vec<Words> = if runs { &service.restart } else { &service.stop }
        .iter()
        .map(|words| words.iter().map(|word| with_id(word, id)).collect())
        .collect();
    let fingerprint = fingerprint(service, settings, &files, &commands);
    let lasting = if id.is_some() { Lasting::ThroughUs } else { Lasting::ByItself };
    let unit = service.unit.as_ref().filter(|_| runs).map(|unit| with_id(unit, id));
    Ok(Wanted { name, unit, lasting, files, gone, commands, fingerprint })
}

fn made(
    service: &str,
    file: &ConfigFile,
    settings: &Shared,
    instance: Option<(&str, &Value)>,
    templates: &Templates<'_>,
) -> Result<WantedFile, Error> {
    let path = file.path_for(instance.map(|(id, _)| id));
    let text = templates.render(&file.template, settings, instance).map_err(|source| Error::Template {
        path: path.clone(),
        service: service.to_owned(),
        source,
    })?;
    let bytes = match file.decode {
        Decode::Plain => text.into_bytes(),
        Decode::Base64 => format::base64(&text)
            .ok_or_else(|| Error::Decode { path: path.clone(), service: service.to_owned() })?,
    };
    let own =
        Path::new(&file.path).parent().is_some_and(|dir| dir.as_os_str().to_string_lossy().contains("{id}"));
    let directory = if own { Directory::OfTheInstance } else { Directory::Ours };
    Ok(WantedFile { path, bytes, mode: file.mode(), dir_mode: file.dir_mode(), directory })
}

/// What a file needs and nobody has set.
fn missing(file: &ConfigFile, nested: &Value, instance: Option<(&str, &Value)>) -> Vec<String> {
    let set = |name: &str| match instance {
        Some((_, it)) => is_set(it.get(name)),
        None => Key::parse(name).is_ok_and(|key| is_set(tree::at(nested, &key.segments()[1..]))),
    };
    file.needs.iter().filter(|name| !set(name)).cloned().collect()
}

fn waits(file: &ConfigFile, nested: &Value) -> Option<String> {
    let missing = missing(file, nested, None);
    let are = if missing.len() == 1 { "is" } else { "are" };
    (!missing.is_empty())
        .then(|| format!("{} stays as it is: {} {are} not set", file.path, missing.join(", ")))
}

/// An empty text stands for none, as it did when nothing could be unset.
fn is_set(value: Option<&Value>) -> bool {
    value.is_some_and(|value| value.as_str() != Some(""))
}

fn fingerprint(
    service: &Service,
    settings: &BTreeMap<Key, Value>,
    files: &[WantedFile],
    commands: &[Words],
) -> String {
    let mut hash = digest::Context::new(&digest::SHA256);
    let mut add = |bytes: &[u8]| {
        hash.update(&(bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    for file in files {
        add(file.path.as_os_str().as_encoded_bytes());
        add(&file.bytes);
    }
    for word in commands.iter().flatten() {
        add(word.as_bytes());
    }
    if service.files.is_empty() {
        let followed: BTreeMap<&Key, &Value> =
            service.settings.iter().flat_map(|one| tree::at_or_below(settings, one)).collect();
        for (key, value) in followed {
            add(key.to_string().as_bytes());
            add(value.to_string().as_bytes());
        }
    }
    hash.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (
                Error::Template {
                    path: "/data/file".into(),
                    service: "chrony".into(),
                    source: template::Error::Read {
                        path: "/t".into(),
                        source: std::io::Error::other("gone"),
                    },
                },
                "make /data/file for chrony",
            ),
            (
                Error::Decode { path: "/data/file".into(), service: "chrony".into() },
                "make /data/file for chrony: its content is not in base64",
            ),
            (
                Error::Needs { service: "chrony".into(), setting: "ntp.servers".into() },
                "start chrony: ntp.servers is not set",
            ),
            (
                Error::Id { service: "chrony".into() },
                "start chrony: its name cannot be part of a file's name",
            ),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
