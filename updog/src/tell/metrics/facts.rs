//! What is read off the host for its metrics, and how it is said.

use chrono::{DateTime, Utc};
use semver::Version;
use trusted_repo::memory::view;

use super::page::{Number, Page};
use super::tally::seconds;
use crate::after::observe::{self, Keep};
use crate::config;
use crate::context::Context;
use crate::look::host::{self, Active, Checked, Inactive, NextBoot, View};

/// Where a boot that failed may have come to. What a later release calls otherwise is `other`.
const STAGES: [&str; 9] =
    ["kernel", "boot", "migrate", "no-room", "system", "api", "health", "left", "misnamed"];
/// Roles that every repository has.
const ROLES: [&str; 4] = ["root", "timestamp", "snapshot", "targets"];

/// What is read off the host. What cannot be read is not said.
#[derive(Debug, Default)]
pub struct Facts {
    /// The sets, where the disk can be looked at.
    pub view: Option<View>,
    /// Releases that did not stay, with how far the last boot came and how many failed.
    pub failed: Vec<(Version, String, u32)>,
    /// What is trusted, where anything is remembered of the repository.
    pub trust: Option<Trust>,
    /// When this host looks by itself, where it is told.
    pub schedule: Option<Schedule>,
    /// Bytes and files that the persistent partition has room for.
    pub room: Option<(u64, Option<u64>)>,
}

/// What keeps this host from looking by itself for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// Until when updates are held.
    pub hold_until: Option<DateTime<Utc>>,
    /// Whether there is a window for them.
    pub has_window: bool,
}

/// What is remembered of the repository that this host is told to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// It cannot be read.
    Unreadable,
    /// It can.
    Held {
        /// When each role expires; those that a repository delegates to are one, that which expires first.
        expiry: Vec<(&'static str, DateTime<Utc>)>,
        /// When the timestamp was first seen.
        unchanged_since: Option<DateTime<Utc>>,
        /// The time before which no clock can be right.
        floor: Option<DateTime<Utc>>,
    },
}

impl Facts {
    /// Reads them. Nothing is changed, and no network is needed.
    #[must_use]
    pub fn read(context: &Context) -> Self {
        let look = host::look(context, Checked::Top);
        let view = look.inspect_err(|error| tracing::debug!("the sets are not in the metrics: {error}")).ok();
        let attempts = observe::attempts(context, Keep::No);
        let failed = attempts.marked().into_iter().filter(|(_, mark)| mark.attempts > 0);
        let persistent = context.paths.update_state();
        let files = context.fs.free_files(&persistent).ok().filter(|files| *files != u64::MAX);
        let schedule = config::load_quietly(&*context.fs, &context.paths)
            .ok()
            .map(|config| Schedule { hold_until: config.hold_until, has_window: config.has_window });
        Self {
            view,
            schedule,
            failed: failed
                .map(|(release, mark)| (release.version.clone(), mark.stage.clone(), mark.attempts))
                .collect(),
            trust: trust(context),
            room: context.fs.free_bytes(&persistent).ok().map(|bytes| (bytes, files)),
        }
    }

    /// The version that runs here, where the disk can be looked at.
    #[must_use]
    pub fn running(&self) -> Option<&Version> {
        Some(&self.view.as_ref()?.active.version)
    }

    /// Says all of it.
    pub fn say(&self, page: &mut Page) {
        page.say("disk_readable", &[], self.view.is_some());
        if let Some(view) = &self.view {
            say_sets(page, view);
        }
        for (version, stage, attempts) in &self.failed {
            let stage = STAGES.into_iter().find(|known| known == stage).unwrap_or("other");
            page.say("release_failed_boots", &[&version.to_string(), stage], u64::from(*attempts));
        }
        if let Some(schedule) = self.schedule {
            page.say("window_configured", &[], schedule.has_window);
            page.say_if("hold_until_timestamp_seconds", schedule.hold_until.map(seconds));
        }
        match &self.trust {
            None => {}
            Some(Trust::Unreadable) => page.say("trust_readable", &[], false),
            Some(Trust::Held { expiry, unchanged_since, floor }) => {
                page.say("trust_readable", &[], true);
                for (role, expires) in expiry {
                    page.say("role_expiry_timestamp_seconds", &[role], seconds(*expires));
                }
                page.say_if("repository_unchanged_since_timestamp_seconds", unchanged_since.map(seconds));
                page.say_if("clock_floor_timestamp_seconds", floor.map(seconds));
            }
        }
        if let Some((bytes, files)) = self.room {
            page.say("persistent_free_bytes", &[], bytes);
            page.say_if("persistent_free_files", files);
        }
    }
}

fn say_sets(page: &mut Page, view: &View) {
    let Active { set, variant, arch, version, proven, .. } = &view.active;
    page.say("release_info", &[variant, arch, &version.to_string(), set], 1);
    page.say("boot_proven", &[], *proven);
    if let Some(Inactive { set, version, valid, proven, next_to_boot, failed_boot, .. }) = &view.inactive {
        let state = match (valid, proven, next_to_boot, failed_boot) {
            (true, true, ..) => "earlier",
            (true, false, true, _) => "activated",
            (true, false, false, _) => "staged",
            (false, _, _, true) => "failed",
            (false, _, _, false) => "cleared",
        };
        let version = version.as_ref().map_or_else(|| "unknown".to_owned(), ToString::to_string);
        page.say("other_set_info", &[set, &version, state], 1);
    }
    if let Some(NextBoot { set, why, .. }) = &view.next_boot {
        page.say("next_boot_info", &[set, why.as_str()], 1);
    }
    let count = |count: usize| Number::from(u64::try_from(count).unwrap_or(u64::MAX));
    page.say("held_releases", &[], count(view.held.len()));
    page.say("health_checks_broken", &[], count(view.health.cannot_run.len()));
}

/// What is remembered of the repository of the configuration. Of one that was never asked there is nothing.
fn trust(context: &Context) -> Option<Trust> {
    let url = config::load_quietly(&*context.fs, &context.paths).ok()?.metadata_base_url.to_string();
    let memories = view::show(&*context.fs, &context.paths.trust()).ok()?;
    // Which repository it is of stands in what cannot be read.
    if memories.iter().any(|memory| memory.held.is_err()) {
        return Some(Trust::Unreadable);
    }
    let held = memories.into_iter().filter_map(|memory| memory.held.ok());
    let held = held.filter(|held| held.metadata_base_url == url).max_by_key(|held| held.floor)?;
    let mut expiry = Vec::new();
    for role in &held.roles {
        let name = ROLES.into_iter().find(|known| *known == role.name).unwrap_or("delegated");
        match expiry.iter_mut().find(|(known, _)| *known == name) {
            Some((_, first)) => *first = role.role.expires.min(*first),
            None => expiry.push((name, role.role.expires)),
        }
    }
    Some(Trust::Held { expiry, unchanged_since: held.timestamp_since, floor: held.floor })
}
