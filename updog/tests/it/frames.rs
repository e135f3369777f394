//! Releases with frames: only what is nowhere on the disk moves, and whatever is not as it should be is told or passed
//! over.

use std::time::{Duration, Instant};

use serde_json::Value;
use testdata::{Fault, Host, Ran, Release, Running, Set, World};

use crate::forged::forge;
use crate::support::{Snapshot, done, failure, offered_by, served};

const PATIENCE: Duration = Duration::from_secs(60);
/// Blocks of the images, and of the hints about them.
const BLOCK: usize = 4096;
/// Bytes of a frame.
const FRAME: usize = 16 * BLOCK;

fn framed() -> (World, Host) {
    offered_by(Release::new("1.1.0").framed())
}

/// The plan that a command told.
pub(crate) fn plan(ran: &Ran) -> Value {
    let events = ran.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut plans = events.filter(|event| event["event"] == "plan");
    plans.next().unwrap_or_else(|| panic!("no plan: {ran}"))["plan"].take()
}

pub(crate) fn image<'a>(plan: &'a Value, role: &str) -> &'a Value {
    plan["images"].as_array().unwrap().iter().find(|image| image["image"] == role).unwrap()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// Set B holds exactly what was published as `version`.
pub(crate) fn assert_installed(world: &World, host: &Host, version: &str) {
    let images = world.images(&Release::new(version));
    for (role, file) in [("BOOT", images.boot), ("ROOT", images.root), ("HASH", images.hash)] {
        let image = std::fs::read(file).unwrap();
        assert!(host.disk().read(&Set::B.label(role), image.len() as u64) == image, "{role}");
    }
}

/// The requests for a file so far, and the bytes of their bodies.
pub(crate) fn sent(world: &World, path: &str) -> (usize, u64) {
    let requests = world.server().requests();
    let of: Vec<u64> =
        requests.iter().filter(|request| request.path_only() == path).map(|request| request.bytes).collect();
    (of.len(), of.iter().sum())
}

/// The running root has nothing that a new one could use, and its tree says so as well.
pub(crate) fn forget_the_running_root(host: &Host) {
    let len = host.disk().read_all(&Set::A.label("ROOT")).len();
    let noise: Vec<u8> = (0..u32::try_from(len).unwrap() / 4)
        .flat_map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    host.disk().write(&Set::A.label("ROOT"), 0, &noise);
    host.disk().write(&Set::A.label("HASH"), 0, &[0; BLOCK]);
}

#[test]
fn an_update_by_frames_moves_what_changed_and_no_more() {
    let (world, mut host) = framed();
    let (data, whole) = (served(&world, "1.1.0-root.zst"), served(&world, "1.1.0-root.lz4").1.len() as u64);
    world.server().clear_log();
    let ran = host.run("updog", &["update", "--json"]);
    let done = done(&ran);
    let plan = plan(&ran);
    let root = image(&plan, "root");
    assert_eq!(root["way"], "frames", "{plan}");
    assert!(number(&root["fetch_bytes"]) < whole / 2, "{whole} and {root}");
    assert!(number(&root["copy_bytes"]) > 0, "{root}");
    assert_eq!(sent(&world, &data.0).1, number(&root["fetch_bytes"]));
    assert_eq!(done["bytes_written"].as_u64(), plan["write_bytes"].as_u64());
    assert_eq!(done["bytes_skipped"].as_u64(), plan["skip_bytes"].as_u64());
    assert_installed(&world, &host, "1.1.0");
    let history = host.run("updog", &["history", "--json"]);
    if history.ok() {
        let newest = &history.json()[0];
        assert_eq!(newest["outcome"], "activated", "{newest}");
        assert_eq!(newest["bytes"]["written"].as_u64(), plan["write_bytes"].as_u64(), "{newest}");
        assert_eq!(newest["images"]["root"]["way"], "frames", "{newest}");
    }
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
}

#[test]
fn an_update_that_is_in_place_fetches_and_writes_no_image() {
    let (world, mut host) = framed();
    let _ = host.run("updog", &["update", "--json"]).expect_ok();
    let bits = host.bits(Set::B);
    world.server().clear_log();
    let again = done(&host.run("updog", &["update", "--json"]));
    assert_eq!((number(&again["bytes_written"]), host.bits(Set::B)), (0, bits));
    let images = [".zst", ".idx", "-root.lz4", "-boot.lz4", "-hash.lz4"];
    for request in world.server().requests() {
        assert!(!images.iter().any(|end| request.path_only().ends_with(end)), "{request:?}");
    }
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
}

#[test]
fn a_set_that_rotted_since_it_was_staged_is_made_right_again() {
    let (world, mut host) = framed();
    let _ = host.run("updog", &["update", "--json"]).expect_ok();
    let label = Set::B.label("ROOT");
    let mut block = host.disk().read(&label, BLOCK as u64);
    block[9] ^= 1;
    host.disk().write(&label, 0, &block);
    let again = done(&host.run("updog", &["update", "--json"]));
    assert_eq!(number(&again["bytes_written"]), BLOCK as u64);
    assert_installed(&world, &host, "1.1.0");
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
}

#[test]
fn a_plan_says_what_an_update_takes_and_changes_nothing() {
    let (_world, host) = framed();
    let before = Snapshot::of(&host);
    let planned = plan(&host.run("updog", &["plan", "--json"]));
    let dry = host.run("updog", &["update", "--dry-run", "--json"]);
    assert_eq!(done(&dry)["command"], "update");
    assert_eq!(plan(&dry), planned);
    let text = host.run("updog", &["plan"]).expect_ok();
    for role in ["boot", "root", "hash"] {
        let fetch = host_io::bar::mib(number(&image(&planned, role)["fetch_bytes"]));
        let row = text.stdout.lines().find(|line| line.starts_with(role)).unwrap();
        assert!(row.split_whitespace().skip(2).take(2).eq(fetch.split_whitespace()), "{text}");
    }
    before.assert_disk_unchanged(&host);
    assert_eq!(plan(&host.run("updog", &["update", "--json"])), planned);
}

#[test]
fn an_update_over_budget_is_refused_before_anything_changes() {
    let (_world, mut host) = framed();
    let planned = done(&host.run("updog", &["plan", "--json"]));
    // The hash image alone is known to be too much; then everything but the last byte would fit.
    let fetched = number(&planned["bytes_fetched"]);
    let before = Snapshot::of(&host);
    for budget in [1000, fetched] {
        let said = failure(&host.run("updog", &["update", "--json", "--max-bytes", &budget.to_string()]));
        assert_eq!(said.code, "over_budget");
        assert!(said.message.contains(&format!("data budget of {budget} bytes")), "{}", said.message);
        before.assert_disk_unchanged(&host);
    }
    let config = host.paths().updog_config();
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("data-budget = 1000\n{text}")).unwrap();
    assert_eq!(failure(&host.run("updog", &["update", "--json"])).code, "over_budget");
    before.assert_disk_unchanged(&host);
    std::fs::write(&config, text).unwrap();
    let _ = host.run("updog", &["update", "--max-bytes", "1000000000"]).expect_ok();
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
}

#[test]
fn a_version_below_the_floor_is_not_installed() {
    let (_world, host) = framed();
    let config = host.paths().updog_config();
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("minimum-version = \"1.1.1\"\n{text}")).unwrap();
    let before = Snapshot::of(&host);
    let ran = host.run("updog", &["update", "--json", "--image", "1.1.0"]);
    let said = failure(&ran);
    assert_eq!(said.code, "disallowed");
    assert!(said.message.contains("1.1.1"), "{}", said.message);
    before.assert_disk_unchanged(&host);
}

#[test]
fn what_rotted_in_the_running_root_is_fetched_instead_and_told() {
    let (world, mut host) = framed();
    // A block that both versions have at the same place, in a frame of which nothing changed.
    let label = Set::A.label("ROOT");
    let old = host.disk().read_all(&label);
    let new = std::fs::read(world.images(&Release::new("1.1.0")).root).unwrap();
    let mut frames = (0..new.len() / FRAME).map(|frame| frame * FRAME);
    let same =
        |at: &usize| old[*at..at + FRAME] == new[*at..at + FRAME] && new[*at..at + BLOCK] != [0; BLOCK];
    let at = frames.rfind(same).unwrap();
    let mut block = old[at..at + BLOCK].to_vec();
    block[5] ^= 0x10;
    host.disk().write(&label, at as u64, &block);
    let ran = host.run("updog", &["update", "--json"]);
    let done = done(&ran);
    assert_installed(&world, &host, "1.1.0");
    assert!(
        ran.stderr.contains("1 blocks of the running root partition are not what their digests say"),
        "{ran}"
    );
    assert!(number(&done["bytes_fetched"]) > number(&plan(&ran)["fetch_bytes"]));
    let set = host.run("updog", &["status", "--json"]).expect_ok().json();
    assert_eq!(set["inactive"]["version"], "1.1.0");
    host.disk().write(&label, 0, &old);
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
}

#[test]
fn rot_that_would_take_more_than_the_budget_ends_it_with_the_set_cleared() {
    let (world, host) = framed();
    let label = Set::A.label("ROOT");
    let (old, before) = (host.disk().read_all(&label), Snapshot::of(&host));
    let planned = done(&host.run("updog", &["plan", "--json"]));
    let to_come = number(&plan(&host.run("updog", &["plan", "--json"]))["fetch_bytes"]);
    let noise: Vec<u8> = old.iter().map(|byte| byte ^ 0xff).collect();
    host.disk().write(&label, 0, &noise);
    // Enough for what is planned, and not for all of root.
    let budget = (number(&planned["bytes_fetched"]) + to_come).to_string();
    let said = failure(&host.run("updog", &["update", "--json", "--max-bytes", &budget]));
    assert_eq!(said.code, "over_budget");
    assert!(said.help.contains("set B stays cleared"), "{}", said.help);
    host.disk().write(&label, 0, &old);
    before.assert_only_cleared(&host);
    drop(world);
}

#[test]
fn a_frame_with_a_flipped_bit_is_refused_and_the_set_stays_cleared() {
    let (world, mut host) = framed();
    let (path, mut bytes) = served(&world, "1.1.0-root.zst");
    for byte in bytes.iter_mut().step_by(997) {
        *byte ^= 4;
    }
    world.server().fault(&path, Fault::Swap(bytes));
    let before = Snapshot::of(&host);
    let said = failure(&host.run("updog", &["update", "--json"]));
    assert_eq!(said.code, "tampered");
    before.assert_only_cleared(&host);
    world.server().heal();
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_installed(&world, &host, "1.1.0");
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
}

#[test]
fn an_index_with_a_flipped_bit_is_refused_before_anything_changes() {
    let (world, host) = framed();
    let (path, mut bytes) = served(&world, "1.1.0-root.idx");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    world.server().fault(&path, Fault::Swap(bytes));
    let before = Snapshot::of(&host);
    assert_eq!(failure(&host.run("updog", &["update", "--json"])).code, "tampered");
    before.assert_disk_unchanged(&host);
}

#[test]
fn frames_that_may_be_more_than_the_whole_image_are_not_even_looked_into() {
    let (world, host) = framed();
    forget_the_running_root(&host);
    let (path, mut bytes) = served(&world, "1.1.0-root.zst");
    let whole = served(&world, "1.1.0-root.lz4").1.len() as u64;
    let name = path.rsplit('/').next().unwrap().split_once('.').unwrap().1.to_owned();
    // With the index it is just above the whole image.
    bytes.resize(usize::try_from(whole).unwrap() - 100, 0);
    forge(&world, &name, &bytes);
    world.server().clear_log();
    let ran = host.run("updog", &["update", "--json"]);
    let _ = done(&ran);
    let root = image(&plan(&ran), "root").clone();
    assert_eq!((root["way"].as_str().unwrap(), number(&root["fetch_bytes"])), ("plain-stream", whole));
    assert!(root["note"].as_str().unwrap().contains("more than all of it"), "{root}");
    assert_eq!(sent(&world, &served(&world, "1.1.0-root.idx").0), (0, 0));
    assert_installed(&world, &host, "1.1.0");
}

#[test]
fn an_index_that_is_not_known_here_gives_way_to_the_plain_stream() {
    for (at, what) in [(8, "version"), (12, "understand")] {
        let (world, mut host) = framed();
        let (path, mut bytes) = served(&world, "1.1.0-root.idx");
        let name = path.rsplit('/').next().unwrap().split_once('.').unwrap().1.to_owned();
        // After the eight bytes of the magic: the version, and what a reader must understand.
        bytes[at] |= 0x80;
        forge(&world, &name, &bytes);
        let ran = host.run("updog", &["update", "--json"]);
        let _ = done(&ran);
        let plan = plan(&ran);
        let root = image(&plan, "root");
        assert_eq!(root["way"], "plain-stream", "{plan}");
        assert!(root["note"].as_str().unwrap().contains(what), "{root}");
        assert!(ran.stderr.contains("comes as a plain stream"), "{ran}");
        assert_installed(&world, &host, "1.1.0");
        assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
    }
}

/// An update over a thin link, of which half of root has been sent.
#[expect(clippy::disallowed_methods, reason = "bounds a wait")]
pub(crate) fn half_sent(world: &World, host: &Host) -> Running {
    let (path, bytes) = served(world, "1.1.0-root.zst");
    world.server().fault(&path, Fault::Slow { bytes_per_second: 600_000 });
    world.server().clear_log();
    let update = host.spawn("updog", &["update", "--json"]);
    assert!(world.server().wait_for(&path, PATIENCE).is_some());
    let began = Instant::now();
    while sent(world, &path).1 < bytes.len() as u64 / 2 {
        assert!(began.elapsed() < PATIENCE, "the link is too thin");
        // Only to leave the processor to those who do something.
        std::thread::park_timeout(Duration::from_millis(5));
    }
    update
}

fn killed_at_half(world: &World, host: &Host) {
    assert_eq!(half_sent(world, host).kill().code(), None);
    world.server().heal();
}
/// How many indexes lie on the host.
fn kept_indexes(host: &Host) -> usize {
    let entries = std::fs::read_dir(host.paths().trust()).unwrap().map(|entry| entry.unwrap().file_name());
    entries.filter(|name| name.to_string_lossy().ends_with(".idx")).count()
}

#[test]
fn a_kept_index_that_rotted_is_fetched_again() {
    let (world, host) = framed();
    forget_the_running_root(&host);
    killed_at_half(&world, &host);
    for entry in std::fs::read_dir(host.paths().trust()).unwrap().map(Result::unwrap) {
        if entry.file_name().to_string_lossy().ends_with(".root.idx") {
            let mut bytes = std::fs::read(entry.path()).unwrap();
            bytes[40] ^= 1;
            std::fs::write(entry.path(), bytes).unwrap();
        }
    }
    world.server().clear_log();
    let ran = host.run("updog", &["update", "--json"]);
    let _ = done(&ran);
    assert_eq!(sent(&world, &served(&world, "1.1.0-root.idx").0).0, 1);
    assert_eq!(sent(&world, &served(&world, "1.1.0-boot.idx").0).0, 0);
    assert_installed(&world, &host, "1.1.0");
}

#[test]
fn a_killed_update_goes_on_where_it_was() {
    let (world, host) = framed();
    forget_the_running_root(&host);
    let before = host.disk().read_all(&Set::B.label("ROOT"));
    killed_at_half(&world, &host);
    assert_eq!(host.bits(Set::B), testdata::BootBits::default(), "it stays cleared");
    let after = host.disk().read_all(&Set::B.label("ROOT"));
    let changed =
        before.chunks(BLOCK).zip(after.chunks(BLOCK)).filter(|(before, after)| before != after).count();
    world.server().clear_log();
    let ran = host.run("updog", &["update", "--json"]);
    let done = done(&ran);
    let plan = plan(&ran);
    // The indexes were kept, until they were of no use any more.
    assert_eq!(sent(&world, &served(&world, "1.1.0-root.idx").0), (0, 0));
    assert_eq!(sent(&world, &served(&world, "1.1.0-boot.idx").0), (0, 0));
    assert_eq!(number(&plan["indexes"][0]["fetch_bytes"]), 0, "{plan}");
    assert_eq!(kept_indexes(&host), 0);
    // What was written is not written again, and the hash image that came first is not fetched again.
    assert!(number(&image(&plan, "root")["skip_bytes"]) >= (changed * BLOCK) as u64, "{plan}");
    assert_eq!(image(&plan, "hash")["way"], "local", "{plan}");
    assert_eq!(number(&done["bytes_written"]), number(&plan["write_bytes"]));
    assert_installed(&world, &host, "1.1.0");
}

#[test]
fn a_killed_update_helps_the_next_release_as_well() {
    let (world, host) = framed();
    forget_the_running_root(&host);
    killed_at_half(&world, &host);
    world.publish(Release::new("1.2.0").framed());
    let whole = served(&world, "1.2.0-root.zst").1.len() as u64;
    let ran = host.run("updog", &["update", "--json"]);
    let _ = done(&ran);
    let plan = plan(&ran);
    assert!(number(&image(&plan, "root")["skip_bytes"]) > 0, "{plan}");
    assert!(number(&image(&plan, "root")["fetch_bytes"]) < whole, "{plan}");
    assert_installed(&world, &host, "1.2.0");
}
