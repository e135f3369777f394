//! The host as it is told: both sets, what boots next, what did not stay. It needs no network and changes nothing.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use host_io::{Access, OsRelease};
use semver::Version;
use serde::Serialize;
use signpost::{OsDisk, Role, Set, Status};

use crate::after::health::Entries;
use crate::after::observe::{self, Keep, failed_boot};
use crate::context::Context;
use crate::decide::attempts::Attempts;
use crate::decide::machine::Barred;
use crate::decide::recall;
use crate::error::Error;
use crate::flip::next_boot::{self, Why};
use crate::flip::record::{self, Entry, Record};
use crate::look::stores::Stores;
use crate::turn::note;
use crate::turn::told::Told;

/// The sets of a host. Fields are only ever added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct View {
    /// The running set.
    pub active: Active,
    /// The other one, on a disk that has one.
    pub inactive: Option<Inactive>,
    /// The release that did not stay last, if there is one.
    pub failed: Option<Failed>,
    /// The health checks of a boot.
    pub health: Health,
    /// How much of the other set's hash tree was read to tell its version.
    pub checked: Checked,
    /// The other set where it boots next, and why; null when the running set boots again.
    pub next_boot: Option<NextBoot>,
    /// Whether a boot of the running set was marked good.
    pub proven: bool,
    /// Whose settings are in force, and whose are kept.
    pub settings: Stores,
    /// The releases that this host does not take now, for what became of them here.
    pub held: Vec<HeldBack>,
    /// What is wrong with the disk or its sets, or done about it, a sentence each.
    pub disk: Vec<String>,
    /// The turn to reboot that this host has asked for, as long as it has not ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn: Option<Told>,
}

/// The health checks of a boot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Health {
    /// Their names, in the order in which they run.
    pub checks: Vec<String>,
    /// What of them would fail because it cannot run, a sentence each.
    pub cannot_run: Vec<String>,
    /// What lies beside them and is no check by its name.
    pub ignored: Vec<PathBuf>,
}

impl From<Entries> for Health {
    fn from(found: Entries) -> Self {
        Self {
            checks: found.checks.into_keys().collect(),
            cannot_run: found.broken.iter().map(ToString::to_string).collect(),
            ignored: found.ignored,
        }
    }
}

/// How much of a hash tree was read to tell which version a set holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Checked {
    /// Its superblock and its top block, of which the root hash is the digest.
    Top,
    /// All of it.
    WholeTree,
}

/// What boots next instead of what runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NextBoot {
    /// The set.
    pub set: String,
    /// Which version it holds, where that is known.
    pub version: Option<Version>,
    /// Why.
    pub why: Why,
}

/// A release that is not taken for now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldBack {
    /// Which flavour of the system.
    pub variant: String,
    /// For which architecture.
    pub arch: String,
    /// Which version.
    pub version: Version,
    /// From when on it may be tried again; null when a person has to say so.
    pub until: Option<DateTime<Utc>>,
    /// Why it did not stay.
    pub reason: String,
}

impl From<Barred> for HeldBack {
    fn from(Barred { variant, arch, version, until, reason }: Barred) -> Self {
        Self { variant, arch, version, until, reason }
    }
}

/// A release that was tried here and did not stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// Which flavour of the system.
    pub variant: String,
    /// For which architecture.
    pub arch: String,
    /// Which version.
    pub version: Version,
    /// The root hash of its images, where it is known.
    pub root_hash: Option<String>,
    /// How far it came.
    pub stage: String,
    /// Why it went no further.
    pub reason: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Whether it is not tried again until a person says so.
    pub held: bool,
    /// From when on it may be tried again; null when it is held.
    pub retry_after: Option<DateTime<Utc>>,
    /// When this was found.
    pub recorded: DateTime<Utc>,
}

impl Failed {
    /// The release that did not stay last, of all that are remembered.
    #[must_use]
    pub fn last(attempts: &Attempts) -> Option<Self> {
        let (release, mark) = attempts.marked().into_iter().next()?;
        let retry_after = mark.retry_after();
        Some(Self {
            variant: release.variant.clone(),
            arch: release.arch.clone(),
            version: release.version.clone(),
            root_hash: release.root_hash.map(|hash| hash.to_string()),
            stage: mark.stage.clone(),
            reason: mark.reason.clone(),
            attempts: mark.attempts,
            held: retry_after.is_none(),
            retry_after,
            recorded: mark.recorded,
        })
    }
}

/// The running set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Active {
    /// Its name.
    pub set: String,
    /// Which flavour of the system runs.
    pub variant: String,
    /// For which architecture.
    pub arch: String,
    /// Which version.
    pub version: Version,
    /// Whether a boot of it was marked good.
    pub proven: bool,
    /// Whether the boot program starts it next.
    pub next_to_boot: bool,
}

/// The set that is not running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inactive {
    /// Its name.
    pub set: String,
    /// Which flavour of the system it holds, where that is known.
    pub variant: Option<String>,
    /// For which architecture, where that is known.
    pub arch: Option<String>,
    /// Which version, where that is known.
    pub version: Option<Version>,
    /// Whether it holds a complete system: a try is left, or it was marked good.
    pub valid: bool,
    /// Whether a boot of it was marked good: it is an earlier system and no staged update.
    pub proven: bool,
    /// Whether the boot program starts it next.
    pub next_to_boot: bool,
    /// Whether it was activated, tried, and not marked good.
    pub failed_boot: bool,
    /// Why it may not be booted any more, where it waits for its first boot.
    pub against: Option<String>,
}

/// Looks at the host, and at as much of the other set's hash tree as `checked` says.
///
/// # Errors
/// When the host, its disk or its record cannot be read.
pub fn look(context: &Context, checked: Checked) -> Result<View, Error> {
    let os = context.host.os_release()?;
    let disk = OsDisk::discover(&context.paths)?;
    let status = disk.status()?;
    let record = Record::load_or_empty(&*context.fs, &context.paths);
    let found = match status.inactive() {
        Some(Set { name, .. }) => {
            let partition = disk.open_partition(*name, Role::Hash, Access::Read)?;
            match checked {
                Checked::WholeTree => record::root_hash_if_known(&*partition),
                Checked::Top => record::top_hash_if_known(&*partition),
            }
        }
        None => None,
    };
    let entry = status.inactive().and_then(|set| record.holds(set.name, found));
    let attempts = observe::attempts(context, Keep::No);
    let failed = Failed::last(&attempts);
    let held = attempts.bars(context.clock.now()).into_iter().map(HeldBack::from).collect();
    let health = Entries::find(&context.paths).into();
    let waits = entry.filter(|_| status.inactive().is_some_and(|set| !set.bits.successful));
    let against = waits.and_then(|entry| recall::here(context, &os.version_id, &attempts, entry));
    let settings = Stores::find(&*context.fs, &context.paths);
    let turn = note::look(&*context.fs, &context.paths, context.clock.now()).map(Told::from);
    let mut view = View {
        failed,
        held,
        health,
        checked,
        settings,
        turn,
        ..view(&status, os, context.host.arch(), entry)
    };
    if let Some(inactive) = &mut view.inactive {
        inactive.against = against.map(|against| against.why);
    }
    Ok(view)
}

/// What is told of a host with these bits, running `os`, whose inactive set holds `entry`.
#[must_use]
pub fn view(status: &Status, os: OsRelease, arch: &str, entry: Option<&Entry>) -> View {
    let active = status.active();
    View {
        active: Active {
            set: active.name.to_string(),
            variant: os.variant_id,
            arch: arch.to_owned(),
            version: os.version_id,
            proven: active.bits.successful,
            next_to_boot: status.next == Some(active.name),
        },
        inactive: status.inactive().map(|Set { name, bits, .. }| Inactive {
            set: name.to_string(),
            variant: entry.map(|entry| entry.variant.clone()),
            arch: entry.map(|entry| entry.arch.clone()),
            version: entry.map(|entry| entry.version.clone()),
            valid: bits.is_valid(),
            proven: bits.successful,
            next_to_boot: status.next == Some(*name),
            failed_boot: failed_boot(*bits),
            against: None,
        }),
        failed: None,
        health: Health::default(),
        checked: Checked::Top,
        next_boot: next_boot::other(status).map(|(set, why)| NextBoot {
            set: set.name.to_string(),
            version: entry.map(|entry| entry.version.clone()),
            why,
        }),
        proven: active.bits.successful,
        held: Vec::new(),
        settings: Stores::default(),
        disk: status.notes.clone(),
        turn: None,
    }
}
