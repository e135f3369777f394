//! Hosts and moments that do not allow an update.

use std::time::Duration;

use testdata::{Banks, Fault, HostOptions, Layout, Release, Set, World};

use crate::support::{Snapshot, failure, offered, served};

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn while_the_running_set_is_unproven_nothing_may_take_the_other_one_away() {
    let (world, mut host) = offered();
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_eq!(host.reboot_unproven().version_at_once(), Some("1.1.0"));
    world.publish(Release::new("1.2.0"));
    let before = Snapshot::of(&host);
    world.server().clear_log();
    for command in ["update", "update-image"] {
        let said = failure(&host.run("updog", &[command, "--json"]));
        assert_eq!(said.code, "unproven");
        assert!(said.help.contains("marked good"), "{}", said.help);
    }
    // Nothing was fetched but what the choice needs.
    let requests = world.server().requests();
    assert!(requests.iter().all(|request| request.path_only().ends_with(".json")), "{requests:?}");
    before.assert_disk_unchanged(&host);
    // Nobody marks it good, and the next start falls back to what is proven.
    assert_eq!(host.reboot().booted().unwrap().version.as_deref(), Some("1.0.0"));
}

#[test]
fn an_unproven_running_set_is_not_given_up_by_a_flip_either() {
    let (_world, mut host) = offered();
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_eq!(host.reboot_unproven().version_at_once(), Some("1.1.0"));
    let before = Snapshot::of(&host);
    // Set A, which is proven, boots next in any case: there is nothing to apply, and nothing may be cancelled.
    assert_eq!(failure(&host.run("updog", &["update-apply", "--json"])).code, "disallowed");
    assert_eq!(failure(&host.run("updog", &["update-revert", "--json"])).code, "unproven");
    before.assert_unchanged(&host);
}

#[test]
fn one_set_cannot_be_updated_in_place() {
    let world = World::new();
    world.publish(Release::new("1.1.0"));
    let layout = Layout { banks: Banks::One, ..Layout::default() };
    let mut host = world.host_with("1.0.0", HostOptions { layout, ..HostOptions::default() });
    assert_eq!(host.boot().version_at_once(), Some("1.0.0"));
    let (bits, root) = (host.bits(Set::A), host.disk().read_all(&Set::A.label("ROOT")));
    for command in ["update", "update-image", "update-apply", "update-revert"] {
        let said = failure(&host.run("updog", &[command, "--json"]));
        assert_eq!(said.code, "disallowed");
        assert!(said.message.contains("only one set"), "{}", said.message);
    }
    let status = host.run("updog", &["status", "--json"]).expect_ok().json();
    assert_eq!(status["inactive"], serde_json::Value::Null);
    assert_eq!(host.bits(Set::A), bits);
    assert!(host.disk().read_all(&Set::A.label("ROOT")) == root);
    assert_eq!(host.reboot().version_at_once(), Some("1.0.0"));
}

#[test]
fn a_disk_without_a_table_is_refused() {
    let (_world, host) = offered();
    host.disk().wipe_table();
    let bytes = std::fs::read(host.disk().path()).unwrap();
    for command in ["update", "update-apply", "update-revert", "status"] {
        let said = failure(&host.run("updog", &[command, "--json"]));
        assert_eq!(said.code, "disk");
        assert!(said.message.contains("disk.img"), "{}", said.message);
    }
    assert!(std::fs::read(host.disk().path()).unwrap() == bytes);
}

#[test]
fn a_second_update_is_told_that_the_first_one_runs() {
    let (world, host) = offered();
    let root = served(&world, "1.1.0-root.lz4").0;
    world.server().fault(&root, Fault::Stall.once());
    let first = host.spawn("updog", &["update"]);
    assert!(world.server().wait_for(&root, PATIENCE).is_some());
    for command in ["update", "update-image", "update-apply", "update-revert"] {
        let said = failure(&host.run("updog", &[command, "--json"]));
        assert_eq!(said.code, "locked");
        assert!(said.message.contains(&format!("held by process {}", first.id())), "{}", said.message);
    }
    // Looking does no harm.
    let _ = host.run("updog", &["status"]).expect_ok();
    let _ = host.run("updog", &["check-update"]).expect_ok();
    first.terminate();
    let _ = first.wait().expect_code(1);
}
