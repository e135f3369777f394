//! What is wrong, and what is worth a thought.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use semver::Version;
use serde::Serialize;
use trusted_repo::{Role, Roles};

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A stable word for programs.
    pub code: &'static str,
    /// A sentence for people.
    pub what: String,
}

/// What `check` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// The four roles, and those of teams.
    pub roles: Vec<RoleReport>,
    /// The versions on offer.
    pub versions: Vec<Version>,
    /// How many targets were read to their last byte.
    pub targets: usize,
    /// How many bytes these have.
    pub bytes: u64,
    /// What hosts will stumble over.
    pub errors: Vec<Finding>,
    /// What works, and is worth a thought.
    pub advice: Vec<Finding>,
}

/// One role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoleReport {
    /// Its name.
    pub role: Cow<'static, str>,
    /// Its version.
    pub version: u64,
    /// When it expires.
    pub expires: DateTime<Utc>,
}

impl RoleReport {
    /// What there is to say of a role.
    pub(crate) fn new(name: impl Into<Cow<'static, str>>, role: &Role) -> Self {
        Self { role: name.into(), version: role.version, expires: role.expires }
    }
}

/// The four roles, in the order of trust.
#[must_use]
pub fn role_reports(roles: &Roles) -> Vec<RoleReport> {
    [
        ("root", &roles.root),
        ("timestamp", &roles.timestamp),
        ("snapshot", &roles.snapshot),
        ("targets", &roles.targets),
    ]
    .map(|(name, role)| RoleReport::new(name, role))
    .to_vec()
}

impl CheckReport {
    /// Whether hosts can live with it.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.errors.is_empty()
    }

    pub(crate) fn error(&mut self, code: &'static str, what: impl Into<String>) {
        self.errors.push(Finding { code, what: what.into() });
    }

    pub(crate) fn advise(&mut self, code: &'static str, what: impl Into<String>) {
        self.advice.push(Finding { code, what: what.into() });
    }
}

pub(crate) fn day(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

impl fmt::Display for RoleReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<9} version {:<4} expires {}", self.role, self.version, day(self.expires))
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for role in &self.roles {
            writeln!(f, "{role}")?;
        }
        let versions: Vec<String> = self.versions.iter().map(ToString::to_string).collect();
        let versions = if versions.is_empty() { "none".to_owned() } else { versions.join(", ") };
        writeln!(f, "on offer: {versions}")?;
        writeln!(f, "read and verified: {} targets, {} bytes", self.targets, self.bytes)?;
        for finding in &self.advice {
            writeln!(f, "advice: {}", finding.what)?;
        }
        for finding in &self.errors {
            writeln!(f, "error: {}", finding.what)?;
        }
        match self.errors.len() {
            0 => write!(f, "good: hosts can take updates from here"),
            1 => write!(f, "not good: 1 error"),
            count => write!(f, "not good: {count} errors"),
        }
    }
}
