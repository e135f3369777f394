//! What a release is made of, checked before anything is written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use host_io::fs::Kind;
use host_io::{Fs, SystemFs};
use semver::Version;
use trusted_repo::author::Editor;
use trusted_repo::manifest::{OF_ALL, of_variant, only_of};
use update_metadata::{Manifest, ReleaseConfig, WavePolicy};

use crate::ground::check_name;
use crate::{AddOptions, Error, MissingMigrations};

/// The ending of a compressed target.
const LZ4: &str = ".lz4";

/// A release that may be published.
#[derive(Debug)]
pub(crate) struct Release {
    /// The waves, where a policy was given.
    pub(crate) waves: Option<WavePolicy>,
    /// The migrations, where a description was given.
    pub(crate) config: Option<ReleaseConfig>,
    /// Migration programs by target name.
    pub(crate) programs: BTreeMap<String, PathBuf>,
    /// Target names of migrations that nobody has.
    pub(crate) missing: Vec<String>,
}

impl Release {
    /// Reads and checks all that is small.
    pub(crate) fn plan(
        options: &AddOptions,
        editor: &Editor,
        missing_allowed: MissingMigrations,
    ) -> Result<Self, Error> {
        check_name("the variant", &options.variant)?;
        check_name("the architecture", &options.arch)?;
        if let Some(max_version) = options.max_version.as_ref().filter(|max| **max < options.version) {
            return Err(Error::MaxVersion {
                version: options.version.clone(),
                max_version: max_version.clone(),
            });
        }
        let waves = options.waves.as_deref().map(read_waves).transpose()?;
        let config =
            options.release_config.as_deref().map(|path| read_config(path, &options.version)).transpose()?;
        let programs = options.migrations.as_deref().map(find_programs).transpose()?.unwrap_or_default();
        let named = config.iter().flat_map(|config| config.migrations.values().flatten());
        let mut missing: Vec<String> = named
            .filter(|name| !programs.contains_key(*name) && editor.target(name).is_none())
            .cloned()
            .collect();
        missing.sort();
        missing.dedup();
        if !missing.is_empty() && missing_allowed == MissingMigrations::Refuse {
            return Err(Error::MissingMigrations { names: missing });
        }
        Ok(Self { waves, config, programs, missing })
    }
}

fn read_text(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|error| Error::file("read", path, error))
}

/// The policies that come with the program, by their names.
pub(crate) const POLICIES: [(&str, &str); 5] = [
    ("accelerated", include_str!("../waves/accelerated.toml")),
    ("default", include_str!("../waves/default.toml")),
    ("emergency", include_str!("../waves/emergency.toml")),
    ("guarded", include_str!("../waves/guarded.toml")),
    ("slow-roll", include_str!("../waves/slow-roll.toml")),
];

/// A policy in a file, or one that comes with the program. A file of that name goes before it.
pub(crate) fn read_waves(path: &Path) -> Result<WavePolicy, Error> {
    let known = POLICIES.iter().find(|(name, _)| Path::new(name) == path);
    let text = match (std::fs::read_to_string(path), known) {
        (Ok(text), _) => text,
        (Err(error), Some((_, text))) if error.kind() == std::io::ErrorKind::NotFound => (*text).to_owned(),
        (Err(source), _) => return Err(Error::NoWaves { path: path.to_owned(), source }),
    };
    WavePolicy::parse(&text).map_err(|source| Error::Waves { path: path.to_owned(), source })
}

fn read_config(path: &Path, version: &Version) -> Result<ReleaseConfig, Error> {
    let config = ReleaseConfig::parse(&read_text(path)?)
        .map_err(|source| Error::Release { path: path.to_owned(), source })?;
    if config.version != *version {
        return Err(Error::OtherRelease {
            path: path.to_owned(),
            version: version.clone(),
            found: config.version,
        });
    }
    Ok(config)
}

/// The programs in a directory of migrations. Each becomes the target of its name and `.lz4`.
fn find_programs(dir: &Path) -> Result<BTreeMap<String, PathBuf>, Error> {
    let entries = SystemFs.list(dir).map_err(|error| Error::file("list the migrations in", dir, error))?;
    let mut programs = BTreeMap::new();
    for entry in entries.into_iter().filter(|entry| entry.kind != Kind::Directory) {
        check_name("the name of a migration", &entry.name)?;
        programs.insert(format!("{}{LZ4}", entry.name), dir.join(&entry.name));
    }
    Ok(programs)
}

/// The name of the manifest that is changed: a team has that of its variant.
pub(crate) fn manifest_name(team: Option<&str>, variant: &str) -> String {
    team.map_or_else(|| OF_ALL.to_owned(), |_| of_variant(variant))
}

/// The manifest that is changed. A team begins with what hosts of its variant went by until then, so that none of them
/// loses its way.
pub(crate) fn current_manifest(
    editor: &Editor,
    targets: &Path,
    team: Option<&str>,
    variant: &str,
) -> Result<Manifest, Error> {
    let name = manifest_name(team, variant);
    if team.is_some() && editor.target(&name).is_none() {
        return Ok(only_of(published_manifest(editor, targets, OF_ALL)?, variant));
    }
    published_manifest(editor, targets, &name)
}

/// The manifest of this name that is published now.
fn published_manifest(editor: &Editor, targets: &Path, name: &str) -> Result<Manifest, Error> {
    let damaged = |reason: String| Error::DamagedManifest { name: name.to_owned(), reason };
    let Some(info) = editor.target(name) else {
        return Err(damaged("no role lists it".to_owned()));
    };
    let path = targets.join(format!("{}.{name}", info.hashes.hex()));
    let bytes = SystemFs.read(&path).map_err(|error| Error::file("read the manifest", &path, error))?;
    if !info.hashes.are_of(&bytes) {
        return Err(damaged(format!("{} does not have the signed digest", path.display())));
    }
    Manifest::parse(&bytes).map_err(|error| damaged(host_io::report::chain(&error)))
}
