//! What a boot that is not proven yet leaves for the other set, and what it is wished to do.

use std::fs;

use host_io::boot_note::stage;
use host_io::{BootNote, SnapshotRequest, SystemFs};
use semver::Version;
use serde_json::json;

use super::host::{ADD, Host, MISBEHAVE, RENAME, settings};

fn note(host: &Host, version: &str) -> Option<BootNote> {
    BootNote::read(&SystemFs, &host.paths, &Version::parse(version).unwrap())
}

/// A host that boots 1.1.0 for the first time, by this migration.
fn first_boot(migration: &str) -> Host {
    let host = Host::new();
    host.stage(&[("1.0.0", "1.1.0", &[migration])]);
    host.bits(false, true);
    let command_line = host.paths.kernel_command_line();
    fs::create_dir_all(command_line.parent().unwrap()).unwrap();
    fs::write(command_line, format!("quiet roothash={}\n", "ab".repeat(32))).unwrap();
    host
}

#[test]
fn a_first_boot_notes_how_far_it_came() {
    let host = first_boot(RENAME);
    host.boot("1.1.0").expect_ok();
    let note = note(&host, "1.1.0").unwrap();
    assert_eq!((note.stage.as_str(), note.failed), (stage::SYSTEM, None));
    assert_eq!(note.root_hash, Some("ab".repeat(32)));
}

#[test]
fn a_migration_that_fails_is_named_in_the_note() {
    let host = first_boot(MISBEHAVE);
    host.set("settings.misbehave", json!("fail"));
    host.boot("1.1.0").expect_failure(&["migrate_v1.1.0_misbehave"]);
    let note = note(&host, "1.1.0").unwrap();
    assert_eq!(note.stage, stage::MIGRATE);
    let reason = note.failed.unwrap();
    assert!(reason.starts_with("failed to run the migration migrate_v1.1.0_misbehave: "), "{reason}");
}

#[test]
fn a_boot_of_a_proven_set_notes_nothing_and_neither_does_one_of_a_host_without_sets() {
    let host = first_boot(RENAME);
    host.bits(true, true);
    host.boot("1.1.0").expect_ok();
    assert_eq!(note(&host, "1.1.0"), None);
    let host = first_boot(RENAME);
    fs::remove_file(host.paths.signpost_config()).unwrap();
    host.boot("1.1.0").expect_ok();
    assert_eq!(note(&host, "1.1.0"), None);
}

#[test]
fn a_note_that_cannot_be_written_fails_no_boot() {
    let host = first_boot(RENAME);
    fs::create_dir_all(host.paths.record().parent().unwrap()).unwrap();
    fs::write(host.paths.record(), "in the way").unwrap();
    let ran = host.boot("1.1.0");
    ran.expect_ok();
    assert!(ran.err.contains("will not learn how far this boot came"), "{}", ran.err);
    assert_eq!(host.store().0, "1.1.0");
}

#[test]
fn settings_return_as_they_were_kept_where_that_is_wished_and_nothing_is_run() {
    let host = first_boot(ADD);
    host.boot("1.1.0").expect_ok();
    host.set("settings.kept", json!("changed on 1.1.0"));
    let newer = host.chain().data_dir;
    host.bits(true, true);
    let wish = SnapshotRequest { from: Version::new(1, 1, 0), to: Version::new(1, 0, 0) };
    wish.write(&SystemFs, &host.paths).unwrap();
    // Nothing could be run if it were tried.
    host.lose_cache();
    let ran = host.boot("1.0.0");
    ran.expect_ok();
    assert!(ran.err.contains("as it was asked for"), "{}", ran.err);
    assert_eq!(host.live(), settings([("settings.kept", json!("mine")), ("settings.renamed", json!("one"))]));
    assert!(host.base().join(newer).exists(), "the settings that were left stay for the way back");
    assert_eq!(SnapshotRequest::read(&SystemFs, &host.paths), None, "a wish is for one boot");
}

#[test]
fn a_wish_for_another_boot_counts_for_nothing_and_goes_away() {
    for (from, to, boots) in [("1.1.0", "1.0.0", "1.1.0"), ("1.2.0", "1.0.0", "1.0.0")] {
        let host = first_boot(RENAME);
        host.boot("1.1.0").expect_ok();
        host.set("settings.kept", json!("changed on 1.1.0"));
        host.bits(true, true);
        let wish = SnapshotRequest { from: Version::parse(from).unwrap(), to: Version::parse(to).unwrap() };
        wish.write(&SystemFs, &host.paths).unwrap();
        host.boot(boots).expect_ok();
        let (version, store) = host.store();
        assert_eq!(version, boots);
        assert_eq!(store.live.get(&"settings.kept".parse().unwrap()), Some(&json!("changed on 1.1.0")));
        assert_eq!(SnapshotRequest::read(&SystemFs, &host.paths), None);
    }
}
