//! From the choice to the next boot.

use std::time::Duration;

use serde_json::Value;
use testdata::{BootBits, Fault, Release, Set};

use crate::support::{Snapshot, done, offered, reconfigure, served};

#[test]
fn an_update_is_written_flipped_to_and_booted() {
    let (_world, mut host) = offered();
    let before = Snapshot::of(&host);
    let ran = host.run("updog", &["update"]).expect_ok();
    assert_eq!(ran.stdout, "Update applied: metal-dev 1.1.0\n");
    assert!(ran.stderr.contains("Starting update to 1.1.0"), "{ran}");
    assert_eq!(host.bits(Set::B), BootBits { priority: 2, tries: 1, successful: false });
    assert!(!host.reboot_requested());
    before.assert_running_set_untouched(&host);
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
    assert_eq!(host.active_set(), Some(Set::B));
    let status = host.run("updog", &["status", "--json"]).expect_ok().json();
    assert_eq!(status["active"]["version"], "1.1.0");
    assert_eq!(status["active"]["proven"], true);
    // The set that was left is known by what the update noted of it.
    assert_eq!(status["inactive"]["version"], "1.0.0");
    assert_eq!(status["inactive"]["valid"], true);
}

#[test]
fn what_lies_in_the_partitions_is_what_was_published() {
    let (world, host) = offered();
    let _ = host.run("updog", &["update-image"]).expect_ok();
    let images = world.images(&Release::new("1.1.0"));
    for (role, file) in [("BOOT", images.boot), ("ROOT", images.root), ("HASH", images.hash)] {
        let image = std::fs::read(file).unwrap();
        assert!(host.disk().read(&Set::B.label(role), image.len() as u64) == image, "{role}");
    }
}

#[test]
fn events_tell_how_far_it_is_and_how_much_it_took() {
    let (_world, host) = offered();
    let ran = host.run("updog", &["update-image", "--json"]);
    let done = done(&ran);
    assert_eq!(done["update"]["version"], "1.1.0");
    assert_eq!(done["set"], "B");
    assert_eq!(done["read_back"], "image-file");
    let events: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events[0], serde_json::json!({"event": "started"}));
    let plan = &events.iter().find(|event| event["event"] == "plan").unwrap()["plan"];
    let fetched = done["bytes_fetched"].as_u64().unwrap();
    assert!(fetched > plan["fetch_bytes"].as_u64().unwrap(), "metadata comes on top: {done}");
    for (phase, image) in [
        ("scan", "root"),
        ("fetch", "hash"),
        ("fetch", "migrations"),
        ("write", "boot"),
        ("write", "root"),
        ("write", "hash"),
        ("sync", "root"),
        ("read-back", "root"),
    ] {
        let last = events.iter().rfind(|event| {
            event["event"] == "progress" && event["phase"] == phase && event["image"] == image
        });
        let last = last.unwrap_or_else(|| panic!("no {phase} of {image}: {ran}"));
        assert_eq!(last["bytes"], last["total"], "{last}");
    }
    let syncs = events.iter().filter(|event| event["phase"] == "sync");
    assert!(syncs.clone().count() >= 3 && syncs.into_iter().all(|sync| sync["rate"] == 0), "{ran}");
}

#[test]
fn the_record_of_an_update_tells_what_decided_it_and_what_was_checked() {
    let (world, host) = offered();
    let done = done(&host.run("updog", &["update-image", "--json"]));
    let record = &host.run("updog", &["history", "--json"]).expect_ok().json()[0];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    for (field, value) in [
        ("command", "update-image"),
        ("from", "1.0.0"),
        ("to", "1.1.0"),
        ("set", "B"),
        ("outcome", "staged"),
        ("read_back", "image-file"),
    ] {
        assert_eq!(record[field], value, "{record}");
    }
    for role in ["root", "timestamp", "snapshot", "targets"] {
        assert!(record["metadata"][role].as_u64().unwrap() > 0, "{record}");
    }
    assert_eq!(record["syncs"], 3);
    for (field, told) in
        [("written", "bytes_written"), ("skipped", "bytes_skipped"), ("fetched", "bytes_fetched")]
    {
        assert_eq!(record["bytes"][field], done[told], "{record}");
    }
    for phase in ["metadata", "survey", "write", "sync", "read-back"] {
        assert!(record["timings"][phase].is_u64(), "{phase}: {record}");
    }
    let images = world.images(&Release::new("1.1.0"));
    let sha256 =
        |file| hex::encode(ring::digest::digest(&ring::digest::SHA256, &std::fs::read(file).unwrap()));
    assert_eq!(text(&record["images"]["boot"]["sha256"]), Some(sha256(images.boot)));
    assert_eq!(text(&record["images"]["hash"]["sha256"]), Some(sha256(images.hash)));
    assert_eq!(text(&record["images"]["root"]["root_hash"]).unwrap().len(), 64);
    let manifest = format!("{}.manifest.json", text(&record["manifest_sha256"]).unwrap());
    assert!(world.repo_dir().join("targets").join(manifest).exists(), "{record}");
}

#[test]
fn the_same_update_again_fetches_and_writes_no_image() {
    let (world, host) = offered();
    let first = done(&host.run("updog", &["update-image", "--json"]));
    world.server().clear_log();
    let again = done(&host.run("updog", &["update-image", "--json"]));
    assert_eq!(again["bytes_written"], 0);
    let asked = world.server().requests();
    assert!(asked.iter().all(|request| request.path_only().ends_with(".json")), "{asked:?}");
    // What it says of itself is what the server saw, and a plan said so before.
    let sent: u64 = asked.iter().map(|request| request.bytes).sum();
    assert!(again["bytes_fetched"].as_u64().unwrap() <= sent, "{again}");
    let told = host.run("updog", &["plan", "--json"]).expect_ok().stdout;
    let mut events = told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let plan = events.find(|event| event["event"] == "plan").unwrap();
    for file in plan["plan"]["staged"].as_array().unwrap() {
        assert!(file["target"] == "manifest.json" || file["fetch_bytes"] == 0, "{file}");
    }
    let handled =
        |event: &Value| event["bytes_written"].as_u64().unwrap() + event["bytes_skipped"].as_u64().unwrap();
    assert_eq!(handled(&again), handled(&first));
}

#[test]
fn a_reboot_is_asked_for_only_when_there_was_an_update() {
    let (_world, mut host) = offered();
    let _ = host.run("updog", &["update", "-r"]).expect_ok();
    assert_eq!(host.reboot_if_requested().unwrap().version_at_once(), Some("1.1.0"));
    let _ = host.run("updog", &["update", "-r"]).expect_ok();
    assert!(!host.reboot_requested());
}

#[test]
fn a_poor_network_slows_an_update_down_and_does_no_more() {
    let (world, mut host) = offered();
    world.server().fault("timestamp.json", Fault::Status(503).once());
    world.server().fault(&served(&world, "1.1.0-hash.lz4").0, Fault::Reset.once());
    let root = served(&world, "1.1.0-root.lz4").0;
    world.server().fault(&root, Fault::ResetAfter(200_000).once());
    world.server().fault(&root, Fault::ResetAfter(300_000).once());
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
}

#[test]
fn requests_say_who_asks_and_for_what() {
    let (world, host) = offered();
    world.server().clear_log();
    let _ = host.run("updog", &["update-image"]).expect_ok();
    let seed = host.setting("updates.seed").to_string();
    let requests = world.server().requests();
    for request in &requests {
        assert_eq!(request.query("version"), Some("1.0.0"), "{request:?}");
        assert_eq!(request.query("seed"), Some(seed.as_str()), "{request:?}");
        let names: Vec<&str> = request
            .path
            .split_once('?')
            .map(|(_, query)| query.split('&').filter_map(|pair| Some(pair.split_once('=')?.0)).collect())
            .unwrap_or_default();
        assert!(names.is_sorted(), "{request:?}");
    }
    let of = |end: &str| requests.iter().find(|request| request.path_only().ends_with(end)).unwrap();
    assert_eq!(of("timestamp.json").query("target"), None);
    assert_eq!(of("-hash.lz4").query("target"), Some("1.1.0"));
    assert_eq!(of("-hash.lz4").query("migrations"), None);
    let migrations = of("-root.lz4").query("migrations").unwrap();
    for name in ["migrate_v1.1.0_add-metrics.lz4", "migrate_v1.1.0_rename-ntp-mode.lz4", "manifest.json"] {
        assert!(migrations.contains(name), "{migrations}");
    }
    assert!(requests.iter().all(|request| request.method == "GET"));
}

#[test]
fn a_version_asked_for_by_name_may_be_an_older_one() {
    let (_world, mut host) = offered();
    let _ = host.run("updog", &["update"]).expect_ok();
    host.reboot();
    // 1.0.0 is not in the repository: only what is published can be asked for.
    let ran = host.run("updog", &["update", "-i", "1.0.0"]).expect_ok();
    assert!(ran.stderr.contains("Nothing done about 1.0.0: 1.0.0 is not offered"), "{ran}");
    let _ = host.run("updog", &["update", "-i", "1.1.0"]).expect_ok();
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
    assert_eq!(host.active_set(), Some(Set::A));
}

#[test]
fn an_update_that_does_not_boot_is_told_as_such() {
    let (world, mut host) = offered();
    world.publish(Release::new("1.2.0").boot_fault(testdata::BootFault::Panic));
    let _ = host.run("updog", &["update"]).expect_ok();
    let report = host.reboot();
    assert_eq!(report.booted().unwrap().version.as_deref(), Some("1.0.0"));
    let status = host.run("updog", &["status", "--json"]).expect_ok().json();
    assert_eq!(
        status["inactive"],
        serde_json::json!({
            "set": "B", "variant": "metal-dev", "arch": std::env::consts::ARCH, "version": "1.2.0",
            "valid": false, "proven": false, "next_to_boot": false, "failed_boot": true,
            "against": "it is held: the kernel panicked: the kernel panicked, as this image asks for",
        })
    );
    let ran = host.run("updog", &["status"]).expect_ok();
    assert!(ran.stdout.contains("Inactive: set B, metal-dev 1.2.0, tried and did not boot"), "{ran}");
}

#[test]
fn a_host_that_is_there_for_something_else_is_given_way_to_by_every_thread() {
    let (world, host) = offered();
    reconfigure(&host, |text| format!("nice = 11\n{text}"));
    let hash = served(&world, "1.1.0-hash.lz4").0;
    world.server().fault(&hash, Fault::Stall.once());
    let update = host.spawn("updog", &["update"]);
    assert!(world.server().wait_for(&hash, Duration::from_secs(60)).is_some());
    let tasks = std::fs::read_dir(format!("/proc/{}/task", update.id())).unwrap();
    let niceness: Vec<i32> = tasks
        .map(|task| std::fs::read_to_string(task.unwrap().path().join("stat")).unwrap())
        // The name may have anything in it; the niceness is the 17th field behind it.
        .map(|stat| stat.rsplit_once(')').unwrap().1.split_whitespace().nth(16).unwrap().parse().unwrap())
        .collect();
    assert!(niceness.len() > 2 && niceness.iter().all(|nice| *nice >= 11), "{niceness:?}");
    update.terminate();
    let _ = update.wait().expect_code(1);
}
