//! How long the roles hold.

use chrono::{DateTime, Duration, Utc};
use trusted_repo::author::Expiries;

/// How long the roles hold that a release is signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// The snapshot role.
    pub snapshot: Duration,
    /// The targets role.
    pub targets: Duration,
    /// The timestamp role.
    pub timestamp: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self { snapshot: Duration::weeks(2), targets: Duration::weeks(2), timestamp: Duration::weeks(1) }
    }
}

impl Lifetimes {
    pub(crate) fn from(self, now: DateTime<Utc>) -> Expiries {
        Expiries {
            snapshot: now + self.snapshot,
            targets: now + self.targets,
            timestamp: now + self.timestamp,
        }
    }
}
