//! Falling back runs nothing; a rollback by hand migrates back.

use std::fs;

use datastore::Key;
use serde_json::json;

use super::host::{ADD, Host, MISBEHAVE, RENAME, settings};

/// A host that was updated from 1.0.0 to 1.1.0, and whose settings were changed there.
fn updated(migrations: &[&str]) -> Host {
    let host = Host::new();
    host.stage(&[("1.0.0", "1.1.0", migrations)]);
    host.bits(false, true);
    host.boot("1.1.0").expect_ok();
    host.set("settings.added", json!(true));
    host.set("settings.kept", json!("changed on 1.1.0"));
    host
}

#[test]
fn falling_back_links_the_kept_store_and_runs_nothing() {
    let host = updated(&[RENAME, ADD]);
    // Nothing could be run if it were tried.
    host.lose_cache();
    host.bits(true, false);
    let ran = host.boot("1.0.0");
    ran.expect_ok();
    assert!(ran.err.contains("never marked good"), "{}", ran.err);
    let (version, store) = host.store();
    assert_eq!(version, "1.0.0");
    assert_eq!(store.live, settings([("settings.kept", json!("mine")), ("settings.renamed", json!("one"))]));
    assert_eq!(store.pending["tx"], settings([("settings.renamed", json!("one"))]));
    assert_eq!(host.stores(), 1, "the store of the boot that failed is dropped");
    host.boot("1.0.0").expect_ok();
}

#[test]
fn what_a_cut_fall_back_left_goes_and_what_was_put_aside_or_kept_for_an_older_release_stays() {
    let host = updated(&[RENAME]);
    host.bits(true, false);
    host.boot("1.0.0").expect_ok();
    let base = host.base();
    let dirs = ["v1.1.0_aaaaaaaaaaaaaaaa", "damaged-v1.0.0_bbbbbbbbbbbbbbbb", "v1.0.5_cccccccccccccccc"];
    for dir in dirs {
        fs::create_dir(base.join(dir)).unwrap();
    }
    // Between releases without migrations a store keeps its name: only its link says whose it is.
    for (link, dir) in [("v1.1.0", dirs[0]), ("v1.2.0", dirs[0]), ("v0.9.0", dirs[2])] {
        std::os::unix::fs::symlink(dir, base.join(link)).unwrap();
    }
    let left = || dirs.map(|dir| base.join(dir).is_dir());
    // While the other set was good once, all of it stays.
    host.bits(true, true);
    host.boot("1.0.0").expect_ok();
    assert_eq!(left(), [true; 3]);
    host.bits(true, false);
    host.boot("1.0.0").expect_ok();
    assert_eq!(left(), [false, true, true]);
    let links = ["v1.1.0", "v1.2.0", "v0.9.0"].map(|link| base.join(link).is_symlink());
    assert_eq!((links, host.store().0.as_str()), ([false, false, true], "1.0.0"));
}

#[test]
fn after_a_fall_back_the_same_update_migrates_afresh() {
    let host = updated(&[RENAME, ADD]);
    host.bits(true, false);
    host.boot("1.0.0").expect_ok();
    host.set("settings.kept", json!("changed on 1.0.0"));
    host.bits(false, true);
    host.boot("1.1.0").expect_ok();
    assert_eq!(
        host.live(),
        settings([("settings.kept", json!("changed on 1.0.0")), ("settings.renamed", json!("two"))])
    );
}

#[test]
fn a_way_forward_by_hand_that_fails_links_the_newer_releases_kept_store_loudly() {
    let host = updated(&[MISBEHAVE]);
    host.bits(true, true);
    host.boot("1.0.0").expect_ok();
    host.set("settings.misbehave", json!("fail"));
    // Both were good once: whoever comes back to the newer one gets a system, with the settings that it had.
    let ran = host.boot("1.1.0");
    ran.expect_ok();
    assert!(
        ran.err.contains("ERROR") && ran.err.contains("could not carry settings over from 1.0.0"),
        "{}",
        ran.err
    );
    let (version, store) = host.store();
    assert_eq!(version, "1.1.0");
    assert_eq!(store.live[&Key::parse("settings.kept").unwrap()], json!("changed on 1.1.0"));
    assert_eq!(host.stores(), 2, "those that could not be carried stay");
}

#[test]
fn a_rollback_by_hand_from_a_proven_boot_migrates_back() {
    let host = updated(&[RENAME, ADD]);
    host.bits(true, true);
    host.boot("1.0.0").expect_ok();
    let (version, store) = host.store();
    assert_eq!(version, "1.0.0");
    // What was set on the newer version comes along, what only it knows does not.
    assert_eq!(
        store.live,
        settings([("settings.kept", json!("changed on 1.1.0")), ("settings.renamed", json!("one"))])
    );
    assert_eq!(host.stores(), 2, "the newer version's store is kept for the way forward");

    host.bits(false, true);
    host.boot("1.1.0").expect_ok();
    assert_eq!(
        host.live(),
        settings([("settings.kept", json!("changed on 1.1.0")), ("settings.renamed", json!("two"))])
    );
}

#[test]
fn where_no_disk_tells_a_change_of_version_is_taken_for_one_by_hand() {
    let host = updated(&[RENAME, ADD]);
    fs::remove_file(host.paths.signpost_config()).unwrap();
    let ran = host.boot("1.0.0");
    ran.expect_ok();
    assert!(ran.err.contains("by hand"), "{}", ran.err);
    assert_eq!(
        host.live(),
        settings([("settings.kept", json!("changed on 1.1.0")), ("settings.renamed", json!("one"))])
    );
}

#[test]
fn a_rollback_by_hand_that_cannot_migrate_links_the_kept_store_loudly() {
    let host = updated(&[RENAME, MISBEHAVE]);
    host.set("settings.misbehave", json!("fail"));
    let newer = host.chain().data_dir;
    host.bits(true, true);
    let ran = host.boot("1.0.0");
    ran.expect_ok();
    assert!(ran.err.contains("ERROR") && ran.err.contains("it is asked to fail"), "{}", ran.err);
    assert_eq!(
        host.store().1.live,
        settings([("settings.kept", json!("mine")), ("settings.renamed", json!("one"))])
    );
    assert!(host.base().join(newer).exists(), "the newer settings are not thrown away");
    assert_eq!(host.stores(), 2);
}

#[test]
fn a_rollback_by_hand_that_leaves_what_the_old_release_cannot_use_links_the_kept_store_loudly() {
    let host = updated(&[ADD]);
    host.set("settings.renamed", json!(["of", "the", "newer", "one"]));
    let newer = host.chain().data_dir;
    host.bits(true, true);
    host.model(&[("settings.kept", "string"), ("settings.renamed", "string")]);
    let ran = host.boot("1.0.0");
    ran.expect_ok();
    assert!(ran.err.contains("ERROR") && ran.err.contains("settings.renamed is ["), "{}", ran.err);
    assert_eq!(host.live(), settings([("settings.kept", json!("mine")), ("settings.renamed", json!("one"))]));
    assert!(host.base().join(newer).exists(), "the newer settings are not thrown away");
}

#[test]
fn a_fall_back_is_held_against_no_model() {
    let host = updated(&[RENAME]);
    host.bits(true, false);
    host.model(&[("settings.kept", "integer")]);
    host.boot("1.0.0").expect_ok();
    assert_eq!(host.store().0, "1.0.0");
}

#[test]
fn a_proven_set_that_does_not_start_any_more_leaves_its_store_and_the_kept_one_is_linked() {
    let host = updated(&[RENAME, ADD]);
    let newer = host.chain().data_dir;
    host.lose_cache();
    host.other_is_worn();
    let ran = host.boot("1.0.0");
    ran.expect_ok();
    assert!(ran.err.contains("does not start any more"), "{}", ran.err);
    assert_eq!(host.live(), settings([("settings.kept", json!("mine")), ("settings.renamed", json!("one"))]));
    assert!(host.base().join(newer).exists(), "it may start again");
}

#[test]
fn a_proven_set_that_was_put_aside_in_this_boot_leaves_its_store_and_nothing_runs() {
    let host = updated(&[RENAME, ADD]);
    let newer = host.chain().data_dir;
    host.lose_cache();
    host.other_is_put_aside();
    host.boot("1.0.0").expect_ok();
    assert_eq!(host.live(), settings([("settings.kept", json!("mine")), ("settings.renamed", json!("one"))]));
    assert!(host.base().join(newer).exists(), "it may start again");
}

#[test]
fn a_rollback_by_hand_without_a_way_and_without_a_kept_store_names_what_is_missing() {
    let host = updated(&[RENAME]);
    host.bits(true, true);
    let before = host.everything();
    host.boot("0.9.0").expect_failure(&["from 1.1.0 to 0.9.0"]);
    assert_eq!(host.everything(), before);
}

#[test]
fn a_fall_back_without_a_kept_store_says_so_and_migrates_back() {
    for broken in [false, true] {
        let host = updated(&[RENAME, ADD]);
        if broken {
            let kept = host.base().join("v1.0.0/live/settings/kept");
            fs::write(kept, "").unwrap();
        } else {
            fs::remove_file(host.base().join("v1.0.0")).unwrap();
        }
        host.bits(true, false);
        let ran = host.boot("1.0.0");
        ran.expect_ok();
        assert!(ran.err.contains("no store of 1.0.0 was kept"), "{}", ran.err);
        assert_eq!(
            host.live(),
            settings([("settings.kept", json!("changed on 1.1.0")), ("settings.renamed", json!("one"))])
        );
    }
}

#[test]
fn a_failed_try_of_an_older_release_returns_to_the_newer_ones_own_store() {
    let host = updated(&[RENAME, ADD]);
    // The older release comes as an update, migrates back, and its boot fails.
    host.bits(false, true);
    host.boot("1.0.0").expect_ok();
    host.set("settings.kept", json!("set in the failed boot"));
    host.lose_cache();
    host.bits(true, false);
    host.boot("1.1.0").expect_ok();
    assert_eq!(
        host.live(),
        settings([
            ("settings.added", json!(true)),
            ("settings.kept", json!("changed on 1.1.0")),
            ("settings.renamed", json!("two")),
        ])
    );
}
