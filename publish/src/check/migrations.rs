//! The migrations of each step between two releases: what going there and back loses, whether lists of steps fit the
//! settings of both releases, and whether both have what a program needs. The older one runs it on the way back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use migration_helpers::declared::{Declaration, Step};
use semver::Version;
use settings_model::Model;
use tempfile::NamedTempFile;
use update_metadata::Manifest;

use super::finding::CheckReport;
use super::steps::{Releases, judge};
use crate::elf;
use crate::root_files::RootFiles;

/// The most that a migration may be, as hosts take it, in bytes.
pub(super) const LARGEST: u64 = 64 << 20;
/// The settings model of an image; the files of the directory beside it belong to it.
const MODEL: &str = "/usr/share/bottlerocket/settings.toml";
const MODEL_DIR: &str = "/usr/share/bottlerocket/settings.d";
/// The most of one file of a model, in bytes.
const MODEL_LIMIT: u64 = 4 << 20;
/// Where a loader looks for libraries.
const LIBRARIES: [&str; 5] = ["/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib"];
/// Where a program is looked for by name where nobody says where: migrations have no environment.
const PROGRAMS: [&str; 2] = ["/bin", "/usr/bin"];

/// What a migration is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Migration {
    /// A list of steps.
    List(Declaration),
    /// A program or a script, and what it wants of the release that runs it; nothing where it is static.
    Program(Vec<Wanted>),
}

/// Something that has to be in an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wanted {
    /// A file, by its whole path.
    File(String),
    /// A library, by its name.
    Library(String),
    /// A program, by its name.
    Program(String),
}

/// Understands a migration; the error is to be read after its name.
pub(super) fn understood(program: &[u8]) -> Result<Migration, String> {
    match Declaration::embedded(program) {
        Ok(Some(list)) => return Ok(Migration::List(list)),
        Ok(None) => {}
        Err(error) => return Err(format!("failed to {}", host_io::report::chain(&error))),
    }
    if let Some(script) = program.strip_prefix(b"#!") {
        let line = script.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line).into_owned();
        let mut words = line.split_whitespace();
        let interpreter = words.next().unwrap_or_default().to_owned();
        let mut wanted = Vec::new();
        if Path::new(&interpreter).file_name().is_some_and(|name| name == "env") {
            wanted.extend(
                words.find(|word| !word.starts_with('-')).map(|name| Wanted::Program(name.to_owned())),
            );
        }
        wanted.insert(0, Wanted::File(interpreter));
        return Ok(Migration::Program(wanted));
    }
    let needs = elf::needs(program).ok_or("it is neither a program of 64 bits nor a script")?;
    let loader = needs.interpreter.into_iter().map(Wanted::File);
    Ok(Migration::Program(loader.chain(needs.libraries.into_iter().map(Wanted::Library)).collect()))
}

/// The versions whose root images have to be looked into.
pub(super) fn looked_into(
    manifest: &Manifest,
    migrations: &BTreeMap<String, Migration>,
) -> BTreeSet<Version> {
    let asks = |name: &String| match migrations.get(name) {
        Some(Migration::List(_)) => true,
        Some(Migration::Program(wanted)) => !wanted.is_empty(),
        None => false,
    };
    let edges = manifest.migrations.iter().filter(|(_, names)| names.iter().any(asks));
    edges.flat_map(|((from, to), _)| [from.clone(), to.clone()]).collect()
}

/// What is known of a release's root image.
pub(super) struct Image {
    model: Result<Model, String>,
    /// What of `wanted` it does not have.
    lacks: Result<BTreeSet<Wanted>, String>,
}

impl Image {
    /// Looks into an image that was unpacked into a file.
    pub(super) fn look(file: &NamedTempFile, migrations: &BTreeMap<String, Migration>) -> Self {
        match RootFiles::open(file.path()) {
            Err(why) => Self::unknown(&why),
            Ok(None) => Self::unknown("its root image has no file system that is read here"),
            Ok(Some(image)) => {
                let wanted = migrations.values().flat_map(|migration| match migration {
                    Migration::Program(wanted) => wanted.as_slice(),
                    Migration::List(_) => &[],
                });
                let lacks = wanted.filter(|wanted| !wanted.is_in(&image)).cloned().collect();
                Self { model: model(&image), lacks: Ok(lacks) }
            }
        }
    }

    /// One of which nothing can be told.
    pub(super) fn unknown(why: &str) -> Self {
        Self { model: Err(why.to_owned()), lacks: Err(why.to_owned()) }
    }
}

impl Wanted {
    fn is_in(&self, image: &RootFiles) -> bool {
        match self {
            Self::File(path) => image.has(Path::new(path)),
            Self::Library(name) => LIBRARIES.iter().any(|dir| {
                let dir = Path::new(dir);
                let below = format!("{}-linux-gnu", std::env::consts::ARCH);
                image.has(&dir.join(name)) || image.has(&dir.join(below).join(name))
            }),
            Self::Program(name) => PROGRAMS.iter().any(|dir| image.has(&Path::new(dir).join(name))),
        }
    }
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(name) | Self::Library(name) | Self::Program(name) => f.write_str(name),
        }
    }
}

fn model(image: &RootFiles) -> Result<Model, String> {
    let mut texts = Vec::new();
    let mut parts = vec![MODEL.to_owned()];
    let mut more = image.list(Path::new(MODEL_DIR));
    more.retain(|name| name.ends_with(".toml"));
    more.sort();
    parts.extend(more.into_iter().map(|name| format!("{MODEL_DIR}/{name}")));
    for part in parts {
        if let Some(bytes) = image.read(Path::new(&part), MODEL_LIMIT)? {
            texts.push((part, String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    if texts.is_empty() {
        return Err("its root image has no settings model".to_owned());
    }
    let files = texts.iter().map(|(path, text)| (Path::new(path.as_str()), text.as_str()));
    Model::parse_all(files).map_err(|error| format!("failed to {}", host_io::report::chain(&error)))
}

/// Tells what is wrong with the migrations of each of `all` steps, and what is worth a thought.
pub(super) fn judge_all(
    report: &mut CheckReport,
    all: &[(&(Version, Version), &Vec<String>)],
    migrations: &BTreeMap<String, Migration>,
    images: &BTreeMap<Version, Arc<Image>>,
) {
    for ((from, to), names) in all {
        let known: Vec<(&String, &Migration)> =
            names.iter().filter_map(|name| Some((name, migrations.get(name)?))).collect();
        let mut steps: Vec<&Step> = Vec::new();
        for (name, migration) in &known {
            match migration {
                Migration::List(list) => {
                    for loss in list.losses() {
                        report.advise("migration_loses", format!("from {from} to {to}, {name}: {loss}"));
                    }
                    steps.extend(list.steps());
                }
                Migration::Program(wanted) => {
                    for version in [from, to] {
                        needs(
                            report,
                            name,
                            wanted,
                            version,
                            version == from,
                            images.get(version).map(AsRef::as_ref),
                        );
                    }
                }
            }
        }
        // Steps between programs cannot be followed.
        if !steps.is_empty() && known.iter().all(|(_, migration)| matches!(migration, Migration::List(_))) {
            fits(report, (from, to), &steps, images);
        }
    }
}

/// Whether a release has what a program wants.
fn needs(
    report: &mut CheckReport,
    name: &str,
    wanted: &[Wanted],
    version: &Version,
    is_way_back: bool,
    image: Option<&Image>,
) {
    if wanted.is_empty() {
        return;
    }
    let list = |wanted: &mut dyn Iterator<Item = &Wanted>| {
        wanted.map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    let way = if is_way_back { "back" } else { "there" };
    match image.map(|image| &image.lacks) {
        Some(Ok(lacks)) => {
            let missing = list(&mut wanted.iter().filter(|one| lacks.contains(*one)));
            if !missing.is_empty() {
                report.error(
                    "migration_needs",
                    format!("the migration {name} needs {missing}, and {version}, which runs it on the way {way}, has no such thing"),
                );
            }
        }
        why => {
            let all = list(&mut wanted.iter());
            let why = match why {
                Some(Err(why)) => why.as_str(),
                Some(Ok(_)) | None => "it is not on offer",
            };
            report.advise(
                "migration_needs",
                format!("the migration {name} needs {all}, and whether {version} has that for the way {way} is not known: {why}"),
            );
        }
    }
}

fn fits(
    report: &mut CheckReport,
    (from, to): (&Version, &Version),
    steps: &[&Step],
    images: &BTreeMap<Version, Arc<Image>>,
) {
    let model = |version: &Version| match images.get(version).map(|image| &image.model) {
        Some(Ok(model)) => Ok(model),
        Some(Err(why)) => Err(format!("of {version} nothing is known: {why}")),
        None => Err(format!("{version} is not on offer")),
    };
    match (model(from), model(to)) {
        (Ok(older), Ok(newer)) => {
            let (from, to) = (from.to_string(), to.to_string());
            let judged = judge(steps, &Releases { older: (&from, older), newer: (&to, newer) });
            for what in judged.wrong {
                report.error("migration_names", format!("from {from} to {to}, {what}"));
            }
            for what in judged.mind {
                report.advise("migration_silent", format!("from {from} to {to}: {what}"));
            }
        }
        (Err(why), _) | (_, Err(why)) => report.advise(
            "migration_unchecked",
            format!("the steps from {from} to {to} are not held against the settings of both: {why}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_migration_is_a_list_or_wants_something_of_the_release() {
        let files = |program: &[u8]| match understood(program).unwrap() {
            Migration::Program(wanted) => wanted.iter().map(ToString::to_string).collect::<Vec<_>>(),
            Migration::List(_) => panic!("no list"),
        };
        assert_eq!(files(b"#!/bin/sh -e\nexit\n"), ["/bin/sh"]);
        assert_eq!(files(b"#!/usr/bin/env -S python3 -I\n"), ["/usr/bin/env", "python3"]);
        let mut static_elf = vec![0; 64];
        static_elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
        assert_eq!(files(&static_elf), [""; 0]);
        let list = "[[step]]\nkind = \"add\"\nsettings = [\"settings.a\"]\n";
        let packed = migration_helpers::declared::pack(&static_elf, list).unwrap();
        assert!(matches!(understood(&packed), Ok(Migration::List(_))));
        assert!(understood(b"echo\n").is_err());
    }
}
