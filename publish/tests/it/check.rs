//! What `check` says of repositories that hosts can live with, and of those that they cannot.

use std::sync::Arc;

use chrono::Duration;
use publish::check::Sizes;
use publish::progress::Silent;
use publish::{CheckOptions, CheckReport, MissingMigrations, Place};

use crate::fixture::{ARCH, Fixture, VARIANT, pubrepo, today};

pub(crate) fn options(fixture: &Fixture) -> CheckOptions {
    CheckOptions {
        place: Place {
            base: fixture.path("repo").display().to_string(),
            variant: VARIANT.to_owned(),
            arch: ARCH.to_owned(),
            trusted_root: fixture.path("keys/root.json"),
            targets: None,
        },
        sizes: Sizes::of_layout(2),
        oldest: None,
        root_margin: Duration::days(90),
    }
}

pub(crate) async fn check(fixture: &Fixture) -> CheckReport {
    publish::check(&options(fixture), today(), Arc::new(Silent)).await.expect("it can be opened")
}

/// Two releases, with a step of migrations between them.
pub(crate) async fn two_releases(fixture: &Fixture) {
    fixture.add(&fixture.release("1.0.0", 1)).await.expect("published");
    fixture.add(&fixture.with_migration(fixture.release("1.1.0", 2), "1.0.0")).await.expect("published");
}

fn codes(report: &CheckReport) -> Vec<&str> {
    report.errors.iter().map(|finding| finding.code).collect()
}

#[tokio::test]
async fn a_sound_repository_is_good_and_read_to_its_last_byte() {
    let fixture = Fixture::new().await;
    two_releases(&fixture).await;
    let report = check(&fixture).await;
    assert!(report.is_good(), "{report}");
    // The root images are noise, and the migration is a script.
    let advice: Vec<&str> = report.advice.iter().map(|finding| finding.code).collect();
    assert_eq!(advice, ["migration_needs"; 2]);
    // Two times three images, and two of these as frames with an index; a migration, the manifest.
    assert_eq!(report.targets, 16);
    assert!(report.to_string().ends_with("good: hosts can take updates from here"), "{report}");
}

#[tokio::test]
async fn a_damaged_a_lost_and_a_too_large_image_are_each_found() {
    let fixture = Fixture::new().await;
    two_releases(&fixture).await;
    for (path, _) in fixture.published() {
        let name = path.display().to_string();
        if name.ends_with("1.0.0-root.lz4") {
            let mut bytes = std::fs::read(&path).expect("there");
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(&path, bytes).expect("damaged");
        } else if name.ends_with("1.1.0-boot.lz4") {
            std::fs::remove_file(&path).expect("lost");
        }
    }
    let report = check(&fixture).await;
    assert_eq!(codes(&report), ["image", "image"], "{report}");
    assert!(report.errors[0].what.contains("the root image of 1.0.0"), "{report}");
    assert!(report.errors[1].what.contains("the boot image of 1.1.0"), "{report}");

    let fixture = Fixture::new().await;
    fixture.add(&fixture.release("1.0.0", 1)).await.expect("published");
    let mut small = options(&fixture);
    small.sizes.root = 299 * 4096;
    let report = publish::check(&small, today(), Arc::new(Silent)).await.expect("it can be opened");
    assert_eq!(codes(&report), ["size"], "{report}");
}

#[tokio::test]
async fn a_manifest_with_other_bytes_than_the_signed_ones_is_found() {
    let fixture = Fixture::new().await;
    fixture.add(&fixture.release("1.0.0", 1)).await.expect("published");
    fixture.republish_manifest(|manifest| {
        manifest["updates"][0]["images"]["root"] = "ours-metal-x86_64-1.0.0-boot.lz4".into();
    });
    let report = check(&fixture).await;
    assert_eq!(codes(&report), ["manifest"], "{report}");
}

#[tokio::test]
async fn missing_migrations_are_errors_between_all_versions_and_from_the_oldest() {
    let fixture = Fixture::new().await;
    fixture.add(&fixture.release("1.0.0", 1)).await.expect("published");
    let unreachable = publish::AddOptions {
        no_migrations: false,
        doubts: publish::Doubts::Publish,
        ..fixture.release("1.1.0", 2)
    };
    fixture.add(&unreachable).await.expect("published");
    let report = check(&fixture).await;
    assert!(codes(&report).contains(&"missing_migrations"), "{report}");

    let fixture = Fixture::new().await;
    let release = fixture.with_migration(fixture.release("1.1.0", 1), "1.0.0");
    std::fs::remove_dir_all(fixture.path("migrations")).expect("removed");
    let release = publish::AddOptions { migrations: None, ..release };
    publish::add_with(&release, today(), MissingMigrations::Allow, Arc::new(Silent))
        .await
        .expect("published");
    let report = check(&fixture).await;
    assert_eq!(codes(&report), ["missing_target"], "{report}");
    let mut older = options(&fixture);
    older.oldest = Some("0.9.0".parse().expect("a version"));
    let report = publish::check(&older, today(), Arc::new(Silent)).await.expect("it can be opened");
    assert_eq!(codes(&report), ["missing_target", "missing_migrations"], "{report}");
}

#[tokio::test]
async fn expired_roles_and_a_root_that_is_about_to_expire_are_errors() {
    let fixture = Fixture::new().await;
    let later = |days| {
        let options = options(&fixture);
        async move {
            publish::check(&options, today() + Duration::days(days), Arc::new(Silent)).await.expect("opened")
        }
    };
    let report = later(6).await;
    assert!(report.is_good(), "{report}");
    assert_eq!(report.advice[0].code, "expires_soon");
    assert_eq!(codes(&later(8).await), ["expired"]);
    assert_eq!(codes(&later(300).await), ["root_expires", "expired", "expired", "expired"]);
}

#[tokio::test]
async fn a_root_role_that_was_cleaned_away_is_missed() {
    let fixture = Fixture::new().await;
    std::fs::remove_file(fixture.path("repo/metal/x86_64/1.root.json")).expect("removed");
    let report = check(&fixture).await;
    assert_eq!(codes(&report), ["root_chain"], "{report}");
}

#[tokio::test]
async fn the_program_ends_with_1_when_there_are_errors_and_0_with_advice() {
    let fixture = Fixture::empty();
    let place = ["--variant", "metal", "--arch", "x86_64", "--trusted-root", "keys/root.json"];
    fixture.init_now().await;
    let good = pubrepo(&fixture, &[&["check", "repo"], &place[..], &["--json"]].concat());
    assert_eq!(good.status.code(), Some(0), "{good:?}");
    let report: serde_json::Value = serde_json::from_slice(&good.stdout).expect("one object");
    assert_eq!(report["errors"], serde_json::json!([]));
    assert_eq!(report["advice"][0]["code"], "nothing_offered");
    let bad = pubrepo(&fixture, &[&["check", "repo"], &place[..], &["--root-margin", "400d"]].concat());
    assert_eq!(bad.status.code(), Some(1), "{bad:?}");
    let said = String::from_utf8(bad.stdout).expect("text");
    assert!(said.contains("error: the root role expires on "), "{said}");
    let none = pubrepo(&fixture, &[&["check", "nowhere"], &place[..]].concat());
    assert_eq!(none.status.code(), Some(1), "{none:?}");
    assert!(String::from_utf8_lossy(&none.stderr).contains("help: "), "{none:?}");
}
