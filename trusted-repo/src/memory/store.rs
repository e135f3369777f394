//! The directory of one memory: loading, checking, committing.
//!
//! `trust/KEY/current` leads to a directory with `memory.json` (what it is a memory of, the floor, the digest of every
//! file), the root chain as `N.root.json`, and the other roles under their plain names, all as exact bytes.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use host_io::fs::Kind;
use host_io::{DirLock, Fs, report, swap};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use tracing::{debug, warn};

use super::roots::{self, Chain, KnownRoot};
use crate::place::address::bare_text;
use crate::transport::validator::Validator;
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
    /// By what a server recognises the timestamp that is remembered.
    pub(crate) validator: Option<Validator>,
    /// When the timestamp that is remembered was first seen.
    pub(crate) moved: Option<DateTime<Utc>>,
}

impl Remembered {
    /// The newest root that is remembered.
    pub(crate) fn newest_root(&self) -> Option<&Bytes> {
        self.roots.values().next_back()
    }

    /// How far it has come: its newest root, then its timestamp.
    pub(crate) fn advance(&self) -> (u64, u64) {
        let root = self.roots.keys().next_back().copied().unwrap_or_default();
        let timestamp = self.roles.get("timestamp.json").and_then(|bytes| version_of(bytes));
        (root, timestamp.unwrap_or_default())
    }
}

/// One memory as it was read.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    dir: PathBuf,
    /// Under which name its state lies. What lies under a name is never changed.
    state: String,
    pub(crate) index: Index,
    pub(crate) remembered: Remembered,
    /// The newest root of its chain, which was verified when it was read.
    pub(crate) newest: KnownRoot,
}

/// What a memory is a memory of, and what belongs to it. Fields are only ever added, and those are optional.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Index {
    pub(super) anchor: String,
    pub(super) metadata_base_url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) floor: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timestamp_validator: Option<Validator>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) timestamp_since: Option<DateTime<Utc>>,
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
    /// The store below `trust_dir` for this anchor's bytes and this address without its secrets.
    pub(crate) fn new(trust_dir: &Path, anchor: &[u8], url: &str) -> Self {
        Self::of(trust_dir, sha256(anchor), url)
    }

    fn of(trust_dir: &Path, anchor: String, url: &str) -> Self {
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
    pub(crate) fn load(&self, fs: &dyn Fs) -> Result<Option<Found>, Error> {
        read_alone(fs, &self.dir)?.map(|found| self.checked(found)).transpose()
    }

    /// [`Store::load`] where all memories of this repository were read already.
    pub(crate) fn among(&self, fs: &dyn Fs, all: &[Found]) -> Result<Option<Found>, Error> {
        match all.iter().find(|found| found.dir == self.dir) {
            Some(found) => self.checked(found.clone()).map(Some),
            None => self.load(fs),
        }
    }

    fn checked(&self, found: Found) -> Result<Found, Error> {
        if found.index.anchor != self.anchor || bare_text(&found.index.metadata_base_url) != self.url {
            return Err(memory(&self.dir, "it is the memory of another repository"));
        }
        Ok(found)
    }

    /// Replaces what is remembered, in one swap. Nothing is written when nothing changed. What another process has
    /// remembered since `before` was loaded is not taken back.
    pub(crate) fn commit(&self, fs: &dyn Fs, before: Option<&Found>, next: Remembered) -> Result<(), Error> {
        let failed = |error: io::Error| Error::Unsaved { path: self.dir.clone(), reason: error.to_string() };
        swap::make_dirs(fs, &self.dir, 0o755).map_err(failed)?;
        let _alone = lock(&self.dir)?;
        let current = generation::current(fs, &self.dir).map_err(failed)?;
        let remembered = if current.as_deref() == before.map(|before| before.state.as_str()) {
            next
        } else {
            let there = read(fs, &self.dir)?.map(|found| found.remembered);
            merge(before.map(|before| &before.remembered), there, next)
        };
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
            timestamp_validator: remembered.validator.clone(),
            timestamp_since: remembered.moved,
            files: files.iter().map(|(path, bytes)| (path.display().to_string(), sha256(bytes))).collect(),
        };
        let index = serde_json::to_vec_pretty(&index).expect("an index is plain data");
        let name = sha256(&index);
        if current.as_deref() == Some(name.as_str()) {
            return Ok(());
        }
        files.push((PathBuf::from(INDEX), &index));
        generation::write(fs, &self.dir, &name, &files).map_err(failed)?;
        generation::make_current(fs, &self.dir, &name).map_err(failed)?;
        debug!(memory = %self.dir.display(), "remembered");
        if let Err(error) = generation::prune(fs, &self.dir, &[&name]) {
            warn!(%error, "an older memory could not be removed; it does no harm");
        }
        Ok(())
    }
}

/// Every memory below `trust_dir` of the repository at `url`, whatever its anchor. An unreadable one refuses: it may be
/// the one that counts.
pub(crate) fn all_of(fs: &dyn Fs, trust_dir: &Path, url: &str) -> Result<Vec<Found>, Error> {
    let failed = |error: io::Error| memory(trust_dir, &error.to_string());
    if fs.kind(trust_dir).map_err(failed)?.is_none() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs.list(trust_dir).map_err(failed)? {
        if let Some(one) = read_alone(fs, &trust_dir.join(&entry.name))?
            && bare_text(&one.index.metadata_base_url) == url
        {
            found.push(one);
        }
    }
    Ok(found)
}

/// Files what earlier programs have filed under an address with its secrets under the same one without them, and removes
/// the secrets; says whether there was any of the memories that were `found`. Where that fails nothing is lost: it is read
/// where it lies, and tried again the next time.
pub(crate) fn without_secrets(fs: &dyn Fs, trust_dir: &Path, url: &str, found: &[Found]) -> bool {
    let mut any = false;
    for old in found.iter().filter(|old| old.index.metadata_base_url != url) {
        any = true;
        if let Err(error) = refiled(fs, trust_dir, url, old) {
            warn!("{} is not filed anew: {}", old.dir.display(), report::chain(&error));
        }
    }
    any
}

fn refiled(fs: &dyn Fs, trust_dir: &Path, url: &str, old: &Found) -> Result<(), Error> {
    let store = Store::of(trust_dir, old.index.anchor.clone(), url);
    let there = store.load(fs)?;
    if there.as_ref().is_none_or(|there| there.remembered.advance() < old.remembered.advance()) {
        let floor = old.remembered.floor.max(there.as_ref().and_then(|there| there.remembered.floor));
        // The validator names the old address.
        let next = Remembered { floor, validator: None, ..old.remembered.clone() };
        store.commit(fs, there.as_ref(), next)?;
    }
    let failed = |error: io::Error| Error::Unsaved { path: old.dir.clone(), reason: error.to_string() };
    // Without its link a memory is a first use; what was in it lies in its new place by now.
    swap::discard(fs, &old.dir.join(generation::CURRENT)).map_err(failed)?;
    fs.sync_dir(&old.dir).map_err(failed)?;
    swap::discard(fs, &old.dir).map_err(failed)
}

/// What is to be remembered when `before` was loaded, `there` is what the disk holds now, and `next` was verified.
/// Two processes may have checked at the same time: the one that saw more wins, whichever comes last.
fn merge(before: Option<&Remembered>, there: Option<Remembered>, next: Remembered) -> Remembered {
    match there {
        Some(there) if Some(&there) != before => {
            let floor = there.floor.max(next.floor);
            let further = if there.advance() > next.advance() { there } else { next };
            Remembered { floor, ..further }
        }
        _ => next,
    }
}

pub(super) fn lock(dir: &Path) -> Result<DirLock, Error> {
    DirLock::acquire(dir)
        .map_err(|error| Error::Unsaved { path: dir.to_owned(), reason: report::chain(&error) })
}

/// [`read`] while no other process replaces it.
pub(super) fn read_alone(fs: &dyn Fs, dir: &Path) -> Result<Option<Found>, Error> {
    let kind = fs.kind(dir).map_err(|error| memory(dir, &error.to_string()))?;
    if kind != Some(Kind::Directory) {
        return Ok(None);
    }
    let _alone = lock(dir)?;
    read(fs, dir)
}

/// The version that a role's bytes claim.
pub(crate) fn version_of(bytes: &[u8]) -> Option<u64> {
    Some(Claims::of(bytes)?.version)
}

/// When a role expires, by its own bytes.
pub(crate) fn expiry_of(bytes: &[u8]) -> Option<DateTime<Utc>> {
    Some(Claims::of(bytes)?.expires)
}

/// What every role says of itself. Nothing else of it is looked at, for it may list thousands of targets.
#[derive(Deserialize)]
struct Claims {
    version: u64,
    expires: DateTime<Utc>,
}

impl Claims {
    fn of(bytes: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Role {
            signed: Claims,
        }
        Some(serde_json::from_slice::<Role>(bytes).ok()?.signed)
    }
}

/// Reads one memory; `None` when nothing was ever committed there.
pub(crate) fn read(fs: &dyn Fs, dir: &Path) -> Result<Option<Found>, Error> {
    let unreadable = |reason: String| memory(dir, &reason);
    let failed = |error: io::Error| memory(dir, &error.to_string());
    let Some(name) = generation::current(fs, dir).map_err(failed)? else { return Ok(None) };
    let state = dir.join(&name);
    let read = |name: &str| {
        let path = state.join(name);
        fs.read(&path).map_err(|error| unreadable(format!("{}: {error}", path.display())))
    };
    let index: Index = serde_json::from_slice(&read(INDEX)?)
        .map_err(|error| unreadable(format!("{INDEX} is damaged: {error}")))?;
    let mut remembered = Remembered {
        floor: index.floor,
        validator: index.timestamp_validator.clone(),
        moved: index.timestamp_since,
        ..Remembered::default()
    };
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
    let mut chain: Vec<KnownRoot> = roots::verify(&remembered.roots).map_err(unreadable)?;
    let Some(newest) = chain.pop() else {
        return Err(unreadable("it has no root role".to_owned()));
    };
    Ok(Some(Found { dir: dir.to_owned(), state: name, index, remembered, newest }))
}

fn memory(path: &Path, reason: &str) -> Error {
    Error::Memory { path: path.to_owned(), reason: reason.to_owned() }
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remembered(timestamp: u64, floor: i64) -> Remembered {
        let bytes =
            format!(r#"{{"signed":{{"version":{timestamp},"expires":"2030-01-01T00:00:00Z","meta":{{}}}}}}"#);
        Remembered {
            roots: Chain::from([(1, Bytes::new())]),
            roles: BTreeMap::from([("timestamp.json".to_owned(), bytes.into())]),
            floor: DateTime::from_timestamp(floor, 0),
            validator: None,
            moved: None,
        }
    }

    #[test]
    fn a_slow_process_does_not_take_back_what_a_quick_one_has_seen() {
        let before = remembered(5, 50);
        let merged = merge(Some(&before), Some(remembered(7, 60)), remembered(6, 70));
        assert_eq!(merged, remembered(7, 70));
        assert_eq!(merge(None, Some(remembered(7, 60)), remembered(6, 70)), remembered(7, 70));
    }

    #[test]
    fn what_was_loaded_gives_way_to_what_was_verified() {
        let before = remembered(5, 50);
        let forgotten = Remembered { roles: BTreeMap::new(), ..remembered(0, 60) };
        assert_eq!(merge(Some(&before), Some(before.clone()), forgotten.clone()), forgotten);
        assert_eq!(merge(Some(&before), Some(remembered(5, 55)), remembered(6, 50)), remembered(6, 55));
        assert_eq!(merge(None, None, remembered(6, 50)), remembered(6, 50));
    }
}
