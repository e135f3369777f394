//! What `check` says of the migrations between two releases: what is lost, what is misspelt, what is not there to run them.

use migration_helpers::declared::pack;
use publish::{AddOptions, CheckReport};

use crate::check::check;
use crate::fixture::{ARCH, Fixture, VARIANT};

/// A static program of this machine, as far as anybody looks.
fn elf() -> Vec<u8> {
    let machine: u16 = match ARCH {
        "x86_64" => 62,
        "aarch64" => 183,
        other => panic!("no number for {other}"),
    };
    let mut program = vec![0; 64];
    program[..6].copy_from_slice(b"\x7fELF\x02\x01");
    // An executable.
    program[16] = 2;
    program[18..20].copy_from_slice(&machine.to_le_bytes());
    program
}

/// The root of a release, with these files; links are written as `-> TARGET`.
fn root(version: &str, files: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = backhand::FilesystemWriter::default();
    let compressor = backhand::FilesystemCompressor::new(backhand::compression::Compressor::Zstd, None);
    writer.set_compressor(compressor.expect("a compressor"));
    writer.set_kib_padding(4);
    let header = backhand::NodeHeader { permissions: 0o755, ..backhand::NodeHeader::default() };
    let os_release = format!("VARIANT_ID={VARIANT}\nVERSION_ID={version}\n");
    for (path, text) in files.iter().chain(&[("usr/lib/os-release", os_release.as_str())]) {
        let parent = std::path::Path::new(path).parent().expect("a directory");
        writer.push_dir_all(parent, header).expect("made");
        match text.strip_prefix("-> ") {
            Some(target) => writer.push_symlink(target, path, header).expect("put in"),
            None => writer.push_file(std::io::Cursor::new((*text).to_owned()), path, header).expect("put in"),
        }
    }
    let mut image = std::io::Cursor::new(Vec::new());
    writer.write(&mut image).expect("written");
    let mut bytes = image.into_inner();
    bytes.resize(bytes.len().max(4 * 4096), 0);
    bytes
}

/// The root of 1.0.0 as distributions make theirs: with a shell, and the settings `group-001` to `group-400`.
pub(crate) fn erofs() -> Vec<u8> {
    let made = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/roots/2026-11-lz4hc.erofs");
    let mut bytes = std::fs::read(made).expect("it is part of the tree");
    // A hash tree wants two blocks at least.
    bytes.resize(bytes.len().max(4 * 4096), 0);
    bytes
}

/// Two releases with roots of these files, and one migration between them.
async fn checked(older: &[(&str, &str)], newer: &[(&str, &str)], migration: &[u8]) -> CheckReport {
    checked_roots(&root("1.0.0", older), &root("1.1.0", newer), migration).await
}

/// Two releases with these roots, and one migration between them.
async fn checked_roots(older: &[u8], newer: &[u8], migration: &[u8]) -> CheckReport {
    let fixture = Fixture::new().await;
    let with_root = |mut release: AddOptions, root: &[u8]| {
        release.images.root = fixture.write(&format!("images/{}", release.version), root);
        release
    };
    fixture.add(&with_root(fixture.release("1.0.0", 1), older)).await.expect("published");
    let release = fixture.with_migration(with_root(fixture.release("1.1.0", 2), newer), "1.0.0");
    fixture.write("migrations/migrate_v1.1.0_settings", migration);
    fixture.add(&release).await.expect("published");
    check(&fixture).await
}

const MODEL: &str = "usr/share/bottlerocket/settings.d/motd.toml";

fn model(keys: &[&str]) -> String {
    keys.iter().map(|key| format!("[[setting]]\nkey = {key:?}\ntype = \"string\"\n")).collect()
}

fn told<'a>(report: &'a CheckReport, code: &str) -> Vec<&'a str> {
    let all = report.errors.iter().chain(&report.advice);
    all.filter(|finding| finding.code == code).map(|finding| finding.what.as_str()).collect()
}

#[tokio::test]
async fn what_a_list_of_steps_loses_and_what_it_misspells_is_told() {
    let (older, newer) = (model(&["settings.motd", "settings.gone"]), model(&["settings.message"]));
    let list = |to: &str| {
        let steps = format!(
            "[[step]]\nkind = \"rename\"\nfrom = \"settings.motd\"\nto = \"{to}\"\n\
             [[step]]\nkind = \"remove\"\nsettings = [\"settings.gone\"]\n"
        );
        pack(&elf(), &steps).expect("a list")
    };
    let good = checked(&[(MODEL, &older)], &[(MODEL, &newer)], &list("settings.message")).await;
    assert!(good.is_good(), "{good}");
    let losses = told(&good, "migration_loses");
    assert_eq!(losses.len(), 1, "{good}");
    assert!(
        losses[0].starts_with("from 1.0.0 to 1.1.0, migrate_v1.1.0_settings.lz4: settings.gone "),
        "{good}"
    );

    let misspelt = checked(&[(MODEL, &older)], &[(MODEL, &newer)], &list("settings.massage")).await;
    assert!(!misspelt.is_good(), "{misspelt}");
    assert!(
        told(&misspelt, "migration_names")[0].ends_with("1.1.0 has no setting settings.massage"),
        "{misspelt}"
    );

    // Without models nobody knows.
    let unknown = checked(&[], &[(MODEL, &newer)], &list("settings.massage")).await;
    assert!(unknown.is_good() && told(&unknown, "migration_unchecked")[0].contains("1.0.0"), "{unknown}");
}

#[tokio::test]
async fn what_a_migration_needs_has_to_be_in_the_older_release_as_well() {
    let with_shell = [("usr/bin/dash", "a shell"), ("usr/bin/sh", "-> dash"), ("bin", "-> usr/bin")];
    let script = b"#!/bin/sh\nexit 0\n";
    let good = checked(&with_shell, &with_shell, script).await;
    assert!(good.is_good() && told(&good, "migration_needs").is_empty(), "{good}");
    let bad = checked(&[("usr/bin/true", "x")], &with_shell, script).await;
    let needs = told(&bad, "migration_needs");
    assert!(!bad.is_good() && needs.len() == 1, "{bad}");
    assert!(needs[0].contains("needs /bin/sh, and 1.0.0, which runs it on the way back"), "{bad}");
}

#[tokio::test]
async fn an_older_release_in_an_erofs_is_looked_into_as_any_other() {
    let older = erofs();
    let newer = root("1.1.0", &[("bin/sh", "a shell"), ("bin/python3", "a language")]);
    let good = checked_roots(&older, &newer, b"#!/bin/sh\nexit 0\n").await;
    assert!(good.is_good() && told(&good, "migration_needs").is_empty(), "{good}");
    let bad = checked_roots(&older, &newer, b"#!/bin/python3\n").await;
    assert!(!bad.is_good(), "{bad}");
    assert!(told(&bad, "migration_needs")[0].contains("needs /bin/python3, and 1.0.0"), "{bad}");
    // Its settings model counts as well.
    let rename = "[[step]]\nkind = \"rename\"\nfrom = \"settings.group-401\"\nto = \"settings.motd\"\n";
    let model = root("1.1.0", &[(MODEL, &model(&["settings.motd"]))]);
    let bad = checked_roots(&older, &model, &pack(&elf(), rename).expect("a list")).await;
    assert!(told(&bad, "migration_names")[0].contains("1.0.0 has no setting settings.group-401"), "{bad}");
    // Packed in a way that is not known here, it is said that nobody looked.
    let mut unknown = older;
    unknown[1024 + 83] = 0xff;
    let told_so = checked_roots(&unknown, &newer, b"#!/bin/sh\nexit 0\n").await;
    assert!(
        told(&told_so, "migration_needs")[0].contains("is not known: its erofs cannot be read"),
        "{told_so}"
    );
}

#[tokio::test]
async fn the_libraries_of_a_program_are_looked_for_in_both_releases() {
    // A program of this machine that is linked at its start, as its shell is nearly everywhere.
    let shell = std::fs::read("/bin/sh").expect("a shell");
    let bare = checked(&[("usr/bin/true", "x")], &[("usr/bin/true", "x")], &shell).await;
    let needs = told(&bare, "migration_needs");
    if needs.is_empty() {
        eprintln!("skipped: the shell of this machine is static");
        return;
    }
    assert!(!bare.is_good() && needs.len() == 2, "{bare}");
    assert!(needs[0].contains("libc."), "{bare}");
}
