//! A disk that fails in the middle of an update, through the whole program. Limits of the system stand in for a device
//! that takes no more: they need no privileges, and the kernel refuses as it refuses for a device.

use std::process::Command;

use serde_json::Value;
use signpost::{OsDisk, Role};
use testdata::{BootBits, Host, Release, Set, World};

use crate::frames::{assert_installed, forget_the_running_root, image, plan};
use crate::support::{Snapshot, done, offered_again, offered_by};

const BLOCK: usize = 4096;
/// Of ROOT, so much is not in place: it takes more than one write, and its frames fit one request, so that they are handed
/// out in their order and those before the disk's end are written, whichever thread is faster.
const MISSING: usize = 448 << 10;

/// One that brings nothing but its images.
fn release() -> Release {
    Release::new("1.1.0").migrations("1.0.0", &[])
}

/// Where a partition of set B begins on the disk, and how many bytes it has.
fn place(host: &Host, role: Role) -> (u64, u64) {
    let status = OsDisk::discover(host.paths()).unwrap().status().unwrap();
    let set = status.b.expect("two sets");
    let partition = match role {
        Role::Boot => set.boot,
        Role::Root => set.root,
        Role::Hash => set.hash,
    };
    (partition.start, partition.len)
}

/// `updog update --json` on a host whose disk takes nothing from this byte on. What it says on stdout and on stderr.
fn update_with_a_disk_that_ends_at(host: &Host, end: u64) -> (Vec<Value>, String) {
    let ran = Command::new("env")
        // Else the kernel ends a program that writes past the limit, instead of refusing.
        .args(["--ignore-signal=XFSZ", "prlimit", &format!("--fsize={end}:{end}")])
        .arg(testdata::program("updog"))
        .arg("--root")
        .arg(host.paths().root())
        .args(["update", "--json"])
        .output()
        .expect("env and prlimit are on every system that has coreutils and util-linux");
    let stderr = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(1), "{stderr}");
    let stdout = String::from_utf8(ran.stdout).unwrap();
    (stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), stderr)
}

fn a_disk_that_takes_no_more_leaves_the_set_cleared(release: Release, way: &str) {
    let (world, host) = offered_by(release);
    let running = ["BOOT", "ROOT", "HASH"].map(|part| {
        let label = Set::A.label(part);
        (label.clone(), host.disk().read_all(&label))
    });
    forget_the_running_root(&host);
    // So that the tables, one of which lies behind the set, need no change.
    assert_eq!(host.bits(Set::B), BootBits::default());
    let before = Snapshot::of(&host);
    fails_in(&world, &host, Role::Hash, way);
    before.assert_only_cleared(&host);
    // It is written first and lies last, so the others are reached only when it is there.
    let hash = std::fs::read(world.images(&Release::new("1.1.0")).hash).unwrap();
    host.disk().write(&Set::B.label("HASH"), 0, &hash);
    fails_in(&world, &host, Role::Boot, way);
    before.assert_only_cleared(&host);
    let root = std::fs::read(world.images(&Release::new("1.1.0")).root).unwrap();
    host.disk().write(&Set::B.label("ROOT"), MISSING as u64, &root[MISSING..]);
    fails_in(&world, &host, Role::Root, way);
    before.assert_only_cleared(&host);
    let ran = host.run("updog", &["update", "--json"]);
    let _ = done(&ran);
    let skipped = image(&plan(&ran), "root")["skip_bytes"].as_u64().unwrap();
    assert!(skipped > (root.len() - MISSING) as u64, "what was written stays: {ran}");
    assert_installed(&world, &host, "1.1.0");
    let mut host = host;
    for (label, bytes) in running {
        host.disk().write(&label, 0, &bytes);
    }
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
}

/// The disk takes nothing from the middle of this image on.
fn fails_in(world: &World, host: &Host, role: Role, way: &str) {
    let images = world.images(&Release::new("1.1.0"));
    let file = match role {
        Role::Boot => images.boot,
        Role::Root => images.root,
        Role::Hash => images.hash,
    };
    let label = Set::B.label(&role.as_str().to_uppercase());
    let (new, old) = (std::fs::read(file).unwrap(), host.disk().read_all(&label));
    // Of what has to be written: a good part lies behind, and it takes more than one write.
    let blocks = new.chunks(BLOCK).zip(old.chunks(BLOCK));
    let last = blocks.zip(0..).filter(|((new, old), _)| !old.starts_with(new)).map(|(_, at)| at).max();
    let middle = last.expect("something has to be written") / 2 * BLOCK;
    let (start, len) = place(host, role);
    let (events, stderr) = update_with_a_disk_that_ends_at(host, start + middle as u64);
    let plan = &events.iter().find(|event| event["event"] == "plan").unwrap()["plan"];
    assert_eq!(image(plan, "root")["way"], way, "{plan}");
    let error = &events.last().unwrap()["error"];
    assert_eq!(error["code"], "disk", "{error}");
    let (message, help) = (error["message"].as_str().unwrap(), error["help"].as_str().unwrap());
    assert!(help.contains("set B stays cleared and the running set boots as before"), "{help}");
    let told = format!("failed to install 1.1.0 in set B: write the {role} image to ");
    let rest = message.strip_prefix(&told).unwrap_or_else(|| panic!("{message}\n{stderr}"));
    let (device, rest) = rest.split_once(" at offset ").unwrap();
    assert!(device.contains("disk.img"), "{message}");
    let (offset, why) = rest.split_once(": ").unwrap();
    let offset: u64 = offset.parse().unwrap();
    assert!(middle as u64 - offset.min(middle as u64) < 1 << 20 && offset < len, "{message}");
    assert!(why.contains("os error"), "{message}");
    // Nothing lies where the disk takes nothing.
    assert!(host.disk().read_all(&label)[middle..] == old[middle..], "{role}");
}

#[test]
fn a_disk_that_takes_no_more_frames_leaves_the_set_cleared_and_the_next_run_goes_on() {
    a_disk_that_takes_no_more_leaves_the_set_cleared(release().framed(), "frames");
}

#[test]
fn a_disk_that_takes_no_more_of_a_stream_leaves_the_set_cleared_and_the_next_run_goes_on() {
    a_disk_that_takes_no_more_leaves_the_set_cleared(release(), "plain-stream");
}

#[test]
fn a_disk_that_takes_no_table_changes_nothing() {
    let (_world, mut host) = offered_again();
    let bits = || [host.bits(Set::A), host.bits(Set::B)];
    let (before, inactive) = (bits(), host.disk().read_all(&Set::A.label("ROOT")));
    // The copy at the disk's end is the one that is written first.
    let len = std::fs::metadata(host.disk().path()).unwrap().len();
    let (events, _) = update_with_a_disk_that_ends_at(&host, len - 64 * 1024);
    let error = &events.last().unwrap()["error"];
    assert_eq!(error["code"], "disk", "{error}");
    assert!(error["message"].as_str().unwrap().contains("of the backup partition table on"), "{error}");
    assert!(error["help"].as_str().unwrap().contains("signpost rewrite-table"), "{error}");
    assert_eq!(bits(), before);
    assert!(
        host.disk().read_all(&Set::A.label("ROOT")) == inactive,
        "the other set can still be gone back to"
    );
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_eq!(host.reboot().version_at_once(), Some("1.2.0"));
}
