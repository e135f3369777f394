//! Looking at what is remembered, and forgetting it on request. Neither needs a network.

use std::io;
use std::path::Path;

use chrono::{DateTime, Utc};
use host_io::fs::Kind;
use host_io::{Fs, report, swap};
use ring::digest::{SHA256, digest};
use tracing::warn;

use super::roots::KnownRoot;
use super::store::{Found, Remembered, expiry_of, read_alone, version_of};
use crate::generation::CURRENT;
use crate::metadata::now::from_jiff;
use crate::place::address::bare_text;
use crate::{Error, Role};

/// One memory: of one trust anchor and one metadata base URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// The name of its directory.
    pub key: String,
    /// What is in it, or why it cannot be read, as a sentence without its verb.
    pub held: Result<Held, String>,
}

/// What a memory holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The SHA-256 of the root role that it began with, in hex.
    pub anchor: String,
    /// The metadata base URL, without its secrets.
    pub metadata_base_url: String,
    /// The time before which no clock can be right.
    pub floor: Option<DateTime<Utc>>,
    /// When the timestamp role was first seen that is remembered.
    pub timestamp_since: Option<DateTime<Utc>>,
    /// The newest root, then the other roles by name.
    pub roles: Vec<HeldRole>,
}

/// One remembered role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRole {
    /// Its name: `root`, `timestamp`, `snapshot`, `targets`, or that of a delegated role.
    pub name: String,
    /// Its version and when it expires.
    pub role: Role,
    /// Whether its bytes are those of the anchor: nothing newer was seen.
    pub is_anchor: bool,
}

/// The root role that an image ships.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// The SHA-256 of its bytes, in hex.
    pub sha256: String,
    /// Its version and when it expires.
    pub role: Role,
}

/// Reads a root role.
///
/// # Errors
/// When it is none, or a threshold of its own keys has not signed it.
pub fn anchor(bytes: &[u8]) -> Result<Anchor, Error> {
    let root = KnownRoot::parse(bytes).map_err(|reason| Error::Anchor { reason })?;
    let role = Role { version: root.version(), expires: from_jiff(root.role.signed.expires) };
    Ok(Anchor { sha256: hex::encode(digest(&SHA256, bytes)), role })
}

/// Every memory below `trust_dir`, by key. One that cannot be read is listed with the reason.
///
/// # Errors
/// When the directory itself cannot be read.
pub fn show(fs: &dyn Fs, trust_dir: &Path) -> Result<Vec<Memory>, Error> {
    let mut found = Vec::new();
    for key in keys(fs, trust_dir)? {
        match read_alone(fs, &trust_dir.join(&key)) {
            Ok(None) => {}
            Ok(Some(Found { index, remembered, .. })) => {
                let roles = roles(&remembered, &index.anchor);
                let held = Held {
                    anchor: index.anchor,
                    metadata_base_url: bare_text(&index.metadata_base_url),
                    floor: index.floor,
                    timestamp_since: index.timestamp_since,
                    roles,
                };
                found.push(Memory { key, held: Ok(held) });
            }
            Err(error) => found.push(Memory { key, held: Err(report::chain(&error)) }),
        }
    }
    Ok(found)
}

/// Forgets every memory below `trust_dir`, also those that cannot be read, and logs it. The next check trusts the root
/// role that the image ships, as on the first day. Gives how many there were.
///
/// # Errors
/// When the file system refuses; a memory is then either whole or gone.
pub fn reset(fs: &dyn Fs, trust_dir: &Path) -> Result<usize, Error> {
    let failed = |path: &Path, error| Error::cache("forget the remembered trust in", path, error);
    let keys = keys(fs, trust_dir)?;
    for key in &keys {
        let dir = trust_dir.join(key);
        // Without its link a memory is a first use; a power cut after this line leaves no half of one.
        swap::discard(fs, &dir.join(CURRENT)).map_err(|error| failed(&dir, error))?;
        fs.sync_dir(&dir).map_err(|error| failed(&dir, error))?;
        swap::discard(fs, &dir).map_err(|error| failed(&dir, error))?;
        warn!(memory = %dir.display(), "forgotten on request: the next check trusts the shipped root as on the first day");
    }
    if fs.kind(trust_dir).map_err(|error| failed(trust_dir, error))?.is_some() {
        // What lies beside the memories is only there to spare a download.
        for entry in fs.list(trust_dir).map_err(|error| failed(trust_dir, error))? {
            swap::discard(fs, &trust_dir.join(entry.name)).map_err(|error| failed(trust_dir, error))?;
        }
        fs.sync_dir(trust_dir).map_err(|error| failed(trust_dir, error))?;
    }
    Ok(keys.len())
}

fn keys(fs: &dyn Fs, trust_dir: &Path) -> Result<Vec<String>, Error> {
    let failed = |error: io::Error| Error::cache("list the remembered trust in", trust_dir, error);
    if fs.kind(trust_dir).map_err(failed)?.is_none() {
        return Ok(Vec::new());
    }
    let entries = fs.list(trust_dir).map_err(failed)?;
    let mut keys: Vec<String> =
        entries.into_iter().filter(|entry| entry.kind == Kind::Directory).map(|entry| entry.name).collect();
    keys.sort();
    Ok(keys)
}

fn roles(remembered: &Remembered, anchor: &str) -> Vec<HeldRole> {
    let mut roles = Vec::new();
    if let Some(bytes) = remembered.newest_root() {
        roles.extend(role("root.json", bytes, hex::encode(digest(&SHA256, bytes)) == anchor));
    }
    for name in ["timestamp.json", "snapshot.json", "targets.json"] {
        roles.extend(remembered.roles.get(name).and_then(|bytes| role(name, bytes, false)));
    }
    let known = |name: &str| roles.iter().any(|role: &HeldRole| format!("{}.json", role.name) == name);
    let delegated: Vec<HeldRole> = remembered
        .roles
        .iter()
        .filter(|(name, _)| !known(name))
        .filter_map(|(name, bytes)| role(name, bytes, false))
        .collect();
    roles.extend(delegated);
    roles
}

fn role(file: &str, bytes: &[u8], is_anchor: bool) -> Option<HeldRole> {
    let name = file.trim_end_matches(".json").to_owned();
    let role = Role { version: version_of(bytes)?, expires: expiry_of(bytes)? };
    Some(HeldRole { name, role, is_anchor })
}
