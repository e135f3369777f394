//! A copy for an air gap.

use std::sync::Arc;

use publish::mirror::{MirrorOptions, mirror};
use publish::progress::Silent;
use publish::{Error, Place};

use crate::check::{options, two_releases};
use crate::fixture::{Fixture, today};

fn to(fixture: &Fixture, out: &str, versions: &[&str]) -> MirrorOptions {
    MirrorOptions {
        place: options(fixture).place,
        out: fixture.path(out),
        versions: versions.iter().map(|version| version.parse().expect("a version")).collect(),
    }
}

#[tokio::test]
async fn a_whole_copy_is_as_good_as_the_repository() {
    let fixture = Fixture::new().await;
    two_releases(&fixture).await;
    let report = mirror(&to(&fixture, "copy", &[]), today(), Arc::new(Silent)).await.expect("copied");
    assert_eq!((report.targets, report.versions.len()), (16, 2));
    let mut look = options(&fixture);
    look.place = Place { base: fixture.path("copy").display().to_string(), ..look.place };
    let report = publish::check(&look, today(), Arc::new(Silent)).await.expect("it can be opened");
    assert!(report.is_good(), "{report}");
}

#[tokio::test]
async fn a_part_has_the_images_that_were_asked_for_and_all_migrations() {
    let fixture = Fixture::new().await;
    two_releases(&fixture).await;
    mirror(&to(&fixture, "copy", &["1.1.0"]), today(), Arc::new(Silent)).await.expect("copied");
    let mut names: Vec<String> = std::fs::read_dir(fixture.path("copy/targets"))
        .expect("there")
        .map(|entry| entry.expect("readable").file_name().to_string_lossy()[65..].to_owned())
        .collect();
    names.sort();
    let images = ["boot.idx", "boot.lz4", "boot.zst", "hash.lz4", "root.idx", "root.lz4", "root.zst"];
    let mut expected = images.map(|image| format!("ours-metal-x86_64-1.1.0-{image}")).to_vec();
    expected.splice(..0, ["manifest.json", "migrate_v1.1.0_settings.lz4"].map(str::to_owned));
    assert_eq!(names, expected);
    let none = mirror(&to(&fixture, "copy", &["3.0.0"]), today(), Arc::new(Silent)).await;
    assert!(matches!(none, Err(Error::NotOffered { .. })));
}

#[tokio::test]
async fn damaged_bytes_are_not_copied() {
    let fixture = Fixture::new().await;
    two_releases(&fixture).await;
    for (path, mut bytes) in fixture.published() {
        if path.display().to_string().ends_with("1.1.0-root.lz4") {
            bytes[1000] ^= 1;
            std::fs::write(path, bytes).expect("damaged");
        }
    }
    let damaged = mirror(&to(&fixture, "copy", &[]), today(), Arc::new(Silent)).await;
    assert!(matches!(damaged, Err(Error::Repository(_))), "{damaged:?}");
    assert!(!fixture.path("copy/metal/x86_64/timestamp.json").exists(), "nobody takes it for a repository");
}
