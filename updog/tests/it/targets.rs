//! Images and migrations that are not what they should be.

use std::io::Write as _;

use testdata::{Fault, Host, Release, Set, World};

use crate::forged::forge;
use crate::support::{Failure, Snapshot, done, failure, offered_again, offered_again_by, served};

/// An update that fails before anything is cleared.
fn refused_early(host: &mut Host) -> Failure {
    let before = Snapshot::of(host);
    let said = failure(&host.run("updog", &["update", "--json"]));
    before.assert_disk_unchanged(host);
    assert!(!said.help.contains("stays cleared"), "{}", said.help);
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
    said
}

/// An update that fails when the set is cleared already, says so, and works once the cause is gone.
fn refused_late(world: &World, host: &mut Host) -> Failure {
    let before = Snapshot::of(host);
    let said = failure(&host.run("updog", &["update", "--json"]));
    before.assert_only_cleared(host);
    assert!(said.message.contains("install 1.2.0 in set A"), "{}", said.message);
    assert!(said.help.contains("set A stays cleared and the running set boots as before"), "{}", said.help);
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
    world.server().heal();
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_eq!(host.reboot().version_at_once(), Some("1.2.0"));
    said
}

/// The attacks that a decoder does not notice: another frame that is shorter than what is signed, and one that is
/// filled up to the signed length behind its end.
fn other_frames(signed: &[u8], other: &[u8]) -> [Vec<u8>; 2] {
    assert!(other.len() < signed.len());
    let mut filled = other.to_vec();
    filled.resize(signed.len(), 0);
    [other.to_vec(), filled]
}

#[test]
fn another_root_image_of_a_valid_frame_never_becomes_bootable() {
    let (world, mut host) = offered_again();
    let ((root, signed), (_, other)) = (served(&world, "1.2.0-root.lz4"), served(&world, "1.2.0-boot.lz4"));
    let [shorter, filled] = other_frames(&signed, &other);
    world.server().fault(&root, Fault::Swap(shorter));
    let before = Snapshot::of(&host);
    assert_eq!(failure(&host.run("updog", &["update", "--json"])).code, "tampered");
    before.assert_only_cleared(&host);
    world.server().heal();
    world.server().fault(&root, Fault::Swap(filled));
    assert_eq!(refused_late(&world, &mut host).code, "tampered");
}

#[test]
fn another_boot_image_of_a_valid_frame_never_becomes_bootable() {
    let (world, mut host) = offered_again();
    let ((boot, signed), (_, other)) = (served(&world, "1.2.0-boot.lz4"), served(&world, "1.2.0-hash.lz4"));
    let [shorter, filled] = other_frames(&signed, &other);
    world.server().fault(&boot, Fault::Swap(shorter));
    let before = Snapshot::of(&host);
    assert_eq!(failure(&host.run("updog", &["update", "--json"])).code, "tampered");
    before.assert_only_cleared(&host);
    world.server().heal();
    world.server().fault(&boot, Fault::Swap(filled));
    assert_eq!(refused_late(&world, &mut host).code, "tampered");
}

#[test]
fn nothing_of_a_wrong_boot_stream_or_of_anything_else_is_left_behind_a_boot_image() {
    let (world, mut host) = offered_again();
    let ((boot, signed), (_, other)) = (served(&world, "1.2.0-boot.lz4"), served(&world, "1.2.0-hash.lz4"));
    let label = Set::A.label("BOOT");
    let image = std::fs::read(world.images(&Release::new("1.2.0")).boot).unwrap();
    let end = host.disk().read_all(&label).len() as u64;
    assert!(image.len() as u64 + 8192 < end, "the story needs room behind the image");
    let is_zero_behind_it = |host: &Host| {
        let bytes = host.disk().read_all(&label);
        bytes[..image.len()] == image && bytes[image.len()..].iter().all(|byte| *byte == 0)
    };
    world.server().fault(&boot, Fault::Swap(other_frames(&signed, &other)[1].clone()));
    assert_eq!(failure(&host.run("updog", &["update", "--json"])).code, "tampered");
    assert!(host.disk().read_all(&label).iter().all(|byte| *byte == 0), "what was wrong is wiped");
    world.server().heal();

    // What somebody else left there, up to the last byte.
    host.disk().write(&label, end - 4096, &[0xa5; 4096]);
    host.disk().write(&label, image.len() as u64, &[0xa5; 17]);
    let _ = host.run("updog", &["update-image"]).expect_ok();
    assert!(is_zero_behind_it(&host));
    // A set that is staged is not in place while there is anything.
    host.disk().write(&label, end - 1, &[1]);
    let done = done(&host.run("updog", &["update", "--json"]));
    assert_eq!(done["bytes_written"], 4096, "{done}");
    assert!(is_zero_behind_it(&host));
    assert_eq!(host.reboot().version_at_once(), Some("1.2.0"));
}

#[test]
fn a_flipped_bit_in_the_root_image_is_found() {
    let (world, mut host) = offered_again();
    let (root, mut bytes) = served(&world, "1.2.0-root.lz4");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    world.server().fault(&root, Fault::Swap(bytes));
    assert_eq!(refused_late(&world, &mut host).code, "tampered");
}

#[test]
fn a_root_image_that_is_cut_short_is_found() {
    let (world, mut host) = offered_again();
    let (root, mut bytes) = served(&world, "1.2.0-root.lz4");
    bytes.truncate(bytes.len() / 2);
    world.server().fault(&root, Fault::Swap(bytes));
    assert_eq!(refused_late(&world, &mut host).code, "tampered");
}

#[test]
fn a_root_image_that_is_not_there_leaves_the_set_cleared() {
    let (world, mut host) = offered_again();
    world.server().fault(&served(&world, "1.2.0-root.lz4").0, Fault::NotFound);
    assert_eq!(refused_late(&world, &mut host).code, "missing_target");
}

#[test]
fn another_hash_image_is_refused_before_anything_changes() {
    let (world, mut host) = offered_again();
    let (hash, mut bytes) = served(&world, "1.2.0-hash.lz4");
    bytes[20] ^= 1;
    world.server().fault(&hash, Fault::Swap(bytes));
    assert_eq!(refused_early(&mut host).code, "tampered");
}

#[test]
fn a_migration_that_the_repository_lacks_is_refused_before_anything_changes() {
    let (_world, mut host) =
        offered_again_by(Release::new("1.2.0").without_migration("migrate_v1.2.0_add-ntp-servers"));
    let said = refused_early(&mut host);
    assert_eq!(said.code, "missing_migration");
    assert!(said.message.contains("migrate_v1.2.0_add-ntp-servers"), "{}", said.message);
}

#[test]
fn a_migration_whose_file_is_gone_is_refused_before_anything_changes() {
    let (world, mut host) = offered_again();
    world.server().fault("migrate_v1.2.0_add-ntp-servers", Fault::NotFound);
    let said = refused_early(&mut host);
    assert_eq!(said.code, "missing_migration");
    assert!(said.message.contains("migrate_v1.2.0_add-ntp-servers"), "{}", said.message);
}

#[test]
fn another_migration_under_the_same_name_is_refused_before_anything_changes() {
    let (world, mut host) = offered_again();
    let (_, other) = served(&world, "migrate_v1.1.0_add-metrics.lz4");
    world.server().fault("migrate_v1.2.0_add-ntp-servers", Fault::Swap(other));
    assert_eq!(refused_early(&mut host).code, "tampered");
}

#[test]
fn a_root_image_larger_than_its_partition_is_refused_before_anything_changes() {
    let (_world, mut host) = offered_again_by(Release::new("1.2.0").oversized_root());
    let said = refused_early(&mut host);
    assert_eq!(said.code, "no_fit");
    assert!(said.message.contains("fit the root image"), "{}", said.message);
}

#[test]
fn a_boot_image_larger_than_its_partition_ends_at_the_partitions_end() {
    let (world, host) = offered_again();
    let part = |label: &str| host.disk().read_all(&Set::A.label(label));
    let (behind, len) = (part("ROOT"), part("BOOT").len());
    let (path, _) = served(&world, "1.2.0-boot.lz4");
    let name = path.split_once('.').expect("it has a digest").1;
    // Nothing that is signed tells how much is in there.
    let mut larger = lz4_flex::frame::FrameEncoder::new(Vec::new());
    larger.write_all(&vec![0x5a; len + 1]).unwrap();
    forge(&world, name, &larger.finish().unwrap());
    let before = Snapshot::of(&host);
    let said = failure(&host.run("updog", &["update", "--json"]));
    assert_eq!(said.code, "no_fit");
    assert!(said.message.contains(&format!("more than the partition's {len} bytes")), "{}", said.message);
    assert!(said.help.contains("set A stays cleared"), "{}", said.help);
    before.assert_only_cleared(&host);
    assert!(part("ROOT") == behind, "what lies behind the partition was written to");
    let mut host = host;
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
}
