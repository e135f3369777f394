//! What is to be put into a store, and in which order: targets first, then what has a number, then the timestamps.

use std::path::{Path, PathBuf};

use crate::Error;

/// So long a file may be kept that never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// So long one may be kept that does: a pause and a hold arrive later by as much.
const SHORT: &str = "public, max-age=60";

/// A file of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its name below the repository, with slashes.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// Its length in bytes.
    pub length: u64,
}

/// All files that hosts may ask for, by what may happen to them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Targets: their digest is their name.
    pub targets: Vec<Object>,
    /// Metadata with a number: never changed.
    pub numbered: Vec<Object>,
    /// The newest root role once more, for people.
    pub roots: Vec<Object>,
    /// What says which release is the published one.
    pub timestamps: Vec<Object>,
}

impl Plan {
    /// What lies in the repository at `repo`.
    ///
    /// # Errors
    /// When it cannot be listed, or has no timestamp.
    pub fn of(repo: &Path) -> Result<Self, Error> {
        let mut plan = Self::default();
        for path in files(&repo.join("targets"))? {
            plan.take(repo, path, Kind::of_target)?;
        }
        for variant in dirs(repo)? {
            for arch in dirs(&variant)? {
                if arch.join("timestamp.json").exists() {
                    for path in files(&arch)? {
                        plan.take(repo, path, Kind::of_metadata)?;
                    }
                }
            }
        }
        if plan.timestamps.is_empty() {
            return Err(Error::NoRepository { metadata: repo.to_owned() });
        }
        Ok(plan)
    }

    fn take(&mut self, repo: &Path, path: PathBuf, kind: fn(&str) -> Option<Kind>) -> Result<(), Error> {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // What a publisher that was killed left behind is nothing that hosts ask for.
        let Some(kind) = kind(&file) else { return Ok(()) };
        let length = std::fs::metadata(&path).map_err(|error| Error::file("read", &path, error))?.len();
        let below = path.strip_prefix(repo).unwrap_or(&path);
        let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let object = Object { name: parts.join("/"), path, length };
        match kind {
            Kind::Target => self.targets.push(object),
            Kind::Numbered => self.numbered.push(object),
            Kind::Root => self.roots.push(object),
            Kind::Timestamp => self.timestamps.push(object),
        }
        Ok(())
    }
}

/// What may happen to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Target,
    Numbered,
    Root,
    Timestamp,
}

impl Kind {
    fn of_target(file: &str) -> Option<Self> {
        let (digest, name) = file.split_once('.')?;
        let is_digest = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        (is_digest && !name.is_empty()).then_some(Self::Target)
    }

    fn of_metadata(file: &str) -> Option<Self> {
        match file {
            "timestamp.json" => return Some(Self::Timestamp),
            "root.json" => return Some(Self::Root),
            _ => {}
        }
        let (number, rest) = file.split_once('.')?;
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        (is_number && rest.ends_with(".json")).then_some(Self::Numbered)
    }
}

/// How long an object may be kept by caches.
#[must_use]
pub fn cache_control(name: &str) -> &'static str {
    let changes = name.ends_with("/timestamp.json") || name.ends_with("/root.json");
    if changes { SHORT } else { FOR_EVER }
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let list = || -> std::io::Result<Vec<PathBuf>> {
        let mut paths: Vec<_> =
            std::fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
        paths.sort();
        Ok(paths)
    };
    list().map_err(|error| Error::file("list", dir, error))
}

fn files(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    Ok(entries(dir)?.into_iter().filter(|path| path.is_file()).collect())
}

fn dirs(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    Ok(entries(dir)?.into_iter().filter(|path| path.is_dir()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_put_by_what_may_happen_to_them_and_others_not_at_all() {
        let digest = "a".repeat(64);
        assert_eq!(Kind::of_target(&format!("{digest}.x.lz4")), Some(Kind::Target));
        for none in
            ["x.lz4", &digest, &format!("{digest}."), &format!(".{digest}.x"), &format!("{digest}x.y")]
        {
            assert_eq!(Kind::of_target(none), None, "{none}");
        }
        for (file, kind) in [
            ("timestamp.json", Some(Kind::Timestamp)),
            ("root.json", Some(Kind::Root)),
            ("1.root.json", Some(Kind::Numbered)),
            ("12.team-a.json", Some(Kind::Numbered)),
            ("timestamp.json.new", None),
            ("12.snapshot.json.new", None),
            (".json", None),
            (".lock", None),
        ] {
            assert_eq!(Kind::of_metadata(file), kind, "{file}");
        }
        assert_eq!(cache_control("metal/x86_64/timestamp.json"), SHORT);
        assert_eq!(cache_control("metal/x86_64/3.root.json"), FOR_EVER);
    }
}
