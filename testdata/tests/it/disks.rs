//! A disk is laid out like a factory's.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::MetadataExt as _;

use gptman::GPT;
use testdata::disk::layout::types;
use testdata::{Banks, BootBits, DiskImage, Layout, Set, Table};

const TWO_SETS: [&str; 13] = [
    "BIOS-BOOT",
    "EFI-SYSTEM",
    "BOTTLEROCKET-BOOT-A",
    "BOTTLEROCKET-ROOT-A",
    "BOTTLEROCKET-HASH-A",
    "BOTTLEROCKET-RESERVED-A",
    "EFI-BACKUP",
    "BOTTLEROCKET-BOOT-B",
    "BOTTLEROCKET-ROOT-B",
    "BOTTLEROCKET-HASH-B",
    "BOTTLEROCKET-RESERVED-B",
    "BOTTLEROCKET-PRIVATE",
    "",
];

fn disk(dir: &tempfile::TempDir, layout: &Layout) -> DiskImage {
    DiskImage::create(&dir.path().join("disk.img"), layout, "a host").expect("created")
}

#[test]
fn a_disk_is_sparse_and_both_copies_of_its_table_are_valid() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let disk = disk(&dir, &Layout::default());
    let metadata = fs::metadata(disk.path()).expect("there");
    assert!(
        metadata.blocks() * 512 < metadata.len() / 10,
        "{} of {}",
        metadata.blocks() * 512,
        metadata.len()
    );
    let mut file = OpenOptions::new().read(true).write(true).open(disk.path()).expect("there");
    let primary = GPT::read_from(&mut file, 512).expect("valid");
    assert!(primary.is_primary());
    std::os::unix::fs::FileExt::write_all_at(&file, &[0; 512], 512).expect("torn");
    let backup = GPT::read_from(&mut file, 512).expect("the backup stands in");
    assert!(backup.is_backup());
    assert!(primary.iter().eq(backup.iter()));
}

#[test]
fn two_sets_lie_in_the_order_of_a_factory() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let disk = disk(&dir, &Layout::default());
    let partitions = disk.partitions();
    let labels: Vec<&str> = partitions.iter().map(|partition| partition.label.as_str()).collect();
    assert_eq!(labels, TWO_SETS);
    let mut end = 1 << 20;
    for partition in &partitions {
        assert_eq!(partition.start, end, "{partition:?} follows its neighbour on a whole MiB");
        end = partition.start + partition.len;
    }
    assert_eq!(disk.partition("BOTTLEROCKET-ROOT-B").type_guid, types::ROOT);
    assert_eq!(disk.partition("BOTTLEROCKET-PRIVATE").type_guid, types::PRIVATE);
    assert_eq!(disk.bits(Set::A), BootBits::FACTORY);
    assert_eq!(disk.bits(Set::B), BootBits::default());
}

#[test]
fn a_disk_may_have_one_set_or_no_table_at_all() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let one = disk(&dir, &Layout { banks: Banks::One, ..Layout::default() });
    assert!(one.partitions().iter().all(|partition| !partition.label.ends_with("-B")));
    assert_eq!(one.partition("BOTTLEROCKET-ROOT-A").len, 16 << 20);
    let small = DiskImage::create(
        &dir.path().join("small.img"),
        &Layout { root_mib: Some(3), ..Layout::default() },
        "a host",
    );
    assert_eq!(small.expect("created").partition("BOTTLEROCKET-ROOT-B").len, 3 << 20);
    let blank = DiskImage::create(
        &dir.path().join("blank.img"),
        &Layout { table: Table::None, ..Layout::default() },
        "a host",
    );
    let bytes = fs::read(blank.expect("created").path()).expect("there");
    assert!(bytes.len() > 1 << 20 && bytes.iter().all(|&byte| byte == 0));
}

#[test]
fn a_partition_never_reaches_its_neighbours() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let disk = disk(&dir, &Layout::default());
    let len = disk.partition("BOTTLEROCKET-HASH-A").len;
    disk.write("BOTTLEROCKET-HASH-A", len - 2, b"ab");
    let mut window = disk.window("BOTTLEROCKET-HASH-A");
    std::io::Seek::seek(&mut window, std::io::SeekFrom::End(0)).expect("moved");
    assert_eq!(std::io::Write::write(&mut window, b"x").expect("refused quietly"), 0);
    assert_eq!(disk.read_all("BOTTLEROCKET-HASH-A")[usize::try_from(len).expect("small") - 2..], *b"ab");
    assert!(disk.read_all("BOTTLEROCKET-RESERVED-A").iter().all(|&byte| byte == 0));
}

/// What the simulated firmware leaves for `signpost` to find the disk and the running set by.
fn host_of(dir: &tempfile::TempDir, disk: &DiskImage, active: Set) -> host_io::Paths {
    let paths = host_io::Paths::under(dir.path());
    for sub in ["etc", "proc"] {
        fs::create_dir_all(dir.path().join(sub)).expect("ours");
    }
    fs::write(paths.signpost_config(), format!("disk = \"{}\"\n", disk.path().display())).expect("ours");
    let guid = disk.partition(&active.label("BOOT")).guid;
    fs::write(paths.kernel_command_line(), format!("quiet signpost.boot=PARTUUID={guid}\n")).expect("ours");
    paths
}

#[test]
fn signpost_finds_on_it_what_gptman_finds() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let disk = disk(&dir, &Layout::default());
    disk.set_bits(Set::B, BootBits { priority: 2, tries: 1, successful: false });
    for (active, name) in [(Set::A, signpost::SetName::A), (Set::B, signpost::SetName::B)] {
        let found = signpost::OsDisk::discover(&host_of(&dir, &disk, active)).expect("found");
        let status = found.status().expect("readable");
        assert_eq!(status.active, name);
        assert_eq!(status.next, Some(signpost::SetName::B));
        assert!(!status.boot_has_ever_succeeded);
        for (ours, theirs) in [(Set::A, Some(&status.a)), (Set::B, status.b.as_ref())] {
            let theirs = theirs.expect("two sets");
            let bits = disk.bits(ours);
            assert_eq!(
                (theirs.bits.priority, theirs.bits.tries, theirs.bits.successful),
                (bits.priority, bits.tries, bits.successful)
            );
            for (role, part) in [("BOOT", &theirs.boot), ("ROOT", &theirs.root), ("HASH", &theirs.hash)] {
                let expected = disk.partition(&ours.label(role));
                assert_eq!(
                    (part.number, part.guid, part.start, part.len),
                    (expected.number, expected.guid, expected.start, expected.len)
                );
            }
        }
    }
}
