//! Where the facts come from: the repository as hosts see it, and the journal of a guard.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use host_io::redacted::redacted;
use update_metadata::Update;

use super::costs::{NEWEST, Weighed};
use super::facts::{Facts, Schedule, Step};
use crate::Error;
use crate::check::{CheckOptions, check};
use crate::guard::Journal;
use crate::list::list;
use crate::progress::Progress;

/// So many decisions are shown.
const DECISIONS: usize = 50;

/// What the page is about.
#[derive(Debug, Clone)]
pub struct PageOptions {
    /// The repository, and how it is checked.
    pub check: CheckOptions,
    /// The journal of a guard.
    pub journal: Option<Journal>,
}

/// Reads all of a repository, as `check` does, and what the page has beside that.
///
/// # Errors
/// When the repository cannot be opened, or the journal cannot be read.
pub async fn gather(
    options: &PageOptions,
    now: DateTime<Utc>,
    progress: Arc<dyn Progress>,
) -> Result<Facts, Error> {
    let place = &options.check.place;
    let report = check(&options.check, now, progress).await?;
    let opened = place.open_expired().await?;
    let repository = &opened.repository;
    let (manifest, _) = repository.manifest_for(&place.variant).await?;
    let ours = |update: &&Update| update.variant == place.variant && update.arch == place.arch;
    let paused: Vec<_> = manifest.extensions.paused.iter().filter(|paused| ours(&&paused.update)).collect();
    let mut offered: Vec<&Update> = manifest.updates.iter().filter(ours).collect();
    offered.sort_by(|one, other| other.version.cmp(&one.version));
    let mut schedules: Vec<Schedule> = offered
        .iter()
        .filter(|update| update.version <= update.max_version)
        .map(|update| (*update, None))
        .chain(paused.iter().map(|paused| (&paused.update, Some(paused.since))))
        .filter(|(update, _)| !update.waves.is_empty())
        .map(|(update, paused_since)| Schedule {
            version: update.version.clone(),
            waves: update.waves.clone(),
            paused_since,
        })
        .collect();
    schedules.sort_by(|one, other| other.version.cmp(&one.version));

    let mut weighed = Vec::new();
    for update in &offered {
        weighed.push(Weighed::of(repository, update).await);
    }
    let mut costs = Vec::new();
    for (number, to) in weighed.iter().enumerate().take(NEWEST) {
        for from in &weighed[number + 1..] {
            costs.push(to.from(repository, from).await);
        }
    }
    let decisions = match &options.journal {
        Some(journal) => {
            let mut entries = journal.newest()?;
            entries.retain(|entry| entry.variant == place.variant && entry.arch == place.arch);
            entries.reverse();
            entries.truncate(DECISIONS);
            Some(entries)
        }
        None => None,
    };
    let step = |((from, to), migrations): (&(_, _), &Vec<String>)| Step {
        from: Clone::clone(from),
        to: Clone::clone(to),
        migrations: migrations.clone(),
    };
    Ok(Facts {
        now,
        place: redacted(&place.base),
        list: list(place).await?,
        schedules,
        costs,
        steps: manifest.migrations.iter().map(step).collect(),
        roles: report.roles,
        errors: report.errors,
        advice: report.advice,
        decisions,
    })
}
