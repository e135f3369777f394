//! A repository in an object store: a real S3 server, and ways to it that fail.

use std::path::Path;
use std::sync::Arc;

use host_io::SystemFs;
use publish::store::{Bucket, PushOptions, PushReport, Refused, push};
use publish::{Error, Keys};
use testdata::noise;
use trusted_repo::{Address, Source, open_online};

use crate::fixture::{ARCH, Fixture, VARIANT, done, pubrepo, refused, today};
use crate::s3::{S3, Way};

async fn pushed(fixture: &Fixture, repo: &str, bucket: Bucket) -> Result<PushReport, Error> {
    let repo = fixture.path(repo);
    push(&PushOptions { repo, bucket, jobs: 4, single_publisher: false }).await
}

/// The versions that a host sees which meets the store for the first time.
async fn offered(fixture: &Fixture, s3: &S3) -> Vec<String> {
    let below = |path: &str| Address::parse(&format!("{}{path}", s3.base())).expect("an address");
    let source = Source::new(below(&format!("{VARIANT}/{ARCH}/")), below("targets/"));
    let root = std::fs::read(fixture.path("keys/root.json")).expect("made by init");
    let memory = tempfile::tempdir().expect("a directory");
    let opened = open_online(Arc::new(SystemFs), source, &root, memory.path(), today()).await;
    let repository = opened.unwrap_or_else(|error| panic!("failed to {}", host_io::report::chain(&error)));
    let manifest = repository.manifest().await.expect("a manifest");
    for update in &manifest.updates {
        for (_, name) in update.images.named() {
            repository.fetch(name, 1 << 30).await.expect("what is on offer can be had");
        }
    }
    manifest.updates.iter().map(|update| update.version.to_string()).collect()
}

async fn one_release() -> Fixture {
    let fixture = Fixture::new().await;
    fixture.add(&fixture.release("1.0.0", 1)).await.expect("published");
    fixture
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("there") {
        let entry = entry.expect("readable");
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
        }
    }
}

#[tokio::test]
async fn hosts_take_releases_from_a_store_and_what_is_there_is_not_put_there_again() {
    let Some(s3) = S3::start() else { return };
    let fixture = one_release().await;
    // Long enough for parts.
    let long = noise(7, 40 << 20);
    let name = format!("{}.long", "ab".repeat(32));
    std::fs::write(fixture.path("repo/targets").join(&name), &long).expect("written");
    let first = pushed(&fixture, "repo", s3.bucket()).await.expect("pushed");
    assert!(first.targets > 7 && first.there == 0, "{first:?}");
    assert_eq!(offered(&fixture, &s3).await, ["1.0.0"]);
    assert_eq!(s3.ask("GET", &format!("/bucket/fleet/targets/{name}")).1, long);
    let again = pushed(&fixture, "repo", s3.bucket()).await.expect("pushed");
    assert_eq!((again.targets, again.metadata), (0, 0), "{again:?}");
    fixture.add(&fixture.release("1.1.0", 2)).await.expect("published");
    let more = pushed(&fixture, "repo", s3.bucket()).await.expect("pushed");
    assert!(more.targets < first.targets && more.metadata > 0, "{more:?}");
    assert_eq!(offered(&fixture, &s3).await.len(), 2);

    for (path, kept) in [
        (format!("targets/{name}"), "max-age=31536000, immutable"),
        (format!("{VARIANT}/{ARCH}/1.root.json"), "max-age=31536000, immutable"),
        (format!("{VARIANT}/{ARCH}/2.snapshot.json"), "max-age=31536000, immutable"),
        (format!("{VARIANT}/{ARCH}/timestamp.json"), "max-age=60"),
    ] {
        let (head, _) = s3.ask("HEAD", &format!("/bucket/fleet/{path}"));
        let head = head.to_lowercase();
        assert!(head.contains(&format!("cache-control: public, {kept}\r\n")), "{path}: {head}");
    }
    let listed = String::from_utf8_lossy(&s3.ask("GET", "/bucket?list-type=2").1).into_owned();
    assert!(!listed.contains("probe") && !listed.contains(".pem"), "{listed}");
}

#[tokio::test]
async fn of_two_publishers_the_second_changes_nothing_and_is_told() {
    let Some(s3) = S3::start() else { return };
    let fixture = one_release().await;
    pushed(&fixture, "repo", s3.bucket()).await.expect("pushed");
    copy(&fixture.path("repo"), &fixture.path("other"));
    fixture.add(&fixture.release("1.1.0", 2)).await.expect("published");
    let mut theirs = fixture.release("1.2.0", 3);
    (theirs.repo, theirs.keys) = (fixture.path("other"), Keys::in_dir(fixture.path("keys")));
    fixture.add(&theirs).await.expect("published in a copy");
    pushed(&fixture, "repo", s3.bucket()).await.expect("pushed");
    let late = pushed(&fixture, "other", s3.bucket()).await.expect_err("somebody was faster");
    assert!(matches!(late, Error::Store(Refused::Overtaken { .. } | Refused::Taken { .. })), "{late}");
    assert_eq!(offered(&fixture, &s3).await, ["1.0.0", "1.1.0"]);
    // A higher number is not enough: it does not follow what is there.
    fixture.add(&theirs_again(&fixture)).await.expect("published in a copy");
    let later = pushed(&fixture, "other", s3.bucket()).await.expect_err("it leads on from something else");
    assert!(matches!(later, Error::Store(Refused::Overtaken { .. })), "{later}");
    assert_eq!(offered(&fixture, &s3).await, ["1.0.0", "1.1.0"]);
}

fn theirs_again(fixture: &Fixture) -> publish::AddOptions {
    let mut theirs = fixture.release("1.3.0", 4);
    theirs.repo = fixture.path("other");
    theirs
}

#[tokio::test]
async fn an_endpoint_that_ignores_conditions_is_found_out_before_anything_is_published() {
    let Some(s3) = S3::start() else { return };
    let fixture = one_release().await;
    let (bucket, _) = s3.by(Way::WithoutConditions);
    let refused = pushed(&fixture, "repo", bucket.clone()).await.expect_err("it ignores them");
    assert_eq!(
        refused.to_string(),
        "publish in the store safely: it wrote over an object that was only to be made, though it was asked not to"
    );
    let listed = String::from_utf8_lossy(&s3.ask("GET", "/bucket?list-type=2").1).into_owned();
    assert!(!listed.contains("<Key>"), "nothing is left: {listed}");
    let alone = PushOptions { repo: fixture.path("repo"), bucket, jobs: 4, single_publisher: true };
    push(&alone).await.expect("whoever is alone needs none");
    assert_eq!(offered(&fixture, &s3).await, ["1.0.0"]);
}

#[tokio::test]
async fn a_push_that_is_cut_anywhere_leaves_the_old_release_or_the_new_one_and_the_next_one_completes() {
    let Some(s3) = S3::start() else { return };
    let fixture = one_release().await;
    pushed(&fixture, "repo", s3.bucket()).await.expect("pushed");
    for (round, way) in [Way::CutBefore, Way::CutAfter].into_iter().enumerate() {
        let version = format!("1.{}.0", round + 1);
        let before = offered(&fixture, &s3).await;
        fixture.add(&fixture.release(&version, 10 + round as u64)).await.expect("published");
        let mut cuts = 0;
        // One request more gets through each time, until all do.
        loop {
            let (bucket, handled) = s3.by(way(cuts * 3 + round));
            let done = pushed(&fixture, "repo", bucket).await;
            let seen = offered(&fixture, &s3).await;
            let is_new = seen.contains(&version);
            assert!(is_new || seen == before, "{seen:?} after {cuts}");
            match done {
                Ok(_) => {
                    assert!(is_new);
                    break;
                }
                Err(error) => assert!(handled.was_cut(), "{error}"),
            }
            cuts += 1;
        }
        assert!(cuts > 3, "{cuts}");
        pushed(&fixture, "repo", s3.bucket()).await.expect("there is nothing to do");
        assert!(offered(&fixture, &s3).await.contains(&version));
    }
}

#[tokio::test]
async fn the_program_pushes_and_says_what_is_missing() {
    let fixture = one_release().await;
    let push = |to: &str| pubrepo(&fixture, &["push", "--repo", "repo", "--to", to]);
    refused(&push("https://elsewhere/"), "it does not begin with s3://");
    refused(&push("s3://"), "it names no bucket");
    refused(&pubrepo(&fixture, &["push", "--repo", "keys", "--to", "s3://bucket"]), "failed to list");
    let Some(s3) = S3::start() else { return };
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pubrepo"));
    command.current_dir(fixture.path("")).args(["push", "--repo", "repo", "--to", "s3://bucket/fleet"]);
    command.env("AWS_ENDPOINT_URL", s3.endpoint());
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    let said = done(command.output().expect("it runs"));
    assert!(said.starts_with("put there: ") && said.contains("\nthere already: 0 files"), "{said}");
    assert_eq!(offered(&fixture, &s3).await, ["1.0.0"]);
}
