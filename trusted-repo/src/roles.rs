//! The roles of an open repository, and which of them have expired.

use chrono::{DateTime, Utc};
use tough::schema::{RoleType, Targets};
use tracing::warn;

use crate::Error;
use crate::now::{EffectiveNow, from_jiff};

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
    pub(crate) fn of(repository: &tough::Repository) -> Self {
        let role = |version: std::num::NonZeroU64, expires| Role {
            version: version.get(),
            expires: from_jiff(expires),
        };
        let (root, timestamp) = (&repository.root().signed, &repository.timestamp().signed);
        let (snapshot, targets) = (&repository.snapshot().signed, &repository.targets().signed);
        Self {
            root: role(root.version, root.expires),
            timestamp: role(timestamp.version, timestamp.expires),
            snapshot: role(snapshot.version, snapshot.expires),
            targets: role(targets.version, targets.expires),
        }
    }

    /// Refuses when a role has expired, and names the first one in the order of trust.
    pub(crate) fn in_force_at(&self, now: EffectiveNow, place: &str) -> Result<(), Error> {
        let all = [
            (RoleType::Root, &self.root),
            (RoleType::Timestamp, &self.timestamp),
            (RoleType::Snapshot, &self.snapshot),
            (RoleType::Targets, &self.targets),
        ];
        match all.into_iter().find(|(_, role)| now.is_after(role.expires)) {
            None => Ok(()),
            Some((kind, role)) => Err(Error::Expired {
                role: kind.to_string(),
                place: place.to_owned(),
                expired: role.expires,
                now,
            }),
        }
    }
}

/// Takes the roles out that have expired: what they list does not count.
pub(crate) fn drop_expired(targets: &mut Targets, now: EffectiveNow) {
    let Some(delegations) = &mut targets.delegations else { return };
    for role in &mut delegations.roles {
        match &mut role.targets {
            Some(below) if now.is_after(from_jiff(below.signed.expires)) => {
                warn!(role = role.name, "a delegated role has expired: its targets do not count");
                role.targets = None;
            }
            Some(below) => drop_expired(&mut below.signed, now),
            None => {}
        }
    }
}
