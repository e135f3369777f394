//! The command line of the program.

use std::process::Command;

use super::host::{Host, Ran};

fn run(arguments: &[&str]) -> Ran {
    Ran::of(Command::new(env!("CARGO_BIN_EXE_migrator")).args(arguments).output().unwrap())
}

#[test]
fn help_and_version_are_answers() {
    let help = run(&["--help"]);
    assert_eq!(help.code, Some(0));
    assert!(help.out.contains("--migrate-to-version-from-os-release") && help.out.contains("Examples:"));
    assert!(!help.out.contains("--root "), "--root is for tests");
    assert_eq!(run(&["--version"]).code, Some(0));
}

#[test]
fn wrong_usage_exits_with_2_and_says_what_is_wrong_also_before_a_first_boot() {
    for arguments in [
        &[][..],
        &["--datastore-path", "/not/there/current"],
        &["--no-color"],
        &["--root", "/not/there", "--migrate-to-version", "one"],
    ] {
        let ran = run(arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}");
        assert!(ran.out.is_empty() && ran.err.contains("error:"), "{}", ran.err);
    }
}

#[test]
fn a_missing_os_release_fails_even_before_a_first_boot() {
    let host = Host::without_store();
    let root = host.paths.root().display().to_string();
    run(&["--root", &root]).expect_failure(&["version of the running system", "os-release"]);
    assert_eq!(run(&["--root", &root, "--migrate-to-version", "1.0.0"]).code, Some(0));
}

#[test]
fn narration_can_be_turned_off() {
    let host = Host::new();
    let ran = host.boot_with("1.0.0", &["--log-level", "off"]);
    ran.expect_ok();
    assert!(ran.out.is_empty() && ran.err.is_empty(), "{}", ran.err);
}
