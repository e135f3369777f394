//! Several places with the same repository.

use std::io::Read as _;

use testdata::{Fault, FaultyServer, noise};
use trusted_repo::{Address, Error, FrameInfo, Mirror, Repository, Source};
use url::Url;

use crate::fixture::{Fixture, assert_refused, today};

const LENGTH: usize = 300_000;

/// One repository behind two servers.
struct Two {
    fixture: Fixture,
    first: FaultyServer,
    second: FaultyServer,
}

impl Two {
    fn new() -> Self {
        let mut fixture = Fixture::new();
        fixture.target("root.lz4", &noise(1, LENGTH));
        fixture.sign();
        let (first, second) = (FaultyServer::start(fixture.repo()), FaultyServer::start(fixture.repo()));
        Self { fixture, first, second }
    }

    fn source(&self) -> Source {
        let at =
            |server: &FaultyServer| self.fixture.source_at(&Url::parse(&server.url("")).expect("an address"));
        let other = at(&self.second);
        let mirror =
            Mirror { metadata_base_url: other.metadata_base_url, targets_base_url: other.targets_base_url };
        Source { mirrors: vec![mirror], ..at(&self.first) }
    }

    async fn open(&self) -> Result<Repository, Error> {
        self.fixture.open_from(self.source(), &self.fixture.anchor, today()).await
    }
}

async fn stream(repository: &Repository) -> Result<Vec<u8>, Error> {
    let mut reader = repository.open_target(&repository.target("root.lz4").await?)?;
    let read = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        let read = reader.read_to_end(&mut bytes).map_err(|error| Error::from_read("root.lz4", error));
        read.and_then(|_| reader.finish()).map(|_| bytes)
    });
    read.await.expect("no panic")
}

#[tokio::test]
async fn mirrors_are_tried_in_order_and_the_second_one_rests_while_the_first_one_answers() {
    let two = Two::new();
    two.open().await.expect("opened").manifest().await.expect("a manifest");
    assert!(two.second.requests().is_empty());
}

#[tokio::test]
async fn broken_mirror_is_passed_over_whatever_is_wrong_with_it() {
    for fault in [
        Fault::Status(503),
        Fault::Reset,
        Fault::NotFound,
        Fault::Html,
        Fault::Swap(b"{}".to_vec()),
        Fault::Truncate(10),
    ] {
        let two = Two::new();
        two.first.fault("", fault.clone());
        let repository = two.open().await.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        repository.manifest().await.expect("a manifest");
        assert_eq!(stream(&repository).await.expect("from the second one"), noise(1, LENGTH));
        assert!(!two.second.requests().is_empty(), "{fault:?}");
    }
}

#[tokio::test]
async fn rollback_at_one_mirror_is_refused_and_the_other_one_is_used() {
    let mut two = Two::new();
    let old = tempfile::tempdir().expect("temporary directory");
    let copied = std::process::Command::new("cp").arg("-r").arg(two.fixture.repo()).arg(old.path()).status();
    assert!(copied.expect("cp").success());
    two.fixture.sign();
    two.open().await.expect("the newer one is remembered");
    let stale = FaultyServer::start(old.path().join("repo"));
    let address = two.first.address().to_string();
    let mut source = two.source();
    // The memory goes by the first place's name, so the stale one takes the second place, and the first one is down.
    let there = |at: &Address| at.to_string().replace(&address, &stale.address().to_string()).parse();
    source.mirrors.insert(
        0,
        Mirror {
            metadata_base_url: there(&source.metadata_base_url).expect("an address"),
            targets_base_url: there(&source.targets_base_url).expect("an address"),
        },
    );
    two.first.fault("", Fault::Status(503));
    let repository = two.fixture.open_from(source, &two.fixture.anchor, today()).await.expect("opened");
    assert_eq!(repository.roles().timestamp.version, 3);
    assert!(!stale.requests().is_empty());
}

#[tokio::test]
async fn every_mirror_broken_is_told_of_the_first_one() {
    let two = Two::new();
    two.first.fault("", Fault::Status(503));
    two.second.fault("", Fault::Html);
    assert_refused(two.open().await, "unreachable", &two.first.address().to_string());
}

#[tokio::test]
async fn mirror_that_fails_in_the_middle_is_relieved_by_the_next_one_where_it_stopped() {
    let two = Two::new();
    let repository = two.open().await.expect("opened");
    two.first.fault("root.lz4", Fault::Truncate(100_000).once());
    two.first.fault("root.lz4", Fault::NotFound);
    assert_eq!(stream(&repository).await.expect("together"), noise(1, LENGTH));
    let relief = two.second.requests();
    assert_eq!((relief[0].range.as_deref(), relief[0].status), (Some("bytes=100000-"), Some(206)));
    assert_eq!(relief[0].bytes, 200_000);
}

#[tokio::test]
async fn tampered_target_of_one_mirror_comes_from_the_other() {
    let two = Two::new();
    let repository = two.open().await.expect("opened");
    two.first.fault("root.lz4", Fault::Swap(noise(2, LENGTH)));
    let whole = repository.fetch("root.lz4", 1 << 20).await.expect("from the second one");
    assert_eq!(whole.bytes(), noise(1, LENGTH));
}

#[tokio::test]
async fn tampered_stream_is_refused_at_its_end_and_the_next_one_comes_from_the_other_mirror() {
    let two = Two::new();
    let repository = two.open().await.expect("opened");
    two.first.fault("root.lz4", Fault::Swap(noise(2, LENGTH)));
    assert_refused(stream(&repository).await, "tampered", "its SHA-256 is");
    assert_eq!(stream(&repository).await.expect("from the second one"), noise(1, LENGTH));
}

fn frame(offset: usize, length: usize) -> FrameInfo {
    let part = &noise(1, LENGTH)[offset..offset + length];
    let sha256 = ring::digest::digest(&ring::digest::SHA256, part).as_ref().try_into().expect("32 bytes");
    FrameInfo { offset: offset as u64, length: length as u64, sha256 }
}

#[tokio::test]
async fn frame_is_fetched_alone_and_only_the_indexed_bytes_come_out() {
    let two = Two::new();
    let repository = two.open().await.expect("opened");
    for (offset, length) in [(0, 1000), (1000, 5000), (LENGTH - 10, 10), (5, 0), (0, LENGTH)] {
        let got = repository.fetch_frame("root.lz4", frame(offset, length)).await.expect("verified");
        assert_eq!(got.bytes(), &noise(1, LENGTH)[offset..offset + length]);
    }
    let requests: Vec<_> = two.first.requests().into_iter().filter(|r| r.path.contains("root.lz4")).collect();
    assert_eq!(requests[1].range.as_deref(), Some("bytes=1000-5999"));
    assert_eq!((requests[1].status, requests[1].bytes), (Some(206), 5000));

    let other = FrameInfo { sha256: [0; 32], ..frame(0, 100) };
    assert_refused(repository.fetch_frame("root.lz4", other).await, "tampered", "stands in its index");
    for beyond in [(LENGTH as u64, 1), (u64::MAX, 2), (0, LENGTH as u64 + 1)] {
        let beyond = FrameInfo { offset: beyond.0, length: beyond.1, sha256: [0; 32] };
        assert_refused(repository.fetch_frame("root.lz4", beyond).await, "tampered", "is not within its");
    }
    let huge = FrameInfo { length: u64::MAX, ..frame(0, 1) };
    assert_refused(repository.fetch_frame("root.lz4", huge).await, "failed", "longer than");
}

#[tokio::test]
async fn frame_survives_resets_wrong_ranges_and_mirrors_that_tamper() {
    for fault in [
        Fault::Truncate(700).once(),
        Fault::WrongRange.once(),
        Fault::Swap(noise(2, LENGTH)).always(),
        Fault::Swap(noise(2, 100)).always(),
        Fault::NotFound.always(),
    ] {
        let two = Two::new();
        let repository = two.open().await.expect("opened");
        two.first.fault("root.lz4", fault.clone());
        let got = repository.fetch_frame("root.lz4", frame(1000, 5000)).await;
        assert_eq!(got.unwrap_or_else(|error| panic!("{fault:?}: {error}")).info(), frame(1000, 5000));
    }
}
