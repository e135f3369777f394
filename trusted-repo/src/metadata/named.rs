//! What timestamp and snapshot say of the files below them.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::hashes::{Difference, SignedHashes};

/// One file, as the role above it names it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Named {
    pub(crate) version: NonZeroU64,
    length: Option<u64>,
    hashes: Option<SignedHashes>,
}

impl Named {
    /// The most bytes that it may have, where no role may have more than `limit`.
    pub(crate) fn at_most(&self, limit: u64) -> u64 {
        self.length.map_or(limit, |length| length.min(limit))
    }

    /// The fewest bytes that it has.
    pub(crate) fn at_least(&self) -> u64 {
        self.length.unwrap_or(0)
    }

    /// The SHA-256 that it has, where that is named.
    pub(crate) fn sha256(&self) -> Option<&[u8; 32]> {
        self.hashes.as_ref()?.known().ok()?.get_sha256()
    }

    /// Whether its bytes are determined, and not its version alone.
    pub(crate) fn has_hashes(&self) -> bool {
        self.hashes.is_some()
    }

    /// Whether it has to be `bytes` and nothing else.
    pub(crate) fn determines(&self, bytes: &[u8]) -> bool {
        self.has_hashes() && self.fits(bytes)
    }

    /// Why `bytes` are not those of the file `name`, if they are not. Their version is another matter.
    pub(crate) fn differ(&self, bytes: &[u8], name: &str) -> Option<String> {
        let found = bytes.len() as u64;
        if let Some(signed) = self.length.filter(|length| *length != found) {
            let (found, signed) = (found.to_string(), signed.to_string());
            return Some(Difference { what: "length", found, signed }.of(name));
        }
        match self.hashes.as_ref()?.known() {
            Ok(hashes) => hashes.differ(bytes).map(|difference| difference.of(name)),
            Err(reason) => Some(format!("nothing vouches for the bytes of {name}: {reason}")),
        }
    }

    /// Whether `bytes` are those of the named file, as far as more than its version is named.
    pub(crate) fn fits(&self, bytes: &[u8]) -> bool {
        self.differ(bytes, "").is_none()
    }
}

/// The timestamp role: it names the snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Timestamp {
    pub(crate) version: NonZeroU64,
    pub(crate) expires: DateTime<Utc>,
    pub(crate) meta: BTreeMap<String, Named>,
}

/// The snapshot role: it names all roles that list targets.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) version: NonZeroU64,
    pub(crate) expires: DateTime<Utc>,
    pub(crate) meta: BTreeMap<String, Named>,
}
