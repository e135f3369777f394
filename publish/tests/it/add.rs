//! Releases side by side, waves, migrations, hash trees.

use chrono::Duration;
use semver::Version;
use testdata::noise;
use trusted_repo::lz4;
use update_metadata::migration_path;
use verity::HashTree;

use crate::fixture::{Fixture, today};

const LIMIT: u64 = 16 << 20;

#[tokio::test]
async fn a_release_is_fetched_by_a_host_byte_for_byte() {
    let fixture = Fixture::new().await;
    let report = fixture.add(&fixture.release("1.0.0", 1)).await.expect("published");
    let repository = fixture.open().await;
    let manifest = repository.manifest().await.expect("a manifest");
    let [update] = &manifest.updates[..] else { panic!("one update") };
    assert_eq!(
        (update.version.to_string(), update.max_version.to_string()),
        ("1.0.0".into(), "1.0.0".into())
    );
    assert!(update.waves.is_empty());
    let mut raw = Vec::new();
    for name in [&update.images.boot, &update.images.root, &update.images.hash] {
        let target = repository.fetch(name, LIMIT).await.expect("verified");
        raw.push(lz4::decode(&target, LIMIT).expect("one frame"));
    }
    let [boot, root, hash] = &raw[..] else { panic!("three images") };
    assert_eq!(*boot, noise(1, 10_000));
    assert_eq!(*root, noise(1, 300 * 4096));
    let tree = HashTree::parse(hash).expect("a hash image");
    assert_eq!(tree.root_hash().to_string(), report.root_hash);
    for (index, block) in (0..).zip(root.chunks(4096)) {
        tree.check_block(index, block).expect("belongs to root");
    }
}

#[tokio::test]
async fn other_releases_stay_and_versions_count_on() {
    let fixture = Fixture::new().await;
    fixture.add(&fixture.release("1.0.0", 1)).await.expect("published");
    let first = fixture.open().await;
    let name = first.manifest().await.expect("a manifest").updates[0].images.root.clone();
    let report = fixture.add(&fixture.release("1.1.0", 2)).await.expect("published");
    assert_eq!(report.timestamp_version, 3);
    let repository = fixture.open().await;
    let manifest = repository.manifest().await.expect("a manifest");
    let versions: Vec<String> = manifest.updates.iter().map(|update| update.version.to_string()).collect();
    assert_eq!(versions, ["1.0.0", "1.1.0"]);
    let top = Version::new(1, 1, 0);
    assert!(manifest.updates.iter().all(|update| update.max_version == top), "one maximum for both");
    repository.fetch(&name, LIMIT).await.expect("still there");
    // A reader that opened it before goes on with what it saw.
    assert_eq!(first.manifest().await.expect("its own").updates.len(), 1);
}

#[tokio::test]
async fn the_salt_stays_the_same_from_release_to_release() {
    let fixture = Fixture::new().await;
    let first = fixture.add(&fixture.release("1.0.0", 1)).await.expect("published");
    let second = fixture.add(&fixture.release("1.1.0", 2)).await.expect("published");
    assert_eq!(first.salt.len(), 64);
    assert_eq!(first.salt, second.salt);
    assert_ne!(first.root_hash, second.root_hash);
    let chosen = "00ff".parse().expect("a salt");
    let mut third = fixture.release("1.2.0", 3);
    third.salt = Some(chosen);
    assert_eq!(fixture.add(&third).await.expect("published").salt, "00ff");
}

#[tokio::test]
async fn a_given_hash_image_is_published_as_it_is() {
    let fixture = Fixture::new().await;
    let mut release = fixture.release("1.0.0", 1);
    let mut builder = verity::TreeBuilder::new("0102".parse().expect("a salt"), [7; 16]);
    for block in noise(1, 300 * 4096).chunks(4096) {
        builder.push(block).expect("a block");
    }
    let image = builder.finish();
    release.images.hash = Some(fixture.write("images/hash", &image.bytes));
    let report = fixture.add(&release).await.expect("published");
    assert_eq!((report.root_hash, report.salt), (image.root_hash.to_string(), "0102".to_owned()));
    let repository = fixture.open().await;
    let name = &repository.manifest().await.expect("a manifest").updates[0].images.hash;
    let target = repository.fetch(name, LIMIT).await.expect("verified");
    assert_eq!(lz4::decode(&target, LIMIT).expect("one frame"), image.bytes);
}

#[tokio::test]
async fn waves_begin_when_they_are_told_to() {
    let fixture = Fixture::new().await;
    let mut release = fixture.release("1.0.0", 1);
    release.waves = Some(fixture.write(
        "waves.toml",
        b"[[waves]]\nstart_after = '1 hour'\nfleet_percentage = 50\n[[waves]]\nstart_after = '1 day'\nfleet_percentage = 100\n",
    ));
    release.start_at = Some(today() + Duration::days(1));
    assert_eq!(fixture.add(&release).await.expect("published").waves, 2);
    let waves = fixture.open().await.manifest().await.expect("a manifest").updates[0].waves.clone();
    let begin = today() + Duration::days(1);
    assert_eq!(
        waves.into_iter().collect::<Vec<_>>(),
        [(0, begin + Duration::hours(1)), (1024, begin + Duration::days(1))]
    );
    // Published again without a policy, it does not go to everybody at once.
    release.waves = None;
    assert_eq!(fixture.add(&release).await.expect("published").waves, 2);
}

#[tokio::test]
async fn the_four_policies_are_written_in_small_steps_with_an_end() {
    for policy in ["default", "accelerated", "slow-roll", "emergency"] {
        let fixture = Fixture::new().await;
        let mut release = fixture.release("1.0.0", 1);
        release.waves = Some(format!("{}/waves/{policy}.toml", env!("CARGO_MANIFEST_DIR")).into());
        release.pace = publish::Pace { tail: Some(Duration::hours(24)), ..publish::Pace::default() };
        fixture.add(&release).await.expect("published");
        let update = fixture.open().await.manifest().await.expect("a manifest").updates.remove(0);
        let bounds: Vec<u32> = update.waves.keys().copied().collect();
        assert!(bounds.windows(2).all(|pair| pair[1] - pair[0] <= 8), "{policy}: {bounds:?}");
        assert_eq!((bounds.first(), bounds.last()), (Some(&0), Some(&2048)), "{policy}");
        assert!(update.waves.values().is_sorted(), "{policy}");
    }
}

#[tokio::test]
async fn migrations_are_added_to_those_that_are_there() {
    let fixture = Fixture::new().await;
    let mut release = fixture.release("1.1.0", 1);
    fixture.write("migrations-1/migrate_v1.1.0_one", b"#!/bin/sh\n# one\n");
    release.migrations = Some(fixture.path("migrations-1"));
    release.release_config = Some(fixture.write(
        "1.toml",
        b"version = '1.1.0'\n[migrations]\n'(1.0.0, 1.1.0)' = ['migrate_v1.1.0_one.lz4']\n",
    ));
    fixture.add(&release).await.expect("published");
    let mut next = fixture.release("1.2.0", 2);
    // Its step passes over 1.1.0, which is not what this is about.
    (next.no_migrations, next.doubts) = (false, publish::Doubts::Publish);
    fixture.write("migrations-2/migrate_v1.2.0_two", b"#!/bin/sh\n# two\n");
    next.migrations = Some(fixture.path("migrations-2"));
    // It names the older one too, whose file is only in the repository.
    next.release_config = Some(fixture.write(
        "2.toml",
        b"version = '1.2.0'\n[migrations]\n'(1.0.0, 1.2.0)' = ['migrate_v1.1.0_one.lz4', 'migrate_v1.2.0_two.lz4']\n",
    ));
    fixture.add(&next).await.expect("published");

    let repository = fixture.open().await;
    let migrations = repository.manifest().await.expect("a manifest").migrations;
    assert_eq!(migrations.len(), 2, "no step was dropped");
    let path = migration_path(&migrations, &Version::new(1, 0, 0), &Version::new(1, 2, 0)).expect("a path");
    let mut programs = Vec::new();
    for name in path {
        let target = repository.fetch(&name, LIMIT).await.expect("verified");
        programs.push(String::from_utf8(lz4::decode(&target, LIMIT).expect("one frame")).expect("text"));
    }
    assert_eq!(programs, ["#!/bin/sh\n# one\n", "#!/bin/sh\n# two\n"]);
}

#[tokio::test]
async fn the_same_release_again_changes_no_target() {
    let fixture = Fixture::new().await;
    let release = fixture.release("1.0.0", 1);
    let first = fixture.add(&release).await.expect("published");
    let lost =
        fixture.path("repo/targets").join(format!("{}.{}", first.targets[0].sha256, first.targets[0].name));
    std::fs::remove_file(lost).expect("a file is lost");
    let again = fixture.add(&release).await.expect("published again");
    assert_eq!(first.targets[..3], again.targets[..3]);
    let repository = fixture.open().await;
    assert_eq!(repository.manifest().await.expect("a manifest").updates.len(), 1);
    repository.fetch(&first.targets[0].name, LIMIT).await.expect("put back");
    let leftovers =
        fixture.published().into_iter().filter(|(path, _)| path.display().to_string().ends_with(".new"));
    assert_eq!(leftovers.count(), 0);
}

#[tokio::test]
async fn a_barrier_stands_in_the_manifest_until_it_is_taken_away() {
    let fixture = Fixture::new().await;
    let mut release = fixture.release("1.5.0", 1);
    release.barrier = true;
    release.min_updater = Some("0.3.0".parse().expect("a version"));
    fixture.add(&release).await.expect("published");
    // Published again without a word about it, it stays what it is.
    fixture.add(&fixture.release("1.5.0", 1)).await.expect("published again");
    let manifest = fixture.open().await.manifest().await.expect("a manifest");
    let extensions = &manifest.updates[0].extensions;
    assert!(extensions.barrier);
    assert_eq!(extensions.min_updater, release.min_updater);
}
