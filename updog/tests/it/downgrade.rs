//! The ways back to an older release, and the floor below which none leads.

use testdata::{Host, Release, World};

use crate::support::{Snapshot, failure, reconfigure};

/// A proven host on 1.1.0, in a world that offers 1.0.0 and 1.1.0.
fn on_the_newer_one() -> (World, Host) {
    let world = World::new();
    for version in ["1.0.0", "1.1.0"] {
        world.publish(Release::new(version));
    }
    let mut host = world.host("1.1.0");
    assert_eq!(host.boot().version_at_once(), Some("1.1.0"));
    (world, host)
}

fn lock_to(host: &Host, version: &str) {
    reconfigure(host, |text| {
        text.replace("version_lock = \"latest\"", &format!("version_lock = \"{version}\""))
    });
}

/// Nothing below this version from now on.
fn set_floor(host: &Host, version: &str) {
    reconfigure(host, |text| format!("minimum_version = \"{version}\"\n{text}"));
}

fn takes_the_older_one(host: &mut Host, args: &[&str]) {
    let ran = host.run("updog", &[&["update"], args].concat()).expect_ok();
    assert!(ran.stderr.contains("1.0.0"), "it is logged: {ran}");
    assert_eq!(host.reboot().version_at_once(), Some("1.0.0"));
}

fn refuses_the_older_one(host: &mut Host, args: &[&str]) {
    let before = Snapshot::of(host);
    let said = failure(&host.run("updog", &[&["update", "--json"], args].concat()));
    assert!(said.message.contains("below the minimum version 1.1.0"), "{}", said.message);
    before.assert_disk_unchanged(host);
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
}

#[test]
fn downgrade_by_a_version_lock_is_followed() {
    let (_world, mut host) = on_the_newer_one();
    lock_to(&host, "1.0.0");
    takes_the_older_one(&mut host, &[]);
}

#[test]
fn downgrade_by_image_is_followed() {
    let (_world, mut host) = on_the_newer_one();
    takes_the_older_one(&mut host, &["--image", "1.0.0"]);
}

#[test]
fn downgrade_by_a_lowered_max_version_is_followed() {
    let (world, mut host) = on_the_newer_one();
    // Its greatest version is then lower than the running one.
    world.recall("1.1.0");
    takes_the_older_one(&mut host, &[]);
}

#[test]
fn floor_forbids_each_way_down_and_no_way_up() {
    let (world, mut host) = on_the_newer_one();
    set_floor(&host, "1.1.0");
    refuses_the_older_one(&mut host, &["--image", "1.0.0"]);
    set_floor(&host, "1.1.0");
    world.recall("1.1.0");
    refuses_the_older_one(&mut host, &[]);
    set_floor(&host, "1.1.0");
    world.publish(Release::new("1.2.0"));
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_eq!(host.reboot().version_at_once(), Some("1.2.0"));
}
