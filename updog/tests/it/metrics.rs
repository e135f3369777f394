//! What monitoring sees of a host.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use testdata::{Host, Release, World};
use updog::tell::metrics::families::{FAMILIES, Kind, PREFIX};

use crate::support::{offered, reconfigure};

/// A line of the page: the metric, its labels, its number.
#[derive(Debug)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    number: f64,
}

/// Reads the text format, strictly: every sample stands below the two lines of its metric, which stand once.
fn parse(text: &str) -> Vec<Sample> {
    let (mut samples, mut declared, mut last) = (Vec::new(), BTreeSet::new(), String::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            rest.split_once(' ').expect("a name and a text").0.clone_into(&mut last);
            assert!(declared.insert(last.clone()), "twice: {line}");
            continue;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a name and a kind");
            assert!(name == last && ["gauge", "counter"].contains(&kind), "{line}");
            continue;
        }
        let (series, number) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        assert_eq!(name, last, "below another metric: {line}");
        let labels = labels.strip_suffix('}').unwrap_or_else(|| panic!("{line}"));
        let label = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or_else(|| panic!("{line}"));
            (name.to_owned(), value.trim_matches('"').to_owned())
        };
        let labels = labels.split(',').filter(|pair| !pair.is_empty()).map(label).collect();
        let number = number.parse().unwrap_or_else(|_| panic!("{line}"));
        samples.push(Sample { name: name.strip_prefix(PREFIX).expect(line).to_owned(), labels, number });
    }
    samples
}

/// The only number of a metric, with these labels among others.
fn number(samples: &[Sample], name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let fits = |sample: &&Sample| {
        sample.name == name
            && labels.iter().all(|(label, value)| sample.labels.get(*label).is_some_and(|is| is == value))
    };
    let found: Vec<&Sample> = samples.iter().filter(fits).collect();
    assert!(found.len() < 2, "{name}: {found:?}");
    found.first().map(|sample| sample.number)
}

fn docs(page: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page)).unwrap()
}

fn wanted(host: &Host) {
    host.set("updates.metrics", "true");
}

fn written(host: &Host) -> Vec<Sample> {
    parse(&fs::read_to_string(host.paths().metrics()).expect("it was written"))
}

#[test]
fn an_update_is_seen_from_the_check_to_the_boot_that_is_marked_good() {
    let (_world, mut host) = offered();
    wanted(&host);
    let _ = host.run("updog", &["check-update"]).expect_ok();
    let seen = written(&host);
    assert_eq!(number(&seen, "release_info", &[("version", "1.0.0"), ("set", "A")]), Some(1.0));
    assert_eq!(number(&seen, "boot_proven", &[]), Some(1.0));
    assert_eq!(number(&seen, "disk_readable", &[]), Some(1.0));
    assert_eq!(number(&seen, "chosen_release_info", &[("version", "1.1.0")]), Some(1.0));
    assert_eq!(number(&seen, "last_check_info", &[("result", "ok")]), Some(1.0));
    assert_eq!(number(&seen, "checks_total", &[("result", "ok")]), Some(1.0));
    assert_eq!(
        number(&seen, "last_check_timestamp_seconds", &[]),
        number(&seen, "last_successful_check_timestamp_seconds", &[])
    );
    for role in ["root", "timestamp", "snapshot", "targets"] {
        let expires = number(&seen, "role_expiry_timestamp_seconds", &[("role", role)]).expect(role);
        assert!(expires > number(&seen, "last_check_timestamp_seconds", &[]).unwrap(), "{role}");
    }
    assert!(number(&seen, "persistent_free_bytes", &[]).unwrap() > 0.0);
    assert_eq!(number(&seen, "held_releases", &[]), Some(0.0));

    let _ = host.run("updog", &["update-image"]).expect_ok();
    let seen = written(&host);
    assert_eq!(number(&seen, "other_set_info", &[("version", "1.1.0"), ("state", "staged")]), Some(1.0));
    assert_eq!(number(&seen, "runs_total", &[("command", "update-image"), ("outcome", "staged")]), Some(1.0));
    assert!(number(&seen, "written_bytes_total", &[]).unwrap() > 0.0);
    assert!(number(&seen, "image_bytes_total", &[("source", "network")]).unwrap() > 0.0);
    assert!(number(&seen, "phase_duration_seconds_total", &[("phase", "write")]).is_some());
    assert!(number(&seen, "network_bytes_total", &[]).unwrap() > 0.0);

    let _ = host.run("updog", &["update-apply"]).expect_ok();
    let seen = written(&host);
    assert_eq!(number(&seen, "next_boot_info", &[("why", "update")]), Some(1.0));

    // The boot marks itself good, and what was counted before it is still there.
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
    let seen = written(&host);
    assert_eq!(number(&seen, "release_info", &[("version", "1.1.0"), ("set", "B")]), Some(1.0));
    assert_eq!(number(&seen, "boot_proven", &[]), Some(1.0));
    assert_eq!(number(&seen, "chosen_release_info", &[("version", "1.1.0")]), None, "it runs");
    assert_eq!(number(&seen, "checks_total", &[("result", "ok")]).map(|count| count >= 2.0), Some(true));
    assert_eq!(
        number(&seen, "runs_total", &[("command", "confirm-boot"), ("outcome", "confirmed")]),
        Some(1.0)
    );
}

#[test]
fn a_release_that_fails_and_a_check_that_fails_are_seen() {
    let world = World::new();
    let mut host = world.host("1.0.0");
    host.boot();
    wanted(&host);
    world.publish(Release::new("1.1.0"));
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_eq!(host.reboot_unproven().version_at_once(), Some("1.1.0"));
    let check = host.paths().health_checks()[1].join("10-ours");
    fs::create_dir_all(check.parent().unwrap()).unwrap();
    fs::write(&check, "#!/bin/sh\nexit 1\n").unwrap();
    fs::set_permissions(&check, fs::Permissions::from_mode(0o755)).unwrap();
    let _ = host.run("updog", &["confirm-boot"]).expect_code(1);
    assert_eq!(number(&written(&host), "boot_proven", &[]), Some(0.0));
    assert_eq!(host.reboot().version_at_once(), Some("1.0.0"));
    let _ = host.run("updog", &["check-update"]);
    let seen = written(&host);
    assert_eq!(number(&seen, "release_info", &[("version", "1.0.0")]), Some(1.0), "it fell back");
    assert_eq!(
        number(&seen, "release_failed_boots", &[("version", "1.1.0"), ("stage", "health")]),
        Some(1.0),
        "{seen:?}"
    );
    assert_eq!(number(&seen, "held_releases", &[]), Some(1.0));
    assert_eq!(
        number(&seen, "failures_total", &[("stage", "confirm"), ("code", "unhealthy")]),
        Some(1.0),
        "{seen:?}"
    );

    let good = number(&seen, "last_successful_check_timestamp_seconds", &[]);
    // Nobody listens there.
    reconfigure(&host, |text| text.replace("127.0.0.1:", "127.0.0.2:"));
    let failed = host.run("updog", &["check-update", "--json"]).expect_code(1);
    let code = crate::support::failure(&failed).code;
    let seen = written(&host);
    assert_eq!(number(&seen, "last_check_info", &[("result", &code)]), Some(1.0));
    assert_eq!(number(&seen, "checks_total", &[("result", &code)]), Some(1.0));
    assert_eq!(number(&seen, "last_successful_check_timestamp_seconds", &[]), good);
}

#[test]
fn nothing_is_written_unless_it_is_wanted_and_what_is_old_goes() {
    let (_world, host) = offered();
    let _ = host.run("updog", &["check-update"]).expect_ok();
    assert!(!host.paths().metrics().exists() && !host.paths().metrics_tally().exists());
    // It can be asked for all the same, without what is counted.
    let told = host.run("updog", &["metrics"]).expect_ok().stdout;
    assert!(told.contains("update_stack_boot_proven 1\n") && !told.contains("_total"), "{told}");
    assert!(!host.paths().metrics().exists());
    wanted(&host);
    assert!(host.paths().metrics().exists(), "a change of the setting is enough");
    fs::remove_file(host.paths().metrics()).unwrap();
    let told = host.run("updog", &["metrics", "--write"]).expect_ok().stdout;
    assert_eq!(fs::read_to_string(host.paths().metrics()).unwrap(), told);
    let answer = host.run("apiclient", &["raw", "-u", "/metrics"]).expect_ok().stdout;
    assert_eq!(parse(answer.trim_end()).len(), parse(&told).len(), "{answer}");
    let ran = host.run("updog", &["metrics", "--json"]).expect_ok();
    assert_eq!(ran.json()["prometheus"].as_str().unwrap().lines().count(), told.lines().count());
    host.set("updates.metrics", "false");
    assert!(!host.paths().metrics().exists(), "nobody renews it any more");
}

#[test]
fn a_window_and_a_hold_are_told_when_they_are_set_as_nobody_looks_until_they_end() {
    let (_world, host) = offered();
    wanted(&host);
    let seen = written(&host);
    assert_eq!(number(&seen, "window_configured", &[]), Some(0.0));
    assert_eq!(number(&seen, "hold_until_timestamp_seconds", &[]), None);
    host.set("updates.window", "Sat 02:00-05:00");
    host.set("updates.hold-until", "2100-01-01T01:00:00+01:00");
    let seen = written(&host);
    assert_eq!(number(&seen, "window_configured", &[]), Some(1.0));
    assert_eq!(number(&seen, "hold_until_timestamp_seconds", &[]), Some(4_102_444_800.0));
    host.set("updates.window", "");
    host.set("updates.hold-until", "");
    let seen = written(&host);
    assert_eq!(number(&seen, "window_configured", &[]), Some(0.0));
    assert_eq!(number(&seen, "hold_until_timestamp_seconds", &[]), None);
    assert_eq!(number(&seen, "last_check_timestamp_seconds", &[]), None, "nobody has looked");
}

#[test]
fn a_directory_that_is_not_roots_alone_is_not_written_to_and_fails_nothing() {
    let (_world, host) = offered();
    wanted(&host);
    let theirs = host.paths().root().join("theirs");
    fs::create_dir(&theirs).unwrap();
    let dir = host.paths().metrics().parent().unwrap().to_owned();
    fs::remove_dir_all(&dir).unwrap();
    symlink(&theirs, &dir).unwrap();
    let ran = host.run("updog", &["check-update"]).expect_ok();
    assert!(ran.stderr.contains("is a link or no directory, and nothing is followed there"), "{ran}");
    assert_eq!(fs::read_dir(&theirs).unwrap().count(), 0);
    fs::remove_file(&dir).unwrap();
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).unwrap();
    let ran = host.run("updog", &["check-update"]).expect_ok();
    assert!(ran.stderr.contains("can be written to by others (mode 777)"), "{ran}");
    assert!(!host.paths().metrics().exists());
}

#[test]
fn no_secret_and_no_label_without_bounds_is_in_it() {
    let (_world, host) = offered();
    wanted(&host);
    reconfigure(&host, |text| {
        let text = text.replace("http://127", "http://somebody:hunter2@127");
        format!("https_proxy = \"http://proxyuser:hunter2@127.0.0.1:9\"\nno_proxy = [\"127.0.0.1\"]\n{text}")
    });
    let _ = host.run("updog", &["check-update"]).expect_ok();
    let _ = host.run("updog", &["update-image"]).expect_ok();
    let _ = host.run("updog", &["update-image", "--image", "9.9.9"]);
    // What somebody else wrote into the tally, or a later release into the record, is no word of ours.
    let tally = host.paths().metrics_tally();
    let text = fs::read_to_string(&tally).unwrap();
    let words: String = (0..500).map(|at| format!("\"https://x{at}.example/?token=hunter2\":1,")).collect();
    fs::write(&tally, text.replacen("\"checks\":{", &format!("\"checks\":{{{words}"), 1)).unwrap();
    let _ = host.run("updog", &["check-update"]).expect_ok();
    let text = fs::read_to_string(host.paths().metrics()).unwrap();
    for secret in ["hunter2", "somebody", "proxyuser", "127.0.0.1", "http:", "token", "/"] {
        let in_it = text.lines().filter(|line| !line.starts_with('#')).any(|line| line.contains(secret));
        assert!(!in_it, "{secret} in {text}");
    }
    // Every label has the values of a short list, or is a word of a release that this host has to do with.
    let codes = docs("errors-and-exit-codes.md");
    for sample in parse(&text) {
        let family = FAMILIES.iter().find(|family| family.name == sample.name).expect("it is in the list");
        assert_eq!(
            sample.labels.keys().map(String::as_str).collect::<BTreeSet<_>>(),
            family.labels.iter().copied().collect(),
            "{sample:?}"
        );
        for (label, value) in &sample.labels {
            let known: &[&str] = match label.as_str() {
                "version" => &["1.0.0", "1.1.0", "unknown"],
                "variant" => &["metal-dev"],
                "arch" => &[std::env::consts::ARCH],
                "set" => &["A", "B"],
                "state" => &["staged", "activated", "earlier", "failed", "cleared"],
                "why" => &["update", "rollback", "fallback-expected"],
                "stage" => &["check", "prepare", "install", "flip", "confirm"],
                "outcome" => {
                    &["staged", "activated", "reverted", "confirmed", "failed", "cancelled", "nothing"]
                }
                "command" => &["check-update", "update-image"],
                "phase" => &["metadata", "survey", "rehearsal", "write", "sync", "read-back"],
                "source" => &["network", "running_set", "in_place"],
                "role" => &["root", "timestamp", "snapshot", "targets", "delegated"],
                "result" | "code" => {
                    assert!(value == "ok" || codes.contains(&format!("`{value}`")), "{sample:?}");
                    continue;
                }
                other => panic!("{other} is a label without a list"),
            };
            assert!(known.contains(&value.as_str()), "{sample:?}");
        }
    }
}

#[test]
fn every_metric_has_its_row_in_the_documentation() {
    let page = docs("metrics.md");
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `update_stack_")).collect();
    let wanted: Vec<String> = FAMILIES
        .iter()
        .map(|family| {
            let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
            let labels = if labels.is_empty() { "–".to_owned() } else { labels.join(", ") };
            let kind = if family.kind == Kind::Counter { "counter" } else { "gauge" };
            format!(
                "| `{PREFIX}{}` | {kind} | {labels} | {} |",
                family.name,
                family.help.trim_end_matches('.')
            )
        })
        .collect();
    assert_eq!(rows, wanted, "the table of docs/metrics.md should be:\n{}", wanted.join("\n"));
}
