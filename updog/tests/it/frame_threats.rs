//! Frames that never come, and frames that are not what their signed index says.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use blocks::encode::Options;
use blocks::{FrameSize, Index, Level, RawDigests, encode};
use ring::digest::{SHA256, digest};
use testdata::server::Request;
use testdata::{Fault, Habit, Host, Release, Set, World};

use crate::forged::forge_again;
use crate::frames::{assert_installed, forget_the_running_root, image, plan};
use crate::support::{Snapshot, done, failure, offered_by, reconfigure, served};

const BLOCK: usize = 4096;

fn framed() -> (World, Host) {
    offered_by(Release::new("1.1.0").migrations("1.0.0", &[]).framed())
}

/// The first byte that a request asks for, and the one after the last that it got.
fn got(request: &Request) -> (u64, u64) {
    let range = request.range.as_deref().and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
    let first: u64 = range.and_then(|(first, _)| first.parse().ok()).unwrap_or(0);
    (first, first + request.bytes)
}

fn asked_for<'a>(requests: &'a [Request], path: &str) -> impl Iterator<Item = (u64, u64)> + 'a {
    let path = path.to_owned();
    requests.iter().filter(move |request| request.path_only() == path).map(got)
}

#[test]
fn a_range_that_fails_for_good_costs_no_frame_that_came_before_it() {
    let (world, host) = framed();
    forget_the_running_root(&host);
    let (data, _) = served(&world, "1.1.0-root.zst");
    let index = Index::parse(&served(&world, "1.1.0-root.idx").1).unwrap();
    // In the middle of a frame that is not the first one of its range.
    let broken = index.frame(index.frame_count() / 2 + 2).unwrap();
    world.server().fault(&data, Fault::Hole(broken.offset + u64::from(broken.length) / 2));
    world.server().clear_log();
    let before = Snapshot::of(&host);
    let said = failure(&host.run("updog", &["update", "--json"]));
    assert_eq!(said.code, "unreachable");
    assert!(said.help.contains("set B stays cleared"), "{}", said.help);
    before.assert_only_cleared(&host);
    let requests = world.server().requests();
    let (first, end) = asked_for(&requests, &data)
        .find(|(first, end)| (*first..*end).contains(&(broken.offset + 1)))
        .expect("the range that breaks off");
    assert!(first < broken.offset && end < broken.offset + u64::from(broken.length), "{first} to {end}");

    world.server().heal();
    world.server().clear_log();
    let _ = done(&host.run("updog", &["update", "--json"]));
    for (again, end) in asked_for(&world.server().requests(), &data) {
        assert!(end <= first || again >= broken.offset, "{again} to {end} was there from {first} on");
    }
    assert_installed(&world, &host, "1.1.0");
}

/// One frame, and what is said of it.
#[derive(Clone)]
struct Piece {
    bytes: Vec<u8>,
    raw_sha256: Option<[u8; 32]>,
}

/// The frames of an image as whoever has the keys can put them together.
struct Frames {
    /// The first part of the index, which says how long the image and its frames are.
    header: Vec<u8>,
    frame_len: usize,
    pieces: Vec<Piece>,
}

impl Frames {
    fn of(world: &World, image: &str) -> Self {
        let (data, index) =
            (served(world, &format!("1.1.0-{image}.zst")).1, served(world, &format!("1.1.0-{image}.idx")).1);
        let parsed = Index::parse(&index).unwrap();
        let bytes = |frame: &blocks::Frame| {
            let start = usize::try_from(frame.offset).unwrap();
            data[start..start + frame.length as usize].to_vec()
        };
        let pieces = parsed.frames();
        Self {
            header: index[..28].to_vec(),
            frame_len: parsed.frame_size().bytes(),
            pieces: pieces
                .map(|frame| Piece { bytes: bytes(&frame), raw_sha256: frame.raw_sha256 })
                .collect(),
        }
    }

    /// The data and its index, whose digests are right.
    fn publish(&self) -> (Vec<u8>, Vec<u8>) {
        let mut index = self.header.clone();
        for Piece { bytes, raw_sha256 } in &self.pieces {
            index.extend(u32::try_from(bytes.len()).unwrap().to_le_bytes());
            index.extend(digest(&SHA256, bytes).as_ref());
            index.extend(raw_sha256.iter().flatten());
        }
        Index::parse(&index).expect("nothing is wrong with the index");
        (self.pieces.iter().flat_map(|piece| piece.bytes.clone()).collect(), index)
    }
}

/// One frame around `raw`.
fn frame_around(raw: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    let options = Options {
        frame_size: FrameSize::from_blocks(64).unwrap(),
        level: Level::default(),
        raw_digests: RawDigests::LeaveOut,
        threads: NonZeroUsize::MIN,
    };
    let index = encode(&mut &raw[..], &mut frame, &options, &mut |_| ()).unwrap();
    frame.truncate(index.length(0) as usize);
    frame
}

/// What a hostile or broken publisher makes of a frame around `raw`.
type Attack = fn(frame: &[u8], raw: &[u8]) -> Vec<u8>;

/// Each with what is said of it.
const ATTACKS: [(&str, Attack); 8] = [
    ("its content has", |_, raw| frame_around(&[raw, &[7; BLOCK]].concat())),
    ("decode the frame", |_, raw| {
        // It has more than it says. Its size is stated in two bytes, less 256.
        let mut lying = frame_around(&[raw, &[7; 200]].concat());
        let stated = u16::try_from(raw.len() - 256).unwrap().to_le_bytes();
        lying[5..7].copy_from_slice(&stated);
        lying
    }),
    ("its content has", |_, raw| frame_around(&raw[BLOCK..])),
    ("decode the frame", |_, raw| {
        // It has less than it says.
        let mut lying = frame_around(&raw[200..]);
        let stated = u16::try_from(raw.len() - 256).unwrap().to_le_bytes();
        lying[5..7].copy_from_slice(&stated);
        lying
    }),
    ("1 bytes behind it", |frame, _| [frame, &[0]].concat()),
    // A second frame, which a decoder of streams would skip.
    ("8 bytes behind it", |frame, _| [frame, &[0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]].concat()),
    ("it ends too early", |frame, _| frame[..frame.len() - 9].to_vec()),
    ("does not begin like a zstd frame", |_, raw| raw[..BLOCK].to_vec()),
];

/// The target names of an image's frames and their index.
fn names(world: &World, role: &str) -> [String; 2] {
    ["zst", "idx"].map(|end| {
        let (path, _) = served(world, &format!("1.1.0-{role}.{end}"));
        path.split_once('.').expect("it has a digest").1.to_owned()
    })
}

/// A disk that was fed with such frames holds nothing of them, and boots what it booted.
fn frames_that_are_not_what_their_signed_index_says_are_refused(role: &str) {
    let (world, mut host) = framed();
    let running =
        ["BOOT", "ROOT", "HASH"].map(|part| (Set::A.label(part), host.disk().read_all(&Set::A.label(part))));
    forget_the_running_root(&host);
    host.disk().write(&Set::A.label("BOOT"), 0, &vec![0x11; running[0].1.len()]);
    let [data_name, index_name] = names(&world, role);
    let images = world.images(&Release::new("1.1.0"));
    let raw = std::fs::read(if role == "boot" { images.boot } else { images.root }).unwrap();
    let frames = Frames::of(&world, role);
    let label = Set::B.label(&role.to_uppercase());
    let (len, old) = (frames.frame_len, host.disk().read_all(&label));
    // A whole frame that has to be fetched.
    let differs = |place: &usize| raw[place * len..(place + 1) * len] != old[place * len..(place + 1) * len];
    let place = (0..raw.len() / len).rfind(differs).unwrap();
    let at = place * len;
    let (raw, untouched) = (&raw[at..at + len], &old[at..at + len]);

    let before = Snapshot::of(&host);
    for (number, (why, attack)) in (0..).zip(ATTACKS) {
        let mut forged = Frames { header: frames.header.clone(), pieces: frames.pieces.clone(), ..frames };
        forged.pieces[place].bytes = attack(&frames.pieces[place].bytes, raw);
        let (data, index) = forged.publish();
        forge_again(&world, &[(&data_name, &data), (&index_name, &index)], number);
        let ran = host.run("updog", &["update", "--json"]);
        let said = failure(&ran);
        assert_eq!(
            (said.code.as_str(), image(&plan(&ran), role)["way"].as_str()),
            ("tampered", Some("frames"))
        );
        assert!(
            said.message.contains(&format!("failed to install 1.1.0 in set B: decode the {role} image")),
            "{}",
            said.message
        );
        assert!(said.message.contains(why), "{}", said.message);
        assert!(
            said.help.contains("set B stays cleared and the running set boots as before"),
            "{}",
            said.help
        );
        before.assert_only_cleared(&host);
        let there = &host.disk().read_all(&label)[at..at + len];
        assert!(there == untouched, "something of it was written: {why}");
    }
    for (label, bytes) in running {
        host.disk().write(&label, 0, &bytes);
    }
    assert_eq!(host.reboot().version_at_once(), Some("1.0.0"));

    let (data, index) = frames.publish();
    forge_again(&world, &[(&data_name, &data), (&index_name, &index)], ATTACKS.len() as u64);
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_installed(&world, &host, "1.1.0");
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
}

#[test]
fn frames_of_root_that_are_not_what_their_signed_index_says_are_refused() {
    frames_that_are_not_what_their_signed_index_says_are_refused("root");
}

#[test]
fn frames_of_boot_that_are_not_what_their_signed_index_says_are_refused() {
    frames_that_are_not_what_their_signed_index_says_are_refused("boot");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a limit is a rate, so it takes time to see it")]
fn a_bandwidth_limit_holds_for_a_whole_update() {
    let (world, host) = framed();
    let limit = 300_000;
    reconfigure(&host, |config| format!("bandwidth_limit = {limit}\n{config}"));
    let began = Instant::now();
    let done = done(&host.run("updog", &["update", "--json"]));
    let took = began.elapsed();
    let fetched = done["bytes_fetched"].as_u64().unwrap();
    // A quarter of a second's worth is free, and nobody waits for the last piece.
    let free = limit / 4 + 65_536;
    let least = Duration::from_millis((fetched - free) * 1000 / limit);
    assert!(fetched > 2 * free && took >= least, "{fetched} bytes in {took:?}, not in {least:?}");
    assert_installed(&world, &host, "1.1.0");
}

#[test]
fn a_server_that_has_only_what_every_reader_knows_gives_the_plain_stream() {
    for (end, way_planned) in [("root.zst", "frames"), ("root.idx", "plain-stream")] {
        let (world, host) = framed();
        world.server().fault(&served(&world, &format!("1.1.0-{end}")).0, Fault::Status(404));
        let ran = host.run("updog", &["update", "--json"]);
        let _ = done(&ran);
        assert_eq!(image(&plan(&ran), "root")["way"], way_planned);
        assert!(ran.stderr.contains("comes as a plain stream"), "{ran}");
        let newest = &host.run("updog", &["history", "--json"]).expect_ok().json()[0];
        assert_eq!(newest["images"]["root"]["way"], "plain-stream", "{newest}");
        assert_eq!(newest["images"]["boot"]["way"], "frames", "{newest}");
        assert_installed(&world, &host, "1.1.0");
    }
}

#[test]
fn a_server_that_hands_out_whole_objects_only_gives_the_plain_stream_if_there_is_budget_for_it() {
    let (world, host) = framed();
    forget_the_running_root(&host);
    let planned = host.run("updog", &["plan", "--json"]);
    let to_come = plan(&planned)["fetch_bytes"].as_u64().unwrap();
    let fetched = done(&planned)["bytes_fetched"].as_u64().unwrap();
    let stream = served(&world, "1.1.0-root.lz4");
    world.server().habit(Habit::NoRanges);

    let before = Snapshot::of(&host);
    // Enough for what is planned.
    let budget = (fetched + to_come).to_string();
    let said = failure(&host.run("updog", &["update", "--json", "--max-bytes", &budget]));
    assert_eq!(said.code, "over_budget", "{}", said.message);
    assert!(said.help.contains("set B stays cleared"), "{}", said.help);
    before.assert_only_cleared(&host);

    world.server().clear_log();
    let ran = host.run("updog", &["update", "--json"]);
    let done = done(&ran);
    assert_eq!(image(&plan(&ran), "root")["way"], "frames");
    let told =
        format!("the root image comes as a plain stream of {} bytes after all: failed to", stream.1.len());
    assert!(ran.stderr.contains(&told) && ran.stderr.contains("whole objects only"), "{ran}");
    let newest = &host.run("updog", &["history", "--json"]).expect_ok().json()[0];
    assert!(
        newest["notes"].as_array().unwrap().iter().any(|note| note.as_str().unwrap().starts_with(&told)),
        "{newest}"
    );
    let came = &newest["images"]["root"];
    assert_eq!(came["way"], "plain-stream", "{newest}");
    assert!(came["fetched"].as_u64().unwrap() >= stream.1.len() as u64, "{came}");
    assert_eq!(asked_for(&world.server().requests(), &stream.0).count(), 1);
    let number = |field: &str| done[field].as_u64().unwrap();
    let images = world.images(&Release::new("1.1.0"));
    let whole: u64 = [images.boot, images.root, images.hash]
        .iter()
        .map(|file| std::fs::metadata(file).unwrap().len())
        .sum();
    assert_eq!(number("bytes_written") + number("bytes_skipped"), whole, "{done}");
    assert_installed(&world, &host, "1.1.0");
}

#[test]
fn an_index_of_a_boot_image_larger_than_its_partition_is_refused_before_anything_changes() {
    let (world, mut host) = framed();
    let len = host.disk().read_all(&Set::B.label("BOOT")).len();
    let mut data = Vec::new();
    let options = Options {
        frame_size: FrameSize::from_blocks(16).unwrap(),
        level: Level::default(),
        raw_digests: RawDigests::Keep,
        threads: NonZeroUsize::MIN,
    };
    let larger = vec![0x5a; len + 1];
    let index = encode(&mut &larger[..], &mut data, &options, &mut |_| ()).unwrap().encode();
    let [data_name, index_name] = names(&world, "boot");
    forge_again(&world, &[(&data_name, &data), (&index_name, &index)], 0);
    let before = Snapshot::of(&host);
    let said = failure(&host.run("updog", &["update", "--json"]));
    assert_eq!(said.code, "no_fit");
    let sizes = format!("it has {} bytes and the partition {len}", len + 1);
    assert!(said.message.contains(&sizes), "{}", said.message);
    before.assert_disk_unchanged(&host);
    assert_eq!(host.reboot().version_at_once(), Some("1.0.0"));
}
