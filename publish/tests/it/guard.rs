//! A rollout that stops by itself.

use std::path::PathBuf;

use chrono::TimeDelta;
use host_io::{Clock as _, SystemClock};
use publish::guard::{Counts, Guard, Journal, Limits, Power, Prometheus, Questions, Subject};
use publish::rollout::{Action, rollout};
use publish::{Desk, Lifetimes, hold};
use semver::Version;
use trusted_repo::Pacing;

use crate::check::options;
use crate::fixture::{ARCH, Fixture, VARIANT, done, pubrepo, today};
use crate::hold::guarded;
use crate::prometheus::{FakePrometheus, RealPrometheus, Series, has};
use crate::rollout::desk;

fn subject(version: &str) -> Subject {
    Subject {
        variant: VARIANT.to_owned(),
        arch: ARCH.to_owned(),
        version: version.parse().expect("a version"),
        matching: String::new(),
        grace: TimeDelta::minutes(30),
        lookback: TimeDelta::hours(6),
    }
}

fn guard(fixture: &Fixture, desk: Desk, prometheus: &FakePrometheus) -> Guard {
    let Subject { matching, grace, lookback, .. } = subject("0.0.0");
    Guard {
        desk,
        lifetimes: Lifetimes::default(),
        prometheus: Prometheus::at(prometheus.address(), Pacing::default()).expect("an address"),
        matching,
        limits: Limits::default(),
        alerts: vec![],
        grace,
        lookback,
        journal: Journal::at(fixture.path("guard.jsonl")),
        dry_run: false,
    }
}

/// Many have it, and all is well.
const WELL: Counts = Counts {
    failed: 1,
    wordless: 1,
    lost: 2,
    running: 900,
    proven: 890,
    no_room: 30,
    others: 4_000,
    others_lost: 10,
    heard: 4_900,
};
/// Too many of those that have tried fail.
const BAD: Counts = Counts { failed: 20, ..WELL };

async fn offered(fixture: &Fixture) -> Vec<Version> {
    let manifest = fixture.open().await.manifest().await.expect("a manifest");
    let mut versions: Vec<Version> = manifest.updates.into_iter().map(|update| update.version).collect();
    versions.sort();
    versions
}

fn v(version: &str) -> Version {
    version.parse().expect("a version")
}

#[tokio::test]
async fn a_release_that_does_well_goes_on_and_one_that_fails_is_paused_and_never_resumed() {
    let (fixture, _) = guarded().await;
    let prometheus = FakePrometheus::start();
    let guard = guard(&fixture, desk(&fixture), &prometheus);
    assert_eq!(guard.power().await.expect("opened"), Power::Pause { role: "targets".to_owned() });
    prometheus.knows(&subject("1.1.0"), WELL);
    let report = guard.look(None, today()).await.expect("answered");
    assert!(report.goes_on() && report.to_string().ends_with("it goes on"), "{report}");
    assert_eq!(offered(&fixture).await, [v("1.0.0"), v("1.1.0")]);

    prometheus.knows(&subject("1.1.0"), BAD);
    let report = guard.look(None, today()).await.expect("answered");
    assert!(report.to_string().ends_with("paused: it failed on 20 of 923 hosts that tried"), "{report}");
    assert_eq!(offered(&fixture).await, [v("1.0.0")]);

    // All is well again, and the release before is looked at: nobody lets the paused one go on.
    prometheus.knows(&subject("1.1.0"), WELL);
    prometheus.knows(&subject("1.0.0"), WELL);
    let report = guard.look(None, today()).await.expect("answered");
    assert_eq!((report.version.clone(), report.goes_on()), (Some(v("1.0.0")), true), "{report}");
    assert_eq!(offered(&fixture).await, [v("1.0.0")]);

    let entries = guard.journal.newest().expect("read");
    let told: Vec<_> = entries.iter().map(|entry| (entry.verdict.as_str(), entry.done.as_str())).collect();
    assert_eq!(told, [("goes_on", "nothing"), ("stop", "paused"), ("goes_on", "nothing")]);
    assert_eq!(entries[1].why, ["it failed on 20 of 923 hosts that tried"]);
}

#[tokio::test]
async fn a_key_that_can_only_withhold_is_enough_and_hosts_hear_why() {
    let (fixture, keeper) = guarded().await;
    let prometheus = FakePrometheus::start();
    let guard = guard(&fixture, keeper, &prometheus);
    let power = guard.power().await.expect("opened");
    assert_eq!(power, Power::Hold { role: "guard".to_owned() });
    assert!(power.to_string().contains("for them a guard needs the targets key"));
    prometheus.knows(&subject("1.1.0"), BAD);
    let report = guard.look(None, today()).await.expect("answered");
    assert!(report.to_string().contains("\nwithheld: it failed on 20 of 923"), "{report}");
    let held = hold::held(&options(&fixture).place).await.expect("opened").to_string();
    assert!(held.contains("1.1.0 by guard since") && held.contains("it failed on 20 of 923 hosts"), "{held}");
    // What is withheld is on offer no more: the release before is the one to look at.
    prometheus.knows(&subject("1.0.0"), WELL);
    let report = guard.look(None, today()).await.expect("answered");
    assert_eq!(report.version, Some(v("1.0.0")));
}

#[tokio::test]
async fn a_dry_run_tells_and_stops_nothing() {
    let (fixture, _) = guarded().await;
    let prometheus = FakePrometheus::start();
    let guard = Guard { dry_run: true, ..guard(&fixture, desk(&fixture), &prometheus) };
    prometheus.knows(&subject("1.1.0"), BAD);
    let before = fixture.published();
    let report = guard.look(None, today()).await.expect("answered");
    assert!(!report.goes_on());
    assert!(report.to_string().contains("would be stopped: it failed on 20 of 923 hosts"), "{report}");
    assert_eq!(fixture.published(), before);
    assert_eq!(guard.journal.newest().expect("read")[0].done, "dry_run");
}

#[tokio::test]
async fn what_was_seen_before_monitoring_lost_sight_of_it_counts_on() {
    let (fixture, _) = guarded().await;
    let prometheus = FakePrometheus::start();
    let guard = guard(&fixture, desk(&fixture), &prometheus);
    prometheus.knows(&subject("1.1.0"), WELL);
    assert!(guard.look(None, today()).await.expect("answered").goes_on());
    // A part of the fleet is out of sight, and three hosts of the rest have failed by now.
    let rest = Counts { failed: 3, running: 5, proven: 5, lost: 0, wordless: 0, ..WELL };
    prometheus.knows(&subject("1.1.0"), rest);
    let report = guard.look(None, today()).await.expect("answered");
    assert!(report.goes_on() && report.counts.running == 900, "{report}");
    let fresh = Guard { journal: Journal::at(fixture.path("other.jsonl")), dry_run: true, ..guard };
    assert!(
        !fresh.look(None, today()).await.expect("answered").goes_on(),
        "without its memory it would stop"
    );
}

#[tokio::test]
async fn an_alert_stops_a_release_and_only_while_it_fires() {
    let (fixture, _) = guarded().await;
    let prometheus = FakePrometheus::start();
    let alerts = vec!["Checkout \"EU\" fails".to_owned()];
    let guard = Guard { alerts: alerts.clone(), ..guard(&fixture, desk(&fixture), &prometheus) };
    prometheus.knows(&subject("1.1.0"), WELL);
    let question = Questions::firing(&alerts[0]);
    assert!(question.contains(r#"alertname="Checkout \"EU\" fails""#), "{question}");
    prometheus.answers(question.clone(), "0");
    assert!(guard.look(None, today()).await.expect("answered").goes_on());
    prometheus.answers(question, "2");
    let report = guard.look(None, today()).await.expect("answered");
    assert!(report.to_string().ends_with("paused: the alert Checkout \"EU\" fails fires"), "{report}");
}

#[tokio::test]
async fn nothing_is_stopped_by_an_answer_that_does_not_come() {
    let (fixture, _) = guarded().await;
    let prometheus = FakePrometheus::start();
    let guard = guard(&fixture, desk(&fixture), &prometheus);
    let failure = guard.look(None, today()).await.expect_err("it answers 400");
    let told = host_io::report::chain(&failure);
    assert!(told.starts_with("ask Prometheus at http://127.0.0.1:") && told.contains("status 400"), "{told}");
    prometheus.knows(&subject("1.1.0"), BAD);
    prometheus.answers(Questions::about(&subject("1.1.0")).lost, "many");
    let failure = guard.look(None, today()).await.expect_err("it answers with a word");
    assert!(failure.to_string().ends_with("\"many\" is no number of hosts"), "{failure}");
    assert_eq!(offered(&fixture).await, [v("1.0.0"), v("1.1.0")]);
    assert_eq!(guard.journal.newest().expect("read"), []);
}

#[tokio::test]
async fn a_stop_that_fails_is_written_down_and_told() {
    let (fixture, _) = guarded().await;
    let prometheus = FakePrometheus::start();
    let guard = guard(&fixture, desk(&fixture), &prometheus);
    prometheus.knows(&subject("1.1.0"), BAD);
    std::fs::remove_file(fixture.path("keys/targets.pem")).expect("there");
    assert!(guard.power().await.is_err(), "it is told at the start");
    guard.look(None, today()).await.expect_err("there is no key");
    let entry = guard.journal.newest().expect("read").pop().expect("one");
    assert_eq!((entry.verdict.as_str(), entry.done.as_str()), ("stop", "failed"));
    assert!(entry.why[1].starts_with("failed to ") && entry.why[1].contains("targets.pem"), "{entry:?}");
}

#[tokio::test]
async fn nothing_on_offer_is_nothing_to_stop() {
    let (fixture, _) = guarded().await;
    let desk = desk(&fixture);
    for version in [v("1.1.0"), v("1.0.0")] {
        let agreed = |_: &[String]| Ok(true);
        rollout(&desk, Action::Pause, &version, Lifetimes::default(), today(), agreed).await.expect("paused");
    }
    let guard = guard(&fixture, desk, &FakePrometheus::start());
    let report = guard.look(None, today()).await.expect("nobody is asked");
    assert_eq!((report.to_string().as_str(), report.goes_on()), ("nothing is on offer", true));
}

#[tokio::test]
async fn the_program_tells_its_power_looks_once_and_stops() {
    let fixture = Fixture::empty();
    fixture.init_now().await;
    let mut release = fixture.release("1.1.0", 2);
    release.keys = fixture.path("keys").into();
    publish::add(&release, SystemClock.now()).await.expect("published");
    let prometheus = FakePrometheus::start();
    let matching = r#"cluster="eu""#;
    let subject = Subject { matching: matching.to_owned(), ..subject("1.1.0") };
    prometheus.knows(&subject, WELL);
    let guard = |more: &[&str]| {
        let given = ["guard", "--repo", "repo", "--keys", "keys", "--variant", VARIANT, "--arch", ARCH];
        let asked = ["--prometheus", prometheus.address(), "--matching", matching];
        pubrepo(&fixture, &[&given[..], &asked, more].concat())
    };
    let output = guard(&[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("pubrepo: a bad release is paused, signed by targets: for all hosts"), "{said}");
    assert!(done(output).starts_with("1.1.0: 904 hosts have tried it; 900 run it, 890 proven"));
    prometheus.knows(&subject, BAD);
    let output = guard(&["--dry-run", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!(
        (&told["done"], &told["judgement"]["stop"][0]["failing"]["failed"]),
        (&"dry_run".into(), &20.into())
    );
    assert!(guard(&["--limit", "3%"]).status.success(), "that many are all right then");
    let output = guard(&[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("paused: it failed on 20 of 923"), "{output:?}");
    let journal: PathBuf = fixture.path(&format!("keys/guard-{VARIANT}-{ARCH}.jsonl"));
    assert_eq!(std::fs::read_to_string(journal).expect("kept").lines().count(), 4);
    let output = pubrepo(&fixture, &["guard", "--limit", "80%"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

/// One host of a fleet as `promtool` has it: which release it runs, and what its other set holds.
fn host(series: &mut Series, name: &str, runs: &[(&str, &str)], other: &[(&str, &str, &str)], values: &str) {
    for (version, values) in runs {
        let labels = format!(r#"variant="{VARIANT}",arch="{ARCH}",version="{version}",set="A""#);
        series.say(name, "release_info", &labels, values);
    }
    for (version, state, values) in other {
        series.say(
            name,
            "other_set_info",
            &format!(r#"set="B",version="{version}",state="{state}""#),
            values,
        );
    }
    series.say(name, "boot_proven", "", values);
}

#[test]
fn prometheus_counts_each_host_once_and_as_what_it_is() {
    if !has("promtool") {
        return;
    }
    let mut series = Series::of(subject("1.1.0"));
    let s = &mut series;
    let failed = |s: &mut Series, name: &str, stage: &str, values: &str| {
        s.say(name, "release_failed_boots", &format!(r#"version="1.1.0",stage="{stage}""#), values);
    };
    // Two hours and a half, a scrape each minute.
    let all = "1x150";
    host(s, "waits", &[("1.0.0", all)], &[("unknown", "cleared", all)], all);
    host(s, "runs", &[("1.1.0", all)], &[("1.0.0", "earlier", all)], all);
    host(s, "runs-unproven", &[("1.1.0", all)], &[("1.0.0", "earlier", all)], "0x150");
    host(s, "set-up-with-it", &[("1.1.0", all)], &[("unknown", "cleared", all)], all);
    host(s, "failed", &[("1.0.0", all)], &[("1.1.0", "failed", all)], all);
    failed(s, "failed", "health", all);
    // Whatever it makes up, it is one host, and one that failed.
    host(s, "liar", &[("1.0.0", all), ("1.1.0", all)], &[("1.0.0", "earlier", all)], all);
    for stage in ["kernel", "migrate", "api", "health", "other"] {
        failed(s, "liar", stage, "9x150");
    }
    host(s, "hangs", &[("1.0.0", all)], &[("1.1.0", "failed", all)], all);
    failed(s, "hangs", "boot", "2x150");
    host(s, "power-cut", &[("1.0.0", all)], &[("1.1.0", "failed", all)], all);
    failed(s, "power-cut", "boot", all);
    host(s, "power-cut-and-well", &[("1.1.0", all)], &[("1.0.0", "earlier", all)], all);
    failed(s, "power-cut-and-well", "boot", all);
    host(s, "no-room", &[("1.0.0", all)], &[("1.1.0", "failed", all)], all);
    failed(s, "no-room", "no-room", all);
    host(s, "went-back", &[("1.0.0", all)], &[("1.1.0", "earlier", all)], all);
    failed(s, "went-back", "left", all);
    // Heard of until minute 100; 50 minutes are more than the grace.
    let gone = "1x100 _x50";
    host(s, "lost", &[("1.0.0", gone)], &[("1.1.0", "activated", gone)], gone);
    host(s, "lost-with-it", &[("1.1.0", gone)], &[("1.0.0", "earlier", gone)], gone);
    host(s, "switched-off", &[("1.0.0", gone)], &[("unknown", "cleared", gone)], gone);
    // 10 minutes are less: it boots.
    let boots = "1x140 _x10";
    host(s, "boots", &[("1.0.0", boots)], &[("1.1.0", "activated", boots)], boots);
    host(s, "dead-for-long", &[("1.0.0", "_x150")], &[], "_x150");
    // Hosts of another kind say nothing about this release, though theirs has the same number.
    s.say("cloud", "release_info", r#"variant="cloud",arch="x86_64",version="1.0.0",set="A""#, all);
    s.say("cloud", "other_set_info", r#"set="B",version="1.1.0",state="failed""#, all);
    failed(s, "cloud", "health", all);
    let counts = Counts {
        failed: 3,
        wordless: 1,
        lost: 2,
        running: 3,
        proven: 2,
        no_room: 1,
        others: 2,
        others_lost: 1,
        heard: 11,
    };
    series.judged(150, counts).unwrap_or_else(|why| panic!("{why}"));
    series.judged(150, Counts { failed: 4, ..counts }).expect_err("promtool can say no");
}

#[test]
fn matchers_of_the_operator_s_choice_narrow_every_question() {
    let narrow = Subject { matching: r#"cluster="eu""#.to_owned(), ..subject("1.1.0") };
    let Questions { heard, failed, wordless, no_room, running, proven, lost, others, others_lost } =
        Questions::about(&narrow);
    for question in [heard, failed, wordless, no_room, running, proven, lost, others, others_lost] {
        let series = question.matches("update_stack_").count();
        assert!(series > 0);
        assert_eq!(question.matches(r#"cluster="eu""#).count(), series, "{question}");
    }
    if !has("promtool") {
        return;
    }
    let mut series = Series::of(narrow);
    let kind = format!(r#"variant="{VARIANT}",arch="{ARCH}",version="1.0.0",set="A""#);
    series.say("here", "release_info", &format!(r#"{kind},cluster="eu""#), "1x60");
    series.say("there", "release_info", &format!(r#"{kind},cluster="us""#), "1x60");
    let counts = Counts { heard: 1, others: 1, ..Counts::default() };
    series.judged(60, counts).unwrap_or_else(|why| panic!("{why}"));
}

/// What a host's file says that runs one release, and whose other set holds another one in some state.
fn says(runs: &str, other: &str, state: &str) -> Vec<String> {
    vec![
        format!(r#"release_info{{variant="{VARIANT}",arch="{ARCH}",version="{runs}",set="A"}} 1"#),
        format!(r#"other_set_info{{set="B",version="{other}",state="{state}"}} 1"#),
        "boot_proven 1".to_owned(),
    ]
}

#[tokio::test]
async fn thirty_hosts_and_a_real_prometheus_stop_a_bad_release_after_a_few() {
    if !has("prometheus") {
        return;
    }
    let (fixture, keeper) = guarded().await;
    let hosts: Vec<String> = (0..30).map(|number| format!("host-{number}")).collect();
    let prometheus = RealPrometheus::start(&hosts);
    for host in &hosts {
        prometheus.says(host, &says("1.0.0", "unknown", "cleared"));
    }
    let quick = Pacing { attempts: 60, ..Pacing::default() };
    let guard = Guard {
        prometheus: Prometheus::at(prometheus.address(), quick).expect("an address"),
        ..guard(&fixture, keeper, &FakePrometheus::start())
    };
    // Looks as often as need be until Prometheus has seen what is awaited; the outcome is that of the last look.
    let until = async |awaited: fn(&Counts) -> bool| {
        for _ in 0..600 {
            let report = guard.look(None, today()).await.expect("it answers");
            if awaited(&report.counts) || !report.goes_on() {
                return report;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("Prometheus never saw it");
    };
    let report = until(|counts| counts.heard == 30).await;
    assert!(report.goes_on() && report.counts.tried() == 0, "{report}");
    // The first wave: two do well, and the others fall back one after another.
    for host in &hosts[..2] {
        prometheus.says(host, &says("1.1.0", "1.0.0", "earlier"));
    }
    let report = until(|counts| counts.proven == 2).await;
    assert!(report.goes_on(), "{report}");
    for host in &hosts[2..6] {
        let mut failed = says("1.0.0", "1.1.0", "failed");
        failed.push(r#"release_failed_boots{version="1.1.0",stage="health"} 1"#.to_owned());
        prometheus.says(host, &failed);
    }
    let report = until(|counts| counts.failed == 4).await;
    assert!(report.to_string().contains("\nwithheld: it failed on "), "{report}");
    assert!(report.counts.tried() <= 6 && report.counts.failed >= 2, "{report}");
    let held = hold::held(&options(&fixture).place).await.expect("opened").to_string();
    assert!(held.contains("1.1.0 by guard since"), "{held}");
}
