//! Apply and revert, without a network: only bits of the partition table change.

use testdata::{BootBits, Host, Set, World};

use crate::support::{Snapshot, done, failure, offered};

/// A host on 1.0.0 with 1.1.0 staged. Its repository is gone, and so is its configuration.
fn staged() -> (World, Host) {
    let (world, host) = offered();
    let ran = host.run("updog", &["update-image"]).expect_ok();
    assert_eq!(ran.stdout, "Update staged: metal-dev 1.1.0\n");
    assert_eq!(host.bits(Set::B), BootBits { priority: 0, tries: 1, successful: false });
    std::fs::remove_file(host.paths().updog_config()).unwrap();
    world.server().clear_log();
    (world, host)
}

#[test]
fn a_staged_update_is_applied_taken_back_and_applied_again_offline() {
    let (world, mut host) = staged();
    let ran = host.run("updog", &["update-apply"]).expect_ok();
    assert!(ran.stdout.is_empty(), "{ran}");
    assert!(ran.stderr.contains("1.1.0 boots next, though the repository could not be asked"), "{ran}");
    assert_eq!(host.bits(Set::B), BootBits { priority: 2, tries: 1, successful: false });
    let event = done(&host.run("updog", &["update-revert", "--json"]));
    assert_eq!(event["update"]["version"], "1.1.0");
    assert_eq!(host.bits(Set::B), BootBits { priority: 0, tries: 1, successful: false });
    assert_eq!(host.reboot().version_at_once(), Some("1.0.0"));
    std::fs::remove_file(host.paths().updog_config()).unwrap();
    let event = done(&host.run("updog", &["update-apply", "--reboot", "--json"]));
    assert_eq!((&event["update"]["version"], &event["reboot"]), (&"1.1.0".into(), &true.into()));
    assert!(world.server().requests().is_empty());
    assert_eq!(host.reboot_if_requested().unwrap().version_at_once(), Some("1.1.0"));
}

#[test]
fn what_is_installed_already_is_explained_as_such() {
    let (_world, host) = offered();
    let reason = |host: &Host| {
        let explained = host.run("updog", &["explain", "--json"]).expect_ok().json();
        explained["updates"][0]["reason"].as_str().unwrap().to_owned()
    };
    assert_eq!(reason(&host), "this host takes it");
    let _ = host.run("updog", &["update-image"]).expect_ok();
    assert_eq!(reason(&host), "this host takes it; it is installed, and starts once it is applied");
    let _ = host.run("updog", &["update-apply"]).expect_ok();
    assert_eq!(reason(&host), "this host takes it; it is installed, and the next boot starts it");
}

#[test]
fn a_version_that_nobody_has_is_explained_as_such() {
    let (_world, host) = offered();
    let said = host.run("updog", &["explain", "--image", "9.9.9"]).expect_ok().stdout;
    let why = "9.9.9 is not offered: the repository has no such version for this variant and architecture";
    assert!(said.lines().any(|line| line == why), "{said}");
    let told = host.run("updog", &["explain", "--image", "9.9.9", "--json"]).expect_ok().json();
    assert_eq!(told["not_offered"], why);
    let told = host.run("updog", &["explain", "--image", "1.1.0", "--json"]).expect_ok().json();
    assert_eq!(told["not_offered"], serde_json::Value::Null);
}

#[test]
fn nothing_staged_cannot_be_applied() {
    let (_world, host) = offered();
    let before = Snapshot::of(&host);
    let said = failure(&host.run("updog", &["update-apply", "--json"]));
    assert_eq!(said.code, "not_staged");
    assert!(said.help.contains("update-image"), "{}", said.help);
    before.assert_unchanged(&host);
}

#[test]
fn a_staged_set_that_changed_since_cannot_be_applied() {
    let (_world, mut host) = staged();
    host.disk().write(&Set::B.label("HASH"), 4096 + 64, &[0x55; 8]);
    let before = Snapshot::of(&host);
    let said = failure(&host.run("updog", &["update-apply", "--json"]));
    assert_eq!(said.code, "not_staged");
    assert!(said.message.contains("not the one of a recorded image"), "{}", said.message);
    before.assert_unchanged(&host);
    assert_eq!(host.reboot().version_at_once(), Some("1.0.0"));
}

#[test]
fn what_is_applied_already_and_what_never_was_are_refused() {
    let (_world, host) = staged();
    let said = failure(&host.run("updog", &["update-revert", "--json"]));
    assert_eq!(said.code, "nothing_to_cancel");
    assert!(said.message.contains("nothing to cancel"), "{}", said.message);
    let _ = host.run("updog", &["update-apply"]).expect_ok();
    let before = Snapshot::of(&host);
    let said = failure(&host.run("updog", &["update-apply", "--json"]));
    assert_eq!(said.code, "disallowed");
    before.assert_unchanged(&host);
}

#[test]
fn the_release_that_ran_before_is_no_staged_update() {
    let (_world, mut host) = staged();
    let _ = host.run("updog", &["update-apply"]).expect_ok();
    host.reboot();
    let said = failure(&host.run("updog", &["update-apply", "--json"]));
    assert_eq!(said.code, "not_staged");
    assert!(said.help.contains("updog rollback"), "{}", said.help);
    let said = failure(&host.run("updog", &["update-revert", "--json"]));
    assert_eq!(said.code, "nothing_to_cancel");
}
