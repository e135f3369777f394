//! How much a migration may write, and whose fault it is where there is no room for that.

use std::process::Command;

use host_io::boot_note::stage;
use host_io::{BootNote, SystemFs};
use serde_json::json;

use super::host::{Host, MISBEHAVE, Ran};

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
