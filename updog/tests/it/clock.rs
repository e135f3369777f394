//! A clock that is wrong, and a repository that stands still.
//!
//! The clock of a test cannot be moved. What counts is how it stands to what the host remembers, and that can.

use std::fs;
use std::path::PathBuf;

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use host_io::{Clock as _, SystemClock};
use serde_json::Value;
use testdata::{Host, Release};

use crate::support::{offered, offered_by, refused};

fn index(host: &Host) -> PathBuf {
    let memories = fs::read_dir(host.paths().trust()).unwrap().map(|entry| entry.unwrap().path());
    memories.into_iter().find(|path| path.is_dir()).unwrap().join("current/memory.json")
}

/// Makes the host remember `at` as the value of `field`.
fn remember(host: &Host, field: &str, at: DateTime<Utc>) {
    let path = index(host);
    let mut memory: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert!(memory[field].is_string(), "{memory}");
    memory[field] = at.to_rfc3339_opts(SecondsFormat::Secs, true).into();
    fs::write(path, serde_json::to_vec_pretty(&memory).unwrap()).unwrap();
}

fn remembered(host: &Host, field: &str) -> DateTime<Utc> {
    let memory: Value = serde_json::from_slice(&fs::read(index(host)).unwrap()).unwrap();
    memory[field].as_str().unwrap().parse().unwrap()
}

#[test]
fn clock_that_was_stepped_back_warns_and_the_update_goes_on() {
    let (_world, mut host) = offered();
    let _ = host.run("updog", &["check-update"]).expect_ok();
    let floor = SystemClock.now() + Duration::days(2);
    remember(&host, "floor", floor);
    let ran = host.run("updog", &["update"]).expect_ok();
    assert!(ran.stderr.contains("which is wrong: it was"), "{ran}");
    assert!(ran.stderr.contains("waves wait until it is right"), "{ran}");
    assert!((remembered(&host, "floor") - floor).abs() < Duration::seconds(2), "the floor never falls");
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
}

#[test]
fn clock_at_1970_does_not_bring_metadata_back_that_expired_since() {
    let (_world, mut host) = offered();
    let _ = host.run("updog", &["check-update"]).expect_ok();
    // As far behind as a clock that was never set; everything on offer has expired by the floor.
    remember(&host, "floor", SystemClock.now() + Duration::days(365 * 56));
    let said = refused(&mut host);
    assert_eq!(said.code, "expired");
    assert!(said.message.contains("which is wrong: it was"), "{}", said.message);
    assert!(said.help.contains("check this host's clock"), "{}", said.help);
}

#[test]
fn clock_that_was_hours_ahead_for_one_check_locks_nobody_out() {
    let (_world, host) = offered();
    let _ = host.run("updog", &["check-update"]).expect_ok();
    // What a check at that time leaves behind: a floor, which is never beyond the timestamp's expiry.
    remember(&host, "floor", SystemClock.now() + Duration::hours(5));
    let ran = host.run("updog", &["check-update"]).expect_ok();
    assert_eq!(ran.stdout.trim(), "metal-dev 1.1.0");
}

#[test]
fn clock_behind_the_floor_holds_waves() {
    let start = SystemClock.now() + Duration::days(1);
    let policy = "[[waves]]\nstart_after = '0 hours'\nfleet_percentage = 100\n";
    let (_world, host) = offered_by(Release::new("1.1.0").waves(policy, start));
    let _ = host.run("updog", &["check-update"]);
    // By the floor the wave has opened; but the floor is no clock.
    remember(&host, "floor", SystemClock.now() + Duration::days(2));
    let ran = host.run("updog", &["check-update"]).expect_code(1);
    assert!(ran.stderr.contains("No update available"), "{ran}");
}

#[test]
fn repository_that_has_not_moved_for_weeks_is_told() {
    let (world, host) = offered();
    let quiet = host.run("updog", &["check-update"]).expect_ok();
    assert!(!quiet.stderr.contains("has not moved"), "{quiet}");
    remember(&host, "timestamp_since", SystemClock.now() - Duration::days(20));
    let told = host.run("updog", &["check-update"]).expect_ok();
    assert!(told.stderr.contains("has not moved for 20 days"), "{told}");
    let shown = host.run("updog", &["trust", "show", "--json"]).expect_ok().json();
    assert!(shown["remembered"][0]["timestamp_since"].is_string(), "{shown}");
    world.publish(Release::new("1.2.0"));
    let quiet = host.run("updog", &["check-update"]).expect_ok();
    assert!(!quiet.stderr.contains("has not moved"), "{quiet}");
}
