//! `status`: which version is in which set. Needs no network and changes nothing.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use host_io::{Access, OsRelease};
use semver::Version;
use serde::Serialize;
use signpost::{OsDisk, Role, Set, Status};
use update_metadata::explain::instant;

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
use crate::tell::answer;
use crate::tell::events::Format;

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

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Args {
    /// `--verify`: read the whole tree.
    pub verify: bool,
}

/// Answers on stdout.
///
/// # Errors
/// When the host, its disk or its record cannot be read.
pub fn run(context: &Context, args: Args) -> Result<(), Error> {
    let os = context.host.os_release()?;
    let disk = OsDisk::discover(&context.paths)?;
    let status = disk.status()?;
    let record = Record::load_or_empty(&*context.fs, &context.paths);
    let found = match status.inactive() {
        Some(Set { name, .. }) => {
            let partition = disk.open_partition(*name, Role::Hash, Access::Read)?;
            if args.verify {
                record::root_hash_if_known(&*partition)
            } else {
                record::top_hash_if_known(&*partition)
            }
        }
        None => None,
    };
    let entry = status.inactive().and_then(|set| record.holds(set.name, found));
    let attempts = observe::attempts(context, Keep::No);
    let failed = Failed::last(&attempts);
    let held = attempts.bars(context.clock.now()).into_iter().map(HeldBack::from).collect();
    let health = Entries::find(&context.paths).into();
    let checked = if args.verify { Checked::WholeTree } else { Checked::Top };
    let waits = entry.filter(|_| status.inactive().is_some_and(|set| !set.bits.successful));
    let against = waits.and_then(|entry| recall::here(context, &os.version_id, &attempts, entry));
    let settings = Stores::find(&*context.fs, &context.paths);
    let mut view =
        View { failed, held, health, checked, settings, ..view(&status, os, context.host.arch(), entry) };
    if let Some(inactive) = &mut view.inactive {
        inactive.against = against.map(|against| against.why);
    }
    match context.format {
        Format::Json => answer::json_line(&view),
        Format::Text => answer::lines(text(&view)),
    }
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
    }
}

fn text(view: &View) -> Vec<String> {
    let Active { set, variant, version, proven, next_to_boot, .. } = &view.active;
    let proven = if *proven { "proven" } else { "not proven yet" };
    let mut lines =
        vec![format!("Running:  set {set}, {variant} {version}, {proven}{}", next(*next_to_boot))];
    lines.push(match &view.inactive {
        None => "Inactive: none, this disk has one set".to_owned(),
        Some(Inactive { set, variant, version, valid, proven, next_to_boot, failed_boot, .. }) => {
            let holds = match (variant, version) {
                (Some(variant), Some(version)) => format!("{variant} {version}"),
                _ => "unknown version".to_owned(),
            };
            let state = match (valid, proven, failed_boot) {
                (true, true, _) => "complete, booted before",
                (true, false, _) => "complete",
                (false, _, true) => "tried and did not boot",
                (false, _, false) => "cannot boot",
            };
            format!("Inactive: set {set}, {holds}, {state}{}", next(*next_to_boot))
        }
    });
    if let Some(why) = view.inactive.as_ref().and_then(|set| set.against.as_ref()) {
        lines.push(format!("          it may not be booted any more: {why}"));
    }
    if let Some(NextBoot { set, why, .. }) = &view.next_boot {
        let why = match why {
            Why::Update => "it holds an update; \"updog update-revert\" takes that back",
            Why::Rollback => "this host goes back to it; \"updog update-revert\" takes that back",
            Why::FallbackExpected => "unless this boot is marked good",
        };
        lines.push(format!("Next:     set {set}, {why}"));
    }
    lines.extend(settings(&view.settings));
    if view.inactive.is_some() {
        lines.push(match view.checked {
            Checked::Top => {
                "Checked:  the top of its hash tree; \"updog status --verify\" reads all of it".to_owned()
            }
            Checked::WholeTree => "Checked:  all of its hash tree".to_owned(),
        });
    }
    if let Some(failed) = &view.failed {
        let Failed { variant, version, attempts, reason, retry_after, .. } = failed;
        let tries = if *attempts == 1 { "1 boot".to_owned() } else { format!("{attempts} boots") };
        let misnamed = failed.stage == "misnamed";
        let did = if misnamed {
            "misnamed".to_owned()
        } else if *attempts == 0 {
            "left".to_owned()
        } else {
            format!("{tries} failed")
        };
        lines.push(format!("Not kept: {variant} {version}, {did}: {reason}"));
        lines.push(match retry_after {
            Some(at) => format!("          it may be tried again after {}", instant(*at)),
            None => "          it is held until \"updog clear-failed\", or a newer release".to_owned(),
        });
    }
    lines.extend(view.disk.iter().map(|what| format!("Disk:     {what}")));
    lines.extend(view.health.cannot_run.iter().map(|what| format!("Health:   {what}")));
    lines.extend(
        view.health
            .ignored
            .iter()
            .map(|path| format!("Ignored:  {}, no health check by its name", path.display())),
    );
    lines
}

/// Whose settings are in force, where there are any, and which others are there to go back to.
fn settings(stores: &Stores) -> Option<String> {
    let Stores { version, kept } = stores;
    let version = version.as_ref()?;
    let kept: Vec<String> = kept.iter().map(ToString::to_string).collect();
    Some(match kept.len() {
        0 => format!("Settings: of {version}"),
        _ => format!("Settings: of {version}; kept as they were when it was left: {}", kept.join(", ")),
    })
}

fn next(next_to_boot: bool) -> &'static str {
    if next_to_boot { ", boots next" } else { "" }
}

#[cfg(test)]
mod tests {
    use signpost::BootBits;

    use super::*;
    use crate::decide::attempts::{Cause, Fate, Release};
    use crate::testing::{entry, hash, status};

    fn os() -> OsRelease {
        OsRelease::parse("VARIANT_ID=metal\nVERSION_ID=1.0.0\n", PathBuf::new()).unwrap()
    }

    const PROVEN: BootBits = BootBits { priority: 1, tries: 0, successful: true };

    #[test]
    fn a_staged_update_is_told_in_fields() {
        let staged = BootBits { priority: 0, tries: 1, successful: false };
        let view = view(&status(PROVEN, Some(staged)), os(), "x86_64", Some(&entry("1.1.0", hash('1'))));
        assert_eq!(
            serde_json::to_value(&view).unwrap(),
            serde_json::json!({
                "active": {"set": "A", "variant": "metal", "arch": "x86_64", "version": "1.0.0", "proven": true, "next_to_boot": true},
                "inactive": {"set": "B", "variant": "metal", "arch": "x86_64", "version": "1.1.0", "valid": true, "proven": false, "next_to_boot": false, "failed_boot": false, "against": null},
                "failed": null,
                "health": {"checks": [], "cannot_run": [], "ignored": []},
                "checked": "top",
                "next_boot": null,
                "proven": true,
                "settings": {"version": null, "kept": []},
                "held": [],
                "disk": [],
            })
        );
        let mut lines = vec![
            "Running:  set A, metal 1.0.0, proven, boots next",
            "Inactive: set B, metal 1.1.0, complete",
            "Checked:  the top of its hash tree; \"updog status --verify\" reads all of it",
        ];
        assert_eq!(text(&view), lines);
        lines[2] = "Checked:  all of its hash tree";
        assert_eq!(text(&View { checked: Checked::WholeTree, ..view.clone() }), lines);
        let stores = |kept: &[&str]| Stores {
            version: Some("1.0.0".parse().unwrap()),
            kept: kept.iter().map(|version| version.parse().unwrap()).collect(),
        };
        assert_eq!(settings(&stores(&[])).unwrap(), "Settings: of 1.0.0");
        let lines = text(&View { settings: stores(&["0.9.0", "1.1.0"]), ..view });
        assert_eq!(lines[2], "Settings: of 1.0.0; kept as they were when it was left: 0.9.0, 1.1.0");
    }

    #[test]
    fn what_boots_next_instead_is_told_with_the_reason() {
        let told = |active, inactive| {
            let view =
                view(&status(active, Some(inactive)), os(), "x86_64", Some(&entry("1.1.0", hash('1'))));
            (serde_json::to_value(&view.next_boot).unwrap(), text(&view)[2].clone())
        };
        let (next, said) = told(PROVEN, BootBits { priority: 2, ..PROVEN });
        assert_eq!(next, serde_json::json!({"set": "B", "version": "1.1.0", "why": "rollback"}));
        assert_eq!(
            said,
            "Next:     set B, this host goes back to it; \"updog update-revert\" takes that back"
        );
        let unproven = BootBits { priority: 2, tries: 0, successful: false };
        let (next, said) = told(unproven, PROVEN);
        assert_eq!(next, serde_json::json!({"set": "B", "version": "1.1.0", "why": "fallback-expected"}));
        assert_eq!(said, "Next:     set B, unless this boot is marked good");
    }

    #[test]
    fn what_is_not_known_is_null_and_one_set_is_no_other_set() {
        let view = |inactive| view(&status(PROVEN, inactive), os(), "x86_64", None);
        let cleared = view(Some(BootBits::CLEAR)).inactive.unwrap();
        assert_eq!((cleared.version, cleared.valid, cleared.failed_boot), (None, false, false));
        assert_eq!(serde_json::to_value(view(None)).unwrap()["inactive"], serde_json::Value::Null);
    }

    #[test]
    fn a_failed_boot_is_one_that_was_activated_and_spent() {
        for (priority, tries, successful, failed) in [
            (2, 0, false, true),
            (2, 1, false, false),
            (0, 1, false, false),
            (0, 0, false, false),
            (1, 0, true, false),
        ] {
            let bits = BootBits { priority, tries, successful };
            let view = view(&status(PROVEN, Some(bits)), os(), "x86_64", None);
            assert_eq!(view.inactive.unwrap().failed_boot, failed, "{bits:?}");
        }
    }

    #[test]
    fn a_release_that_did_not_stay_is_told_with_its_reason() {
        let release = Release::from(&entry("1.1.0", hash('1')));
        let at = "2024-06-01T00:00:00Z".parse().unwrap();
        let told = |cause| {
            let fate = Fate { cause, stage: "migrate".to_owned(), reason: "it is asked to".to_owned() };
            Failed::last(&Attempts::default().failed(&release, &fate, at))
        };
        let failed = told(Cause::Failed);
        assert_eq!(
            serde_json::to_value(&failed).unwrap(),
            serde_json::json!({
                "variant": "metal", "arch": "x86_64", "version": "1.1.0", "root_hash": hash('1').to_string(),
                "stage": "migrate", "reason": "it is asked to", "attempts": 1, "held": true, "retry_after": null,
                "recorded": "2024-06-01T00:00:00Z",
            })
        );
        let base = view(&status(PROVEN, Some(BootBits::CLEAR)), os(), "x86_64", None);
        let lines = text(&View { failed, ..base.clone() });
        assert_eq!(lines[3], "Not kept: metal 1.1.0, 1 boot failed: it is asked to");
        assert_eq!(lines[4], "          it is held until \"updog clear-failed\", or a newer release");
        let lines = text(&View { failed: told(Cause::Unexplained), ..base });
        assert_eq!(lines[4], "          it may be tried again after 2024-06-01T01:00:00Z");
    }
}
