//! Disks that are not as they should be, each through the program: repaired, or refused with a sentence and a next step
//! and not a byte changed.

use std::fs::OpenOptions;

use signpost::BootBits;
use signpost::bits::PRIVATE_TYPE;
use uuid::Uuid;

use crate::cli::signpost;
use crate::disks::{self, Image, MIB, PROVEN, set, with_the_rest};

const ALL_CHANGES: [&str; 7] = [
    "clear-inactive",
    "mark-inactive-valid",
    "upgrade-to-inactive",
    "cancel-upgrade",
    "rollback-to-inactive",
    "mark-successful-boot",
    "rewrite-table",
];

const HEADER: usize = 512;
const ENTRIES: usize = 1024;

fn backup_header(bytes: &[u8]) -> usize {
    bytes.len() - 512
}

fn backup_entries(bytes: &[u8]) -> usize {
    bytes.len() - 33 * 512
}

/// Every change and the status fail with `said`, and nothing changes: on the image file, and on a block device.
#[track_caller]
fn refuses_everything(image: Image, said: &str) {
    image.everywhere(|image| {
        let before = image.bytes();
        for command in ALL_CHANGES {
            image.run_as("A", &[command]).refused(said);
        }
        image.run_as("A", &["status"]).refused(said);
        assert!(image.bytes() == before, "a refusal writes nothing");
    });
}

/// The next change repairs the table, and every other tool agrees: on the image file, and on a block device.
#[track_caller]
fn repaired_by_the_next_change(image: Image, noted: &str) {
    image.everywhere(|image| {
        let ran = image.run_as("A", &["status"]).ok();
        assert!(ran.stderr.contains(noted), "expected {noted:?} in {ran:?}");
        image.run_as("A", &["mark-inactive-valid"]).ok();
        image.judged_whole_by_others();
        assert_eq!(image.bits(2), PROVEN);
        assert_eq!(image.bits(5), BootBits { priority: 0, tries: 1, successful: false });
        let ran = image.run_as("A", &["status"]).ok();
        assert_eq!(ran.stderr, "");
        let report: serde_json::Value =
            serde_json::from_str(&image.run_as("A", &["status", "--json"]).ok().stdout).unwrap();
        assert_eq!(report["table"]["equal"], true, "{report}");
    });
}

#[test]
fn a_disk_without_a_table() {
    let image = disks::factory();
    image.damage(|bytes| bytes.fill(0));
    refuses_everything(image, "there is no GUID partition table on it");
}

#[test]
fn a_disk_whose_copies_are_both_torn() {
    let image = disks::factory();
    image.damage(|bytes| {
        bytes[ENTRIES + 48] ^= 1;
        let backup = backup_header(bytes);
        bytes[backup + 40] ^= 1;
    });
    refuses_everything(image, "neither copy is whole");
}

#[test]
fn a_disk_of_another_system() {
    let linux = Uuid::from_u128(0x0fc63daf_8483_4772_8e79_3d69d8477de4);
    let image = disks::image(512, vec![("root", linux, 2, 0), ("home", linux, 2, 0)]);
    refuses_everything(image, "of 2 partitions 0 are boot, 0 root, 0 hash and 0 private");
}

#[test]
fn a_disk_whose_second_set_is_incomplete() {
    let mut sets = [set('A', PROVEN), set('B', BootBits::CLEAR)].concat();
    sets.pop();
    refuses_everything(disks::image(512, with_the_rest(sets)), "2 are boot, 2 root, 1 hash");
}

#[test]
fn a_disk_without_a_private_partition() {
    let image = disks::image(512, [set('A', PROVEN), set('B', BootBits::CLEAR)].concat());
    refuses_everything(image, "0 private");
}

#[test]
fn a_disk_with_two_private_partitions() {
    let mut parts = with_the_rest([set('A', PROVEN), set('B', BootBits::CLEAR)].concat());
    parts.push(("SECOND", PRIVATE_TYPE, 1, 0));
    refuses_everything(disks::image(512, parts), "partitions 8 and 10 are both private");
}

#[test]
fn a_disk_with_one_set_can_only_be_marked_good() {
    let bits = BootBits { priority: 1, tries: 0, successful: false };
    disks::image(512, with_the_rest(set('A', bits))).everywhere(|image| {
        let ran = image.run(&["status"]).ok();
        assert!(ran.stdout.contains("Active:  Set A\n") && !ran.stdout.contains("Set B"), "{ran:?}");
        let before = image.bytes();
        for command in &ALL_CHANGES[..5] {
            let ran = image.run(&[command]).refused("this disk has only one partition set");
            assert!(ran.stderr.contains("two sets"), "{ran:?}");
        }
        assert!(image.bytes() == before);
        image.run_as("B", &["status"]).refused("only one set");
        image.run(&["mark-successful-boot"]).ok();
        assert_eq!(image.bits(2), PROVEN);
    });
}

#[test]
fn a_third_set_that_never_boots_is_mentioned_and_ignored() {
    let third = set('C', BootBits { priority: 0, tries: 1, successful: true });
    let sets = [set('A', PROVEN), set('B', BootBits::CLEAR), third].concat();
    disks::image(512, with_the_rest(sets)).everywhere(|image| {
        let ran = image.run_as("A", &["status"]).ok();
        assert!(ran.stderr.contains("partition 8 is a third boot partition"), "{ran:?}");
        image.run_as("A", &["mark-inactive-valid"]).ok();
    });
}

#[test]
fn a_third_set_that_may_boot_is_refused() {
    let third = set('C', BootBits { priority: 3, tries: 1, successful: false });
    let sets = [set('A', PROVEN), set('B', BootBits::CLEAR), third].concat();
    let image = disks::image(512, with_the_rest(sets));
    refuses_everything(image, "partition 8 is a third boot partition with priority 3");
}

#[test]
fn a_disk_whose_entries_are_elsewhere() {
    let image = disks::factory();
    image.damage(|bytes| {
        bytes.copy_within(ENTRIES..ENTRIES + 32 * 512, 64 * 512);
        bytes[HEADER + 72] = 64;
        seal(&mut bytes[HEADER..HEADER + 92]);
    });
    refuses_everything(image, "its entries are at sector 64");
}

#[test]
fn an_image_that_was_cut_off() {
    let image = disks::factory();
    let len = image.bytes().len() as u64;
    OpenOptions::new().write(true).open(&image.path).unwrap().set_len(len - MIB).unwrap();
    refuses_everything(image, "but the disk has");
}

#[test]
fn partitions_that_overlap() {
    let image = disks::factory();
    change_both_copies(&image, |gpt| gpt[6].starting_lba -= 1);
    refuses_everything(image, "partitions 5 and 6 overlap");
}

#[test]
fn a_partition_that_ends_before_it_starts() {
    let image = disks::factory();
    change_both_copies(&image, |gpt| gpt[6].ending_lba = gpt[6].starting_lba - 1);
    refuses_everything(image, "partition 6 does not lie within");
}

#[test]
fn boot_partitions_with_one_identifier() {
    let image = disks::factory();
    change_both_copies(&image, |gpt| gpt[5].unique_partition_guid = gpt[2].unique_partition_guid);
    refuses_everything(image, "partitions 2 and 5 have the same identifier");
}

#[test]
fn nobody_can_say_which_set_runs() {
    disks::factory().everywhere(|image| {
        let before = image.bytes();
        for command in ALL_CHANGES {
            let ran = image.run(&[command]).refused("tell which partition set of");
            assert!(ran.stderr.contains("--active A"), "{ran:?}");
        }
        assert!(image.bytes() == before);
        // What does not depend on it still answers.
        image.run(&["has-boot-ever-succeeded"]).ok();
    });
}

#[test]
fn a_node_that_is_missing_is_not_created() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vda");
    let root = dir.path().to_str().unwrap();
    for command in ["status", "rewrite-table"] {
        signpost(&["--root", root, "--disk", path.to_str().unwrap(), "--active", "A", command])
            .refused("nothing was created");
    }
    assert!(!path.exists());
    signpost(&["--root", root, "--disk", root, "status"]).refused("neither a block device nor an image file");
    signpost(&["--root", root, "status"]).refused("find the disk");
}

#[test]
fn a_torn_primary_is_repaired() {
    let image = disks::factory();
    image.damage(|bytes| bytes[ENTRIES + 48] ^= 1);
    repaired_by_the_next_change(image, "the primary partition table is broken: its entries do not match");
}

#[test]
fn a_wiped_primary_is_repaired() {
    let image = disks::factory();
    image.damage(|bytes| bytes[HEADER..34 * 512].fill(0));
    repaired_by_the_next_change(image, "the primary partition table is broken: there is no table");
}

#[test]
fn a_torn_backup_is_repaired() {
    let image = disks::factory();
    image.damage(|bytes| {
        let at = backup_entries(bytes);
        bytes[at + 48] ^= 1;
    });
    repaired_by_the_next_change(image, "the backup partition table is broken");
}

#[test]
fn a_wiped_backup_is_repaired() {
    let image = disks::factory();
    image.damage(|bytes| {
        let from = backup_entries(bytes);
        bytes[from..].fill(0xff);
    });
    repaired_by_the_next_change(image, "the backup partition table is broken: there is no table");
}

#[test]
fn of_two_whole_copies_that_differ_the_primary_counts() {
    let image = disks::factory();
    let old = image.bytes();
    image.run_as("A", &["mark-inactive-valid"]).ok();
    image.run_as("A", &["upgrade-to-inactive"]).ok();
    // The power failed between the two copies: the backup is new, the primary is old.
    image.damage(|bytes| bytes[HEADER..34 * 512].copy_from_slice(&old[HEADER..34 * 512]));
    let ran = image.run_as("A", &["status"]).ok();
    assert!(ran.stdout.contains("Next:    Set A"), "{ran:?}");
    repaired_by_the_next_change(image, "the two copies of the partition table differ");
}

#[test]
fn a_disk_with_sectors_of_4096_bytes() {
    disks::two_sets(4096, PROVEN, BootBits::CLEAR).everywhere(|image| {
        image.run_as("A", &["mark-inactive-valid"]).ok();
        image.run_as("A", &["upgrade-to-inactive"]).ok();
        image.judged_whole_by_others();
        assert_eq!(image.bits(5), BootBits { priority: 2, tries: 1, successful: false });
        image.damage(|bytes| bytes[4096..8192].fill(0));
        assert!(image.run_as("A", &["status"]).ok().stderr.contains("primary partition table is broken"));
        image.run_as("A", &["rewrite-table"]).ok();
        image.judged_whole_by_others();
    });
}

#[test]
fn a_disk_that_has_grown_keeps_working() {
    disks::factory().everywhere(|image| {
        let len = image.bytes().len();
        image.grow(4 * MIB);
        assert!(image.run_as("A", &["status"]).ok().stderr.contains("the disk has grown"));
        image.run_as("A", &["mark-inactive-valid"]).ok();
        image.judged_whole_by_others();
        // The backup stays where it is, also when it has to be rebuilt, and is found through a torn primary.
        assert!(image.bytes()[len..].iter().all(|&byte| byte == 0));
        image.damage(|bytes| bytes[len - 33 * 512] ^= 1);
        image.run_as("A", &["rewrite-table"]).ok();
        image.damage(|bytes| bytes[ENTRIES + 48] ^= 1);
        image.run_as("A", &["upgrade-to-inactive"]).ok();
        image.judged_whole_by_others();
        assert!(image.bytes()[len..].iter().all(|&byte| byte == 0));
        assert_eq!(image.bits(5), BootBits { priority: 2, tries: 1, successful: false });
    });
}

#[test]
fn an_update_in_progress_keeps_others_out_except_for_marking_good() {
    let image = disks::factory();
    let paths = host_io::Paths::under(image.dir.path());
    let _update = host_io::OperationLock::acquire(&paths).unwrap();
    let before = image.bytes();
    for command in ALL_CHANGES {
        if command == "mark-successful-boot" {
            continue;
        }
        image.run_as("A", &[command]).refused(&format!("held by process {}", std::process::id()));
    }
    assert!(image.bytes() == before);
    image.run_as("A", &["mark-successful-boot"]).ok();
    image.run_as("A", &["status"]).ok();
}

fn change_both_copies(image: &Image, change: impl FnOnce(&mut gptman::GPT)) {
    let mut gpt = image.gptman();
    change(&mut gpt);
    // gptman refuses to write nonsense, so the bytes are put there by hand.
    let mut entries = Vec::new();
    for (_, entry) in gpt.iter() {
        entries.extend_from_slice(&entry.partition_type_guid);
        entries.extend_from_slice(&entry.unique_partition_guid);
        entries.extend_from_slice(&entry.starting_lba.to_le_bytes());
        entries.extend_from_slice(&entry.ending_lba.to_le_bytes());
        entries.extend_from_slice(&entry.attribute_bits.to_le_bytes());
        entries.extend_from_slice(&[0; 72]);
    }
    image.damage(|bytes| {
        let (backup, header) = (backup_entries(bytes), backup_header(bytes));
        for at in [ENTRIES, backup] {
            bytes[at..at + entries.len()].copy_from_slice(&entries);
        }
        let checksum = crc32fast::hash(&bytes[ENTRIES..ENTRIES + 128 * 128]);
        for at in [HEADER, header] {
            bytes[at + 88..at + 92].copy_from_slice(&checksum.to_le_bytes());
            seal(&mut bytes[at..at + 92]);
        }
    });
}

fn seal(header: &mut [u8]) {
    header[16..20].fill(0);
    let checksum = crc32fast::hash(header);
    header[16..20].copy_from_slice(&checksum.to_le_bytes());
}
