//! Chains of root roles: each is signed by its predecessor's keys and by its own.

use std::collections::BTreeMap;

use bytes::Bytes;
use tough::schema::{RoleType, Root, Signed};

use crate::metadata::quorum;

/// Versions and exact bytes.
pub(crate) type Chain = BTreeMap<u64, Bytes>;

/// A root role with the bytes that it came as.
#[derive(Debug, Clone)]
pub(crate) struct KnownRoot {
    pub(crate) role: Signed<Root>,
    pub(crate) bytes: Bytes,
}

impl KnownRoot {
    /// Parses a root role that is signed by a threshold of its own keys. The error is what is wrong with it.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let role: Signed<Root> = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        quorum::verify(&role.signed, &role)?;
        Ok(Self { role, bytes: Bytes::copy_from_slice(bytes) })
    }

    pub(crate) fn version(&self) -> u64 {
        self.role.signed.version.get()
    }

    /// Whether `next` is this root's successor.
    pub(crate) fn vouches_for(&self, next: &Self) -> bool {
        next.version() == self.version() + 1 && quorum::verify(&self.role.signed, &next.role).is_ok()
    }

    /// Whether both say the same; signatures and layout may differ.
    pub(crate) fn says_the_same_as(&self, other: &Self) -> bool {
        self.role.signed == other.role.signed
    }

    /// The root for people.
    pub(crate) fn describe(&self) -> String {
        let digest = hex::encode(ring::digest::digest(&ring::digest::SHA256, &self.bytes));
        format!("version {}, SHA-256 {}…", self.version(), &digest[..12])
    }
}

/// Whether the keys of timestamp or snapshot changed from `old` to `new`: then TUF forgets what was seen of both, so
/// that a repository can recover from a thief who had raised their versions.
pub(crate) fn forgets(old: &Root, new: &Root) -> bool {
    [RoleType::Timestamp, RoleType::Snapshot].iter().any(|role| !old.keys(*role).eq(new.keys(*role)))
}

/// The roots of `chain` in order, each vouched for by the one before. The error names the first that is not.
pub(crate) fn verify(chain: &Chain) -> Result<Vec<KnownRoot>, String> {
    let mut verified: Vec<KnownRoot> = Vec::new();
    for (version, bytes) in chain {
        let root = KnownRoot::parse(bytes).map_err(|error| format!("root {version}: {error}"))?;
        if root.version() != *version {
            return Err(format!("root {version} calls itself version {}", root.version()));
        }
        if verified.last().is_some_and(|last| !last.vouches_for(&root)) {
            return Err(format!("root {version} is not vouched for by the one before"));
        }
        verified.push(root);
    }
    Ok(verified)
}
