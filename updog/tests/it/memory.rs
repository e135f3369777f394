//! What a host remembers: releases that did not stay, boots that were confirmed or not, runs that ended or were cut, and
//! the way back.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use host_io::{Clock as _, SystemClock};
use serde_json::Value;
use testdata::{BootBits, BootFault, Fault, Host, Release, Set, Stage, World};

use crate::support::{Snapshot, done, failure, offered, offered_again, offered_by, served};

fn status(host: &Host) -> Value {
    host.run("updog", &["status", "--json"]).expect_ok().json()
}

/// What `updog` says when it is asked at `at` for an update, as a word: a version, or the code of its refusal.
fn asked_at(host: &Host, at: DateTime<Utc>) -> String {
    let ran = host.run("updog", &["check-update", "--json", "--at", &at.to_rfc3339()]);
    let said = ran.json();
    said["version"].as_str().or(said["error"]["code"].as_str()).unwrap_or_else(|| panic!("{ran}")).to_owned()
}

fn records(host: &Host) -> Vec<(String, String)> {
    let records = host.run("updog", &["history", "--json"]).expect_ok().json();
    let text = |record: &Value, field: &str| record[field].as_str().unwrap_or_default().to_owned();
    let records = records.as_array().unwrap().iter();
    records.map(|record| (text(record, "command"), text(record, "outcome"))).collect()
}

/// Puts a health check into this boot of a host.
fn health_check(host: &Host, script: &str) {
    let path = host.paths().health_checks()[1].join("50-test");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_release_that_panics_is_held_at_once_until_a_person_says_otherwise() {
    let (_world, mut host) = offered_by(Release::new("1.1.0").boot_fault(BootFault::Panic));
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_eq!(host.reboot().booted().unwrap().version.as_deref(), Some("1.0.0"));
    let failed = status(&host)["failed"].clone();
    assert_eq!(
        (&failed["version"], &failed["stage"], &failed["held"]),
        (&"1.1.0".into(), &"kernel".into(), &true.into())
    );
    assert_eq!((&failed["attempts"], &failed["retry_after"]), (&1.into(), &Value::Null));
    assert!(failed["reason"].as_str().unwrap().contains("the kernel panicked"), "{failed}");
    let later = SystemClock.now() + TimeDelta::days(3);
    assert_eq!(asked_at(&host, later), "held");

    // Neither the timer nor a version by its name installs it again, and the host says why.
    let before = Snapshot::of(&host);
    for asked in [&["update", "--json"][..], &["update-image", "--image", "1.1.0", "--json"]] {
        let done = done(&host.run("updog", asked));
        assert_eq!(done["update"], Value::Null);
        assert!(done["why"].as_str().unwrap().contains("clear-failed"), "{done}");
    }
    before.assert_disk_unchanged(&host);
    let explained = host.run("updog", &["explain", "--json"]).expect_ok().json();
    assert_eq!(explained["updates"][0]["verdict"], "held");

    let cleared = done(&host.run("updog", &["clear-failed", "--json"]));
    assert_eq!(cleared["cleared"][0]["version"], "1.1.0");
    assert_eq!(asked_at(&host, later), "1.1.0");
    assert_eq!(status(&host)["failed"], Value::Null);
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_eq!(host.reboot().booted().unwrap().version.as_deref(), Some("1.0.0"));
    assert_eq!(asked_at(&host, later), "held", "it fails again, and is held again");
}

#[test]
fn a_release_that_fails_in_other_ways_is_held_with_the_reason_and_a_newer_one_is_not() {
    let (world, mut host) = offered_by(Release::new("1.1.0").boot_fault(BootFault::PanicAfterMigrations));
    let _ = host.run("updog", &["update"]).expect_ok();
    host.reboot();
    assert_eq!(status(&host)["failed"]["stage"], "system");
    world.publish(Release::new("1.2.0"));
    assert_eq!(asked_at(&host, SystemClock.now()), "1.2.0");
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_eq!(host.reboot().version_at_once(), Some("1.2.0"));
}

#[test]
fn a_power_cut_in_a_first_boot_is_forgiven_after_an_hour_six_and_a_day_and_then_no_more() {
    let (_world, mut host) = offered();
    let mut now = SystemClock.now();
    let at = |now: DateTime<Utc>| now.to_rfc3339();
    for wait in [Some(1), Some(6), Some(24), None] {
        let _ = host.run("updog", &["update", "--at", &at(now)]).expect_ok();
        assert_eq!(host.lose_power_in_boot(), Some(Set::B));
        assert_eq!(host.boot_unproven().version_at_once(), Some("1.0.0"));
        assert_eq!(asked_at(&host, now), "held");
        match wait {
            Some(hours) => {
                let early = now + TimeDelta::hours(hours) - TimeDelta::seconds(1);
                assert_eq!(asked_at(&host, early), "held");
                now += TimeDelta::hours(hours);
                assert_eq!(asked_at(&host, now), "1.1.0");
            }
            None => assert_eq!(asked_at(&host, now + TimeDelta::days(3)), "held"),
        }
    }
    let failed = status(&host)["failed"].clone();
    assert_eq!((&failed["attempts"], &failed["held"]), (&4.into(), &true.into()));
}

#[test]
fn no_release_is_installed_that_would_fall_back_over_a_check_that_cannot_run() {
    let (_world, mut host) = offered();
    health_check(&host, "exit 0");
    let path = host.paths().health_checks()[1].join("50-test");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(path.with_file_name("50-test.bak"), "").unwrap();
    let told = host.run("updog", &["status"]).expect_ok().stdout;
    assert!(
        told.contains("the health check 50-test cannot run: ") && told.contains("50-test.bak, no health"),
        "{told}"
    );
    let before = Snapshot::of(&host);
    for command in ["update", "update-image", "plan"] {
        let said = failure(&host.run("updog", &[command, "--json"]));
        assert_eq!(said.code, "unhealthy");
        assert!(said.message.contains("50-test has no execute permission (chmod +x "), "{}", said.message);
    }
    before.assert_disk_unchanged(&host);
    let said = failure(&host.run("updog", &["confirm-boot", "--json"]));
    assert!(said.message.contains("50-test cannot run"), "{}", said.message);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let _ = host.run("updog", &["confirm-boot"]).expect_ok();
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
}

#[test]
fn a_boot_whose_health_check_fails_is_not_marked_good_and_its_release_is_held() {
    let (_world, mut host) = offered();
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_eq!(host.reboot_unproven().version_at_once(), Some("1.1.0"));
    health_check(&host, "echo 'no route to the database' >&2; exit 1");
    let said = failure(&host.run("updog", &["confirm-boot", "--json"]));
    assert_eq!(said.code, "unhealthy");
    assert!(
        said.message.contains("50-test") && said.message.contains("no route to the database"),
        "{}",
        said.message
    );
    assert!(!host.bits(Set::B).successful);
    assert_eq!(records(&host)[0], ("confirm-boot".to_owned(), "failed".to_owned()));
    let records = host.run("updog", &["history", "--json"]).expect_ok().json();
    assert_eq!(records[0]["notes"][0], "the health check 50-test said:\nno route to the database");

    assert_eq!(host.reboot().version_at_once(), Some("1.0.0"));
    let failed = status(&host)["failed"].clone();
    assert_eq!((&failed["stage"], &failed["held"]), (&"health".into(), &true.into()));
    assert!(failed["reason"].as_str().unwrap().contains("no route to the database"), "{failed}");
    // A set that was proven before stays so, whatever a check says.
    health_check(&host, "exit 1");
    let said = failure(&host.run("updog", &["confirm-boot", "--json"]));
    assert!(said.help.contains("stays so"), "{}", said.help);
    assert!(host.bits(Set::A).successful && !host.reboot_requested());
    let _ = host.run("updog", &["confirm-boot", "--give-up", "too slow"]).expect_ok();
    assert!(!host.reboot_requested(), "a proven set is never given up");
}

#[test]
fn a_boot_is_confirmed_once_its_api_answers_and_again_without_harm() {
    let (_world, mut host) = offered();
    let _ = host.run("updog", &["update"]).expect_ok();
    host.reboot_unproven();
    let api = host.paths().api_socket();
    let aside = api.with_extension("aside");
    fs::rename(&api, &aside).unwrap();
    let confirming = host.spawn("updog", &["confirm-boot", "--json"]);
    let short = failure(&host.run("updog", &["confirm-boot", "--api-within", "0", "--json"]));
    assert!(short.message.contains("the API did not answer"), "{}", short.message);
    assert!(short.help.contains("confirm-boot --without-api"), "{}", short.help);
    assert!(!host.bits(Set::B).successful);
    fs::rename(&aside, &api).unwrap();
    assert_eq!(done(&confirming.wait())["set"], "B");
    assert!(host.bits(Set::B).successful);
    let disk = host.bits(Set::A);
    assert_eq!(done(&host.run("updog", &["confirm-boot", "--json"]))["checks"], serde_json::json!([]));
    assert_eq!(host.bits(Set::A), disk);
    let mut recorded = records(&host);
    recorded.retain(|(command, _)| command == "confirm-boot");
    // The one that gave up was over before the other could be: the API came back only then.
    assert_eq!(
        recorded,
        ["confirmed", "failed"].map(|outcome| ("confirm-boot".to_owned(), outcome.to_owned()))
    );
    assert_eq!(status(&host)["failed"], Value::Null);
}

#[test]
fn a_boot_that_is_given_up_reboots_into_the_other_set_which_knows_why() {
    let (_world, mut host) = offered();
    let _ = host.run("updog", &["update"]).expect_ok();
    host.reboot_unproven();
    let _ = host.run("updog", &["confirm-boot", "--give-up", "it took longer than 600 s"]).expect_ok();
    assert_eq!(host.reboot_if_requested().unwrap().version_at_once(), Some("1.0.0"));
    let failed = status(&host)["failed"].clone();
    assert_eq!(failed["reason"], "it took longer than 600 s");
    assert_eq!(failed["held"], true);
}

/// A host that was updated from 1.0.0 to 1.1.0, whose settings were changed on both, and that has no network.
fn updated() -> (World, Host) {
    let (world, mut host) = offered();
    host.set("motd", "written on 1.0.0");
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
    host.set("motd", "written on 1.1.0");
    fs::remove_file(host.paths().updog_config()).unwrap();
    world.server().clear_log();
    (world, host)
}

fn motd(host: &Host) -> String {
    let settings = host.run("apiclient", &["-u", "/settings"]).expect_ok().json();
    settings["motd"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_rollback_shows_what_changes_then_goes_back_with_todays_settings_and_holds_what_it_left() {
    let (world, mut host) = updated();
    let before = Snapshot::of(&host);
    let plan = done(&host.run("updog", &["rollback", "--dry-run", "--json"]));
    assert_eq!((&plan["from"]["version"], &plan["to"]["version"]), (&"1.1.0".into(), &"1.0.0".into()));
    assert_eq!(plan["settings"]["way"], "migrate");
    let names = plan["settings"]["migrations"].as_array().unwrap();
    assert!(names[0].as_str().unwrap().contains("rename-ntp-mode"), "backwards, the last one first: {plan}");
    before.assert_unchanged(&host);

    let ran = host.run("updog", &["rollback", "--reboot"]).expect_ok();
    assert!(ran.stdout.starts_with("Boots next: set A, metal-dev 1.0.0, instead of 1.1.0\n"), "{ran}");
    assert_eq!(host.reboot_if_requested().unwrap().version_at_once(), Some("1.0.0"));
    assert_eq!(motd(&host), "written on 1.1.0");
    assert!(world.server().requests().iter().all(|request| !request.path.contains("targets")));
    assert_eq!(asked_at(&host, SystemClock.now() + TimeDelta::days(2)), "held");
    assert_eq!(status(&host)["failed"]["stage"], "left");
    world.publish(Release::new("1.2.0"));
    assert_eq!(asked_at(&host, SystemClock.now()), "1.2.0");
}

#[test]
fn a_rollback_brings_back_the_settings_that_were_kept_where_that_is_wished() {
    let (_world, mut host) = updated();
    let asked = host.run("updog", &["rollback", "--restore-snapshot", "--dry-run"]).expect_ok();
    assert!(
        asked.stdout.contains("different from today: ") && asked.stdout.contains("settings.motd"),
        "{asked}"
    );
    let done = done(&host.run("updog", &["rollback", "--restore-snapshot", "--reboot", "--json"]));
    assert_eq!(done["settings"]["way"], "snapshot");
    assert!(done["settings"]["different"].as_array().unwrap().contains(&"settings.motd".into()), "{done}");
    assert_eq!(host.reboot_if_requested().unwrap().version_at_once(), Some("1.0.0"));
    assert_eq!(motd(&host), "written on 1.0.0");
    // What the newer release leaves stays for the way forward, and is told.
    assert_eq!(status(&host)["settings"], serde_json::json!({"version": "1.0.0", "kept": ["1.1.0"]}));
    let forward = host.run("updog", &["rollback", "--dry-run"]).expect_ok();
    assert!(forward.stdout.contains("carried forward to 1.1.0 by "), "{forward}");
}

#[test]
fn a_rollback_that_is_taken_back_leaves_nothing_behind() {
    let (_world, mut host) = updated();
    let _ = host.run("updog", &["rollback", "--restore-snapshot"]).expect_ok();
    let next = status(&host)["next_boot"].clone();
    assert_eq!(next, serde_json::json!({"set": "A", "version": "1.0.0", "why": "rollback"}));
    let _ = host.run("updog", &["update-revert"]).expect_ok();
    assert_eq!(status(&host)["failed"], Value::Null);
    assert_eq!(status(&host)["next_boot"], Value::Null);
    assert_eq!(host.bits(Set::A), BootBits { priority: 1, tries: 0, successful: true }, "the way back stays");
    assert!(!host.paths().record().join("restore-snapshot.json").exists());
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
    assert_eq!(motd(&host), "written on 1.1.0");
    assert_eq!(status(&host)["failed"], Value::Null);
}

#[test]
fn a_rollback_that_waits_is_not_destroyed_by_an_update() {
    let (_world, mut host) = offered_again();
    let _ = host.run("updog", &["rollback"]).expect_ok();
    let before = Snapshot::of(&host);
    for words in [&["update"][..], &["update-image"], &["update", "--image", "1.2.0"], &["plan"]] {
        let said = failure(&host.run("updog", &[words, &["--json"]].concat()));
        assert_eq!(said.code, "disallowed", "{words:?}: {}", said.message);
        assert!(said.help.contains("updog update-revert"), "{}", said.help);
        before.assert_disk_unchanged(&host);
    }
    assert_eq!(host.reboot().version_at_once(), Some("1.0.0"));
}

#[test]
fn there_is_no_way_back_without_its_migrations_or_a_release_that_ran() {
    let (_world, host) = updated();
    let cache = fs::read_link(host.paths().migrations_cache()).unwrap();
    let cache = host.paths().migrations_cache().parent().unwrap().join(cache);
    let migration = fs::read_dir(cache).unwrap().map(|entry| entry.unwrap().path());
    let migration = migration.into_iter().find(|path| name_of(path).contains("rename-ntp-mode")).unwrap();
    let whole = fs::read(&migration).unwrap();
    fs::write(&migration, "x").unwrap();
    let before = Snapshot::of(&host);
    let said = failure(&host.run("updog", &["rollback", "--json"]));
    assert_eq!(said.code, "missing_migration");
    assert!(said.help.contains("--restore-snapshot"), "{}", said.help);
    before.assert_unchanged(&host);
    fs::write(&migration, whole).unwrap();

    // The hash tree of the other set is not the one that was recorded.
    host.disk().write(&Set::A.label("HASH"), 4096 + 64, &[0x55; 8]);
    let before = Snapshot::of(&host);
    let said = failure(&host.run("updog", &["rollback", "--json"]));
    assert_eq!(said.code, "disallowed");
    assert!(said.message.contains("not a recorded one"), "{}", said.message);
    before.assert_unchanged(&host);

    let (_world, host) = offered();
    let said = failure(&host.run("updog", &["rollback", "--json"]));
    assert!(said.message.contains("no system that would boot"), "{}", said.message);
    let _ = host.run("updog", &["update-image"]).expect_ok();
    let said = failure(&host.run("updog", &["rollback", "--json"]));
    assert!(said.help.contains("update-apply"), "{}", said.help);
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[test]
fn history_tells_what_was_done_and_what_was_cut_short() {
    let (world, host) = offered_again();
    let target = served(&world, "1.2.0-root.lz4").0;
    world.server().fault(&target, Fault::Stall.once());
    let update = host.spawn("updog", &["update", "--json"]);
    assert!(world.server().wait_for(&target, Duration::from_secs(60)).is_some());
    let running = host.run("updog", &["history"]).expect_ok().stdout;
    assert!(running.lines().nth(1).unwrap().ends_with("running"), "{running}");
    let progress = fs::read(host.paths().progress()).unwrap();
    let progress: Value = serde_json::from_slice(&progress).unwrap();
    assert_eq!((&progress["command"], &progress["pid"]), (&"update".into(), &update.id().into()));
    assert_eq!(update.kill().code(), None);
    assert_eq!(records(&host)[0], ("update".to_owned(), "unfinished".to_owned()));
    // What it had fetched before its first change, which is metadata and what the next boot needs.
    let known = host.run("updog", &["history", "--json"]).expect_ok().json()[0]["bytes"]["fetched"].as_u64();
    assert!(known.is_some_and(|bytes| bytes > 1000), "{known:?}");
    let told = host.run("updog", &["history"]).expect_ok().stdout;
    let line = told.lines().nth(1).unwrap();
    assert!(line.contains("  at least ") && line.ends_with("cut short"), "{told}");

    let _ = host.run("updog", &["update"]).expect_ok();
    let _ = host.run("updog", &["update-revert"]).expect_ok();
    let _ = host.run("updog", &["update-apply"]).expect_ok();
    let outcomes: Vec<String> = records(&host).into_iter().take(4).map(|(_, outcome)| outcome).collect();
    assert_eq!(outcomes, ["activated", "reverted", "activated", "unfinished"]);
    let all = host.run("updog", &["history", "--json"]).expect_ok().json();
    let id = all[2]["id"].as_str().unwrap();
    let one = host.run("updog", &["history", id, "--json"]).expect_ok().json();
    assert_eq!(one, all[2]);
    assert_eq!((&one["from"], &one["to"], &one["set"]), (&"1.1.0".into(), &"1.2.0".into(), &"A".into()));
    assert!(one["metadata"]["targets"].as_u64().unwrap() > 0 && one["manifest_sha256"].is_string());
    let detail = host.run("updog", &["history", id]).expect_ok().stdout;
    assert!(detail.contains("decided by root 1, timestamp "), "{detail}");
    let last: Value = serde_json::from_slice(&fs::read(host.paths().progress()).unwrap()).unwrap();
    assert_eq!((&last["command"], &last["event"]["event"]), (&"update-apply".into(), &"done".into()));
}

#[test]
fn what_was_taken_back_since_it_was_staged_is_not_activated() {
    let (world, mut host) = offered();
    let _ = host.run("updog", &["update-image"]).expect_ok();
    world.publish(Release::new("1.2.0"));
    world.recall("1.1.0");
    let said = failure(&host.run("updog", &["update-apply", "--json"]));
    assert_eq!(said.code, "disallowed");
    assert!(said.message.contains("the repository does not have it any more"), "{}", said.message);
    // It is remembered that it was told; nothing else changes.
    assert_eq!(host.bits(Set::B), BootBits { priority: 0, tries: 1, successful: false });
    assert_eq!(host.reboot().version_at_once(), Some("1.0.0"));
}

#[test]
fn a_place_that_takes_nothing_costs_the_record_and_nothing_else() {
    let (_world, mut host) = offered();
    let _ = host.run("updog", &["update"]).expect_ok();
    // Nothing can be added beside what is there.
    let record = host.paths().record();
    for name in ["history", "boot", "attempts.json"] {
        let path = record.join(name);
        let _absent = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path));
        std::os::unix::fs::symlink("/nowhere/at/all", &path).unwrap();
    }
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
    assert!(host.bits(Set::B).successful);
    assert_eq!(records(&host), []);
    let report = host.reboot();
    assert!(
        report.failed().all(|attempt| !matches!(
            attempt.outcome,
            testdata::Outcome::Failed { stage: Stage::MarkGood, .. }
        ))
    );
}

#[test]
fn a_host_without_an_api_proves_a_boot_by_its_health_checks_alone() {
    let (_world, mut host) = offered();
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_eq!(host.reboot_unproven().version_at_once(), Some("1.1.0"));
    // There is no apiserver here any more.
    let api = host.api_process().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())).unwrap();
    rustix::process::kill_process(api, rustix::process::Signal::KILL).unwrap();
    let said = failure(&host.run("updog", &["confirm-boot", "--api-within", "1", "--json"]));
    assert_eq!(said.code, "unhealthy");
    assert!(!host.bits(Set::B).successful);
    let told = host.run("updog", &["confirm-boot", "--without-api"]).expect_ok().stdout;
    assert!(told.contains("the API was not asked, and there are no health checks"), "{told}");
    assert!(host.bits(Set::B).successful);
}
