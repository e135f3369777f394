//! Releases with packs: what leads from the running image moves and nothing else, and whatever is not as it should be ends
//! in frames.

use serde_json::Value;
use testdata::{Fault, Host, Release, Set, World};

use crate::frames::{assert_installed, forget_the_running_root, image, plan, sent};
use crate::support::{done, failure, served};

const BLOCK: usize = 4096;
/// How the names of a pack's targets end.
pub(crate) const HEADER: &str = "1.1.0-root-from-1.0.0.pack";
pub(crate) const BODY: &str = "1.1.0-root-from-1.0.0.body";

/// A host on 1.0.0 in a world that has 1.0.0, and 1.1.0 with a pack from there.
pub(crate) fn packed() -> (World, Host) {
    let world = World::new();
    world.publish(Release::new("1.0.0"));
    let report = world.publish(Release::new("1.1.0").packed());
    assert!(report.packs.iter().any(|pack| pack.image == "root" && pack.published), "{report}");
    let mut host = world.host("1.0.0");
    assert_eq!(host.boot().version_at_once(), Some("1.0.0"));
    (world, host)
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// How often a file was asked for.
pub(crate) fn asked(world: &World, end: &str) -> usize {
    sent(world, &served(world, end).0).0
}

pub(crate) fn newest(host: &Host) -> Value {
    host.run("updog", &["history", "--json"]).expect_ok().json()[0].take()
}

/// The update goes well by frames; what it says on stderr.
fn goes_by_frames(world: &World, mut host: Host) -> String {
    world.server().clear_log();
    let ran = host.run("updog", &["update", "--json"]);
    let _ = done(&ran);
    assert_installed(world, &host, "1.1.0");
    assert_eq!(newest(&host)["images"]["root"]["way"], "frames");
    assert!(asked(world, "1.1.0-root.zst") > 0 && asked(world, "1.1.0-root.lz4") == 0);
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
    ran.stderr
}

#[test]
fn an_update_by_a_pack_moves_its_bytes_alone_and_rebuilds_the_hash_image() {
    let (world, mut host) = packed();
    world.server().clear_log();
    let planned = plan(&host.run("updog", &["plan", "--json"]));
    let ran = host.run("updog", &["update", "--json"]);
    let done = done(&ran);
    let plan = plan(&ran);
    let root = image(&plan, "root");
    assert_eq!(
        (root["way"].as_str(), image(&plan, "hash")["way"].as_str()),
        (Some("pack"), Some("pack")),
        "{plan}"
    );
    assert_eq!(image(&planned, "root"), root, "what is planned is what is done");
    assert_eq!(sent(&world, &served(&world, BODY).0).1, number(&root["fetch_bytes"]));
    for other in ["1.1.0-hash.lz4", "1.1.0-root.zst", "1.1.0-root.idx", "1.1.0-root.lz4"] {
        assert_eq!(asked(&world, other), 0, "{other}");
    }
    assert!(number(&done["bytes_written"]) <= number(&plan["write_bytes"]));
    assert_installed(&world, &host, "1.1.0");
    let newest = newest(&host);
    assert_eq!(newest["images"]["root"]["way"], "pack", "{newest}");
    assert_eq!(newest["images"]["hash"]["fetched"], 0, "{newest}");
    // Once more there is nothing to do.
    world.server().clear_log();
    let again = crate::support::done(&host.run("updog", &["update", "--json"]));
    assert_eq!(number(&again["bytes_written"]), 0);
    assert_eq!((asked(&world, BODY), asked(&world, HEADER)), (0, 0));
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
}

#[test]
fn a_rotten_block_of_the_running_root_costs_its_groups_and_is_told() {
    let (world, host) = packed();
    let label = Set::A.label("ROOT");
    let mut root = host.disk().read_all(&label);
    // The whole first group: something of it is copied.
    for block in root.chunks_mut(BLOCK).take(128) {
        block[77] ^= 1;
    }
    host.disk().write(&label, 0, &root[..128 * BLOCK]);
    let ran = host.run("updog", &["update", "--json"]);
    let _ = done(&ran);
    assert!(ran.stderr.contains("the disk may be failing"), "{ran}");
    assert_installed(&world, &host, "1.1.0");
    let newest = newest(&host);
    let notes = newest["notes"].to_string();
    assert!(notes.contains("groups of 512 KiB cannot be made"), "{newest}");
    assert_eq!(newest["images"]["root"]["way"], "frames", "{newest}");
    assert_eq!(newest["images"]["hash"]["way"], "plain-stream", "{newest}");
}

#[test]
fn another_running_image_has_no_pack_and_a_rotten_tree_makes_none_of_it_usable() {
    let (world, host) = packed();
    forget_the_running_root(&host);
    world.server().clear_log();
    let _ = done(&host.run("updog", &["update", "--json"]));
    assert_installed(&world, &host, "1.1.0");
    assert_eq!((asked(&world, BODY), asked(&world, HEADER)), (0, 0), "its base is another one");

    let (world, host) = packed();
    // A block below the top, where the tree has more than one level below it; the superblock and the top stay.
    let label = Set::A.label("HASH");
    let mut hash = host.disk().read_all(&label);
    for block in hash.chunks_mut(BLOCK).skip(2) {
        block[5] ^= 1;
    }
    host.disk().write(&label, 0, &hash);
    let _ = done(&host.run("updog", &["update", "--json"]));
    assert_installed(&world, &host, "1.1.0");
}

#[test]
fn files_of_a_pack_that_do_not_come_end_in_frames() {
    for (missing, says) in [(HEADER, "comes without its pack"), (BODY, "is fetched as frames")] {
        let (world, host) = packed();
        world.server().fault(missing, Fault::NotFound);
        let said = goes_by_frames(&world, host);
        assert!(said.contains(says), "{missing}: {said}");
    }
}

#[test]
fn a_network_that_fails_within_a_pack_fails_the_update_and_the_next_one_goes_on() {
    let (world, mut host) = packed();
    world.server().fault(BODY, Fault::Truncate(10));
    let said = failure(&host.run("updog", &["update", "--json"]));
    assert!(said.message.contains("root image"), "{}", said.message);
    world.server().heal();
    let _ = done(&host.run("updog", &["update", "--json"]));
    assert_installed(&world, &host, "1.1.0");
    assert_eq!(newest(&host)["images"]["root"]["way"], "pack");
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
}

#[test]
fn a_budget_counts_the_pack_and_what_comes_instead() {
    let (world, host) = packed();
    let (header, body) = (served(&world, HEADER).1.len(), served(&world, BODY).1.len());
    let said =
        failure(&host.run("updog", &["update", "--json", "--max-bytes", &(header + body).to_string()]));
    assert_eq!(said.code, "over_budget");
    let _ = done(&host.run("updog", &["update", "--json"]));
    assert_installed(&world, &host, "1.1.0");
}
