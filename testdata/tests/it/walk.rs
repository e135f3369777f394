//! The walk, through the real programs: update, boot, migrate, mark good; back and forward; fall back.

use std::path::PathBuf;

use serde_json::{Value, json};
use testdata::{BootBits, BootFault, Host, Outcome, Release, Set, Stage, World};

/// A host on 1.0.0 with settings that a person made, in a world that offers 1.1.0.
fn lived_in(world: &World) -> Host {
    world.publish(Release::new("1.0.0"));
    world.publish(Release::new("1.1.0"));
    let mut host = world.host("1.0.0");
    assert_eq!(host.boot().version_at_once(), Some("1.0.0"));
    host.set("motd", "made by a person");
    host
}

fn update(host: &Host) {
    let _ = host.run("updog", &["update"]).expect_ok();
}

/// The data directory that the settings live in, behind all links.
fn store(host: &Host) -> PathBuf {
    host.paths().datastore().join("current").canonicalize().expect("a store")
}

#[test]
fn one_command_updates_a_host_and_its_settings_come_along() {
    let world = World::new();
    let mut host = lived_in(&world);
    assert_eq!(host.setting("ntp.mode"), json!("burst"));
    assert_eq!(host.setting("metrics.send-metrics"), Value::Null);

    let check = host.run("updog", &["check-update"]).expect_ok();
    assert_eq!(check.stdout.trim(), "metal-dev 1.1.0");
    update(&host);
    assert_eq!(host.bits(Set::A), BootBits { priority: 1, tries: 0, successful: true });
    assert_eq!(host.bits(Set::B), BootBits { priority: 2, tries: 1, successful: false });
    assert_eq!(host.version().as_deref(), Some("1.0.0"), "nothing changes before the reboot");

    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
    assert_eq!(host.active_set(), Some(Set::B));
    assert_eq!(host.bits(Set::B), BootBits { priority: 2, tries: 0, successful: true });
    assert_eq!(host.setting("motd"), json!("made by a person"));
    assert_eq!(host.setting("ntp.mode"), json!("iburst"));
    assert_eq!(host.setting("metrics.send-metrics"), json!(false));
}

#[test]
fn what_is_written_is_what_was_built() {
    let world = World::new();
    let host = lived_in(&world);
    update(&host);
    let images = world.images(&Release::new("1.1.0"));
    for (role, image) in [("BOOT", &images.boot), ("ROOT", &images.root), ("HASH", &images.hash)] {
        let image = std::fs::read(image).expect("there");
        let written = host.disk().read(&Set::B.label(role), image.len() as u64);
        assert!(written == image, "{role} differs");
    }
}

#[test]
fn a_person_goes_back_and_forward_again() {
    let world = World::new();
    let mut host = lived_in(&world);
    update(&host);
    host.reboot();
    host.set("motd", "made on 1.1.0");

    let _ = host.run("signpost", &["rollback-to-inactive"]).expect_ok();
    assert_eq!(host.reboot().version_at_once(), Some("1.0.0"));
    assert_eq!(host.setting("motd"), json!("made on 1.1.0"));
    assert_eq!(host.setting("ntp.mode"), json!("burst"));
    assert_eq!(host.setting("metrics"), Value::Null);

    let _ = host.run("signpost", &["rollback-to-inactive"]).expect_ok();
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
    assert_eq!(host.setting("motd"), json!("made on 1.1.0"));
    assert_eq!(host.setting("ntp.mode"), json!("iburst"));
}

/// A host on 1.1.0 takes a 1.2.0 that fails at `stage`, and is back on 1.1.0 by itself.
fn falls_back(fault: BootFault, stage: Stage) {
    let world = World::new();
    world.publish(Release::new("1.1.0"));
    world.publish(Release::new("1.2.0").boot_fault(fault));
    let mut host = world.host("1.1.0");
    host.boot();
    host.set("motd", "made by a person");
    let (settings, store_before) = (host.settings(), store(&host));
    update(&host);

    let report = host.reboot();
    let [failed, booted] = &report.attempts[..] else { panic!("{report:#?}") };
    assert_eq!(failed.set, Set::B);
    assert!(matches!(&failed.outcome, Outcome::Failed { stage: at, .. } if *at == stage), "{failed:#?}");
    assert_eq!((booted.set, booted.version.as_deref()), (Set::A, Some("1.1.0")));
    assert_eq!(host.settings(), settings);
    assert_eq!(store(&host), store_before, "the same store as before, not one that was migrated back");
    assert_eq!(host.bits(Set::B), BootBits { priority: 2, tries: 0, successful: false });
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"), "it stays there");
}

#[test]
fn a_kernel_that_panics_returns_to_the_old_set() {
    falls_back(BootFault::Panic, Stage::Start);
}

#[test]
fn a_system_that_panics_after_its_migrations_returns_to_the_old_set_and_store() {
    falls_back(BootFault::PanicAfterMigrations, Stage::System);
}

#[test]
fn a_root_that_is_not_the_named_one_returns_to_the_old_set() {
    falls_back(BootFault::CorruptRoot, Stage::Verify);
}

#[test]
fn a_set_without_a_kernel_returns_to_the_old_set() {
    falls_back(BootFault::MissingKernel, Stage::Load);
}

#[test]
fn an_api_client_updates_a_host() {
    let world = World::new();
    let mut host = lived_in(&world);
    let check = host.run("apiclient", &["update", "check"]).expect_ok().json();
    assert_eq!(check["update_state"], json!("Available"));
    assert_eq!(check["chosen_update"]["version"], json!("1.1.0"));
    let _ = host.run("apiclient", &["update", "apply"]).expect_ok();
    assert_eq!(host.bits(Set::B), BootBits { priority: 2, tries: 1, successful: false });
    let _ = host.run("apiclient", &["reboot"]).expect_ok();
    let report = host.reboot_if_requested().expect("a reboot was asked for");
    assert_eq!(report.version_at_once(), Some("1.1.0"));
}

#[test]
fn a_boot_that_nobody_proved_is_reset_to_the_old_set() {
    let world = World::new();
    let mut host = lived_in(&world);
    update(&host);
    assert_eq!(host.reboot_unproven().version_at_once(), Some("1.1.0"));
    assert_eq!(host.reboot().version_at_once(), Some("1.0.0"));
    assert_eq!(host.setting("ntp.mode"), json!("burst"));
}
