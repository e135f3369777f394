//! How much a migration may write, and whose fault it is where there is no room for that.

use std::process::Command;

use datastore::store_dir::{self, Contents};
use host_io::boot_note::stage;
use host_io::{BootNote, SystemFs};
use serde_json::json;

use super::host::{Host, MISBEHAVE, Ran, SCRIPT, Step};

fn host_that(behaviour: &str) -> Host {
    let host = Host::new();
    host.stage(&[("1.0.0", "1.1.0", &[MISBEHAVE])]);
    host.bits(false, true);
    host.set("settings.misbehave", json!(behaviour));
    host
}

fn note(host: &Host) -> BootNote {
    BootNote::read(&SystemFs, &host.paths, &"1.1.0".parse().unwrap()).expect("it was noted")
}

#[test]
fn a_migration_that_fills_its_directory_is_ended_and_held_against_its_release() {
    for behaviour in ["write without end", "write large files", "write many files"] {
        let host = host_that(behaviour);
        let before = host.everything();
        host.boot("1.1.0").expect_failure(&[MISBEHAVE, "it filled its directory with more than"]);
        assert_eq!(host.everything(), before, "{behaviour}");
        assert_eq!(left_in_run(&host), 0, "{behaviour}");
        assert!(note(&host).failed.is_some(), "{behaviour}");
    }
}

#[test]
fn where_its_directory_is_full_no_migration_is_to_blame_and_none_is_believed() {
    for behaviour in ["fill and fail", "fill and end well"] {
        let host = host_that(behaviour);
        let before = host.everything();
        let Some(ran) = boot_with_memory(&host, 1) else {
            return eprintln!("skipped: only root can give a host a small /run");
        };
        ran.expect_failure(&["copy the settings in", "bytes are needed"]);
        assert_eq!(host.everything(), before, "{behaviour}");
        let note = note(&host);
        assert_eq!((note.stage.as_str(), note.failed), (stage::NO_ROOM, None), "{behaviour}");
    }
    // There, one that keeps to its store has all that it needs.
    let host = host_that("write as it should");
    if let Some(ran) = boot_with_memory(&host, 1) {
        ran.expect_ok();
    }
}

#[test]
fn a_migration_that_takes_all_that_there_is_is_to_blame_for_it_where_that_is_more_than_it_may() {
    let host = host_that("write without end");
    let Some(ran) = boot_with_memory(&host, 64) else {
        return eprintln!("skipped: only root can give a host a small /run");
    };
    ran.expect_failure(&[MISBEHAVE, "it filled its directory with more than"]);
    assert!(note(&host).failed.is_some());
}

#[test]
fn files_that_are_long_and_take_nothing_are_too_much_all_the_same() {
    let host = host_that("write long files without content");
    host.boot("1.1.0").expect_failure(&[MISBEHAVE, "it filled its directory with more than"]);
}

fn left_in_run(host: &Host) -> usize {
    std::fs::read_dir(host.paths.run()).unwrap().count()
}

/// Boots 1.1.0 with a `/run` of so many megabytes; `None` where that cannot be made.
fn boot_with_memory(host: &Host, megabytes: u32) -> Option<Ran> {
    let unshare = |script: &str, arguments: &[String]| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script, "sh"]).arg(host.paths.run()).args(arguments);
        command.output()
    };
    let mount = &format!("mount -t tmpfs -o size={megabytes}M tmpfs \"$1\"");
    if !unshare(mount, &[]).is_ok_and(|output| output.status.success()) {
        return None;
    }
    host.run_version("1.1.0");
    let program = [vec![env!("CARGO_BIN_EXE_migrator").to_owned()], host.arguments()].concat();
    Some(Ran::of(unshare(&format!("{mount} && shift && exec \"$@\""), &program).unwrap()))
}

#[test]
fn a_way_of_seventy_five_migrations_needs_room_for_two_stores() {
    let contents = Contents {
        live: (0..100).map(|n| (format!("settings.many.n{n}").parse().unwrap(), json!(n))).collect(),
        ..Contents::default()
    };
    let versions: Vec<String> = (0..=75).map(|n| format!("1.0.{n}")).collect();
    let steps: Vec<Step<'_>> =
        versions.windows(2).map(|pair| (&*pair[0], &*pair[1], &[SCRIPT][..])).collect();
    let store = store_dir::room(&contents).unwrap();
    for (room, enough) in [(2 * store, true), (2 * store - 8 * 4096, false)] {
        let host = Host::with_store(&contents);
        host.stage(&steps);
        host.bits(false, true);
        let before = host.everything();
        let Some(ran) = boot_on_partition(&host, "1.0.75", room) else {
            return eprintln!("skipped: only root can give a host a small partition");
        };
        if enough {
            ran.expect_ok();
            assert!(ran.err.contains("(75 of 75)"), "{}", ran.err);
            assert_eq!((host.store().0.as_str(), host.live()), ("1.0.75", contents.live.clone()));
            assert_eq!(host.stores(), 2);
        } else {
            ran.expect_failure(&["bytes are needed"]);
            assert_eq!(host.everything(), before);
            assert!(!ran.err.contains("running migration"), "{}", ran.err);
        }
        assert_eq!(left_in_run(&host), 0);
    }
}

/// Boots `version` with settings on a partition of so many bytes; `None` where that cannot be made.
fn boot_on_partition(host: &Host, version: &str, bytes: u64) -> Option<Ran> {
    let (base, after) = (host.base(), host.base().with_extension("after"));
    let script = format!(
        "set -e; cp -a \"$1\" \"$1.before\"; mount -t tmpfs -o size={bytes} tmpfs \"$1\"; cp -a \"$1.before/.\" \"$1\"; \
         shift; code=0; \"$@\" || code=$?; cp -a {0} {1}; exit $code",
        base.display(),
        after.display()
    );
    let unshare = |script: &str, arguments: &[String]| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script, "sh"]).arg(&base).args(arguments).output()
    };
    if !unshare("mount -t tmpfs tmpfs \"$1\"", &[]).is_ok_and(|output| output.status.success()) {
        return None;
    }
    host.run_version(version);
    let program = [vec![env!("CARGO_BIN_EXE_migrator").to_owned()], host.arguments()].concat();
    let ran = Ran::of(unshare(&script, &program).unwrap());
    std::fs::remove_dir_all(&base).unwrap();
    std::fs::rename(&after, &base).unwrap();
    Some(ran)
}
