//! Threats from repository and network, one story for each that no other file here tells.
//!
//! Images and migrations with other bytes are in [`crate::targets`], repositories that cannot be reached or trusted in
//! [`crate::repository`].

use std::fs;

use serde_json::Value;
use testdata::{Fault, FaultyServer, Habit, Host, Http2Server, Release, World};

use crate::support::{Snapshot, failure, offered, reconfigure, refused};

/// The metadata as it is served now, by name, without the roots.
fn metadata(world: &World) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(world.metadata_dir()).unwrap().map(|entry| entry.unwrap());
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    names
        .filter(|name| name.ends_with(".json") && !name.ends_with("root.json"))
        .map(|name| (name.clone(), fs::read(world.metadata_dir().join(name)).unwrap()))
        .collect()
}

fn serve(world: &World, files: &[(String, Vec<u8>)]) {
    for (name, bytes) in files {
        fs::write(world.metadata_dir().join(name), bytes).unwrap();
    }
}

#[test]
fn endless_metadata_is_refused() {
    let (world, mut host) = offered();
    world.server().fault("timestamp.json", Fault::Swap(vec![b' '; 2 << 20]));
    let said = refused(&mut host);
    assert_eq!(said.code, "not_a_repository");
    assert!(said.message.contains("longer than 1048576 bytes"), "{}", said.message);
}

#[test]
fn rollback_to_metadata_that_was_valid_once_is_refused() {
    let (world, mut host) = offered();
    let old = metadata(&world);
    world.publish(Release::new("1.2.0"));
    let _ = host.run("updog", &["check-update"]).expect_ok();
    serve(&world, &old);
    let said = refused(&mut host);
    assert_eq!(said.code, "untrusted");
    assert!(said.message.contains("was verified here before"), "{}", said.message);
}

#[test]
fn mix_and_match_of_a_new_timestamp_with_an_old_snapshot_is_refused() {
    let (world, mut host) = offered();
    let old = metadata(&world);
    world.publish(Release::new("1.2.0"));
    let of = |files: &[(String, Vec<u8>)], end: &str| {
        let mut found: Vec<_> = files.iter().filter(|(name, _)| name.ends_with(end)).cloned().collect();
        found.sort_by_key(|(name, _)| name.split('.').next().and_then(|version| version.parse::<u64>().ok()));
        found.pop().unwrap()
    };
    let (old_snapshot, new_snapshot) = (of(&old, ".snapshot.json"), of(&metadata(&world), ".snapshot.json"));
    assert_ne!(old_snapshot, new_snapshot);
    serve(&world, &[(new_snapshot.0, old_snapshot.1)]);
    assert_eq!(refused(&mut host).code, "untrusted");
}

#[test]
fn freeze_by_an_answer_that_nothing_has_changed_hides_a_release_only_until_the_timestamp_expires() {
    let (world, host) = offered();
    let first = host.run("updog", &["check-update"]).expect_ok().stdout;
    world.publish(Release::new("1.2.0"));
    world.server().fault("timestamp.json", Fault::Status(304));
    assert_eq!(host.run("updog", &["check-update"]).expect_ok().stdout, first);
    world.server().heal();
    let seen = host.run("updog", &["check-update"]).expect_ok().stdout;
    assert_eq!(seen.trim(), "metal-dev 1.2.0");
}

#[test]
fn unchanged_repository_costs_two_requests() {
    let (world, host) = offered();
    let _ = host.run("updog", &["check-update"]).expect_ok();
    world.server().clear_log();
    let _ = host.run("updog", &["check-update"]).expect_ok();
    let asked: Vec<_> = world.server().requests().iter().map(|request| request.status).collect();
    assert_eq!(asked, [Some(404), Some(304)]);
}

#[test]
fn memory_that_was_half_written_is_refused() {
    let (_world, mut host) = offered();
    let _ = host.run("updog", &["check-update"]).expect_ok();
    let memory = fs::read_dir(host.paths().trust()).unwrap().map(|entry| entry.unwrap().path());
    let index = memory.into_iter().find(|path| path.is_dir()).unwrap().join("current/memory.json");
    let bytes = fs::read(&index).unwrap();
    fs::write(&index, &bytes[..bytes.len() / 2]).unwrap();
    let said = refused(&mut host);
    assert_eq!(said.code, "memory");
    assert!(said.message.contains("memory.json is damaged"), "{}", said.message);
}

#[test]
fn metadata_url_that_changed_is_a_repository_of_its_own_and_the_first_one_is_not_forgotten() {
    let (world, mut host) = offered();
    let old = metadata(&world);
    world.publish(Release::new("1.2.0"));
    let _ = host.run("updog", &["check-update"]).expect_ok();
    let here = world.server().address().to_string();
    let there = format!("localhost:{}", world.server().address().port());
    reconfigure(&host, |text| text.replace(&here, &there));
    let _ = host.run("updog", &["check-update"]).expect_ok();
    reconfigure(&host, |text| text.replace(&there, &here));
    serve(&world, &old);
    assert_eq!(refused(&mut host).code, "untrusted");
}

/// Another server with the same repository, which `host` knows from now on.
fn with_mirror(world: &World, host: &Host) -> FaultyServer {
    let spare = FaultyServer::start(world.repo_dir());
    let (here, there) = (world.server().address().to_string(), spare.address().to_string());
    reconfigure(host, |text| {
        let line = |key: &str| {
            let line = text.lines().find(|line| line.starts_with(key)).unwrap();
            line.replace(&here, &there)
        };
        let (metadata, targets) = (line("metadata_base_url"), line("targets_base_url"));
        format!("{text}\n[[mirrors]]\n{metadata}\n{targets}\n")
    });
    spare
}

#[test]
fn broken_mirror_is_replaced_by_the_next_one() {
    let (world, mut host) = offered();
    let spare = with_mirror(&world, &host);
    world.server().fault("", Fault::Status(503));
    let _ = host.run("updog", &["update"]).expect_ok();
    assert!(!spare.requests().is_empty());
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
}

#[test]
fn tampered_images_of_one_mirror_come_from_the_next_one_in_the_same_run() {
    let (world, mut host) = offered();
    let spare = with_mirror(&world, &host);
    for end in ["1.1.0-boot.lz4", "1.1.0-root.lz4"] {
        let (path, mut bytes) = crate::support::served(&world, end);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        // Wherever the image is asked for first, what comes is wrong.
        for server in [world.server(), &spare] {
            server.fault(&path, Fault::Swap(bytes.clone()).once());
        }
    }
    let said = failure(&host.run("updog", &["update", "--json"]));
    assert_eq!(said.code, "tampered", "both mirrors have had their turn");
    world.server().heal();
    spare.heal();
    for end in ["1.1.0-boot.lz4", "1.1.0-root.lz4"] {
        let (path, mut bytes) = crate::support::served(&world, end);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        world.server().fault(&path, Fault::Swap(bytes));
    }
    let ran = host.run("updog", &["update"]).expect_ok();
    assert!(ran.stderr.contains("the next mirror is asked"), "{ran}");
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
}

#[test]
fn publish_in_the_middle_of_a_fetch_changes_nothing_for_the_update_that_runs() {
    let (world, mut host) = offered();
    // The root image is asked for, and is not answered before the next release is out.
    let (go_on, published) = std::sync::mpsc::channel::<()>();
    world.server().before("1.1.0-root.lz4", move || {
        let _told_or_gone = published.recv();
    });
    let update = host.spawn("updog", &["update", "--json"]);
    let patience = std::time::Duration::from_secs(60);
    if world.server().wait_for("1.1.0-root.lz4", patience).is_none() {
        drop(go_on);
        panic!("{}", update.kill());
    }
    world.publish(Release::new("1.2.0"));
    go_on.send(()).unwrap();
    let ran = update.wait();
    assert!(ran.ok(), "{ran}");
    let last: Value = serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(last["update"]["version"], "1.1.0", "{ran}");
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
    assert_eq!(host.run("updog", &["check-update"]).expect_ok().stdout.trim(), "metal-dev 1.2.0");
}

#[test]
fn changed_object_behind_a_resume_is_refused() {
    let (world, mut host) = offered();
    let before = Snapshot::of(&host);
    let (root, mut bytes) = crate::support::served(&world, "1.1.0-root.lz4");
    let middle = bytes.len() / 2;
    bytes[middle + 1000] ^= 1;
    world.server().fault(&root, Fault::Truncate(middle as u64).once());
    world.server().fault(&root, Fault::Swap(bytes));
    let said = failure(&host.run("updog", &["update", "--json"]));
    assert_eq!(said.code, "tampered");
    before.assert_only_cleared(&host);
    assert_eq!(host.reboot().version_at_once(), Some("1.0.0"));
}

#[test]
fn lock_to_a_version_that_is_not_offered_is_no_downgrade() {
    let (_world, mut host) = offered();
    reconfigure(&host, |text| text.replace("version_lock = \"latest\"", "version_lock = \"0.9.0\""));
    let before = Snapshot::of(&host);
    let ran = host.run("updog", &["update", "--json"]).expect_ok();
    assert!(!ran.stdout.contains("\"version\":\"1.1.0\""), "{ran}");
    before.assert_disk_unchanged(&host);
    assert_eq!(host.reboot().version_at_once(), Some("1.0.0"));
}

#[test]
fn wrong_range_answer_is_not_believed() {
    let (world, mut host) = offered();
    let (root, bytes) = crate::support::served(&world, "1.1.0-root.lz4");
    world.server().fault(&root, Fault::Truncate(bytes.len() as u64 / 2).once());
    world.server().fault(&root, Fault::WrongRange);
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
}

#[test]
fn server_that_names_no_object_is_resumed_where_a_signed_digest_judges_both_halves() {
    let (world, mut host) = offered();
    let (root, bytes) = crate::support::served(&world, "1.1.0-root.lz4");
    let middle = bytes.len() / 2;
    world.server().habit(Habit::NoValidators);
    world.server().fault(&root, Fault::Truncate(middle as u64).once());
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
    // The same with another object behind the resume: nobody says so, and the digest does.
    let (world, mut host) = offered();
    let before = Snapshot::of(&host);
    let (root, mut bytes) = crate::support::served(&world, "1.1.0-root.lz4");
    let middle = bytes.len() / 2;
    bytes[middle + 1000] ^= 1;
    world.server().habit(Habit::NoValidators);
    world.server().fault(&root, Fault::Truncate(middle as u64).once());
    world.server().fault(&root, Fault::Swap(bytes));
    assert_eq!(failure(&host.run("updog", &["update", "--json"])).code, "tampered");
    before.assert_only_cleared(&host);
    assert_eq!(host.reboot().version_at_once(), Some("1.0.0"));
}

#[test]
fn update_over_http_2_from_a_server_of_our_own_authority() {
    let (world, mut host) = offered();
    let server = Http2Server::start(world.repo_dir());
    let authority = host.paths().resolve(std::path::Path::new("/etc/updog-ca.pem"));
    fs::write(&authority, testdata::server::http2::AUTHORITY).unwrap();
    let (here, there) = (world.server().url(""), server.url(""));
    reconfigure(&host, |text| format!("ca_bundle = \"/etc/updog-ca.pem\"\n{}", text.replace(&here, &there)));
    world.server().clear_log();
    server.fault("1.1.0-root.lz4", Fault::Truncate(10_000).once());
    let _ = host.run("updog", &["update"]).expect_ok();
    assert!(world.server().requests().is_empty());
    assert_eq!(server.requests().len(), 1, "one connection for everything");
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
}

#[test]
fn two_checks_and_a_publisher_at_the_same_time_see_one_snapshot_each() {
    let (world, host) = offered();
    let (go_on, published) = std::sync::mpsc::channel::<()>();
    world.server().before("snapshot.json", move || {
        let _told_or_gone = published.recv();
    });
    let check = host.spawn("updog", &["check-update"]);
    let waited = world.server().wait_for("snapshot.json", std::time::Duration::from_secs(60));
    world.publish(Release::new("1.2.0"));
    drop(go_on);
    let ran = check.wait();
    assert!(waited.is_some() && ran.ok(), "{ran}");
    assert_eq!(ran.stdout.trim(), "metal-dev 1.1.0", "the snapshot that its timestamp named");
    assert_eq!(host.run("updog", &["check-update"]).expect_ok().stdout.trim(), "metal-dev 1.2.0");
}
