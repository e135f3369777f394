//! Every byte that came is told, whatever became of it, and none comes beyond the budget.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use testdata::{Fault, Habit, Host, Relay, Release, World};

use crate::frames::{assert_installed, image, plan, sent};
use crate::support::{offered_by, reconfigure, served};

/// The most that comes of one connection beyond a budget: one read of the HTTP library's, which gets what the relay hands on
/// at once.
const ONE_READ: u64 = Relay::PIECE;

/// A host on 1.0.0 in a world that offers 1.1.0, and a relay that counts what comes to it.
fn counted() -> (World, Host, Relay) {
    counted_by(Release::new("1.1.0"))
}

fn counted_by(release: Release) -> (World, Host, Relay) {
    let (world, host) = offered_by(release);
    let relay = Relay::before(world.server().address());
    let (here, there) = (world.server().address().to_string(), relay.address().to_string());
    reconfigure(&host, |text| text.replace(&here, &there));
    (world, host, relay)
}

/// The newest record.
pub(crate) fn newest(host: &Host) -> Value {
    let ran = host.run("updog", &["history", "--json"]).expect_ok();
    serde_json::from_str::<Value>(&ran.stdout).unwrap()[0].clone()
}

/// A fault of a server, and where it strikes.
fn faults() -> impl Strategy<Value = Vec<(&'static str, Fault, u32)>> {
    let place = prop_oneof![
        Just("timestamp.json"),
        Just("snapshot.json"),
        Just("manifest.json"),
        Just("hash.lz4"),
        Just("boot.lz4"),
        Just("root.lz4"),
        Just("root.lz4"),
        // Where there are frames, they and what is said of them.
        Just("root.zst"),
        Just("root.zst"),
        Just("root.idx"),
    ];
    let fault = prop_oneof![
        (0_u64..200_000).prop_map(Fault::Truncate),
        (0_u64..200_000).prop_map(Fault::ResetAfter),
        prop_oneof![Just(503_u16), Just(500), Just(403), Just(404)].prop_map(Fault::Status),
        Just(Fault::Reset),
    ];
    prop::collection::vec((place, fault, 1_u32..7), 0..6)
}

#[test]
fn the_history_tells_every_byte_that_came_whatever_went_wrong_and_no_more_than_the_budget_comes() {
    let habits = prop::option::of(prop_oneof![
        Just(Habit::NoRanges),
        Just(Habit::Early(500)),
        Just(Habit::NewValidators),
        Just(Habit::Chunked),
        Just(Habit::Chunked)
    ]);
    let budgets = prop::option::of(20_000_u64..2_000_000);
    let mut runner = TestRunner::new(Config { cases: 20, failure_persistence: None, ..Config::default() });
    let stories = (any::<bool>(), faults(), habits, budgets);
    let ran = runner.run(&stories, |(framed, faults, habit, budget)| {
        let release = Release::new("1.1.0");
        let (world, host, relay) = counted_by(if framed { release.framed() } else { release });
        habit.into_iter().for_each(|habit| world.server().habit(habit));
        for (place, fault, times) in faults {
            world.server().fault(place, fault.times(times));
        }
        let budget_text = budget.map(|budget| budget.to_string());
        let mut args = vec!["update"];
        args.extend(budget_text.as_deref().into_iter().flat_map(|text| ["--max-bytes", text]));
        let before = relay.bodies();
        let said = host.run("updog", &args);
        let came = relay.bodies() - before;
        let record = newest(&host);
        let told = record["bytes"]["fetched"].as_u64().unwrap();
        prop_assert_eq!(told, came, "{}", said);
        if let Some(budget) = budget {
            prop_assert!(told <= budget + ONE_READ * relay.most_open(), "{told} of {budget}: {said}");
        }
        Ok(())
    });
    ran.unwrap();
}

#[test]
fn a_failed_update_says_in_its_message_and_in_the_history_what_it_fetched_and_wrote() {
    let (world, host, relay) = counted();
    world.server().habit(Habit::NoRanges);
    let (root, bytes) = served(&world, "1.1.0-root.lz4");
    world.server().fault(&root, Fault::Truncate(bytes.len() as u64 * 2 / 3));
    let before_it = skipped(&host);
    let before = relay.bodies();
    let said = host.run("updog", &["update"]);
    let record = newest(&host);
    let (fetched, written) = (&record["bytes"]["fetched"], record["bytes"]["written"].as_u64().unwrap());
    assert_eq!(fetched.as_u64(), Some(relay.bodies() - before), "{said}");
    assert!(written > 0, "{record}");
    let sentence = format!("{fetched} bytes were fetched and {written} written");
    assert!(said.stderr.contains(&sentence), "{sentence}: {said}");
    // The next run finds what was written, block by block, and fetches no image but root.
    world.server().heal();
    world.server().clear_log();
    let after = skipped(&host);
    assert!(after > before_it, "{after} bytes of root are in place, and {before_it} were before");
    let _ = host.run("updog", &["update"]).expect_ok();
    let asked =
        |end: &str| world.server().requests().iter().any(|request| request.path_only().ends_with(end));
    assert!(asked("1.1.0-root.lz4") && !asked("1.1.0-boot.lz4"));
}

/// A host whose update was cut in the middle of root, and the name and length of that.
fn cut() -> (World, Host, Relay, String, u64) {
    let (world, host, relay) = counted();
    let (root, bytes) = served(&world, "1.1.0-root.lz4");
    let length = bytes.len() as u64;
    // A link that breaks there, and from then on at once.
    world.server().fault(&root, Fault::Truncate(length * 4 / 5).once());
    world.server().fault(&root, Fault::Reset);
    let said = host.run("updog", &["update"]);
    assert!(said.stderr.contains("fetch and decode the root image"), "{said}");
    world.server().heal();
    world.server().clear_log();
    (world, host, relay, root, length)
}

/// The bytes that an update fetched, all of which came through the relay.
fn fetched(host: &Host, relay: &Relay) -> u64 {
    let before = relay.bodies();
    let said = host.run("updog", &["update"]).expect_ok();
    let told = newest(host)["bytes"]["fetched"].as_u64().unwrap();
    assert_eq!(told, relay.bodies() - before, "{said}");
    told
}

#[test]
fn a_root_image_that_was_cut_is_fetched_from_behind_what_is_in_place() {
    let (world, mut host, relay, root, length) = cut();
    let planned = plan(&host.run("updog", &["plan", "--json"]).expect_ok());
    let planned = image(&planned, "root")["fetch_bytes"].as_u64().unwrap();
    let skipped = skipped(&host);
    assert!(skipped > 0 && planned < length / 2, "{planned} of {length}");
    let _ = fetched(&host, &relay);
    let (requests, bytes) = sent(&world, &root);
    assert_eq!((requests, bytes), (1, planned), "of {length}");
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
    assert!(!host.paths().record().join("stream.json").exists(), "nobody needs it any more");
}

#[test]
fn a_second_cut_loses_nothing_of_what_came_behind_the_first() {
    let (world, host, relay, root, length) = cut();
    let first =
        image(&plan(&host.run("updog", &["plan", "--json"]).expect_ok()), "root")["skip_bytes"].clone();
    world.server().fault(&root, Fault::Truncate(length / 10).once());
    world.server().fault(&root, Fault::Reset);
    let _ = host.run("updog", &["update"]);
    world.server().heal();
    let second =
        image(&plan(&host.run("updog", &["plan", "--json"]).expect_ok()), "root")["skip_bytes"].clone();
    assert!(second.as_u64() >= first.as_u64(), "{second} and {first}");
    let _ = fetched(&host, &relay);
    assert_installed(&world, &host, "1.1.0");
}

#[test]
fn without_ranges_all_of_a_cut_image_is_read_within_the_budget_and_only_what_is_missing_is_written() {
    let (world, host, relay, root, length) = cut();
    world.server().habit(Habit::NoRanges);
    let said = host.run("updog", &["update", "--max-bytes", &(length - 1).to_string()]);
    assert_eq!(newest(&host)["error"]["code"], "over_budget", "{said}");
    assert!(fetched(&host, &relay) >= length, "there is no other way");
    assert!(sent(&world, &root).1 >= length);
    assert_installed(&world, &host, "1.1.0");
}

#[test]
fn a_note_of_where_a_stream_can_be_entered_decides_nothing() {
    for wrong in ["shifted", "early", "flags", "swapped"] {
        let (world, host, relay, root, length) = cut();
        let file = host.paths().record().join("stream.json");
        let mut note: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        for block in note["blocks"].as_array_mut().unwrap() {
            match wrong {
                "shifted" => block[0] = (block[0].as_u64().unwrap() + 3).into(),
                "early" => block[0] = 7.into(),
                _ => {}
            }
        }
        if wrong == "flags" {
            note["flags"] = serde_json::json!([255, 255]);
        }
        std::fs::write(&file, note.to_string()).unwrap();
        if wrong == "swapped" {
            // The mirror has something else there, the first time that it is asked.
            let other = served(&world, "1.1.0-root.lz4").1.iter().map(|byte| !byte).collect();
            world.server().fault(&root, Fault::Swap(other).once());
        }
        let said = host.run("updog", &["update"]).expect_ok();
        assert!(said.stderr.contains("all of the root image is fetched after all"), "{wrong}: {said}");
        let told = newest(&host)["bytes"]["fetched"].as_u64().unwrap();
        assert!(told >= length && told <= relay.bodies(), "{wrong}: all of it");
        assert_installed(&world, &host, "1.1.0");
    }
}

/// How much of root is said to be in place.
fn skipped(host: &Host) -> u64 {
    let ran = host.run("updog", &["plan", "--json"]).expect_ok();
    image(&plan(&ran), "root")["skip_bytes"].as_u64().unwrap()
}
