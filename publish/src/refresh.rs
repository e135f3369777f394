//! New dates for what is published: metadata only, no target is touched.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, Duration, Utc};
use serde::Serialize;
use trusted_repo::DelegatedRole;
use trusted_repo::author::Expiries;

use crate::check::delegated::unusable;
use crate::check::finding::{RoleReport, day, role_reports};
use crate::place::Place;
use crate::session::{Desk, Session};
use crate::{Error, Lifetimes};

/// What `refresh` signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefreshReport {
    /// The version of the timestamp role, which counts the changes of the repository.
    pub timestamp_version: u64,
    /// The team whose role was signed, where it was not the targets role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// When the targets role, or that of the team, expires now.
    pub targets_expires: DateTime<Utc>,
    /// When the snapshot role expires now.
    pub snapshot_expires: DateTime<Utc>,
    /// When the timestamp role expires now.
    pub timestamp_expires: DateTime<Utc>,
    /// Why hosts still cannot use what was signed, a sentence each.
    pub still_missing: Vec<String>,
}

/// Signs the three roles below root again, with their next versions.
///
/// # Errors
/// When the repository cannot be read, somebody else changes it, or keys are missing.
pub async fn refresh(desk: &Desk, lifetimes: Lifetimes, now: DateTime<Utc>) -> Result<RefreshReport, Error> {
    let session = Session::open(desk).await?;
    // What hosts cannot read is not given a longer life.
    session.check_readable()?;
    let expiries = lifetimes.from(now);
    let signed = session.commit(&expiries).await?;
    let still_missing = still_missing(&session, &expiries, now);
    Ok(RefreshReport {
        still_missing,
        timestamp_version: signed.versions().timestamp,
        team: desk.keys.team().map(str::to_owned),
        targets_expires: expiries.targets,
        snapshot_expires: expiries.snapshot,
        timestamp_expires: expiries.timestamp,
    })
}

/// Why hosts cannot use what was signed just now, although it was: a signature makes no root role younger and puts no file
/// back.
pub(crate) fn still_missing(session: &Session, expiries: &Expiries, now: DateTime<Utc>) -> Vec<String> {
    let mut missing = Vec::new();
    match session.root_expires() {
        Some(expires) if expires <= now => missing.push(format!(
            "the root role expired on {}: hosts refuse everything until there is a next one (\"pubrepo root rotate\")",
            day(expires)
        )),
        _ => {}
    }
    for (role, expires) in [
        (session.role(), expiries.targets),
        ("snapshot", expiries.snapshot),
        ("timestamp", expiries.timestamp),
    ] {
        if expires <= now {
            missing
                .push(format!("the {role} role expires at once, on {}: give it a longer life", day(expires)));
        }
    }
    for target in session.editor.targets() {
        let path = session.layout.targets.join(format!("{}.{}", target.hashes.hex(), target.name));
        let found = std::fs::metadata(&path).map(|found| found.len());
        let why = match found {
            Ok(length) if length == target.length => continue,
            Ok(length) => format!("has {length} bytes of {}", target.length),
            Err(_) => "is not there".to_owned(),
        };
        missing.push(format!("{} {why}: put it back, or publish the release again", path.display()));
    }
    missing
}

/// What `expiring` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExpiringReport {
    /// The four roles, and those of teams.
    pub roles: Vec<RoleReport>,
    /// Why the roles of some teams cannot be had or trusted, if they cannot.
    pub unknown: Vec<String>,
    /// The names of those that expire within the time.
    pub expiring: Vec<Cow<'static, str>>,
    /// The end of that time.
    pub until: DateTime<Utc>,
}

/// Finds the roles that expire within a time from now on, or have expired.
///
/// # Errors
/// When the repository cannot be opened.
pub async fn expiring(place: &Place, within: Duration, now: DateTime<Utc>) -> Result<ExpiringReport, Error> {
    let opened = place.open_expired().await?;
    let mut roles = role_reports(&opened.repository.roles());
    let mut unknown = Vec::new();
    for DelegatedRole { name, by, listed, .. } in opened.repository.delegated_roles().await {
        match listed {
            Ok((role, _)) => roles.push(RoleReport::new(name, &role)),
            Err(error) => unknown.push(unusable(&name, &by, &error)),
        }
    }
    let until = now + within;
    let expiring = roles.iter().filter(|role| role.expires <= until).map(|role| role.role.clone()).collect();
    Ok(ExpiringReport { roles, unknown, expiring, until })
}

pub(crate) fn tell_missing(f: &mut fmt::Formatter<'_>, missing: &[String]) -> fmt::Result {
    if missing.is_empty() {
        return Ok(());
    }
    write!(f, "\nhosts still cannot use this repository:")?;
    missing.iter().try_for_each(|why| write!(f, "\n  {why}"))
}

impl fmt::Display for RefreshReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "signed again, timestamp version {}", self.timestamp_version)?;
        let role = self.team.as_deref().unwrap_or("targets");
        writeln!(f, "{role:<9} expires {}", day(self.targets_expires))?;
        writeln!(f, "snapshot  expires {}", day(self.snapshot_expires))?;
        write!(f, "timestamp expires {}", day(self.timestamp_expires))?;
        tell_missing(f, &self.still_missing)
    }
}

impl fmt::Display for ExpiringReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for role in &self.roles {
            writeln!(f, "{role}")?;
        }
        self.unknown.iter().try_for_each(|why| writeln!(f, "{why}"))?;
        match &self.expiring[..] {
            [] => write!(f, "nothing expires before {}", day(self.until)),
            roles => write!(f, "expiring before {}: {}", day(self.until), roles.join(", ")),
        }
    }
}
