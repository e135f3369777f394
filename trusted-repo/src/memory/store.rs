//! The directory of one memory: loading, checking, committing.
//!
//! `trust/KEY/current` leads to a directory with `memory.json` (what it is a memory of, the floor, the digest of every
//! file), the root chain as `N.root.json`, and the other roles under their plain names, all as exact bytes.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use host_io::Fs;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use tracing::{debug, warn};

use super::roots::{self, Chain, KnownRoot};
use crate::{Error, generation};

const INDEX: &str = "memory.json";

/// What is remembered of one repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Remembered {
    /// The root chain, from the anchor on.
    pub(crate) roots: Chain,
    /// The other roles under their plain names: `timestamp.json`.
    pub(crate) roles: BTreeMap<String, Bytes>,
    /// The time before which no clock can be right.
    pub(crate) floor: Option<DateTime<Utc>>,
}

impl Remembered {
    /// The newest root that is remembered.
    pub(crate) fn newest_root(&self) -> Option<&Bytes> {
        self.roots.values().next_back()
    }
}

/// What a memory is a memory of, and what belongs to it. Fields are only ever added, and those are optional.
#[derive(Debug, Serialize, Deserialize)]
struct Index {
    anchor: String,
    metadata_base_url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    floor: Option<DateTime<Utc>>,
    files: BTreeMap<String, String>,
}

/// Where the memory of one anchor and one repository lies.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    dir: PathBuf,
    anchor: String,
    url: String,
}

impl Store {
    /// The store below `trust_dir` for this anchor's bytes and this URL without its query.
    pub(crate) fn new(trust_dir: &Path, anchor: &[u8], url: &str) -> Self {
        let anchor = sha256(anchor);
        let key = sha256(format!("{anchor}\n{url}").as_bytes());
        Self { dir: trust_dir.join(key), anchor, url: url.to_owned() }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What is remembered; `None` on first use.
    pub(crate) fn load(&self, fs: &dyn Fs) -> Result<Option<Remembered>, Error> {
        let Some((index, remembered)) = read(fs, &self.dir)? else { return Ok(None) };
        if index.anchor != self.anchor || index.metadata_base_url != self.url {
            return Err(memory(&self.dir, "it is the memory of another repository"));
        }
        Ok(Some(remembered))
    }

    /// Replaces what is remembered, in one swap. Nothing is written when nothing changed.
    pub(crate) fn commit(&self, fs: &dyn Fs, remembered: &Remembered) -> Result<(), Error> {
        let failed = |error: io::Error| memory(&self.dir, &error.to_string());
        let mut files: Vec<(PathBuf, &[u8])> = Vec::new();
        for (version, bytes) in &remembered.roots {
            files.push((PathBuf::from(format!("{version}.root.json")), bytes));
        }
        for (name, bytes) in &remembered.roles {
            files.push((PathBuf::from(name), bytes));
        }
        let index = Index {
            anchor: self.anchor.clone(),
            metadata_base_url: self.url.clone(),
            floor: remembered.floor,
            files: files.iter().map(|(path, bytes)| (path.display().to_string(), sha256(bytes))).collect(),
        };
        let index = serde_json::to_vec_pretty(&index).expect("an index is plain data");
        let name = sha256(&index);
        if generation::current(fs, &self.dir).map_err(failed)?.as_deref() == Some(name.as_str()) {
            return Ok(());
        }
        files.push((PathBuf::from(INDEX), &index));
        generation::write(fs, &self.dir, &name, &files).map_err(failed)?;
        generation::make_current(fs, &self.dir, &name).map_err(failed)?;
        debug!(memory = %self.dir.display(), "remembered");
        if let Err(error) = generation::prune(fs, &self.dir, &name) {
            warn!(%error, "an older memory could not be removed; it does no harm");
        }
        Ok(())
    }
}

/// Every memory below `trust_dir` of the repository at `url`, whatever its anchor. An unreadable one refuses: it may be
/// the one that counts.
pub(crate) fn all_of(fs: &dyn Fs, trust_dir: &Path, url: &str) -> Result<Vec<Remembered>, Error> {
    let failed = |error: io::Error| memory(trust_dir, &error.to_string());
    if fs.kind(trust_dir).map_err(failed)?.is_none() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs.list(trust_dir).map_err(failed)? {
        if let Some((index, remembered)) = read(fs, &trust_dir.join(&entry.name))?
            && index.metadata_base_url == url
        {
            found.push(remembered);
        }
    }
    Ok(found)
}

/// Reads one memory; `None` when nothing was ever committed there.
fn read(fs: &dyn Fs, dir: &Path) -> Result<Option<(Index, Remembered)>, Error> {
    let unreadable = |reason: String| memory(dir, &reason);
    let failed = |error: io::Error| memory(dir, &error.to_string());
    let Some(name) = generation::current(fs, dir).map_err(failed)? else { return Ok(None) };
    let state = dir.join(name);
    let read = |name: &str| {
        let path = state.join(name);
        fs.read(&path).map_err(|error| unreadable(format!("{}: {error}", path.display())))
    };
    let index: Index = serde_json::from_slice(&read(INDEX)?)
        .map_err(|error| unreadable(format!("{INDEX} is damaged: {error}")))?;
    let mut remembered = Remembered { floor: index.floor, ..Remembered::default() };
    for (name, expected) in &index.files {
        if name.contains('/') {
            return Err(unreadable(format!("{INDEX} is damaged: it names {name:?}")));
        }
        let bytes = Bytes::from(read(name)?);
        if sha256(&bytes) != *expected {
            return Err(unreadable(format!("{name} is not what was written")));
        }
        match name.strip_suffix(".root.json").map(str::parse::<u64>) {
            Some(Ok(version)) => {
                remembered.roots.insert(version, bytes);
            }
            _ => {
                remembered.roles.insert(name.clone(), bytes);
            }
        }
    }
    let chain: Vec<KnownRoot> = roots::verify(&remembered.roots).map_err(unreadable)?;
    if chain.is_empty() {
        return Err(unreadable("it has no root role".to_owned()));
    }
    Ok(Some((index, remembered)))
}

fn memory(path: &Path, reason: &str) -> Error {
    Error::Memory { path: path.to_owned(), reason: reason.to_owned() }
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}
