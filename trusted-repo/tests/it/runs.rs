//! Frames that follow one another, fetched together.

use std::num::NonZeroU64;
use std::time::Duration;

use testdata::server::Request;
use testdata::{Fault, FaultyServer, Habit, noise};
use trusted_repo::{Error, FrameInfo, Mirror, Pacing, Repository, Source};
use url::Url;

use crate::fixture::{Fixture, assert_refused, impatient, system_fs, today};

const LENGTH: usize = 3_000_000;
const FRAME: usize = 10_000;

/// A target that is all frames, behind two servers.
struct Framed {
    fixture: Fixture,
    first: FaultyServer,
    second: FaultyServer,
}

impl Framed {
    fn new() -> Self {
        let mut fixture = Fixture::new();
        fixture.target("root.zst", &noise(1, LENGTH));
        fixture.sign();
        let (first, second) = (FaultyServer::start(fixture.repo()), FaultyServer::start(fixture.repo()));
        Self { fixture, first, second }
    }

    fn at(&self, server: &FaultyServer) -> Source {
        self.fixture.source_at(&Url::parse(&server.url("")).expect("an address"))
    }

    fn both(&self) -> Source {
        let other = self.at(&self.second);
        let mirror =
            Mirror { metadata_base_url: other.metadata_base_url, targets_base_url: other.targets_base_url };
        Source { mirrors: vec![mirror], ..self.at(&self.first) }
    }

    async fn open(&self, source: Source) -> Repository {
        self.fixture.open_from(source, &self.fixture.anchor, today()).await.expect("opened")
    }

    /// The first server alone.
    async fn single(&self) -> Repository {
        self.open(self.at(&self.first)).await
    }

    fn asked(&self, server: &FaultyServer) -> Vec<Request> {
        server.requests().into_iter().filter(|request| request.path.contains("root.zst")).collect()
    }
}

fn frames(first: usize, count: usize) -> Vec<FrameInfo> {
    let bytes = noise(1, LENGTH);
    let frame = |number: usize| {
        let part = &bytes[number * FRAME..(number + 1) * FRAME];
        let sha256 = ring::digest::digest(&ring::digest::SHA256, part).as_ref().try_into().expect("32 bytes");
        FrameInfo { offset: (number * FRAME) as u64, length: FRAME as u64, sha256 }
    };
    (first..first + count).map(frame).collect()
}

/// All frames of a run put together.
async fn fetch(repository: &Repository, run: Vec<FrameInfo>) -> Result<Vec<u8>, Error> {
    let mut all = Vec::new();
    let mut expected = run.clone().into_iter();
    let mut run = repository.fetch_run("root.zst", run).await?;
    while let Some(frame) = run.next().await? {
        assert_eq!(Some(frame.info()), expected.next(), "in order, each once");
        all.extend_from_slice(frame.bytes());
    }
    assert_eq!(expected.next(), None, "all of them");
    assert_eq!(run.next().await.expect("no error").map(|frame| frame.info()), None, "the end is the end");
    Ok(all)
}

fn part(first: usize, count: usize) -> Vec<u8> {
    noise(1, LENGTH)[first * FRAME..(first + count) * FRAME].to_vec()
}

#[tokio::test]
async fn run_is_one_request_for_its_bytes_alone() {
    let framed = Framed::new();
    let repository = framed.single().await;
    assert_eq!(fetch(&repository, frames(200, 50)).await.expect("verified"), part(200, 50));
    assert_eq!(fetch(&repository, frames(0, 1)).await.expect("verified"), part(0, 1));
    assert_eq!(fetch(&repository, Vec::new()).await.expect("nothing"), b"");
    let asked = framed.asked(&framed.first);
    let ranges: Vec<_> = asked.iter().map(|request| request.range.as_deref()).collect();
    assert_eq!(ranges, [Some("bytes=2000000-2499999"), Some("bytes=0-9999")]);
    assert_eq!(asked.iter().map(|request| request.bytes).sum::<u64>(), 510_000);
    assert_eq!(asked[0].connection, asked[1].connection, "one connection serves them all");
}

#[tokio::test]
async fn several_runs_are_under_way_at_once() {
    let framed = Framed::new();
    let repository = framed.single().await;
    let runs = [(0, 20), (100, 30), (250, 50)];
    let (one, two, three) = tokio::join!(
        fetch(&repository, frames(0, 20)),
        fetch(&repository, frames(100, 30)),
        fetch(&repository, frames(250, 50))
    );
    for (got, (first, count)) in [one, two, three].into_iter().zip(runs) {
        assert_eq!(got.expect("verified"), part(first, count));
    }
    assert_eq!(framed.asked(&framed.first).len(), 3);
}

#[tokio::test]
async fn first_frame_comes_before_the_last_one_was_sent() {
    let framed = Framed::new();
    let repository = framed.single().await;
    framed.first.fault("root.zst", Fault::Slow { bytes_per_second: 200_000 });
    let mut run = repository.fetch_run("root.zst", frames(0, 300)).await.expect("a run");
    run.next().await.expect("verified").expect("the first one");
    assert!(framed.asked(&framed.first)[0].bytes < LENGTH as u64 / 2);
}

#[tokio::test]
async fn link_that_breaks_again_and_again_costs_no_frame_twice() {
    let framed = Framed::new();
    let repository = framed.single().await;
    // In the middle of frames.
    framed.first.fault("root.zst", Fault::Truncate(27_123).times(18));
    assert_eq!(fetch(&repository, frames(150, 50)).await.expect("in the end"), part(150, 50));
    let asked = framed.asked(&framed.first);
    assert_eq!(asked.len(), 19);
    assert_eq!(asked[1].range.as_deref(), Some("bytes=1527123-1999999"));
    assert_eq!(asked.iter().map(|request| request.bytes).sum::<u64>(), 500_000, "nothing came twice");
}

#[tokio::test]
async fn link_that_resets_by_time_comes_to_an_end() {
    let framed = Framed::new();
    let repository = framed.single().await;
    framed.first.fault("root.zst", Fault::SlowReset { bytes_per_second: 4_000_000, after: 300_000 });
    assert_eq!(fetch(&repository, frames(0, 300)).await.expect("in the end"), part(0, 300));
}

#[tokio::test]
async fn server_that_names_the_object_anew_each_time_costs_the_frame_under_way() {
    for habit in [Habit::NewValidators, Habit::NoValidators] {
        let framed = Framed::new();
        let repository = framed.single().await;
        framed.first.habit(habit);
        framed.first.fault("root.zst", Fault::Truncate(27_123).times(5));
        assert_eq!(
            fetch(&repository, frames(150, 50)).await.expect("in the end"),
            part(150, 50),
            "{habit:?}"
        );
        let sent: u64 =
            framed.asked(&framed.first).iter().filter(|r| r.status == Some(206)).map(|r| r.bytes).sum();
        assert!(sent <= 500_000 + 5 * FRAME as u64, "{habit:?}: {sent}");
    }
}

#[tokio::test]
async fn object_that_changes_under_way_and_back_costs_one_frame() {
    let framed = Framed::new();
    let repository = framed.single().await;
    framed.first.habit(Habit::NoValidators);
    framed.first.fault("root.zst", Fault::Truncate(27_123).once());
    // Nobody says that this is another object; the frame of two halves gives it away.
    framed.first.fault("root.zst", Fault::Swap(noise(2, LENGTH)).once());
    assert_eq!(fetch(&repository, frames(150, 50)).await.expect("in the end"), part(150, 50));
    let asked = framed.asked(&framed.first);
    assert_eq!(asked[2].range.as_deref(), Some("bytes=1520000-1999999"), "from the start of the frame");
}

#[tokio::test]
async fn wrong_frame_of_one_mirror_comes_from_the_other_within_the_run() {
    let framed = Framed::new();
    let repository = framed.open(framed.both()).await;
    let mut damaged = noise(1, LENGTH);
    damaged[20 * FRAME + 5] ^= 1;
    framed.first.fault("root.zst", Fault::Swap(damaged));
    assert_eq!(fetch(&repository, frames(0, 100)).await.expect("together"), part(0, 100));
    let relief = framed.asked(&framed.second);
    assert_eq!(relief.len(), 1);
    assert_eq!(relief[0].range.as_deref(), Some("bytes=200000-999999"), "from the wrong frame on");
    let twice = framed.asked(&framed.first);
    assert_eq!((twice.len(), twice[1].range.as_deref()), (2, None), "once more, without ranges");
    fetch(&repository, frames(0, 1)).await.expect("verified");
    assert_eq!(framed.asked(&framed.second).len(), 2, "the mirror that was wrong comes last from now on");
}

#[tokio::test]
async fn wrong_frame_of_every_mirror_is_refused_and_asking_once_more_tries_again() {
    let framed = Framed::new();
    let repository = framed.open(framed.both()).await;
    for server in [&framed.first, &framed.second] {
        server.fault("root.zst", Fault::Swap(noise(2, LENGTH)));
    }
    let mut run = repository.fetch_run("root.zst", frames(7, 3)).await.expect("a run");
    let refused = run.next().await;
    assert_refused(refused, "tampered", "the SHA-256 of the frame of 10000 bytes at offset 70000");
    assert_eq!((framed.asked(&framed.first).len(), framed.asked(&framed.second).len()), (2, 2));
    framed.second.heal();
    let frame = run.next().await.expect("verified").expect("the same frame");
    assert_eq!(frame.bytes(), part(7, 1));
}

#[tokio::test]
async fn wrong_frame_is_asked_for_once_more_without_ranges_or_far_from_the_beginning_by_itself() {
    for (first, again) in [(100, None), (200, Some("bytes=2000000-2099999"))] {
        let framed = Framed::new();
        let repository = framed.single().await;
        // A cache that has a part of something else under that range.
        framed.first.fault("root.zst", Fault::Swap(noise(2, LENGTH)).once());
        assert_eq!(fetch(&repository, frames(first, 10)).await.expect("in the end"), part(first, 10));
        let asked = framed.asked(&framed.first);
        assert_eq!((asked.len(), asked[1].range.as_deref()), (2, again));
    }
}

#[tokio::test]
async fn asking_once_more_for_what_broke_off_refills_no_patience() {
    let framed = Framed::new();
    let repository = framed.single().await;
    framed.first.fault("root.zst", Fault::Truncate(5_000));
    let mut run = repository.fetch_run("root.zst", frames(200, 3)).await.expect("a run");
    assert!(run.next().await.expect("frames come, slowly").is_some());
    framed.first.heal();
    framed.first.fault("root.zst", Fault::Reset);
    run.next().await.expect_err("nothing comes");
    let before = framed.asked(&framed.first).len();
    run.next().await.expect_err("nothing comes");
    run.next().await.expect_err("nothing comes");
    assert_eq!(framed.asked(&framed.first).len(), before + 2, "one attempt each");
    framed.first.heal();
    assert!(run.next().await.expect("bytes come").is_some());
}

#[tokio::test]
async fn mirror_that_fails_in_the_middle_is_relieved_at_the_first_missing_frame() {
    for fault in [Fault::NotFound, Fault::Status(500), Fault::Html, Fault::Reset, Fault::Truncate(0)] {
        let framed = Framed::new();
        let repository = framed.open(framed.both()).await;
        framed.first.fault("root.zst", Fault::Truncate(25_000).once());
        framed.first.fault("root.zst", fault.clone());
        assert_eq!(fetch(&repository, frames(200, 20)).await.expect("together"), part(200, 20), "{fault:?}");
        let relief = framed.asked(&framed.second);
        assert_eq!(relief[0].range.as_deref(), Some("bytes=2020000-2199999"), "{fault:?}");
    }
}

#[tokio::test]
async fn stalled_mirror_is_relieved_after_the_idle_limit() {
    let framed = Framed::new();
    let pacing = Pacing { idle: Duration::from_millis(200), attempts: 2, ..impatient() };
    let trust = framed.fixture.trust();
    let opened = trusted_repo::open::open_online_paced(
        system_fs(),
        framed.both(),
        &framed.fixture.anchor,
        &trust,
        today(),
        pacing,
    );
    let repository = opened.await.expect("opened");
    framed.first.fault("root.zst", Fault::Stall);
    assert_eq!(fetch(&repository, frames(10, 10)).await.expect("relieved"), part(10, 10));
}

#[tokio::test]
async fn server_without_ranges_serves_what_lies_near_the_beginning_and_the_rest_is_told() {
    let framed = Framed::new();
    let repository = framed.single().await;
    framed.first.habit(Habit::NoRanges);
    assert_eq!(fetch(&repository, frames(90, 10)).await.expect("near"), part(90, 10));
    let error = fetch(&repository, frames(200, 10)).await.expect_err("far");
    assert!(error.is_for_want_of_it(), "{error}");
    assert_refused::<()>(Err(error), "unreachable", "whole objects only");
    // A mirror that knows ranges does better.
    let repository = framed.open(framed.both()).await;
    assert_eq!(fetch(&repository, frames(200, 10)).await.expect("from the other"), part(200, 10));
}

#[tokio::test]
async fn wrong_range_is_not_believed() {
    let framed = Framed::new();
    let repository = framed.open(framed.both()).await;
    framed.first.fault("root.zst", Fault::WrongRange);
    assert_eq!(fetch(&repository, frames(200, 10)).await.expect("from the other"), part(200, 10));
    assert_eq!(framed.asked(&framed.first).len(), 1);
}

#[tokio::test]
async fn run_from_a_directory_reads_from_there_on_and_is_verified_as_well() {
    let framed = Framed::new();
    let repository = framed.fixture.open().await.expect("opened");
    assert_eq!(fetch(&repository, frames(200, 100)).await.expect("verified"), part(200, 100));
    std::fs::write(framed.fixture.file_of("root.zst"), &noise(1, LENGTH)[..2_505_000]).expect("cut");
    let mut run = repository.fetch_run("root.zst", frames(249, 3)).await.expect("a run");
    assert_eq!(run.next().await.expect("verified").expect("a frame").bytes(), part(249, 1));
    assert_refused(run.next().await, "tampered", "ends after 5000 bytes");
    std::fs::remove_file(framed.fixture.file_of("root.zst")).expect("removed");
    assert_refused(fetch(&repository, frames(0, 1)).await, "missing_target", "does not have its file");
}

#[tokio::test]
async fn bandwidth_limit_holds_for_all_runs_together() {
    let framed = Framed::new();
    let source = Source { bandwidth_limit: NonZeroU64::new(400_000), ..framed.at(&framed.first) };
    let repository = framed.open(source).await;
    let began = tokio::time::Instant::now();
    let (one, two) = tokio::join!(fetch(&repository, frames(0, 20)), fetch(&repository, frames(100, 20)));
    assert_eq!(one.expect("verified").len() + two.expect("verified").len(), 400_000);
    // A quarter of a second's worth is free.
    assert!(began.elapsed() >= Duration::from_millis(700), "{:?}", began.elapsed());
}

#[tokio::test]
async fn run_that_is_none_is_refused_before_anything_is_asked_for() {
    let framed = Framed::new();
    let repository = framed.single().await;
    let with_gap = [frames(0, 1), frames(2, 1)].concat();
    assert_refused(repository.fetch_run("root.zst", with_gap).await, "tampered", "does not follow");
    let backwards = [frames(1, 1), frames(0, 1)].concat();
    assert_refused(repository.fetch_run("root.zst", backwards).await, "tampered", "does not follow");
    let beyond = vec![FrameInfo { length: LENGTH as u64, ..frames(1, 1)[0] }];
    assert_refused(repository.fetch_run("root.zst", beyond).await, "tampered", "is not within its");
    let overflowing = vec![FrameInfo { offset: u64::MAX, ..frames(1, 1)[0] }];
    assert_refused(repository.fetch_run("root.zst", overflowing).await, "tampered", "is not within its");
    let huge = vec![FrameInfo { length: u64::MAX, ..frames(1, 1)[0] }];
    assert_refused(repository.fetch_run("root.zst", huge).await, "failed", "longer than");
    assert_refused(repository.fetch_run("boot.zst", frames(0, 1)).await, "missing_target", "not list it");
    assert!(framed.asked(&framed.first).is_empty());
}

#[tokio::test]
async fn run_that_was_dropped_in_the_middle_of_a_frame_goes_on_from_there() {
    let framed = Framed::new();
    let repository = framed.single().await;
    framed.first.fault("root.zst", Fault::Stall.once());
    let mut run = repository.fetch_run("root.zst", frames(0, 2)).await.expect("a run");
    let patience = Duration::from_millis(100);
    assert!(tokio::time::timeout(patience, run.next()).await.is_err(), "nothing came yet");
    assert_eq!(run.next().await.expect("verified").expect("a frame").bytes(), part(0, 1));
    assert_eq!(run.next().await.expect("verified").expect("a frame").bytes(), part(1, 1));
}
