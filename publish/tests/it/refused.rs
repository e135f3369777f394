//! Everything that must not be published, and that nothing changes then.

use std::path::PathBuf;

use host_io::Advise as _;
use publish::{AddOptions, Error, InitOptions, MissingMigrations};
use testdata::noise;

use crate::fixture::{Fixture, today};

/// Refused with a sentence and a next step, and no reader sees any difference.
async fn assert_refused(fixture: &Fixture, options: &AddOptions, says: &str) {
    let before = fixture.published();
    let error = fixture.add(options).await.expect_err("this must be refused");
    let sentence = host_io::report::sentence("pubrepo", &error);
    assert!(sentence.contains(says), "{sentence}");
    assert!(sentence.contains("\nhelp: "), "{sentence}");
    // Targets that nothing names may lie around; what was there is as it was.
    let after = fixture.published();
    assert!(before.iter().all(|file| after.contains(file)), "something changed");
    fixture.open().await.manifest().await.expect("it reads as before");
}

#[tokio::test]
async fn a_version_with_other_images_is_not_published_again() {
    let fixture = Fixture::new().await;
    fixture.add(&fixture.release("1.0.0", 1)).await.expect("published");
    let mut other = fixture.release("1.0.0", 1);
    other.images.root = fixture.write("images/other", &noise(9, 300 * 4096));
    assert_refused(&fixture, &other, "ours-metal-x86_64-1.0.0-root.lz4 was published with other bytes").await;
    let mut other = fixture.release("1.0.0", 1);
    other.salt = Some("00".parse().expect("a salt"));
    assert_refused(&fixture, &other, "ours-metal-x86_64-1.0.0-hash.lz4 was published with other bytes").await;
}

#[tokio::test]
async fn a_migration_with_other_bytes_is_not_published_again() {
    let fixture = Fixture::new().await;
    let mut release = fixture.release("1.1.0", 1);
    release.migrations = Some(fixture.path("migrations"));
    // Whatever nobody names is a doubt, which is not what this is about.
    release.doubts = publish::Doubts::Publish;
    fixture.write("migrations/migrate_v1.1.0_x", b"#!/bin/sh\n# one\n");
    fixture.add(&release).await.expect("published");
    fixture.write("migrations/migrate_v1.1.0_x", b"#!/bin/sh\n# two\n");
    let mut next = fixture.release("1.2.0", 2);
    next.doubts = publish::Doubts::Publish;
    next.migrations = Some(fixture.path("migrations"));
    assert_refused(&fixture, &next, "migrate_v1.1.0_x.lz4 was published with other bytes").await;
}

#[tokio::test]
async fn migrations_that_nobody_has_are_all_named() {
    let fixture = Fixture::new().await;
    let mut release = fixture.release("1.1.0", 1);
    release.release_config =
        Some(fixture.write(
            "Release.toml",
            b"version = '1.1.0'\n[migrations]\n'(1.0.0, 1.1.0)' = ['b.lz4', 'a.lz4']\n",
        ));
    assert_refused(&fixture, &release, "the migrations a.lz4, b.lz4: they are neither").await;
    let allowed = publish::add_with(
        &release,
        today(),
        MissingMigrations::Allow,
        std::sync::Arc::new(publish::progress::Silent),
    );
    let report = allowed.await.expect("published for a test");
    assert_eq!(report.missing_migrations, ["a.lz4", "b.lz4"]);
    let repository = fixture.open().await;
    assert_eq!(repository.target("a.lz4").await.expect_err("nobody has it").code(), "missing_target");
}

#[tokio::test]
async fn names_that_no_host_takes_are_refused() {
    let fixture = Fixture::new().await;
    for variant in ["", "..", "a/b", "a b"] {
        let options = InitOptions { variant: variant.to_owned(), ..fixture.init_options() };
        assert!(matches!(publish::init(&options, today()).await, Err(Error::Name { .. })), "{variant:?}");
    }
    let mut release = fixture.release("1.1.0", 1);
    release.migrations = Some(fixture.path("migrations"));
    fixture.write("migrations/migrate me", b"x");
    assert_refused(&fixture, &release, "\"migrate me\"").await;
    std::fs::remove_file(fixture.path("migrations/migrate me")).expect("removed");
    release.release_config = Some(
        fixture.write("Release.toml", b"version = '1.1.0'\n[migrations]\n'(1.0.0, 1.1.0)' = ['../x']\n"),
    );
    assert_refused(&fixture, &release, "../x").await;
}

#[tokio::test]
async fn images_that_no_host_can_use_are_refused() {
    let fixture = Fixture::new().await;
    let with = |change: &dyn Fn(&mut AddOptions)| {
        let mut release = fixture.release("1.0.0", 1);
        change(&mut release);
        release
    };
    let odd = fixture.write("images/odd", &noise(1, 4097));
    assert_refused(&fixture, &with(&|release| release.images.root = odd.clone()), "no multiple of 4096")
        .await;
    let empty = fixture.write("images/empty", b"");
    assert_refused(&fixture, &with(&|release| release.images.root = empty.clone()), "it has no bytes").await;
    // A dry run reads no boot image, and must not promise what the real one refuses.
    for dry_run in [false, true] {
        let release = with(&|release| (release.images.boot, release.dry_run) = (empty.clone(), dry_run));
        assert_refused(&fixture, &release, "it has no bytes").await;
    }
    let missing = fixture.path("images/missing");
    assert_refused(&fixture, &with(&|release| release.images.boot = missing.clone()), "images/missing").await;
    let garbage = fixture.write("images/garbage", &noise(5, 8192));
    let hash: Option<PathBuf> = Some(garbage);
    assert_refused(&fixture, &with(&|release| release.images.hash.clone_from(&hash)), "match the hash image")
        .await;
    let mut builder = verity::TreeBuilder::new(Default::default(), [0; 16]);
    for block in noise(2, 300 * 4096).chunks(4096) {
        builder.push(block).expect("a block");
    }
    let other: Option<PathBuf> = Some(fixture.write("images/other-hash", &builder.finish().bytes));
    assert_refused(
        &fixture,
        &with(&|release| release.images.hash.clone_from(&other)),
        "match the hash image",
    )
    .await;
}

#[tokio::test]
async fn a_release_that_hosts_would_leave_at_once_is_refused() {
    let fixture = Fixture::new().await;
    let mut release = fixture.release("1.1.0", 1);
    release.max_version = Some("1.0.0".parse().expect("a version"));
    assert_refused(&fixture, &release, "1.0.0 as the highest version").await;
}

#[tokio::test]
async fn a_paused_release_is_not_published_beside_itself() {
    let fixture = Fixture::new().await;
    let release = fixture.release("1.1.0", 1);
    fixture.add(&release).await.expect("published");
    let pause = publish::rollout::Action::Pause;
    publish::rollout::rollout(
        &crate::rollout::desk(&fixture),
        pause,
        &release.version,
        publish::Lifetimes::default(),
        today(),
        |_| Ok(true),
    )
    .await
    .expect("paused");
    assert_refused(&fixture, &release, "publish 1.1.0: its rollout is paused").await;
}

#[tokio::test]
async fn the_description_of_another_release_is_refused() {
    let fixture = Fixture::new().await;
    let mut release = fixture.release("1.1.0", 1);
    release.release_config = Some(fixture.write("Release.toml", b"version = '1.2.0'\n[migrations]\n"));
    assert_refused(&fixture, &release, "it describes 1.2.0").await;
    release.release_config = Some(fixture.write("Release.toml", b"version = 1"));
    assert_refused(&fixture, &release, "Release.toml").await;
}

#[tokio::test]
async fn waves_that_do_not_open_one_after_another_are_refused() {
    let fixture = Fixture::new().await;
    let mut release = fixture.release("1.1.0", 1);
    release.waves = Some(fixture.write(
        "waves.toml",
        b"[[waves]]\nstart_after = '2 hours'\nfleet_percentage = 50\n[[waves]]\nstart_after = '1 hour'\nfleet_percentage = 100\n",
    ));
    assert_refused(&fixture, &release, "would not start one after another").await;
}

#[tokio::test]
async fn keys_are_neither_served_nor_written_over() {
    let fixture = Fixture::new().await;
    let served = InitOptions { keys: fixture.path("repo/keys").into(), ..fixture.init_options() };
    assert!(matches!(publish::init(&served, today()).await, Err(Error::KeysServed { .. })));
    assert!(matches!(fixture.init().await, Err(Error::Exists { .. })));
    std::fs::remove_file(fixture.path("keys/snapshot.pem")).expect("lost");
    let other = InitOptions { variant: "cloud".to_owned(), ..fixture.init_options() };
    let error = publish::init(&other, today()).await.expect_err("half the keys");
    assert!(error.to_string().contains("snapshot.pem is missing"), "{error}");
}

#[tokio::test]
async fn the_keys_of_another_repository_are_refused() {
    let fixture = Fixture::new().await;
    let stranger = Fixture::new().await;
    let mut release = fixture.release("1.0.0", 1);
    release.keys = stranger.path("keys").into();
    assert_refused(&fixture, &release, "load the repository").await;
    std::fs::copy(stranger.path("keys/targets.pem"), fixture.path("keys/targets.pem")).expect("mixed up");
    assert_refused(&fixture, &fixture.release("1.0.0", 1), "sign the targets role").await;
}

#[tokio::test]
async fn a_directory_without_a_repository_is_refused() {
    let fixture = Fixture::new().await;
    let mut release = fixture.release("1.0.0", 1);
    release.arch = "aarch64".to_owned();
    let error = fixture.add(&release).await.expect_err("there is none");
    assert!(matches!(error, Error::NoRepository { .. }), "{error}");
}

#[tokio::test]
async fn a_damaged_manifest_is_not_built_upon() {
    let fixture = Fixture::new().await;
    let manifest = std::fs::read_dir(fixture.path("repo/targets")).expect("there").next().expect("one");
    std::fs::write(manifest.expect("readable").path(), b"{}").expect("damaged");
    let error = fixture.add(&fixture.release("1.0.0", 1)).await.expect_err("damaged");
    assert!(matches!(error, Error::DamagedManifest { .. }), "{error}");
}

#[tokio::test]
async fn a_wave_policy_that_is_not_there_names_those_that_the_program_has() {
    let fixture = Fixture::new().await;
    let mut release = fixture.release("1.0.0", 1);
    release.waves = Some("defaults".into());
    let error = fixture.add(&release).await.expect_err("a typing mistake");
    let said = host_io::report::sentence("pubrepo", &error);
    assert!(
        said.contains("read the wave policy defaults: ") && said.contains("default, emergency"),
        "{said}"
    );
}

#[tokio::test]
async fn a_root_image_of_one_block_is_refused_and_no_hash_image_is_blamed_that_nobody_gave() {
    let fixture = Fixture::new().await;
    let mut release = fixture.release("1.0.0", 1);
    release.images.root = fixture.write("images/block", &[7; 4096]);
    let error = fixture.add(&release).await.expect_err("no hash tree can be used");
    let said = host_io::report::sentence("pubrepo", &error);
    assert!(said.contains("use the root image") && !said.contains("--hash"), "{said}");
}

/// A squashfs whose `os-release` lies in `place`.
fn squashfs(place: &str, text: &str) -> Vec<u8> {
    let mut writer = backhand::FilesystemWriter::default();
    let compressor = backhand::FilesystemCompressor::new(backhand::compression::Compressor::Zstd, None);
    writer.set_compressor(compressor.expect("a compressor"));
    writer.set_kib_padding(4);
    let header = backhand::NodeHeader { permissions: 0o755, ..backhand::NodeHeader::default() };
    writer.push_dir_all(std::path::Path::new(place).parent().expect("a directory"), header).expect("made");
    writer.push_file(std::io::Cursor::new(text.to_owned()), place, header).expect("put in");
    let mut image = std::io::Cursor::new(Vec::new());
    writer.write(&mut image).expect("written");
    // A hash tree wants two blocks at least.
    let mut bytes = image.into_inner();
    bytes.resize(bytes.len().max(4 * 4096), 0);
    bytes
}

/// An ext4 file system, made by the tools of the system.
fn ext4(fixture: &Fixture, text: &str) -> Vec<u8> {
    fixture.write("tree/usr/lib/os-release", text.as_bytes());
    let image = fixture.path("ext4.img");
    let mut mke2fs = std::process::Command::new("mke2fs");
    mke2fs.args(["-q", "-t", "ext4", "-d"]).arg(fixture.path("tree")).arg(&image).arg("4M");
    let made = mke2fs.output().expect("mke2fs is there: e2fsprogs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    std::fs::read(image).expect("made")
}

#[tokio::test]
async fn an_image_that_calls_itself_by_another_version_is_not_published() {
    let fixture = Fixture::new().await;
    let wrong = "VARIANT_ID=metal\nVERSION_ID=1.0.0\n";
    let other = "VARIANT_ID=cloud\nVERSION_ID=1.1.0\n";
    let right = "VARIANT_ID=metal\nVERSION_ID=1.1.0\n";
    for (name, bytes, says) in [
        ("squashfs", squashfs("usr/lib/os-release", wrong), "its os-release says metal 1.0.0"),
        ("etc", squashfs("etc/os-release", wrong), "as metal 1.1.0: its os-release says metal 1.0.0"),
        ("variant", squashfs("usr/lib/os-release", other), "its os-release says cloud 1.1.0"),
        ("ext4", ext4(&fixture, wrong), "its os-release says metal 1.0.0"),
        ("erofs", crate::migrations::erofs(), "its os-release says metal 1.0.0"),
    ] {
        let mut release = fixture.release("1.1.0", 1);
        release.images.root = fixture.write(&format!("images/{name}"), &bytes);
        assert_refused(&fixture, &release, says).await;
    }
    // What does not tell, or cannot be read, is taken, as is what tells the truth.
    let mut broken = squashfs("usr/lib/os-release", right);
    broken[64..].fill(0);
    let images = [squashfs("usr/lib/os-release", right), squashfs("usr/lib/motd", "hello"), broken];
    for (minor, bytes) in (1..).zip(images) {
        let mut release = fixture.release(&format!("1.{minor}.0"), minor);
        release.images.root = fixture.write(&format!("images/good-{minor}"), &bytes);
        fixture.add(&release).await.expect("published");
    }
    let mut release = fixture.release("1.4.0", 4);
    release.images.root = fixture.write("images/good-4", &ext4(&fixture, &right.replace("1.1.0", "1.4.0")));
    fixture.add(&release).await.expect("published");
}
