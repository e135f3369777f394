//! Rollouts that are played before they are, and the policies that come with this crate.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use chrono::{DateTime, TimeDelta, Utc};
use publish::simulate::{Failures, Outcome, Scenario, simulate, svg};
use update_metadata::author::{Selector, set_paced_waves};
use update_metadata::{Density, Manifest, Pace, WavePolicy, validate};

use crate::fixture::{ARCH, Fixture, VARIANT};

const POLICIES: [&str; 5] = ["default", "guarded", "accelerated", "slow-roll", "emergency"];

fn path_of(policy: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("waves/{policy}.toml"))
}

fn policy(name: &str) -> WavePolicy {
    WavePolicy::parse(&std::fs::read_to_string(path_of(name)).expect("there")).expect("a policy")
}

fn start() -> DateTime<Utc> {
    "2026-02-02T09:00:00Z".parse().expect("a date")
}

fn day() -> Pace {
    Pace { tail: Some(TimeDelta::days(1)), ..Pace::default() }
}

/// A policy played over a fleet that checks every hour.
fn played(name: &str, pace: Pace, hosts: u64) -> Outcome {
    let plan = policy(name).schedule(start()).expect("within the calendar");
    let intended = Pace { density: Density::Sparse, ..pace };
    simulate(&Scenario {
        name: format!("the policy {name}"),
        waves: pace.apply(&plan).expect("within the calendar"),
        intended: intended.apply(&plan).expect("within the calendar"),
        start: start(),
        hosts,
        poll: TimeDelta::hours(1),
        failures: Some(Failures { rate: 0.005, detect_after: TimeDelta::hours(3) }),
        image_bytes: Some(300_000_000),
        frame_bytes: None,
        pack_bytes: None,
        rng_seed: 1,
    })
    .expect("sound numbers")
}

#[test]
fn all_policies_apply() {
    for name in POLICIES {
        let policy = policy(name);
        assert_eq!(policy.advice(), [""; 0], "{name}");
        for pace in [Pace::PLAIN, Pace::default(), day()] {
            let manifest = Manifest::parse(
                br#"{"updates": [{"variant": "metal", "arch": "x86_64", "version": "1.0.0", "max_version": "1.0.0",
                     "waves": {}, "images": {"boot": "b", "root": "r", "hash": "h"}}], "migrations": {}}"#,
            )
            .expect("a manifest");
            let selector = Selector::of(&manifest.updates[0]);
            let manifest = set_paced_waves(manifest, &selector, &policy, pace, start()).expect("it applies");
            assert_eq!(validate::problems(manifest.to_json().as_bytes()), [], "{name}");
            let json = manifest.to_json();
            assert_eq!(Manifest::parse(json.as_bytes()).expect("read again"), manifest);
        }
    }
}

#[test]
fn the_policies_differ_in_how_long_they_take() {
    let hours = POLICIES.map(|name| {
        let schedule = policy(name).schedule(start()).expect("within the calendar");
        (*schedule.values().last().expect("a wave") - start()).num_hours()
    });
    assert_eq!(hours, [120, 120, 22, 336, 1]);
}

#[test]
fn a_million_hosts_follow_the_plan_by_either_rule_when_waves_are_dense_and_have_a_tail() {
    let outcome = played("default", day(), 1_000_000);
    for rule in &outcome.rules {
        assert!(rule.furthest.points <= 0.5, "{rule:?}");
        assert!(rule.busiest.hosts_per_minute <= 500.0, "{rule:?}");
    }
    let plain = played("default", Pace::PLAIN, 1_000_000);
    let [ours, older] = &plain.rules[..] else { panic!("two rules") };
    assert!(ours.furthest.points <= 0.5, "{ours:?}");
    assert!(older.furthest.points > 20.0 && older.busiest.hosts_per_minute > 5_000.0, "{older:?}");
}

/// Compares with a golden file; `GOLDEN=write` writes it instead.
pub(crate) fn is_golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden").join(name);
    if std::env::var_os("GOLDEN").is_some_and(|what| what == "write") {
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        std::fs::write(&path, text).expect("written");
    }
    let golden = std::fs::read_to_string(&path).expect("run once with GOLDEN=write");
    assert!(text == golden, "{name} differs; look at it, then run with GOLDEN=write\n{text}");
}

#[test]
fn a_rollout_is_told_as_a_table_and_drawn_as_a_picture() {
    let outcome = played("default", day(), 50_000);
    is_golden("rollout.txt", &outcome.to_string());
    is_golden("rollout.svg", &svg(&outcome));
    // The same policy as it would be without steps and tail, which is what the picture is there to show.
    is_golden("rollout-plain.svg", &svg(&played("default", Pace::PLAIN, 50_000)));
}

#[test]
fn the_picture_marks_where_waves_end_and_where_it_would_be_paused() {
    let outcome = played("default", day(), 50_000);
    let ends: Vec<_> = outcome.borders.iter().map(|border| (border.minute, border.share.round())).collect();
    assert_eq!(ends, [(360, 2.0), (1440, 6.0), (2880, 18.0), (4320, 40.0), (5760, 66.0), (7200, 90.0)]);
    let picture = svg(&outcome);
    assert_eq!(picture.matches(r#"stroke-dasharray="1 3""#).count(), ends.len(), "a line for each");
    for marked in ["wave to 18 %", "wave to 66 %", "wave to 90 %", "paused after "] {
        assert!(picture.contains(marked), "{marked}: {picture}");
    }
}

#[test]
fn a_picture_is_well_formed_whatever_the_release_is_called() {
    let mut outcome = played("emergency", day(), 100);
    outcome.name = "<b> & \"quotes\"\u{7}".to_owned();
    let picture = svg(&outcome);
    assert!(picture.contains("&lt;b&gt; &amp; &quot;quotes&quot; "), "{picture}");
    let (opened, closed) = (picture.matches('<').count(), picture.matches('>').count());
    assert_eq!(opened, closed);
    assert!(!picture.contains("NaN") && !picture.contains("inf"), "{picture}");
    outcome.points.truncate(1);
    assert!(!svg(&outcome).contains("NaN"));
}

fn pubrepo(fixture: &Fixture, words: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pubrepo"));
    command.current_dir(fixture.path("")).args(words.split_whitespace()).output().expect("it runs")
}

fn json(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("one object")
}

#[test]
fn a_policy_is_played_from_the_command_line_and_always_the_same_way() {
    let fixture = Fixture::empty();
    let words =
        "simulate --hosts 20000 --poll 30m --tail 24h --fail-rate 0.01 --detect-after 2h --svg picture.svg";
    let first = pubrepo(&fixture, words);
    assert!(first.status.success() && first.stderr.is_empty(), "{first:?}");
    let said = String::from_utf8(first.stdout).expect("text");
    assert!(
        said.starts_with("a release with the waves \"default\": 20,000 hosts, a check every 30 min"),
        "{said}"
    );
    let picture = std::fs::read_to_string(fixture.path("picture.svg")).expect("drawn");
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));

    let again = json(&pubrepo(&fixture, &format!("{words} --json")));
    assert_eq!(again, json(&pubrepo(&fixture, &format!("--json {words}"))));
    let other = json(&pubrepo(&fixture, &format!("{words} --json --rng-seed 2")));
    assert_ne!(again["points"], other["points"]);
    for name in POLICIES {
        let path = path_of(name);
        let played =
            json(&pubrepo(&fixture, &format!("simulate --hosts 100 --json --waves {}", path.display())));
        assert_eq!(played["name"], format!("a release with the waves \"{name}\""));
    }
}

#[test]
fn what_cannot_be_played_is_refused_in_a_sentence() {
    let fixture = Fixture::empty();
    fixture.write("far.toml", b"waves = [{start_after = '200 weeks', fleet_percentage = 100}]");
    for (words, what) in [
        ("simulate --hosts 0", "over 0 hosts"),
        ("simulate --poll 0s", "once a second is the most"),
        ("simulate --fail-rate 2 --detect-after 1h", "between 0 and 1"),
        ("simulate --waves far.toml", "1400 days"),
        ("simulate --waves nowhere.toml", "nowhere.toml"),
    ] {
        let output = pubrepo(&fixture, words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{words}: {said}");
        assert!(said.starts_with("pubrepo: failed to ") && said.contains(what), "{words}: {said}");
    }
    for words in [
        "simulate --fail-rate 0.1",
        "simulate --poll soon",
        "simulate --repo x",
        "simulate --no-dense --dense-step 4",
    ] {
        assert_eq!(pubrepo(&fixture, words).status.code(), Some(2), "{words}");
    }
}

#[tokio::test]
async fn a_published_release_is_played_with_its_own_waves_and_sizes() {
    let fixture = Fixture::new().await;
    let mut release = fixture.release("1.0.0", 1);
    release.waves = Some(path_of("accelerated"));
    let report = fixture.add(&release).await.expect("published");
    let words = format!("simulate --json --hosts 1000 --repo repo --variant {VARIANT} --arch {ARCH}");
    let played = json(&pubrepo(&fixture, &words));
    assert_eq!(played["name"], format!("{VARIANT} {ARCH} 1.0.0"));
    assert_eq!(played["dates"], report.waves);
    let images = report.targets.iter().filter(|target| target.name.ends_with(".lz4"));
    let bytes: BTreeMap<_, _> = images.map(|target| (target.name.clone(), target.length)).collect();
    assert_eq!(bytes.len(), 3);
    assert_eq!(played["image_bytes"], bytes.values().sum::<u64>());
    let unknown = pubrepo(&fixture, &format!("{words} --version 9.9.9"));
    assert_eq!(unknown.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("find metal x86_64 9.9.9 in the manifest"));
}
