//! An update carries settings, or leaves them as they were.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use host_io::explore::CutFs;
use migrator::Error;
use serde_json::json;

use super::host::{ADD, Host, MISBEHAVE, RENAME, SCRIPT, STEPS as LIST, Step, settings};

const STEPS: &[Step<'_>] = &[("1.0.0", "1.1.0", &[RENAME])];

/// A host that boots an update for the first time.
fn updated(steps: &[Step<'_>]) -> Host {
    let host = Host::new();
    host.stage(steps);
    host.bits(false, true);
    host
}

/// The boot fails with these words, and the datastore is as it was to the last byte.
fn refused(host: &Host, version: &str, words: &[&str]) {
    let before = host.everything();
    host.boot_with(version, &["--time-limit", "2"]).expect_failure(words);
    assert_eq!(host.everything(), before);
}

#[test]
fn settings_survive_an_update_and_a_renamed_value_comes_along() {
    let host = updated(STEPS);
    let original = host.chain().data_dir;
    host.boot("1.1.0").expect_ok();
    let (version, store) = host.store();
    assert_eq!(version, "1.1.0");
    assert_eq!(store.live, settings([("settings.kept", json!("mine")), ("settings.renamed", json!("two"))]));
    assert_eq!(store.pending["tx"], settings([("settings.renamed", json!("two"))]));
    // The original is kept for the way back, and nothing else.
    assert_eq!(fs::read_link(host.base().join("v1.0.0")).unwrap().to_str(), Some(&*original));
    assert_eq!(host.stores(), 2);
}

#[test]
fn a_script_is_a_migration_like_any_other() {
    let host = updated(&[("1.0.0", "1.1.0", &[SCRIPT, RENAME])]);
    host.boot("1.1.0").expect_ok();
    assert_eq!(host.live(), settings([("settings.kept", json!("mine")), ("settings.renamed", json!("two"))]));
}

#[test]
fn a_migration_works_on_a_copy_with_no_more_rights_than_it_needs() {
    let host = updated(&[("1.0.0", "1.1.0", &[MISBEHAVE])]);
    host.set("settings.misbehave", json!("tell"));
    let live = host.base().join(host.chain().data_dir);
    let ran = host.boot("1.1.0");
    ran.expect_ok();
    assert!(ran.err.contains("migrations have limits of time, memory and file size"), "{}", ran.err);
    let source = ran.err.split("it reads ").nth(1).expect("it says so").lines().next().unwrap();
    assert!(!source.starts_with(live.to_str().unwrap()), "{source}");
    assert!(!std::path::Path::new(source.trim_end_matches(['"', ' '])).exists(), "the copy is gone");
}

#[test]
fn who_works_on_the_datastore_is_not_disturbed() {
    let host = updated(STEPS);
    let server = host_io::lock::DirLock::acquire(&host.base()).unwrap();
    refused(&host, "1.1.0", &["have the datastore to itself", "held by"]);
    drop(server);
    host.boot("1.1.0").expect_ok();
}

#[test]
fn settings_that_the_new_image_cannot_use_fail_the_boot() {
    for (model, word) in [
        (&[("settings.renamed", "integer")][..], "settings.renamed is \"two\", and it takes a whole number"),
        (
            &[("settings.renamed.address", "string")],
            "settings.renamed is \"two\", and it is a group of settings",
        ),
        (
            &[("settings.kept", "string"), ("settings.absent", "string\"\nrequired = true #")],
            "settings.absent is missing",
        ),
    ] {
        let host = updated(STEPS);
        host.model(model);
        refused(&host, "1.1.0", &["use the migrated settings on 1.1.0", word]);
    }
    // Also where nothing is run, and what the image does not know does no harm.
    let host = updated(&[("1.0.0", "1.1.0", &[])]);
    host.model(&[("settings.kept", "boolean")]);
    refused(&host, "1.1.0", &["settings.kept is \"mine\""]);
    host.model(&[("settings.kept", "string")]);
    host.boot("1.1.0").expect_ok();
}

#[test]
fn want_of_room_is_noted_and_is_nothing_against_the_release() {
    for full in [CutFs::counting().with_free_bytes(1000), CutFs::counting().with_free_files(3)] {
        let host = updated(STEPS);
        let error = host.settle(&full, "1.1.0").unwrap_err();
        assert!(matches!(error, Error::NoRoom { .. }), "{error}");
        let note = host_io::BootNote::read(&full, &host.paths, &"1.1.0".parse().unwrap()).unwrap();
        assert_eq!((note.stage.as_str(), note.failed), (host_io::boot_note::stage::NO_ROOM, None));
    }
}

#[test]
fn a_list_of_steps_is_a_migration_like_any_other() {
    let host = updated(&[("1.0.0", "1.1.0", &[LIST, SCRIPT, RENAME])]);
    host.set("settings.old", json!("goes"));
    host.boot("1.1.0").expect_ok();
    let (_, store) = host.store();
    let moved = ("settings.other.name", json!("one"));
    assert_eq!(store.live, settings([("settings.kept", json!("mine")), moved.clone()]));
    assert_eq!(store.pending["tx"], settings([moved]));

    // Back, with what the newer release set, and with what it did not know as it was left.
    host.set("settings.added", json!(true));
    host.set("settings.kept", json!("changed"));
    host.bits(true, true);
    let ran = host.boot("1.0.0");
    ran.expect_ok();
    assert!(ran.err.contains("those that were kept are taken there and back"), "{}", ran.err);
    assert_eq!(
        host.live(),
        settings([
            ("settings.kept", json!("changed")),
            ("settings.old", json!("goes")),
            ("settings.renamed", json!("one"))
        ])
    );
}

#[test]
fn a_long_way_is_walked_step_by_step_and_leaves_no_copies() {
    let host = updated(&[
        ("1.0.0", "1.1.0", &[RENAME, ADD]),
        ("1.1.0", "1.2.0", &[MISBEHAVE]),
        ("1.2.0", "2.0.0-rc.1", &[ADD]),
    ]);
    let ran = host.boot("2.0.0-rc.1");
    ran.expect_ok();
    for (number, name) in [RENAME, ADD, MISBEHAVE, ADD].iter().enumerate() {
        assert!(ran.err.contains(&format!("{name} ({} of 4)", number + 1)), "{}", ran.err);
    }
    assert_eq!(host.store().0, "2.0.0-rc.1");
    assert_eq!(host.live()[&"settings.renamed".parse().unwrap()], json!("two"));
    assert_eq!(host.stores(), 2);
    host.boot("2.0.0-rc.1").expect_ok();
}

#[test]
fn an_update_without_migrations_links_the_store_that_is_there() {
    let host = updated(&[("1.0.0", "1.1.0", &[])]);
    let (before, data_dir) = (host.store().1, host.chain().data_dir);
    host.boot("1.1.0").expect_ok();
    assert_eq!(host.store(), ("1.1.0".to_owned(), before.clone()));
    assert_eq!(host.chain().data_dir, data_dir);

    // What is set on the new version is not there when its boot turns out bad.
    host.set("settings.kept", json!("new"));
    host.bits(true, false);
    host.boot("1.0.0").expect_ok();
    assert_eq!(host.store(), ("1.0.0".to_owned(), before));
    assert_eq!(host.stores(), 1);
}

#[test]
fn a_store_of_this_version_is_left_alone_and_no_cache_is_needed() {
    let host = Host::new();
    let before = host.everything();
    host.boot("1.0.0").expect_ok();
    assert_eq!(host.everything(), before);
}

#[test]
fn a_first_boot_has_nothing_to_migrate() {
    let host = Host::without_store();
    host.boot("1.0.0").expect_ok();
    assert!(!host.base().exists());
}

#[test]
fn stores_of_earlier_updates_are_pruned() {
    let host = updated(STEPS);
    host.boot("1.1.0").expect_ok();
    host.stage(&[("1.0.0", "1.1.0", &[RENAME]), ("1.1.0", "1.2.0", &[ADD])]);
    host.boot("1.2.0").expect_ok();
    assert_eq!(host.stores(), 2);
    assert!(!host.base().join("v1.0.0").exists());
    assert!(host.base().join("v1.1.0/live").exists());
}

#[test]
fn a_migration_that_does_not_do_its_work_fails_the_boot_and_changes_nothing() {
    for (behaviour, word) in [
        ("fail", "it is asked to fail"),
        ("crash", "signal: 6"),
        ("hang", "killed after 2 s"),
        ("write nothing", "live is missing"),
        ("write a link", "a link, which is never followed"),
        ("write garbage", "settings/kept"),
    ] {
        let host = updated(&[("1.0.0", "1.1.0", &[RENAME, MISBEHAVE])]);
        host.set("settings.misbehave", json!(behaviour));
        refused(&host, "1.1.0", &[MISBEHAVE, word]);
    }
}

#[test]
fn a_missing_migration_is_named_with_its_step_before_any_other_runs() {
    let host = Host::new();
    host.stage_without(&[("1.0.0", "1.1.0", &[RENAME]), ("1.1.0", "1.2.0", &[ADD])], &[ADD]);
    host.bits(false, true);
    refused(&host, "1.2.0", &[ADD, "1.1.0 to 1.2.0", "way to 1.2.0"]);
    assert!(!host.boot("1.2.0").err.contains("running migration"));
}

#[test]
fn a_missing_way_is_named() {
    let host = updated(STEPS);
    refused(&host, "1.2.0", &["from 1.0.0 to 1.2.0", "no further than 1.1.0"]);
}

#[test]
fn a_cache_that_is_missing_or_of_another_owner_fails_the_boot() {
    let host = Host::new();
    refused(&host, "1.1.0", &["root role"]);
    host.stage(STEPS);
    let anchor = fs::read(host.paths.trusted_root()).unwrap();
    host.stage(STEPS);
    fs::write(host.paths.trusted_root(), anchor).unwrap();
    refused(&host, "1.1.0", &["from 1.0.0 to 1.1.0", "trust"]);
    fs::remove_dir_all(host.paths.cache()).unwrap();
    refused(&host, "1.1.0", &["from 1.0.0 to 1.1.0"]);
}

#[test]
fn a_migration_that_was_changed_on_disk_is_not_run() {
    for how in ["flip", "cut", "grow", "remove"] {
        let host = updated(&[("1.0.0", "1.1.0", &[ADD, RENAME])]);
        let file = fs::read_dir(host.paths.migrations_cache())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.to_str().unwrap().ends_with(RENAME))
            .unwrap();
        let mut bytes = fs::read(&file).unwrap();
        match how {
            "flip" => bytes[1000] ^= 1,
            "cut" => bytes.truncate(1000),
            "grow" => bytes.push(0),
            _ => {}
        }
        fs::write(&file, bytes).unwrap();
        if how == "remove" {
            fs::remove_file(&file).unwrap();
        }
        refused(&host, "1.1.0", &["migrate_v1.1.0_rename"]);
    }
}

#[test]
fn without_room_for_the_copies_nothing_is_begun() {
    let host = updated(STEPS);
    let before = host.everything();
    let full = CutFs::counting().with_free_bytes(10_000);
    let error = host.settle(&full, "1.1.0").unwrap_err();
    assert!(matches!(error, Error::NoRoom { free: 10_000, .. }), "{error}");
    assert_eq!(host.everything(), before);
}

#[test]
fn a_broken_chain_of_links_fails_the_boot_and_is_named() {
    let host = updated(STEPS);
    fs::remove_file(host.base().join("v1.0")).unwrap();
    refused(&host, "1.1.0", &["datastore/v1.0", "missing"]);
}

#[test]
fn what_has_no_place_in_a_store_fails_the_boot_and_nothing_outside_is_read() {
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir(outside.path().join("group")).unwrap();
    fs::write(outside.path().join("group/secret"), "\"secret\"").unwrap();
    let live = |host: &Host| host.base().join(host.chain().data_dir).join("live");
    for (place, target, word) in [
        ("settings/stray", "group/secret", "live/settings/stray is a link, which is never followed"),
        ("settings/group", "group", "live/settings/group is a link, which is never followed"),
        ("settings/no name", "group", "live/settings/no name is a link, which is never followed"),
    ] {
        let host = updated(STEPS);
        symlink(outside.path().join(target), live(&host).join(place)).unwrap();
        refused(&host, "1.1.0", &[word]);
    }
    let host = updated(STEPS);
    let aside = outside.path().join("live");
    fs::rename(live(&host), &aside).unwrap();
    symlink(&aside, live(&host)).unwrap();
    refused(&host, "1.1.0", &["live is a link, which is never followed"]);

    let host = updated(STEPS);
    fs::remove_file(host.base().join("v1.0.0")).unwrap();
    symlink(outside.path(), host.base().join("v1.0.0")).unwrap();
    refused(&host, "1.1.0", &["datastore/v1.0.0", "out of the datastore"]);
}

#[test]
fn names_that_are_none_and_what_lies_below_them_stay_behind() {
    let host = updated(STEPS);
    let settings_dir = host.base().join(host.chain().data_dir).join("live/settings");
    fs::create_dir(settings_dir.join("no name")).unwrap();
    fs::write(settings_dir.join("no name/at-all"), "\"?\"").unwrap();
    fs::write(settings_dir.join("half%"), "not even JSON").unwrap();
    host.boot("1.1.0").expect_ok();
    assert_eq!(host.live(), settings([("settings.kept", json!("mine")), ("settings.renamed", json!("two"))]));
}

#[test]
fn a_datastore_of_a_stranger_is_told() {
    if !rustix::process::geteuid().is_root() {
        return eprintln!("skipped: only root can give a directory away");
    }
    let host = updated(STEPS);
    std::os::unix::fs::chown(host.base(), Some(4242), None).unwrap();
    for mode in [0o700, 0o755] {
        fs::set_permissions(host.base(), fs::Permissions::from_mode(mode)).unwrap();
        let ran = host.boot("1.1.0");
        ran.expect_ok();
        assert!(ran.err.contains("belongs to user 4242"), "{mode:o}: {}", ran.err);
    }
}

#[test]
fn what_a_cut_run_left_beside_the_stores_is_gone_after_the_next_one() {
    let host = updated(STEPS);
    // Copies that did not lie in memory, a store that no link leads to yet, and half of one.
    let left = [".migrating_Q0123456789abcde", "v1.1.0_AAAAbbbbCCCC0123", "v1.1.0_DDDDbbbbCCCC0123"];
    for (name, below) in left.iter().zip(["store_1/live/settings", "live/settings", "pending"]) {
        fs::create_dir_all(host.base().join(name).join(below)).unwrap();
    }
    fs::write(host.base().join(left[0]).join("store_1/live/settings/kept"), "\"mine\"").unwrap();
    host.boot("1.1.0").expect_ok();
    for name in left {
        assert!(!host.base().join(name).exists(), "{name}");
    }
    assert_eq!(host.stores(), 2);
}
