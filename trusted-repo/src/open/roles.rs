//! The roles of an open repository.

use std::num::NonZeroU64;

use chrono::{DateTime, Utc};

use crate::metadata::now::from_jiff;
use crate::open::walk::Verified;

/// One role of an open repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its version.
    pub version: u64,
    /// When it expires.
    pub expires: DateTime<Utc>,
}

/// The four roles of an open repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles {
    /// Says whose signatures count.
    pub root: Role,
    /// Says which snapshot is the current one.
    pub timestamp: Role,
    /// Says which versions belong together.
    pub snapshot: Role,
    /// Says what the targets are.
    pub targets: Role,
}

impl Roles {
    pub(crate) fn of(verified: &Verified) -> Self {
        let role = |version: NonZeroU64, expires| Role { version: version.get(), expires };
        let Verified { root, timestamp, snapshot, targets, anew: _ } = verified;
        let root = &root.role.signed;
        Self {
            root: role(root.version, from_jiff(root.expires)),
            timestamp: role(timestamp.version, timestamp.expires),
            snapshot: role(snapshot.version, snapshot.expires),
            targets: role(targets.version, targets.expires),
        }
    }
}
