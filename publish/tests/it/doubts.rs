//! What hosts would stumble over, refused while it can still be put right.

use std::io::Write as _;

use publish::Doubts;
use testdata::noise;

use crate::fixture::{Fixture, done, pubrepo, refused};

const WHERE: [&str; 8] = ["--repo", "repo", "--keys", "keys", "--variant", "metal", "--arch", "x86_64"];

/// `pubrepo add` of a version with the images that `release` made for it.
fn add(fixture: &Fixture, version: &str, more: &[&str]) -> std::process::Output {
    let images = ["--boot", "images/boot-1", "--root", "images/root-1", "--version", version];
    pubrepo(fixture, &[&["add"], &WHERE[..], &images[..], more].concat())
}

async fn with_1_0_0() -> Fixture {
    let fixture = Fixture::empty();
    fixture.init_now().await;
    let _images = fixture.release("1.0.0", 1);
    let _report = done(add(&fixture, "1.0.0", &[]));
    fixture
}

#[tokio::test]
async fn a_release_that_no_host_can_reach_is_refused_and_two_ways_out_are_named() {
    let fixture = with_1_0_0().await;
    let before = fixture.published();
    let ran = add(&fixture, "1.3.0", &[]);
    refused(&ran, "no migrations lead from 1.0.0 to 1.3.0");
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(said.contains("\"(1.0.0, 1.3.0)\" = []") && said.contains("--no-migrations"), "{said}");
    // A step to somewhere else is none.
    fixture.write("Release.toml", b"version = '1.3.0'\n[migrations]\n'(1.0.0, 1.2.0)' = []\n");
    refused(
        &add(&fixture, "1.3.0", &["--release-config", "Release.toml"]),
        "no migrations lead from 1.0.0 to 1.3.0",
    );
    assert_eq!(fixture.published(), before);

    let report = done(add(&fixture, "1.3.0", &["--no-migrations"]));
    assert!(!report.contains("lead"), "{report}");
    let report = done(add(&fixture, "1.4.0", &["--force"]));
    assert!(
        report.contains("note: no migrations lead from 1.0.0, 1.3.0 to 1.4.0: hosts there refuse it, and"),
        "{report}"
    );
    // Not everybody gets there: that is worth a word and no more.
    fixture.write("Release.toml", b"version = '1.5.0'\n[migrations]\n'(1.4.0, 1.5.0)' = []\n");
    let report = done(add(&fixture, "1.5.0", &["--release-config", "Release.toml"]));
    assert!(
        report.contains("note: no migrations lead from 1.0.0, 1.3.0 to 1.5.0: hosts there cannot"),
        "{report}"
    );
    // What was published against a doubt stays one until it is mended.
    let check =
        ["check", "repo", "--trusted-root", "keys/root.json", "--variant", "metal", "--arch", "x86_64"];
    let ran = pubrepo(&fixture, &check);
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(
        ran.status.code() == Some(1) && said.contains("error: no migrations lead from 1.3.0 to 1.4.0"),
        "{said}"
    );
    // Mended it is by saying the step, for the release as it lies there.
    let _mended = done(add(&fixture, "1.4.0", &["--no-migrations"]));
    let _good = done(pubrepo(&fixture, &check));
}

#[tokio::test]
async fn a_stray_in_the_migrations_directory_and_a_migration_that_cannot_run_are_refused() {
    let fixture = with_1_0_0().await;
    fixture.write(
        "Release.toml",
        b"version = '1.1.0'\n[migrations]\n'(1.0.0, 1.1.0)' = ['migrate_v1.1.0_x.lz4']\n",
    );
    let args = ["--release-config", "Release.toml", "--migrations", "migrations"];
    fixture.write("migrations/migrate_v1.1.0_x", b"#!/bin/sh\n");
    // Whatever it holds, it is in the wrong place.
    for holds in [&b"#!/bin/sh\n"[..], b"Read me."] {
        fixture.write("migrations/README.md", holds);
        refused(&add(&fixture, "1.1.0", &args), "the migrations directory has README.md");
    }
    std::fs::remove_file(fixture.path("migrations/README.md")).expect("removed");
    fixture.write("migrations/migrate_v1.1.0_x", b"");
    refused(&add(&fixture, "1.1.0", &args), "migrate_v1.1.0_x.lz4 is neither a program nor a script");
    fixture.write("migrations/migrate_v1.1.0_x", b"#!python3\n");
    refused(&add(&fixture, "1.1.0", &args), "no whole path");
    fixture.write("migrations/migrate_v1.1.0_x", b"#!/bin/sh\nexit 0\n");
    let report = done(add(&fixture, "1.1.0", &args));
    assert!(
        report.contains("note: the migration migrate_v1.1.0_x.lz4 is a script: /bin/sh must be"),
        "{report}"
    );
}

#[tokio::test]
async fn an_image_of_no_bytes_is_refused() {
    let fixture = Fixture::new().await;
    for image in ["boot", "root"] {
        let mut release = fixture.release("1.0.0", 1);
        let empty = fixture.write("images/empty", b"");
        if image == "boot" {
            release.images.boot = empty
        } else {
            release.images.root = empty
        };
        let error = fixture.add(&release).await.expect_err("no host boots from that");
        assert!(error.to_string().contains("it has no bytes"), "{error}");
    }
}

/// A BOOT with a FAT file system and a command line.
fn boot_image(command_line: &str) -> Vec<u8> {
    let mut disk = std::io::Cursor::new(vec![0u8; 1 << 20]);
    fatfs::format_volume(&mut disk, fatfs::FormatVolumeOptions::new()).expect("room enough");
    {
        let fat = fatfs::FileSystem::new(&mut disk, fatfs::FsOptions::new()).expect("made just now");
        let mut file = fat.root_dir().create_file("cmdline").expect("room enough");
        file.write_all(command_line.as_bytes()).expect("room enough");
    }
    disk.into_inner()
}

#[tokio::test]
async fn the_root_hash_comes_first_then_boot_then_the_release() {
    let fixture = Fixture::empty();
    fixture.init_now().await;
    let _images = fixture.release("1.0.0", 1);
    let told = done(pubrepo(&fixture, &["hash", "images/root-1", "--out", "root.verity"]));
    let root_hash =
        told.lines().find_map(|line| line.strip_prefix("for BOOT:  roothash=")).expect("the word for BOOT");
    let with = |words: &str| fixture.write("images/boot-1", &boot_image(words));
    with(&format!("root=/dev/dm-0 roothash={}", "ab".repeat(32)));
    refused(&add(&fixture, "1.0.0", &["--hash", "root.verity"]), "names the root hash abab");
    with(&format!("root=/dev/dm-0 roothash={root_hash}"));
    let before = fixture.published();
    let report = done(add(&fixture, "1.0.0", &["--hash", "root.verity", "--dry-run"]));
    assert!(report.starts_with("would publish metal x86_64 1.0.0") && !report.contains("note:"), "{report}");
    assert_eq!(fixture.published(), before, "a dry run writes nothing");
    let report = done(add(&fixture, "1.0.0", &["--hash", "root.verity"]));
    assert!(report.contains(root_hash) && !report.contains("note:"), "{report}");

    // The next one gets its salt, by itself.
    fixture.write("images/root-2", &noise(2, 300 * 4096));
    let told = done(pubrepo(&fixture, &[&["hash", "images/root-2", "--json"], &WHERE[..]].concat()));
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["salt_from"], "that of 1.0.0");
    let words = format!("roothash={}", told["root_hash"].as_str().expect("a text"));
    fixture.write("images/boot-1", &boot_image(&words));
    std::fs::copy(fixture.path("images/root-2"), fixture.path("images/root-1")).expect("copied");
    let _report = done(add(&fixture, "1.1.0", &["--no-migrations"]));
    // What no command line tells is said.
    with("quiet");
    let report = done(add(&fixture, "1.2.0", &["--no-migrations"]));
    assert!(report.contains("note: no command line in the boot image names a root hash"), "{report}");
}

#[tokio::test]
async fn a_dry_run_does_not_tell_a_root_hash_as_if_publishing_made_the_same() {
    let fixture = Fixture::empty();
    fixture.init_now().await;
    let _images = fixture.release("1.0.0", 1);
    let hash_in = |report: &str| {
        report.lines().find_map(|line| line.strip_prefix("root hash: ")).expect("a root hash").to_owned()
    };
    let looked = done(add(&fixture, "1.0.0", &["--dry-run"]));
    let salt =
        looked.lines().find_map(|line| line.split_once("for this one give --salt ")).expect("a salt").1;
    let published = done(add(&fixture, "1.0.0", &["--salt", salt]));
    assert_eq!(hash_in(&published), hash_in(&looked));
    // The salt of the newest release is the next one's.
    let looked = done(add(&fixture, "1.1.0", &["--no-migrations", "--dry-run"]));
    assert!(!looked.contains("drawn just now"), "{looked}");
    assert_eq!(hash_in(&done(add(&fixture, "1.1.0", &["--no-migrations"]))), hash_in(&looked));
}

#[tokio::test]
async fn a_list_tells_what_is_offered_paused_and_recalled() {
    let fixture = with_1_0_0().await;
    let _report = done(add(&fixture, "1.1.0", &["--no-migrations", "--waves", "default"]));
    let _report = done(add(&fixture, "1.2.0", &["--no-migrations"]));
    let _paused = done(pubrepo(&fixture, &[&["pause", "1.1.0", "--yes"], &WHERE[..]].concat()));
    let _recalled = done(pubrepo(&fixture, &[&["recall", "1.2.0", "--yes"], &WHERE[..]].concat()));
    let list = ["list", "repo", "--trusted-root", "keys/root.json", "--variant", "metal", "--arch", "x86_64"];
    let text = done(pubrepo(&fixture, &list));
    let told: serde_json::Value =
        serde_json::from_str(&done(pubrepo(&fixture, &[&list[..], &["--json"]].concat()))).expect("JSON");
    let states: Vec<(&str, &str)> = told["releases"]
        .as_array()
        .expect("releases")
        .iter()
        .map(|release| {
            (release["version"].as_str().expect("a version"), release["state"].as_str().expect("a state"))
        })
        .collect();
    assert_eq!(states, [("1.1.0", "paused"), ("1.0.0", "offered")], "{text}");
    assert!(told["releases"][0]["waves"].as_u64() > Some(4), "{told}");
    assert!(
        text.contains("paused since ") && text.contains("none, every host may take it at once"),
        "{text}"
    );
    // Twice is said, and nothing is signed for it.
    let before = fixture.published();
    refused(
        &pubrepo(&fixture, &[&["pause", "1.1.0", "--yes"], &WHERE[..]].concat()),
        "1.1.0: it is paused already, since ",
    );
    assert_eq!(fixture.published(), before);
}

#[test]
fn nothing_is_published_against_a_doubt_unless_somebody_says_so() {
    assert_eq!(Doubts::default(), Doubts::Refuse);
}
