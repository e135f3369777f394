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

/// Two releases with these roots, and one migration between them.
async fn checked(older: &[(&str, &str)], newer: &[(&str, &str)], migration: &[u8]) -> CheckReport {
    let fixture = Fixture::new().await;
    let with_root = |mut release: AddOptions, files: &[(&str, &str)]| {
        let version = release.version.to_string();
        release.images.root = fixture.write(&format!("images/{version}"), &root(&version, files));
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
