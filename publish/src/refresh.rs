//! New dates for what is published: metadata only, no target is touched.

use std::fmt;

use chrono::{DateTime, Duration, Utc};
use serde::Serialize;

use crate::check::finding::{RoleReport, day, role_reports};
use crate::place::Place;
use crate::session::{Desk, Session};
use crate::{Error, Lifetimes};

/// What `refresh` signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefreshReport {
    /// The version of the timestamp role, which counts the changes of the repository.
    pub timestamp_version: u64,
    /// When the targets role expires now.
    pub targets_expires: DateTime<Utc>,
    /// When the snapshot role expires now.
    pub snapshot_expires: DateTime<Utc>,
    /// When the timestamp role expires now.
    pub timestamp_expires: DateTime<Utc>,
}

/// Signs the three roles below root again, with their next versions.
///
/// # Errors
/// When the repository cannot be read, somebody else changes it, or keys are missing.
pub async fn refresh(desk: &Desk, lifetimes: Lifetimes, now: DateTime<Utc>) -> Result<RefreshReport, Error> {
    let session = Session::open(desk).await?;
    // What hosts cannot read is not given a longer life.
    session.manifest()?;
    let expiries = lifetimes.from(now);
    let signed = session.commit(&expiries).await?;
    Ok(RefreshReport {
        timestamp_version: signed.versions().timestamp,
        targets_expires: expiries.targets,
        snapshot_expires: expiries.snapshot,
        timestamp_expires: expiries.timestamp,
    })
}

/// What `expiring` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExpiringReport {
    /// All four roles.
    pub roles: Vec<RoleReport>,
    /// The names of those that expire within the time.
    pub expiring: Vec<&'static str>,
    /// The end of that time.
    pub until: DateTime<Utc>,
}

/// Finds the roles that expire within a time from now on, or have expired.
///
/// # Errors
/// When the repository cannot be opened.
pub async fn expiring(place: &Place, within: Duration, now: DateTime<Utc>) -> Result<ExpiringReport, Error> {
    let opened = place.open_expired().await?;
    let roles = role_reports(&opened.repository.roles());
    let until = now + within;
    let expiring = roles.iter().filter(|role| role.expires <= until).map(|role| role.role).collect();
    Ok(ExpiringReport { roles, expiring, until })
}

impl fmt::Display for RefreshReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "signed again, timestamp version {}", self.timestamp_version)?;
        writeln!(f, "targets   expires {}", day(self.targets_expires))?;
        writeln!(f, "snapshot  expires {}", day(self.snapshot_expires))?;
        write!(f, "timestamp expires {}", day(self.timestamp_expires))
    }
}

impl fmt::Display for ExpiringReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for role in &self.roles {
            writeln!(f, "{role}")?;
        }
        match &self.expiring[..] {
            [] => write!(f, "nothing expires before {}", day(self.until)),
            roles => write!(f, "expiring before {}: {}", day(self.until), roles.join(", ")),
        }
    }
}
