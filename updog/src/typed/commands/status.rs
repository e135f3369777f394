//! `status`: which version is in which set. Needs no network and changes nothing.

use update_metadata::explain::instant;

use crate::context::Context;
use crate::error::Error;
use crate::flip::next_boot::Why;
use crate::look::host::{self, Active, Checked, Failed, Inactive, NextBoot, View};
use crate::look::stores::Stores;
use crate::tell::answer;
use crate::tell::events::Format;

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
    let checked = if args.verify { Checked::WholeTree } else { Checked::Top };
    let view = host::look(context, checked)?;
    match context.format {
        Format::Json => answer::json_line(&view),
        Format::Text => answer::lines(text(&view)),
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
    lines.extend(view.turn.as_ref().map(|turn| format!("Turn:     {}", turn.line())));
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
    use std::path::PathBuf;

    use host_io::OsRelease;
    use signpost::BootBits;

    use super::*;
    use crate::decide::attempts::{Attempts, Cause, Fate, Release};
    use crate::look::host::view;
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
