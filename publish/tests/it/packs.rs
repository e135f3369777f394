//! Packs from the last releases: made, weighed, kept, applied again by `check`, and what bad ones are told as.

use std::sync::Arc;

use chrono::Duration;
use publish::pack::{PackOptions, PacksReport, pack};
use publish::progress::Silent;
use publish::prune::{PruneOptions, prune};
use publish::{AddOptions, Bases, Error, Lifetimes};
use testdata::noise;
use update_metadata::Update;

use crate::check::check;
use crate::fixture::{ARCH, Fixture, VARIANT, done, pubrepo, refused, today};

const BLOCK: usize = 4096;

/// A release that has most of release 0: some blocks of root are shifted by a few bytes, as those of a changed file are.
fn release(fixture: &Fixture, version: &str, shift: u8) -> AddOptions {
    let mut release = fixture.release(version, 1);
    let (mut boot, mut root) = (noise(7, 600_000), noise(1, 300 * BLOCK));
    let at = usize::from(shift);
    if shift > 0 {
        boot.insert(1000 * at, shift);
        root.copy_within(40 * BLOCK + at..90 * BLOCK + at, 40 * BLOCK);
        root[200 * BLOCK..201 * BLOCK].copy_from_slice(&noise(shift.into(), BLOCK));
    }
    release.images.boot = fixture.write(&format!("images/boot-{version}"), &boot);
    release.images.root = fixture.write(&format!("images/root-{version}"), &root);
    release.bases = Bases::default();
    release
}

async fn published(fixture: &Fixture, version: &str) -> Update {
    let updates = fixture.open().await.manifest().await.expect("a manifest").updates;
    updates.into_iter().find(|update| update.version.to_string() == version).expect("it is on offer")
}

fn from(update: &Update) -> Vec<String> {
    update.extensions.packs.iter().map(|packs| packs.from.to_string()).collect()
}

#[tokio::test]
async fn a_release_has_packs_from_the_one_before_that_check_applies() {
    let fixture = Fixture::new().await;
    let first = fixture.add(&release(&fixture, "1.0.0", 0)).await.expect("published");
    assert_eq!(first.packs, [], "there is nothing to lead on from");
    let report = fixture.add(&release(&fixture, "1.1.0", 3)).await.expect("published");
    let what: Vec<_> = report.packs.iter().map(|pack| (pack.image, pack.published)).collect();
    assert_eq!(what, [("boot", true), ("root", true)], "{report}");
    for pack in &report.packs {
        assert!(pack.bytes * 5 < pack.instead_of, "{report}");
    }
    let update = published(&fixture, "1.1.0").await;
    let packs = &update.extensions.packs[0];
    assert_eq!((packs.from.to_string(), packs.base.clone()), ("1.0.0".to_owned(), first.root_hash));
    assert_eq!(packs.root_hash.as_ref(), Some(&report.root_hash));
    // A rollout is played with what they take.
    let place = ["--repo", "repo", "--variant", VARIANT, "--arch", ARCH];
    let played = done(pubrepo(&fixture, &[&["simulate", "--json", "--hosts", "100"], &place[..]].concat()));
    let played: serde_json::Value = serde_json::from_str(&played).expect("JSON");
    assert_eq!(played["pack_bytes"], report.packs.iter().map(|pack| pack.bytes).sum::<u64>());
    let played = done(pubrepo(&fixture, &[&["simulate", "--pack-bytes", "5000"], &place[..]].concat()));
    assert!(played.contains("\npeak egress with packs  "), "{played}");
    let root = packs.root.as_ref().expect("of root");
    assert_eq!(root.header, "ours-metal-x86_64-1.1.0-root-from-1.0.0.pack");
    assert_eq!(root.body, "ours-metal-x86_64-1.1.0-root-from-1.0.0.body");
    let found = check(&fixture).await;
    assert!(found.is_good(), "{found}");
    assert_eq!(found.advice, []);
    // What is signed stays, however old its base is.
    let options = PruneOptions { repo: fixture.path("repo"), grace: Duration::zero(), dry_run: true };
    let told = prune(&options, today() + Duration::days(400)).expect("pruned");
    assert!(told.files.iter().all(|file| file.name.ends_with("manifest.json")), "{told}");
}

#[tokio::test]
async fn check_finds_a_pack_that_no_host_could_apply() {
    let fixture = Fixture::new().await;
    fixture.add(&release(&fixture, "1.0.0", 0)).await.expect("published");
    fixture.add(&release(&fixture, "1.1.0", 3)).await.expect("published");
    // What leads to 1.1.0 is said to lead to 1.0.0: every file is as it was signed.
    let body =
        fixture.published().into_iter().find(|(path, _)| path.display().to_string().ends_with(".body"));
    let (path, mut bytes) = body.expect("a body");
    bytes[10] ^= 1;
    std::fs::write(path, bytes).expect("written");
    let found = check(&fixture).await;
    let told: Vec<_> = found.errors.iter().map(|finding| (finding.code, finding.what.clone())).collect();
    assert!(
        told.iter().any(|(code, what)| *code == "pack" && what.contains("of 1.1.0 from 1.0.0")),
        "{told:?}"
    );
}

#[tokio::test]
async fn what_saves_too_little_is_not_published_and_told() {
    let fixture = Fixture::new().await;
    fixture.add(&release(&fixture, "1.0.0", 0)).await.expect("published");
    let mut other = release(&fixture, "1.1.0", 0);
    other.images.root = fixture.write("images/other-root", &noise(2, 300 * BLOCK));
    other.images.boot = fixture.write("images/other-boot", &noise(3, 600_000));
    let report = fixture.add(&other).await.expect("published");
    assert!(report.packs.len() == 2 && report.packs.iter().all(|pack| !pack.published), "{report}");
    assert!(report.to_string().contains("not published, it saves too little"), "{report}");
    assert!(published(&fixture, "1.1.0").await.extensions.packs.is_empty());
    let files = fixture.published();
    assert!(files.iter().all(|(path, _)| !path.display().to_string().contains("-from-")), "nothing is left");
}

#[tokio::test]
async fn the_newest_three_are_bases_unless_others_are_named() {
    let fixture = Fixture::new().await;
    for (version, shift) in [("1.0.0", 0), ("1.1.0", 1), ("1.2.0", 2), ("1.3.0", 3)] {
        let first = AddOptions { bases: Bases::None, ..release(&fixture, version, shift) };
        assert_eq!(fixture.add(&first).await.expect("published").packs, []);
    }
    fixture.add(&release(&fixture, "1.4.0", 4)).await.expect("published");
    assert_eq!(from(&published(&fixture, "1.4.0").await), ["1.3.0", "1.2.0", "1.1.0"]);
    let named = Bases::These(vec!["1.0.0".parse().expect("a version")]);
    let fifth = AddOptions { bases: named.clone(), ..release(&fixture, "1.5.0", 5) };
    fixture.add(&fifth).await.expect("published");
    assert_eq!(from(&published(&fixture, "1.5.0").await), ["1.0.0"]);
    // Published again it keeps what it has, and gets what is missing.
    let before = fixture.published().len();
    fixture.add(&AddOptions { bases: Bases::Newest(1), ..fifth.clone() }).await.expect("published again");
    assert_eq!(from(&published(&fixture, "1.5.0").await), ["1.4.0", "1.0.0"]);
    assert!(fixture.published().len() > before + 4);
    let nobody = Bases::These(vec!["0.9.0".parse().expect("a version")]);
    let error = fixture.add(&AddOptions { bases: nobody, ..fifth }).await.expect_err("there is none");
    assert!(matches!(error, Error::PackBase { .. }), "{error}");
    assert!(check(&fixture).await.is_good());
}

#[tokio::test]
async fn a_base_that_rots_is_a_note_where_nobody_named_it_and_an_error_where_somebody_did() {
    let fixture = Fixture::new().await;
    fixture.add(&release(&fixture, "1.0.0", 0)).await.expect("published");
    let is_root = |path: &std::path::Path| path.display().to_string().ends_with("1.0.0-root.lz4");
    let (path, mut bytes) =
        fixture.published().into_iter().find(|(path, _)| is_root(path)).expect("the root image");
    bytes[5000] ^= 1;
    std::fs::write(path, bytes).expect("written");
    let next = release(&fixture, "1.1.0", 3);
    let named = Bases::These(vec!["1.0.0".parse().expect("a version")]);
    let before = fixture.published();
    let error = fixture.add(&AddOptions { bases: named, ..next.clone() }).await.expect_err("it was named");
    assert!(matches!(&error, Error::PackBase { version, .. } if version.to_string() == "1.0.0"), "{error}");
    let signed = |files: &[(std::path::PathBuf, Vec<u8>)]| {
        files.iter().filter(|(path, _)| path.ends_with("timestamp.json")).count()
    };
    assert_eq!(signed(&fixture.published()), signed(&before));
    let report = fixture.add(&next).await.expect("published without");
    assert!(
        report.packs.is_empty() && report.notes.iter().any(|note| note.starts_with("no pack")),
        "{report}"
    );
}

async fn by_hand(fixture: &Fixture, from: &str, to: &str) -> Result<PacksReport, Error> {
    let version = |text: &str| text.parse().expect("a version");
    let options = PackOptions {
        desk: publish::Desk {
            repo: fixture.path("repo"),
            keys: fixture.path("keys").into(),
            variant: VARIANT.to_owned(),
            arch: ARCH.to_owned(),
        },
        from: version(from),
        to: version(to),
        lifetimes: Lifetimes::default(),
    };
    pack(&options, today(), Arc::new(Silent)).await
}

#[tokio::test]
async fn one_can_be_made_by_hand_between_releases_that_are_published() {
    let fixture = Fixture::new().await;
    for (version, shift) in [("1.0.0", 0), ("1.1.0", 3)] {
        let plain = AddOptions { bases: Bases::None, ..release(&fixture, version, shift) };
        fixture.add(&plain).await.expect("published");
    }
    let report = by_hand(&fixture, "1.0.0", "1.1.0").await.expect("made");
    assert!(report.timestamp_version.is_some() && report.packs.iter().all(|pack| pack.published), "{report}");
    // Back as well: hosts go there when a release is recalled.
    by_hand(&fixture, "1.1.0", "1.0.0").await.expect("made");
    assert_eq!(from(&published(&fixture, "1.0.0").await), ["1.1.0"]);
    let found = check(&fixture).await;
    assert!(found.is_good(), "{found}");
    for (from, to) in [("1.0.0", "1.1.0"), ("1.0.0", "1.2.0"), ("0.1.0", "1.1.0"), ("1.0.0", "1.0.0")] {
        let error = by_hand(&fixture, from, to).await.expect_err("nothing to be made");
        assert!(matches!(error, Error::PackBase { .. }), "{from} to {to}: {error}");
    }
}

#[tokio::test]
async fn the_program_makes_them_unless_it_is_told_not_to() {
    let fixture = Fixture::empty();
    fixture.init_now().await;
    let images = |version: &str, shift| {
        let release = release(&fixture, version, shift);
        (release.images.boot.display().to_string(), release.images.root.display().to_string())
    };
    let desk = ["--repo", "repo", "--keys", "keys", "--variant", VARIANT, "--arch", ARCH];
    let add = |version: &str, shift, more: &[&str]| {
        let (boot, root) = images(version, shift);
        let add = ["add", "--version", version, "--boot", &boot, "--root", &root, "--no-migrations"];
        pubrepo(&fixture, &[&add[..], &desk, more].concat())
    };
    done(add("1.0.0", 0, &[]));
    let said = done(add("1.1.0", 1, &[]));
    assert!(said.contains("pack from 1.0.0, root: ") && said.contains("-from-1.0.0.body"), "{said}");
    let said = done(add("1.2.0", 2, &["--no-packs"]));
    assert!(!said.contains("pack from"), "{said}");
    let said = done(add("1.3.0", 3, &["--base", "1.1.0", "--json"]));
    let json: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(json["packs"][1]["from"], "1.1.0");
    let by_hand = ["pack", "--from", "1.0.0", "--to", "1.2.0"];
    let said = done(pubrepo(&fixture, &[&by_hand[..], &desk].concat()));
    assert!(said.contains("published with timestamp version"), "{said}");
    refused(&pubrepo(&fixture, &[&by_hand[..], &desk].concat()), "it has one from 1.0.0 already");
    refused(&add("1.4.0", 4, &["--base", "0.1.0"]), "make a pack with 0.1.0");
}
