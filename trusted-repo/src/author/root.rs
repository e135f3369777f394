//! The root role: who may sign what.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU64;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use tough::schema::{RoleKeys, RoleType, Root, Signed};

use super::sign::{sealed, sign};
use super::{Error, KeyPair};
use crate::memory::roots::{KnownRoot, verify};
use crate::metadata::now::to_jiff;

/// The version of the specification that metadata of ours follows.
pub(super) const SPEC_VERSION: &str = "1.0.0";

/// What a root role says.
#[derive(Debug, Clone, Copy)]
pub struct RootSpec<'a> {
    /// 1 for the first one, then one more each time.
    pub version: u64,
    /// When it expires.
    pub expires: DateTime<Utc>,
    /// Who signs the root role.
    pub root: &'a [KeyPair],
    /// How many of them have to.
    pub root_threshold: u32,
    /// Who signs targets. One of them is enough, as for the two roles below.
    pub targets: &'a [KeyPair],
    /// Who signs snapshots.
    pub snapshot: &'a [KeyPair],
    /// Who signs timestamps.
    pub timestamp: &'a [KeyPair],
}

/// A root role that hosts accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRoot {
    version: u64,
    bytes: Vec<u8>,
}

impl SignedRoot {
    /// Signs the first root of a chain, or one that begins a new chain.
    ///
    /// # Errors
    /// When the threshold is zero or above the number of keys, or `signers` are too few.
    pub fn first(spec: &RootSpec<'_>, signers: &[&KeyPair]) -> Result<Self, Error> {
        let root = spec.role()?;
        let signed = sign(root.clone(), signers)?;
        Ok(Self { version: spec.version, bytes: sealed(&signed, &root)? })
    }

    /// Signs the successor of `previous`: with the keys of both, as TUF asks for.
    ///
    /// # Errors
    /// As [`SignedRoot::first`], and when the version is not the next one or too few keys of `previous` sign.
    pub fn successor(previous: &Self, spec: &RootSpec<'_>, signers: &[&KeyPair]) -> Result<Self, Error> {
        let refused = |reason: String| Error::Root { version: spec.version, reason };
        let before = KnownRoot::parse(&previous.bytes).map_err(refused)?;
        let next = Self::first(spec, signers)?;
        let parsed = KnownRoot::parse(&next.bytes).map_err(refused)?;
        if !before.vouches_for(&parsed) {
            return Err(refused(format!(
                "it does not follow version {}: wrong number, or too few of the old keys signed",
                before.version()
            )));
        }
        Ok(next)
    }

    /// Takes a root that was signed before.
    ///
    /// # Errors
    /// When it is malformed, or not signed by a threshold of its own keys.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let known = KnownRoot::parse(bytes).map_err(|reason| Error::Root { version: 0, reason })?;
        Ok(Self { version: known.version(), bytes: bytes.to_vec() })
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Its name in a repository.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}.root.json", self.version)
    }

    /// Its exact bytes: what a repository publishes and an image ships.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn role(&self) -> Root {
        self.signed().signed
    }

    pub(super) fn signed(&self) -> Signed<Root> {
        serde_json::from_slice(&self.bytes).expect("it was verified when it came about")
    }
}

/// Checks that `roots`, by version, are a chain: each signed by its own keys and by those of the one before.
///
/// # Errors
/// With the first version that does not fit.
pub fn check_chain(roots: &BTreeMap<u64, Bytes>) -> Result<(), Error> {
    verify(roots).map(|_| ()).map_err(|reason| Error::Root { version: 0, reason })
}

impl RootSpec<'_> {
    fn role(&self) -> Result<Root, Error> {
        let refused = |reason: &str| Error::Root { version: self.version, reason: reason.to_owned() };
        let version = NonZeroU64::new(self.version).ok_or_else(|| refused("versions begin with 1"))?;
        if self.root_threshold as usize > self.root.len() {
            return Err(refused("more signatures are asked for than there are keys"));
        }
        let one = NonZeroU64::MIN;
        let root_threshold = NonZeroU64::new(self.root_threshold.into())
            .ok_or_else(|| refused("no signature at all is asked for"))?;
        let roles = [
            (RoleType::Root, self.root, root_threshold),
            (RoleType::Targets, self.targets, one),
            (RoleType::Snapshot, self.snapshot, one),
            (RoleType::Timestamp, self.timestamp, one),
        ];
        let keys = roles.iter().flat_map(|(_, keys, _)| keys.iter());
        Ok(Root {
            spec_version: SPEC_VERSION.to_owned(),
            // With consistent snapshots a file never changes under a reader.
            consistent_snapshot: true,
            version,
            expires: to_jiff(self.expires).ok_or_else(|| refused("its date of expiry is out of range"))?,
            keys: keys.map(|key| (key.key_id(), key.public())).collect(),
            roles: roles
                .iter()
                .map(|(role, keys, threshold)| {
                    let keyids = keys.iter().map(KeyPair::key_id).collect();
                    (*role, RoleKeys { keyids, threshold: *threshold, _extra: HashMap::new() })
                })
                .collect(),
            _extra: HashMap::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(count: usize) -> Vec<KeyPair> {
        (0..count).map(|_| KeyPair::generate().expect("random")).collect()
    }

    fn spec<'a>(version: u64, root: &'a [KeyPair], other: &'a [KeyPair]) -> RootSpec<'a> {
        RootSpec {
            version,
            expires: DateTime::UNIX_EPOCH,
            root,
            root_threshold: 2,
            targets: other,
            snapshot: other,
            timestamp: other,
        }
    }

    #[test]
    fn a_root_with_too_few_signatures_is_never_handed_out() {
        let (root, other) = (keys(3), keys(1));
        let spec = spec(1, &root, &other);
        assert!(SignedRoot::first(&spec, &[&root[0]]).is_err());
        assert!(SignedRoot::first(&spec, &[&root[0], &other[0]]).is_err(), "a key of another role");
        assert!(SignedRoot::first(&spec, &[&root[0], &root[0]]).is_err(), "one key twice");
        SignedRoot::first(&spec, &[&root[0], &root[2]]).expect("two of three");
    }

    #[test]
    fn a_successor_needs_old_and_new_keys_and_the_next_number() {
        let (old, new, other) = (keys(3), keys(3), keys(1));
        let first = SignedRoot::first(&spec(1, &old, &other), &[&old[0], &old[1]]).expect("first");
        let both = [&old[0], &old[1], &new[0], &new[1]];
        SignedRoot::successor(&first, &spec(2, &new, &other), &both).expect("a rotation");
        assert!(SignedRoot::successor(&first, &spec(3, &new, &other), &both).is_err());
        assert!(SignedRoot::successor(&first, &spec(2, &new, &other), &both[1..]).is_err());
    }

    #[test]
    fn a_threshold_that_nobody_can_meet_is_refused() {
        let (root, other) = (keys(1), keys(1));
        let error = SignedRoot::first(&spec(1, &root, &other), &[&root[0]]).expect_err("two of one");
        assert!(error.to_string().contains("more signatures"), "{error}");
    }
}
