//! What stands in the page, as values: no clock and no file is asked while it is written.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use semver::Version;

use super::costs::Cost;
use crate::check::finding::{Finding, RoleReport};
use crate::guard::journal::Entry;
use crate::list::ListReport;

/// All of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// When this was so.
    pub now: DateTime<Utc>,
    /// Where the repository lies, without what may be secret in it.
    pub place: String,
    /// The releases.
    pub list: ListReport,
    /// The waves of those that have some, newest first.
    pub schedules: Vec<Schedule>,
    /// What it takes from one release to another.
    pub costs: Vec<Cost>,
    /// How many migrations lead from one version to another.
    pub steps: Vec<Step>,
    /// When signed roles expire.
    pub roles: Vec<RoleReport>,
    /// What hosts will stumble over.
    pub errors: Vec<Finding>,
    /// What works, and is worth a thought.
    pub advice: Vec<Finding>,
    /// What a guard decided, newest first; `None` where no journal was given.
    pub decisions: Option<Vec<Entry>>,
}

/// The waves of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The release.
    pub version: Version,
    /// The date of each bound.
    pub waves: BTreeMap<u32, DateTime<Utc>>,
    /// Since when their clock stands still.
    pub paused_since: Option<DateTime<Utc>>,
}

/// A step that settings take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// From this version,
    pub from: Version,
    /// to this one,
    pub to: Version,
    /// by these migrations.
    pub migrations: Vec<String>,
}
