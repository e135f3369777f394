//! Files of targets that no metadata names any more, and that nobody may still ask for.
//!
//! A host that has opened a snapshot may fetch what that names until it expires. So a file goes only when every snapshot
//! that named it has expired long enough ago, in every variant and architecture beside these targets; one of these that
//! cannot be read means that nothing goes. Metadata and root roles are never touched.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Duration, Utc};
use host_io::bar::mib;
use host_io::fs::Kind;
use host_io::{Fs as _, SystemFs};
use serde::Serialize;
use serde_json::Value;

use crate::Error;
use crate::session::alone;

/// How deep a variant's metadata lies below the repository at most.
const DEPTH: usize = 4;

/// What is to be pruned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PruneOptions {
    /// The repository.
    pub repo: PathBuf,
    /// How long after the last snapshot that named a file has expired it stays; and a file that none ever named, after it was
    /// written.
    pub grace: Duration,
    /// Whether it is only told.
    pub dry_run: bool,
}

/// What was pruned, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PruneReport {
    /// The directories of metadata that were asked.
    pub metadata: Vec<PathBuf>,
    /// The files that go.
    pub files: Vec<Pruned>,
    /// How many files stay.
    pub kept: usize,
    /// Whether they are gone.
    pub removed: bool,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Its name below `targets`.
    pub name: String,
    /// Its length in bytes.
    pub length: u64,
    /// When the last snapshot that named it expired; null where none did.
    pub expired: Option<DateTime<Utc>>,
}

/// Prunes the targets of a repository.
///
/// # Errors
/// When a directory of metadata cannot be read, or a file not be removed. Nothing is removed in the first case.
pub fn prune(options: &PruneOptions, now: DateTime<Utc>) -> Result<PruneReport, Error> {
    // Targets come before the metadata that names them: whoever publishes now must not lose them.
    let _lock = alone(&options.repo)?;
    let targets = options.repo.join("targets");
    let mut metadata = Vec::new();
    find_metadata(&options.repo, &targets, DEPTH, &mut metadata)?;
    if metadata.is_empty() {
        return Err(Error::NoRepository { metadata: options.repo.clone() });
    }
    let mut named = Named::default();
    for dir in &metadata {
        named.take(dir)?;
    }
    let (mut files, mut kept) = (Vec::new(), 0);
    let listed = SystemFs.list(&targets).map_err(|error| Error::file("list", &targets, error))?;
    for entry in listed.into_iter().filter(|entry| entry.kind == Kind::File) {
        let path = targets.join(&entry.name);
        let found = std::fs::metadata(&path).map_err(|error| Error::file("read", &path, error))?;
        let expired = named.expired.get(&entry.name).copied();
        let since = match expired {
            Some(expired) => expired,
            None => found.modified().map_err(|error| Error::file("read", &path, error))?.into(),
        };
        if named.now.contains(&entry.name) || since + options.grace > now {
            kept += 1;
        } else {
            files.push(Pruned { name: entry.name, length: found.len(), expired });
        }
    }
    files.sort_by(|one, other| one.name.cmp(&other.name));
    if !options.dry_run {
        for file in &files {
            let path = targets.join(&file.name);
            SystemFs.remove_file(&path).map_err(|error| Error::file("remove", &path, error))?;
        }
        SystemFs.sync_dir(&targets).map_err(|error| Error::file("sync", &targets, error))?;
    }
    Ok(PruneReport { metadata, files, kept, removed: !options.dry_run })
}

/// Directories with a snapshot or a timestamp role. A folder of a neighbour is not passed over because it is odd.
fn find_metadata(dir: &Path, targets: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Error> {
    let entries = SystemFs.list(dir).map_err(|error| Error::file("list", dir, error))?;
    if entries.iter().any(|entry| entry.name == "timestamp.json" || entry.name.ends_with("snapshot.json")) {
        found.push(dir.to_owned());
    }
    for entry in entries {
        let path = dir.join(&entry.name);
        if entry.kind == Kind::Directory && path != targets && depth > 0 {
            find_metadata(&path, targets, depth - 1, found)?;
        }
    }
    Ok(())
}

/// File names below `targets`, by who names them.
#[derive(Debug, Default)]
struct Named {
    /// By a snapshot that is published now, expired or not.
    now: BTreeSet<String>,
    /// By older ones, with the end of the last of them.
    expired: BTreeMap<String, DateTime<Utc>>,
}

impl Named {
    /// Reads one variant's metadata: the published snapshot, and all older ones that are still there.
    fn take(&mut self, dir: &Path) -> Result<(), Error> {
        let timestamp = role(&dir.join("timestamp.json"))?;
        let current = version(&timestamp, "snapshot.json")
            .ok_or_else(|| odd(dir, "timestamp.json names no snapshot"))?;
        let entries = SystemFs.list(dir).map_err(|error| Error::file("list", dir, error))?;
        let versions =
            entries.iter().filter_map(|entry| entry.name.strip_suffix(".snapshot.json")?.parse().ok());
        let all: BTreeSet<u64> = versions.chain([current]).collect();
        for number in all {
            let snapshot = role(&dir.join(format!("{number}.snapshot.json")))?;
            let expires: DateTime<Utc> = snapshot["signed"]["expires"]
                .as_str()
                .and_then(|text| text.parse().ok())
                .ok_or_else(|| odd(dir, "a snapshot has no date of expiry"))?;
            // Every role that lists targets, delegated ones as well.
            let roles = snapshot["signed"]["meta"]
                .as_object()
                .ok_or_else(|| odd(dir, "a snapshot lists no roles"))?;
            for name in roles.keys() {
                let Some(of) = version(&snapshot, name) else {
                    return Err(odd(dir, "a snapshot lists a role without version"));
                };
                let path = dir.join(format!("{of}.{name}"));
                let unread = |source| Error::Neighbour { path: path.clone(), source };
                if number != current && !path.try_exists().map_err(unread)? {
                    // Whoever took it away knew that nobody needs it; what it named goes by its other names.
                    continue;
                }
                for file in files(&role(&path)?) {
                    if number == current {
                        self.now.insert(file);
                    } else {
                        let last = self.expired.entry(file).or_insert(expires);
                        *last = (*last).max(expires);
                    }
                }
            }
        }
        Ok(())
    }
}

fn role(path: &Path) -> Result<Value, Error> {
    let unread = |source| Error::Neighbour { path: path.to_owned(), source };
    let bytes = SystemFs.read(path).map_err(unread)?;
    serde_json::from_slice(&bytes).map_err(|error| unread(error.into()))
}

fn version(role: &Value, name: &str) -> Option<u64> {
    role["signed"]["meta"][name]["version"].as_u64()
}

/// The files of the targets that a role lists, as consistent snapshots name them, and as they are named without.
fn files(role: &Value) -> Vec<String> {
    let listed = role["signed"]["targets"].as_object();
    let names = listed.into_iter().flatten().flat_map(|(name, target)| {
        let digests = target["hashes"].as_object().into_iter().flat_map(|hashes| hashes.values());
        let named = digests.filter_map(|digest| digest.as_str()).map(|digest| format!("{digest}.{name}"));
        named.chain([name.clone()]).collect::<Vec<_>>()
    });
    names.collect()
}

fn odd(dir: &Path, why: &str) -> Error {
    let source = std::io::Error::new(std::io::ErrorKind::InvalidData, why.to_owned());
    Error::Neighbour { path: dir.to_owned(), source }
}

/// A count as it is read.
fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

impl fmt::Display for PruneReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for file in &self.files {
            writeln!(f, "  {:>12} {}", file.length, file.name)?;
        }
        let (count, kept) = (self.files.len(), self.kept);
        let freed = mib(self.files.iter().map(|file| file.length).sum());
        let asked = self.metadata.len();
        let asked = counted(asked, "variant and architecture", "variants and architectures");
        write!(f, "the metadata of {asked} was asked, {} kept", counted(kept, "file is", "files are"))?;
        match (count, self.removed) {
            (0, _) => write!(f, "\nnothing to remove"),
            (_, true) => write!(f, "\nremoved: {}, {freed}", counted(count, "file", "files")),
            (_, false) => {
                write!(
                    f,
                    "\nnothing was removed; with --yes it would be {}, {freed}",
                    counted(count, "file", "files")
                )
            }
        }
    }
}
