//! A repository for places without a network: the whole root chain, the metadata as it is signed, and the targets that
//! somebody there will need. Every byte is verified while it is copied.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use host_io::{SystemFs, swap};
use semver::Version;
use serde::Serialize;
use trusted_repo::author::TargetWriter;
use trusted_repo::{Repository, Roles, TargetReader};
use update_metadata::Manifest;

use crate::check::rules::targets;
use crate::layout::{MANIFEST, ROOT, RepoLayout};
use crate::place::Place;
use crate::progress::Progress;
use crate::session::alone;
use crate::{Error, check};

/// What to copy, and where.
#[derive(Debug, Clone)]
pub struct MirrorOptions {
    /// The repository.
    pub place: Place,
    /// The directory of the copy, laid out as the repository is.
    pub out: PathBuf,
    /// The versions whose images are copied; all where none is named. Migrations are always copied.
    pub versions: Vec<Version>,
}

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MirrorReport {
    /// The versions whose images are there.
    pub versions: Vec<Version>,
    /// How many metadata files.
    pub metadata: usize,
    /// How many targets.
    pub targets: usize,
    /// How many bytes the targets have.
    pub bytes: u64,
    /// When the copy is no longer accepted: the first expiry of its roles.
    pub good_until: DateTime<Utc>,
}

/// Copies a repository, or a part of it.
///
/// # Errors
/// When it cannot be opened, a byte is not the signed one, a version is not on offer, or files cannot be written. What
/// a reader of the copy saw before stays the same then.
pub async fn mirror(
    options: &MirrorOptions,
    now: DateTime<Utc>,
    progress: Arc<dyn Progress>,
) -> Result<MirrorReport, Error> {
    let opened = options.place.open(now).await?;
    let repository = &opened.repository;
    let (manifest, signed) = repository.manifest_for(&options.place.variant).await?;
    let mut wanted = wanted(&manifest, options)?;
    wanted.insert(signed.name);
    // Without them hosts take nothing at all.
    let holds = repository.holds().await?;
    swap::make_dirs(&SystemFs, &options.out, 0o755)
        .map_err(|error| Error::file("make", &options.out, error))?;
    let _lock = alone(&options.out)?;
    let layout = RepoLayout::new(&options.out, &options.place.variant, &options.place.arch);

    let mut infos = Vec::new();
    for name in &wanted {
        infos.push(repository.target(name).await?);
    }
    infos.extend(holds.into_iter().map(|signed| signed.file));
    progress.total(infos.iter().map(|info| info.length).sum());
    for info in &infos {
        let (target, dir) = (repository.open_target(info)?, layout.targets.clone());
        let progress = Arc::clone(&progress);
        let copied = tokio::task::spawn_blocking(move || copy(target, &dir, &*progress));
        copied.await.map_err(|_| Error::Worker { what: "a target" })??;
    }
    let metadata = copy_metadata(repository, &layout).await?;
    progress.finish();

    let Roles { root, timestamp, snapshot, targets } = repository.roles();
    let of_teams = repository.needed_roles().await.into_iter().map(|(_, role)| role);
    let roles = [root, timestamp, snapshot, targets].into_iter().chain(of_teams);
    let versions = manifest.updates.iter().map(|update| &update.version);
    Ok(MirrorReport {
        versions: versions
            .filter(|version| options.versions.is_empty() || options.versions.contains(version))
            .cloned()
            .collect(),
        metadata,
        targets: infos.len(),
        bytes: infos.iter().map(|info| info.length).sum(),
        good_until: roles.map(|role| role.expires).min().unwrap_or(now),
    })
}

/// The names of the targets to copy.
fn wanted(manifest: &Manifest, options: &MirrorOptions) -> Result<BTreeSet<String>, Error> {
    let Place { variant, arch, .. } = &options.place;
    let offered =
        || manifest.updates.iter().filter(|update| update.variant == *variant && update.arch == *arch);
    for version in &options.versions {
        if !offered().any(|update| update.version == *version) {
            return Err(Error::NotOffered { version: version.clone() });
        }
    }
    let chosen =
        offered().filter(|update| options.versions.is_empty() || options.versions.contains(&update.version));
    let mut names: BTreeSet<String> = chosen.flat_map(targets).map(str::to_owned).collect();
    // A host may come from any version.
    names.extend(manifest.migrations.values().flatten().cloned());
    names.insert(MANIFEST.to_owned());
    Ok(names)
}

/// Copies one target. A file under its published name appears only once its bytes are proven.
fn copy(mut target: TargetReader, dir: &Path, progress: &dyn Progress) -> Result<(), Error> {
    let name = target.name().to_owned();
    let failed = |error| Error::file("copy the target", dir.join(&name), error);
    let mut writer = TargetWriter::create(&SystemFs, dir, &name)?;
    let mut piece = vec![0; 1 << 18];
    let proof = loop {
        match target.read(&mut piece) {
            Ok(0) => break target.finish(),
            Ok(count) => {
                writer.write_all(&piece[..count]).map_err(failed)?;
                progress.done(count as u64);
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => break Err(trusted_repo::Error::from_read(&name, error)),
        }
    };
    match proof {
        Ok(_) => writer.publish().map(|_| ()).map_err(Error::Author),
        Err(error) => {
            writer.discard()?;
            Err(error.into())
        }
    }
}

/// Copies the metadata as exact bytes: older root roles too, the timestamp last.
async fn copy_metadata(repository: &Repository, layout: &RepoLayout) -> Result<usize, Error> {
    let verified = repository.metadata_files();
    let mut files = Vec::new();
    for version in 1..=repository.roles().root.version {
        let name = format!("{version}.root.json");
        let bytes = match verified.get(&name) {
            Some(verified) => verified.clone(),
            // Older than the trusted root: only for hosts with older images, which verify it themselves.
            None => repository.unverified_file(&name).await?,
        };
        files.push((name, bytes));
    }
    let newest = files.last().map(|(_, bytes)| (ROOT.to_owned(), bytes.clone()));
    files.extend(newest);
    let (timestamp, others): (Vec<_>, Vec<_>) = verified
        .into_iter()
        .filter(|(name, _)| !name.ends_with("root.json"))
        .partition(|(name, _)| name == "timestamp.json");
    files.extend(others);
    files.extend(timestamp);
    for (name, bytes) in &files {
        let path = layout.metadata.join(name);
        swap::replace_file(&SystemFs, &path, bytes, 0o644)
            .map_err(|error| Error::file("write", &path, error))?;
    }
    Ok(files.len())
}

impl fmt::Display for MirrorReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let versions: Vec<String> = self.versions.iter().map(ToString::to_string).collect();
        writeln!(f, "copied and verified: {} targets, {} bytes", self.targets, self.bytes)?;
        writeln!(f, "with the images of: {}", versions.join(", "))?;
        write!(f, "good until {}", check::finding::day(self.good_until))
    }
}
