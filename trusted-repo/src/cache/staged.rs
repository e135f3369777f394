//! A set for the next boot, and writing it beside the live one.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use host_io::Fs;
use host_io::fs::Kind;
use ring::digest::{SHA256, digest};

use super::pin::{PIN, Pin};
use crate::target::proof::{Check, TargetInfo, VerifiedBytes};
use crate::transport::carrier::read_up_to;
use crate::{Error, generation};

/// What writing is called where it fails.
const WRITE: &str = "write the set for the next boot below";

/// A written set, named by its directory below the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheId(String);

impl CacheId {
    /// The name of the set's directory.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CacheId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A set that is verified and not written yet.
#[derive(Debug, Clone)]
pub struct StagedCache {
    metadata: BTreeMap<String, Bytes>,
    targets: Vec<VerifiedBytes>,
}

impl StagedCache {
    pub(crate) fn new(metadata: BTreeMap<String, Bytes>, targets: Vec<VerifiedBytes>) -> Self {
        Self { metadata, targets }
    }

    /// Bytes that [`StagedCache::write`] has to find room for below `cache_dir`, file system overhead left out: none
    /// where this very set lies there already, whole.
    ///
    /// # Errors
    /// When what is there cannot be told.
    pub fn missing(&self, fs: &dyn Fs, cache_dir: &Path) -> Result<u64, Error> {
        let pin = self.pin();
        let files = self.files(&pin);
        match self.name(fs, cache_dir, &pin, &files)? {
            Name::Taken(_) => Ok(0),
            Name::Free(_) => Ok(files.iter().map(|(_, bytes)| bytes.len() as u64).sum()),
        }
    }

    /// Removes the sets below `cache_dir` that are neither live nor this one, and what was half written: updates that
    /// were cut short leave them, and nobody leads there.
    ///
    /// # Errors
    /// When the file system refuses; what is live stays.
    pub fn discard_others(&self, fs: &dyn Fs, cache_dir: &Path) -> Result<(), Error> {
        let pin = self.pin();
        let this = match self.name(fs, cache_dir, &pin, &self.files(&pin))? {
            Name::Taken(name) => Some(name),
            Name::Free(_) => None,
        };
        let discard = || {
            if fs.kind(cache_dir)?.is_none() {
                return Ok(());
            }
            let live = generation::current(fs, cache_dir)?;
            let keep: Vec<&str> = [&this, &live].into_iter().flatten().map(String::as_str).collect();
            generation::prune(fs, cache_dir, &keep)
        };
        discard().map_err(|error| Error::cache("remove what was left below", cache_dir, error))
    }

    /// Writes the set below `cache_dir`, durable and complete, beside the live one, which stays as it is.
    ///
    /// # Errors
    /// When the file system refuses; what was live still is.
    pub fn write(&self, fs: &dyn Fs, cache_dir: &Path) -> Result<CacheId, Error> {
        let pin = self.pin();
        let files = self.files(&pin);
        let name = self.name(fs, cache_dir, &pin, &files)?;
        if let Name::Free(name) = &name {
            generation::write(fs, cache_dir, name, &files)
                .map_err(|error| Error::cache(WRITE, cache_dir, error))?;
        }
        let (Name::Free(name) | Name::Taken(name)) = name;
        Ok(CacheId(name))
    }

    fn pin(&self) -> Vec<u8> {
        Pin::new(&self.metadata, &self.targets).to_json()
    }

    fn files<'a>(&'a self, pin: &'a [u8]) -> Vec<generation::File<'a>> {
        let mut files: Vec<generation::File<'_>> = Vec::new();
        for (name, bytes) in &self.metadata {
            files.push((Path::new("metadata").join(name), bytes));
        }
        for target in &self.targets {
            let name = format!("{}.{}", target.target().hashes().hex(), target.name());
            files.push((Path::new("targets").join(name), target.bytes()));
        }
        files.push((PathBuf::from(PIN), pin));
        files
    }

    fn name(
        &self,
        fs: &dyn Fs,
        cache_dir: &Path,
        pin: &[u8],
        files: &[generation::File<'_>],
    ) -> Result<Name, Error> {
        let digest = hex::encode(digest(&SHA256, pin));
        free_name(fs, cache_dir, &digest, files).map_err(|error| Error::cache(WRITE, cache_dir, error))
    }
}

/// The set's name is its pin's digest. If a set of that name is there, it is either this one, or it has rotted; a
/// rotten set that is live cannot be written over, so the new one gets a name beside it.
fn free_name(
    fs: &dyn Fs,
    cache_dir: &Path,
    digest: &str,
    files: &[generation::File<'_>],
) -> io::Result<Name> {
    let live = if fs.kind(cache_dir)?.is_some() { generation::current(fs, cache_dir)? } else { None };
    let mut name = digest.to_owned();
    for attempt in 2.. {
        let dir = cache_dir.join(&name);
        let intact =
            files.iter().all(|(path, bytes)| fs.read(&dir.join(path)).is_ok_and(|found| found == *bytes));
        if intact {
            return Ok(Name::Taken(name));
        }
        if live.as_deref() != Some(name.as_str()) {
            break;
        }
        name = format!("{digest}-{attempt}");
    }
    Ok(Name::Free(name))
}

/// A target that an earlier set below `cache_dir` holds, live or not, verified like one that was fetched. It is looked for
/// to save the way; what cannot be read is not there.
#[must_use]
pub fn at_hand(fs: &dyn Fs, cache_dir: &Path, info: &TargetInfo) -> Option<VerifiedBytes> {
    let name = Path::new("targets").join(format!("{}.{}", info.hashes.hex(), info.name));
    let sets = fs.list(cache_dir).ok()?.into_iter().filter(|entry| entry.kind == Kind::Directory);
    sets.into_iter().find_map(|set| {
        let file = fs.open(&cache_dir.join(&set.name).join(&name)).ok()?;
        let bytes = read_up_to(file, info.length).ok()??;
        let mut check = Check::new(info.clone());
        check.update(&bytes).ok()?;
        Some(VerifiedBytes::new(check.finish().ok()?, bytes))
    })
}

enum Name {
    Free(String),
    Taken(String),
}
