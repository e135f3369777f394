//! A target that is entered at one of the blocks of its LZ4 frame.

use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex};

use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
use testdata::{Fault, FaultyServer, Habit, noise};
use trusted_repo::lz4::Lz4Reader;
use trusted_repo::midway::{Flags, Lz4Midway, Midway, WINDOW};
use trusted_repo::{Error, Repository};
use url::Url;

use crate::fixture::{Fixture, today};

/// Half of it says something that was said before, so that blocks refer to what lies before them.
fn content() -> Vec<u8> {
    let parts = (0..40).map(|number| [noise(number, 20_000), noise(number / 2, 20_000)].concat());
    parts.flatten().collect()
}

fn framed(info: FrameInfo) -> Vec<u8> {
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(&content()).expect("in memory");
    encoder.finish().expect("in memory")
}

/// All kinds of frames that a publisher's tool may write.
fn kinds() -> Vec<FrameInfo> {
    let mut kinds = Vec::new();
    for size in [BlockSize::Max64KB, BlockSize::Max256KB] {
        for mode in [BlockMode::Independent, BlockMode::Linked] {
            for sums in [false, true] {
                let info = FrameInfo::new().block_size(size).block_mode(mode);
                let info = info.block_checksums(sums).content_checksum(sums);
                kinds.push(info.content_size(sums.then(|| content().len() as u64)));
            }
        }
    }
    kinds
}

/// A repository with one such target, behind a server.
async fn served(frame: &[u8]) -> (Fixture, FaultyServer, Repository) {
    let mut fixture = Fixture::new();
    fixture.target("root.lz4", frame);
    fixture.sign();
    let server = FaultyServer::start(fixture.repo());
    let source = fixture.source_at(&Url::parse(&server.url("")).expect("an address"));
    let repository = fixture.open_from(source, &fixture.anchor, today()).await.expect("opened");
    (fixture, server, repository)
}

type Noted = Arc<Mutex<Vec<(Flags, Midway)>>>;

fn note() -> (Noted, trusted_repo::midway::Noting) {
    let noted = Noted::default();
    let to = Arc::clone(&noted);
    (noted, Box::new(move |flags, midway| to.lock().expect("not poisoned").push((flags, midway))))
}

/// Reads all of it, and says where its blocks begin.
async fn entrances(repository: &Repository) -> Vec<(Flags, Midway)> {
    let info = repository.target("root.lz4").await.expect("listed");
    let (noted, noting) = note();
    let mut reader = Lz4Reader::new(repository.open_target(&info).expect("opened")).noting(noting);
    tokio::task::spawn_blocking(move || {
        std::io::copy(&mut reader, &mut std::io::sink()).expect("it comes");
        reader.finish().expect("verified");
    })
    .await
    .expect("no panic");
    let noted = noted.lock().expect("not poisoned");
    // The last one is the end mark.
    noted.iter().copied().filter(|(_, midway)| midway.raw >= WINDOW as u64).collect()
}

/// What comes behind an entrance, and where blocks were seen to begin on the way.
async fn enter(
    repository: &Repository,
    flags: Flags,
    from: Midway,
    before: &[u8],
) -> Result<(Vec<u8>, Vec<Midway>), Error> {
    let info = repository.target("root.lz4").await.expect("listed");
    let tail = repository.open_unverified_tail(&info, from.at)?;
    let (noted, noting) = note();
    let mut reader = Lz4Midway::new(tail, flags, from, before)?.noting(noting);
    let read = tokio::task::spawn_blocking(move || {
        let mut raw = Vec::new();
        reader.read_to_end(&mut raw).map_err(|error| Error::from_read("root.lz4", error))?;
        reader.finish().map(|()| raw)
    });
    let raw = read.await.expect("no panic")?;
    let later = noted.lock().expect("not poisoned").iter().map(|(_, midway)| *midway).collect();
    Ok((raw, later))
}

fn window(from: Midway) -> Vec<u8> {
    let end = usize::try_from(from.raw).expect("small");
    content()[end - WINDOW..end].to_vec()
}

fn behind(from: Midway) -> Vec<u8> {
    content()[usize::try_from(from.raw).expect("small")..].to_vec()
}

#[tokio::test]
async fn a_frame_of_any_kind_can_be_entered_at_each_of_its_blocks() {
    for info in kinds() {
        let told = format!("{info:?}");
        let (_fixture, server, repository) = served(&framed(info)).await;
        let entrances = entrances(&repository).await;
        assert!(entrances.len() >= 5, "{told}: {entrances:?}");
        let all: Vec<Midway> = entrances.iter().map(|(_, midway)| *midway).collect();
        for (number, (flags, from)) in entrances.into_iter().enumerate() {
            server.clear_log();
            let (raw, later) = enter(&repository, flags, from, &window(from)).await.expect("entered");
            assert!(raw == behind(from), "{told} at {from:?}");
            assert_eq!(later, all[number + 1..], "blocks are seen where they were seen before");
            let asked = server.requests();
            assert_eq!((asked.len(), asked[0].status), (1, Some(206)));
            assert_eq!(asked[0].range, Some(format!("bytes={}-", from.at)));
        }
    }
}

#[tokio::test]
async fn what_breaks_off_behind_an_entrance_goes_on_and_a_server_without_ranges_begins_at_the_first_byte() {
    let (fixture, server, repository) = served(&framed(kinds()[0].clone())).await;
    let (flags, from) = entrances(&repository).await[3];
    server.clear_log();
    server.fault("root.lz4", Fault::Truncate(30_000).times(3));
    assert!(enter(&repository, flags, from, &window(from)).await.expect("in the end").0 == behind(from));
    let bytes: u64 = server.requests().iter().map(|request| request.bytes).sum();
    let length = std::fs::metadata(fixture.file_of("root.lz4")).expect("there").len();
    assert_eq!(bytes, length - from.at, "nothing came twice");
    server.habit(Habit::NoRanges);
    assert!(enter(&repository, flags, from, &window(from)).await.expect("passed over").0 == behind(from));
    let local = fixture.open().await.expect("a directory");
    assert!(enter(&local, flags, from, &window(from)).await.expect("of a file").0 == behind(from));
}

#[tokio::test]
async fn an_entrance_that_is_none_gives_an_error_or_other_bytes_and_never_a_panic() {
    for info in kinds() {
        let (_fixture, server, repository) = served(&framed(info)).await;
        let (flags, from) = entrances(&repository).await[2];
        let all = (window(from), behind(from));
        for (wrong, before) in [
            (Midway { at: from.at + 1, ..from }, &all.0),
            (Midway { at: from.at - 4, ..from }, &all.0),
            (Midway { at: 0, ..from }, &all.0),
            (from, &vec![7; WINDOW]),
        ] {
            let got = enter(&repository, flags, wrong, before).await;
            // Independent blocks refer to nothing before them.
            let harmless = wrong == from && flags.0[0] & 0x20 != 0;
            assert_eq!(got.is_ok_and(|(raw, _)| raw == all.1), harmless, "{wrong:?}");
        }
        // Whatever is said of its blocks, and where no frame has such blocks.
        let _any = enter(&repository, Flags([0xff, 0xff]), from, &all.0).await;
        enter(&repository, Flags([0x60, 0x30]), from, &all.0).await.expect_err("no frame is like that");
        // An answer that ends before the frame does.
        server.fault("root.lz4", Fault::Truncate(10));
        enter(&repository, flags, from, &all.0).await.expect_err("it never comes");
    }
}
