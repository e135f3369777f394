//! The next boot's migrations, tried on this host's settings before anything is cleared, and again when these change.

use serde_json::{Value, json};
use testdata::{BootBits, Host, Release, Set, World};

use crate::support::{Snapshot, failure, offered_by};

/// Fails on a host that has `updates.bandwidth-limit`, and on no other.
const CLASH: &str = "migrate_v1.1.0_clash";

fn offered() -> (World, Host) {
    offered_by(Release::new("1.1.0").migrations("1.0.0", &[CLASH]))
}

#[test]
fn migrations_that_fail_on_this_hosts_settings_refuse_the_update_before_anything_is_cleared() {
    let (_world, mut host) = offered();
    host.set("updates.bandwidth-limit", "100MiB");
    let before = Snapshot::of(&host);
    let said = failure(&host.run("updog", &["update", "--json"]));
    assert_eq!(said.code, "migration_fails");
    for part in
        ["rehearse the migration of this host's settings to 1.1.0", CLASH, "settings.updates.bandwidth-limit"]
    {
        assert!(said.message.contains(part), "{part}: {}", said.message);
    }
    assert!(said.help.contains("change the settings that are named"), "{}", said.help);
    // What was fetched for the next boot lies there for the next try, and nothing leads to it.
    before.assert_sets_unchanged(&host);
    assert!(!host.paths().metadata_cache().join("current").exists(), "nothing was staged before");
    assert_eq!(host.reboot().version_at_once(), Some("1.0.0"));
    // A host that changes the setting can take it.
    let _ = host.run("apiclient", &["unset", "updates.bandwidth-limit"]).expect_ok();
    let ran = host.run("updog", &["update-image", "--json"]).expect_ok();
    // Whoever waits sees what for: a long way takes minutes.
    let stage = ran.stdout.lines().find(|line| line.contains("rehearse")).map(serde_json::from_str::<Value>);
    let said = json!({"event": "progress", "phase": "rehearse", "image": "settings", "bytes": 0, "rate": 0, "eta": null});
    assert_eq!(stage.and_then(Result::ok), Some(said), "{ran}");
}

#[test]
fn settings_that_change_after_the_install_are_rehearsed_again_before_it_is_activated() {
    let (_world, host) = offered();
    let _ = host.run("updog", &["update-image", "--json"]).expect_ok();
    let staged = host.bits(Set::B);
    host.set("updates.bandwidth-limit", "100MiB");
    let said = failure(&host.run("updog", &["update-apply", "--json"]));
    assert_eq!(said.code, "migration_fails");
    assert!(said.message.contains("settings.updates.bandwidth-limit"), "{}", said.message);
    assert_eq!(host.bits(Set::B), staged, "it waits, and does not boot next");
    let _ = host.run("apiclient", &["unset", "updates.bandwidth-limit"]).expect_ok();
    let _ = host.run("updog", &["update-apply"]).expect_ok();
    assert_eq!(host.bits(Set::B), BootBits { priority: 2, tries: 1, successful: false });
}
