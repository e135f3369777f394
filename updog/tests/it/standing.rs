//! What was decided stays true until it is done: releases that are taken back, paused, locked out or forbidden between
//! being installed and being booted.

use std::fs;
use std::process::Command;

use host_io::DiskLock;
use serde_json::Value;
use testdata::{BootBits, Host, Release, Set, World};

use crate::support::{Snapshot, failure, offered, offered_again, offered_by, reconfigure};

const STAGED: BootBits = BootBits { priority: 0, tries: 1, successful: false };
const ACTIVATED: BootBits = BootBits { priority: 2, tries: 1, successful: false };

/// Changes the rollout of 1.1.0.
fn rollout(world: &World, action: &str) {
    let mut pubrepo = Command::new(testdata::program("pubrepo"));
    pubrepo.args([action, "--yes", "1.1.0", "--variant", "metal-dev", "--arch", std::env::consts::ARCH]);
    pubrepo.arg("--repo").arg(world.repo_dir()).arg("--keys").arg(world.keys_dir());
    let ran = pubrepo.output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

/// A host on 1.0.0 in which 1.1.0 was activated, in a world that still offers 1.0.0.
fn activated() -> (World, Host) {
    let world = World::new();
    world.publish(Release::new("1.0.0"));
    world.publish(Release::new("1.1.0"));
    let mut host = world.host("1.0.0");
    assert_eq!(host.boot().version_at_once(), Some("1.0.0"));
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_eq!(host.bits(Set::B), ACTIVATED);
    (world, host)
}

/// The check of a server.
fn refresh(host: &Host) {
    let _ = host.run("updog", &["check-update", "--review", "--json"]);
}

fn lock(host: &Host, version: &str) {
    reconfigure(host, |text| {
        let kept = text.lines().filter(|line| !line.starts_with("version_lock"));
        let kept: String = kept.map(|line| format!("{line}\n")).collect();
        format!("version_lock = \"{version}\"\n{kept}")
    });
}

fn against(host: &Host) -> Value {
    host.run("updog", &["status", "--json"]).expect_ok().json()["inactive"]["against"].clone()
}

#[test]
fn no_boot_is_awaited_of_a_release_whose_flip_was_taken_back_though_the_power_went_before_that_was_noted() {
    type TakeBack = fn(&World, &Host);
    let by_a_check: TakeBack = |world, host| {
        world.recall("1.1.0");
        refresh(host);
    };
    let by_a_person: TakeBack = |_, host| drop(host.run("updog", &["update-revert"]).expect_ok());
    for (who, take_back) in [("a check", by_a_check), ("a person", by_a_person)] {
        let (world, host) = activated();
        // It is judged before, and by the same things afterwards: that alone is no reason to look again.
        refresh(&host);
        let record = host.paths().record();
        let awaited = || {
            let text = fs::read_to_string(record.join("attempts.json")).unwrap();
            serde_json::from_str::<Value>(&text).unwrap()["releases"][0]["awaited"].clone()
        };
        let before = fs::read(record.join("attempts.json")).unwrap();
        assert!(awaited().is_object() && record.join("judged.json").exists(), "{who}");
        take_back(&world, &host);
        assert_eq!((host.bits(Set::B), awaited()), (STAGED, Value::Null), "{who}");
        // The bits were durable, and nothing that comes after them.
        fs::write(record.join("attempts.json"), before).unwrap();
        refresh(&host);
        assert_eq!((host.bits(Set::B), awaited()), (STAGED, Value::Null), "{who}");
    }
}

#[test]
fn a_release_that_is_recalled_or_paused_after_it_was_activated_does_not_boot_next_after_a_check() {
    for (action, says) in [("recall", "taken back"), ("pause", "paused since")] {
        let (world, mut host) = activated();
        rollout(&world, action);
        refresh(&host);
        assert_eq!(host.bits(Set::B), STAGED, "{action}");
        assert!(against(&host).as_str().unwrap().contains(says), "{action}");
        let said = failure(&host.run("updog", &["update-apply", "--json"]));
        assert!(said.code == "disallowed" && said.message.contains(says), "{}", said.message);
        assert_eq!(host.reboot().version_at_once(), Some("1.0.0"), "{action}");
    }
}

#[test]
fn what_a_killed_way_back_had_not_noted_yet_is_noted_when_it_is_typed_again() {
    let (_update_world, update) = activated();
    let (_rollback_world, rollback) = offered_again();
    let _ = rollback.run("updog", &["rollback"]).expect_ok();
    for (what, host) in [("an update", update), ("a rollback", rollback)] {
        let file = host.paths().record().join("attempts.json");
        let revert = || host.run("updog", &["update-revert", "--json"]);
        let noted = fs::read(&file).unwrap();
        let _ = revert().expect_ok();
        let (bits, ended) = ([Set::A, Set::B].map(|set| host.bits(set)), fs::read(&file).unwrap());
        assert_ne!(noted, ended, "{what}");
        // The bits were written, and nothing that comes after them.
        fs::write(&file, noted).unwrap();
        let _ = revert().expect_ok();
        assert_eq!(
            ([Set::A, Set::B].map(|set| host.bits(set)), fs::read(&file).unwrap()),
            (bits, ended),
            "{what}"
        );
        assert_eq!(failure(&revert()).code, "nothing_to_cancel", "{what}");
    }
}

/// What is noted before the flip is taken back would stay with a release that starts after all.
#[test]
fn nothing_is_noted_against_a_release_before_its_flip_is_taken_back() {
    let (world, host) = activated();
    rollout(&world, "recall");
    let held = DiskLock::acquire(host.disk().path()).unwrap();
    refresh(&host);
    assert_eq!((host.bits(Set::B), against(&host)), (ACTIVATED, Value::Null));
    drop(held);
    refresh(&host);
    assert_eq!(host.bits(Set::B), STAGED);
    assert!(against(&host).as_str().unwrap().contains("taken back"));
}

#[test]
fn an_update_command_that_finds_nothing_takes_a_recalled_release_back_as_well() {
    let (world, host) = activated();
    rollout(&world, "recall");
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_eq!(host.bits(Set::B), STAGED);
}

#[test]
fn a_paused_release_that_is_resumed_needs_no_download() {
    let (world, host) = activated();
    rollout(&world, "pause");
    refresh(&host);
    rollout(&world, "resume");
    world.server().clear_log();
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_eq!(host.bits(Set::B), ACTIVATED);
    assert_eq!(against(&host), Value::Null);
    let images = world.server().requests().into_iter().filter(|request| request.path.ends_with("-root.lz4"));
    assert_eq!(images.count(), 0);
}

#[test]
fn a_setting_that_changes_after_the_activation_counts_at_the_next_check_and_before_it_for_a_reboot() {
    let (_world, host) = activated();
    lock(&host, "1.0.0");
    assert!(against(&host).as_str().unwrap().contains("version lock of this host is 1.0.0"));
    refresh(&host);
    assert_eq!(host.bits(Set::B), STAGED);
    let said = failure(&host.run("updog", &["update-apply", "--json"]));
    assert!(said.message.contains("version lock"), "{}", said.message);
    lock(&host, "latest");
    let _ = host.run("updog", &["update-apply"]).expect_ok();
    assert_eq!((host.bits(Set::B), against(&host)), (ACTIVATED, Value::Null));

    reconfigure(&host, |text| format!("minimum_version = \"1.1.1\"\n{text}"));
    refresh(&host);
    assert_eq!(host.bits(Set::B), STAGED);
}

#[test]
fn a_check_that_fails_or_brings_nothing_new_changes_nothing() {
    let (world, host) = activated();
    refresh(&host);
    assert_eq!(host.bits(Set::B), ACTIVATED);
    // What a person does by hand after being told is not undone by the same answer once more.
    rollout(&world, "pause");
    refresh(&host);
    let _ = host.run("signpost", &["upgrade-to-inactive"]).expect_ok();
    refresh(&host);
    assert_eq!(host.bits(Set::B), ACTIVATED);
    // Newer metadata that does not come.
    rollout(&world, "resume");
    rollout(&world, "recall");
    let repository = world.metadata_dir().join("timestamp.json");
    let whole = std::fs::read(&repository).unwrap();
    std::fs::write(&repository, "{").unwrap();
    let before = Snapshot::of(&host);
    refresh(&host);
    before.assert_disk_unchanged(&host);
    std::fs::write(&repository, whole).unwrap();
    refresh(&host);
    assert_eq!(host.bits(Set::B), STAGED);
}

#[test]
fn what_a_person_chose_by_name_loses_only_to_a_recall_and_who_insists_after_being_told_has_the_last_word() {
    let (world, host) = offered();
    lock(&host, "1.0.0");
    let _ = host.run("updog", &["update", "--image", "1.1.0"]).expect_ok();
    refresh(&host);
    assert_eq!(host.bits(Set::B), ACTIVATED, "a lock does not count against a name");
    rollout(&world, "recall");
    refresh(&host);
    assert_eq!(host.bits(Set::B), STAGED);
    let _ = host.run("updog", &["update-apply", "--insist"]).expect_ok();
    assert_eq!((host.bits(Set::B), against(&host)), (ACTIVATED, Value::Null));
    world.publish(Release::new("1.2.0"));
    refresh(&host);
    assert_eq!(host.bits(Set::B), ACTIVATED, "it was insisted on");
}

#[test]
fn nobody_can_insist_on_what_was_not_told() {
    let (world, host) = offered();
    let _ = host.run("updog", &["update-image"]).expect_ok();
    rollout(&world, "pause");
    let said = failure(&host.run("updog", &["update-apply", "--insist", "--json"]));
    assert!(
        said.message.contains("paused") && said.help.contains("--insist"),
        "{}: {}",
        said.message,
        said.help
    );
    assert_eq!(host.bits(Set::B), STAGED);
    let _ = host.run("updog", &["update-apply", "--insist"]).expect_ok();
    assert_eq!(host.bits(Set::B), ACTIVATED);
}

#[test]
fn a_release_whose_image_calls_itself_by_another_version_is_held_and_not_installed_again() {
    let (_world, mut host) = offered_by(Release::new("1.1.0"));
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
    // As an image says that was built without a new number.
    let path = host.paths().os_release();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, text.replace("1.1.0", "1.0.0")).unwrap();
    let status = host.run("updog", &["status", "--json"]).expect_ok().json();
    assert_eq!((&status["failed"]["stage"], &status["failed"]["held"]), (&"misnamed".into(), &true.into()));
    assert!(status["failed"]["reason"].as_str().unwrap().contains("its image calls itself metal-dev 1.0.0"));
    assert_eq!(status["held"][0]["version"], "1.1.0");
    let _noted = host.run("updog", &["update"]).expect_ok();
    let before = Snapshot::of(&host);
    let ran = host.run("updog", &["update"]).expect_ok();
    assert!(ran.stderr.contains("1.1.0") && ran.stderr.contains("calls itself"), "{ran}");
    before.assert_disk_unchanged(&host);
}
