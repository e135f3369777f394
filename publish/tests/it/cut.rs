//! `pubrepo add` cut off in the middle, and two of them at once.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use testdata::noise;

use crate::fixture::{Fixture, pubrepo};

const DESK: [&str; 8] = ["--repo", "repo", "--keys", "keys", "--variant", "metal", "--arch", "x86_64"];

/// A repository with one release, and images for others.
async fn published() -> Fixture {
    let fixture = Fixture::empty();
    fixture.init_now().await;
    for seed in 1..3 {
        fixture.write(&format!("boot-{seed}"), &noise(seed, 50_000));
        fixture.write(&format!("root-{seed}"), &noise(seed, 300 * 4096));
    }
    for (version, steps) in [
        ("1.0.0", ""),
        ("1.1.0", "'(1.0.0, 1.1.0)' = []"),
        ("1.2.0", "'(1.0.0, 1.2.0)' = []\n'(1.1.0, 1.2.0)' = []"),
    ] {
        let config = format!("version = '{version}'\n[migrations]\n{steps}\n");
        fixture.write(&format!("{version}.toml"), config.as_bytes());
    }
    succeeded(&pubrepo(&fixture, &add("1.0.0", 1)));
    fixture
}

fn add(version: &str, seed: u64) -> Vec<String> {
    let of_this =
        format!("--version {version} --boot boot-{seed} --root root-{seed} --release-config {version}.toml");
    let words = ["add"].into_iter().chain(DESK).chain(of_this.split(' '));
    words.map(str::to_owned).collect()
}

fn start(fixture: &Fixture, args: &[String]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pubrepo"));
    command.current_dir(fixture.path("")).args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("it runs")
}

fn succeeded(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What hosts would make of it, by the program's own judgement.
fn reads(fixture: &Fixture, versions: &[&str]) {
    let look = [
        "check",
        "repo",
        "--variant",
        "metal",
        "--arch",
        "x86_64",
        "--trusted-root",
        "keys/root.json",
        "--json",
    ];
    let output = pubrepo(fixture, &look);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!(report["errors"], serde_json::json!([]), "{report}");
    let found: Vec<&str> =
        report["versions"].as_array().expect("a list").iter().filter_map(|v| v.as_str()).collect();
    assert_eq!(found, versions);
}

/// Whether some published file, or one that is being written, has such a name.
fn is_there(fixture: &Fixture, dir: &str, part: &str) -> bool {
    let entries = std::fs::read_dir(fixture.path(dir)).expect("there");
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().contains(part))
}

#[tokio::test]
async fn an_add_that_is_killed_leaves_a_repository_that_reads_and_the_next_one_completes() {
    for (dir, part) in [
        ("repo/targets", "1.1.0-root.lz4"),
        ("repo/targets", "1.1.0-root.zst"),
        ("repo/targets", "1.1.0-root.idx"),
        ("repo/metal/x86_64", "3.targets.json"),
        ("repo/metal/x86_64", "3.snapshot.json"),
    ] {
        let fixture = published().await;
        let mut child = start(&fixture, &add("1.1.0", 2));
        let ended = loop {
            if is_there(&fixture, dir, part) {
                child.kill().expect("it was started here");
                break child.wait().expect("it ended");
            }
            if let Some(status) = child.try_wait().expect("it was started here") {
                break status;
            }
            std::thread::yield_now();
        };
        // It may have been quicker than this test looks; then it was there as a whole.
        let manifest = fixture.open_now().await.manifest().await.expect("a manifest");
        let versions: Vec<String> =
            manifest.updates.iter().map(|update| update.version.to_string()).collect();
        let versions: Vec<&str> = versions.iter().map(String::as_str).collect();
        assert!(!ended.success() || versions == ["1.0.0", "1.1.0"], "{part}: it said that it is published");
        reads(&fixture, &versions);
        succeeded(&pubrepo(&fixture, &add("1.1.0", 2)));
        reads(&fixture, &["1.0.0", "1.1.0"]);
    }
}

/// A migration whose program comes through a pipe, so that a publisher waits for it in the middle of its work.
fn with_pipe(fixture: &Fixture, version: &str) -> (Vec<String>, PathBuf) {
    let name = format!("migrate_v{version}_slow");
    let config = format!("version = '{version}'\n[migrations]\n'(1.0.0, {version})' = ['{name}.lz4']\n");
    fixture.write(&format!("{version}.toml"), config.as_bytes());
    std::fs::create_dir(fixture.path("migrations")).expect("made");
    let pipe = fixture.path("migrations").join(name);
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("coreutils are there").success());
    let more = ["--migrations", "migrations"].map(str::to_owned);
    ([add(version, 2), more.to_vec()].concat(), pipe)
}

#[tokio::test]
async fn a_second_publisher_is_told_to_wait_while_the_first_is_at_work_and_both_get_through() {
    let fixture = published().await;
    let (args, pipe) = with_pipe(&fixture, "1.1.0");
    let first = start(&fixture, &args);
    // Opens once the first publisher reads from it, which it does with the repository in its hands.
    let mut program = File::create(&pipe).expect("it is read");
    let second = pubrepo(&fixture, &add("1.2.0", 1));
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("help: wait until the other publisher is done"), "{said}");
    reads(&fixture, &["1.0.0"]);
    std::io::Write::write_all(&mut program, b"#!/bin/sh\n").expect("it is read");
    drop(program);
    succeeded(&first.wait_with_output().expect("it ended"));
    succeeded(&pubrepo(&fixture, &add("1.2.0", 1)));
    reads(&fixture, &["1.0.0", "1.1.0", "1.2.0"]);
}

#[tokio::test]
async fn a_publisher_that_is_killed_in_the_middle_holds_up_nobody() {
    let fixture = published().await;
    let (args, pipe) = with_pipe(&fixture, "1.1.0");
    let mut first = start(&fixture, &args);
    let _program = File::create(&pipe).expect("it is read");
    first.kill().expect("it was started here");
    assert!(!first.wait().expect("it ended").success());
    reads(&fixture, &["1.0.0"]);
    std::fs::remove_file(pipe).expect("there");
    fixture.write("migrations/migrate_v1.1.0_slow", b"#!/bin/sh\n");
    succeeded(&pubrepo(&fixture, &args));
    reads(&fixture, &["1.0.0", "1.1.0"]);
}
