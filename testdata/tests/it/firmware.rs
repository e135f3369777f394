//! The simulated firmware, and its agreement with `signpost`.

use std::os::unix::fs::FileExt as _;

use testdata::host::firmware::{choose, pick};
use testdata::{BootBits, DiskImage, Layout, Set};

fn all_bits() -> Vec<BootBits> {
    let mut all = Vec::new();
    for priority in 0..16 {
        for tries in 0..16 {
            for successful in [false, true] {
                all.push(BootBits { priority, tries, successful });
            }
        }
    }
    all
}

fn theirs(bits: BootBits) -> signpost::BootBits {
    signpost::BootBits { priority: bits.priority, tries: bits.tries, successful: bits.successful }
}

#[test]
fn the_firmware_and_signpost_agree_on_every_state_of_two_sets() {
    let all = all_bits();
    let mut compared = 0;
    for &a in &all {
        for &b in &all {
            let ours = choose(&[a, b]);
            assert_eq!(ours, signpost::pick::pick([theirs(a), theirs(b)]), "{a:?} {b:?}");
            compared += 1;
        }
        assert_eq!(choose(&[a]), signpost::pick::pick([theirs(a)]), "{a:?} alone");
    }
    assert_eq!(compared, 512 * 512);
}

#[test]
fn both_read_the_same_bits_out_of_every_attribute() {
    for bits in all_bits() {
        for others in [0, u64::MAX] {
            let attributes = bits.onto(others);
            assert_eq!(theirs(bits), signpost::BootBits::from_attributes(attributes));
            assert_eq!(attributes, theirs(bits).patch(others));
        }
    }
}

fn disk(dir: &tempfile::TempDir) -> DiskImage {
    DiskImage::create(&dir.path().join("disk.img"), &Layout::default(), "a host").expect("created")
}

#[test]
fn a_start_costs_a_try_and_the_next_one_falls_back() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let disk = disk(&dir);
    disk.set_bits(Set::B, BootBits { priority: 2, tries: 1, successful: false });
    let first = pick(&disk).expect("readable").expect("bootable");
    assert_eq!(first.guid, disk.partition("BOTTLEROCKET-BOOT-B").guid.to_string());
    assert_eq!(disk.bits(Set::B), BootBits { priority: 2, tries: 0, successful: false });
    let second = pick(&disk).expect("readable").expect("bootable");
    assert_eq!(second.number, disk.partition("BOTTLEROCKET-BOOT-A").number);
    assert_eq!(disk.bits(Set::A), BootBits::FACTORY);
}

#[test]
fn priority_zero_is_never_started() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let disk = disk(&dir);
    disk.set_bits(Set::A, BootBits { priority: 0, ..BootBits::FACTORY });
    assert_eq!(pick(&disk).expect("readable"), None);
}

#[test]
fn a_torn_copy_is_made_again_from_the_other() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let disk = disk(&dir);
    let file = std::fs::OpenOptions::new().read(true).write(true).open(disk.path()).expect("there");
    let whole = std::fs::read(disk.path()).expect("there");
    let last = whole.len() as u64 - 512;
    for torn in [512, 1024 + 128 * 3, last, last - 512 * 30] {
        file.write_all_at(&[0xee; 16], torn).expect("torn");
        assert!(pick(&disk).expect("readable").expect("bootable").repaired, "torn at {torn}");
        assert!(std::fs::read(disk.path()).expect("there") == whole, "torn at {torn}");
        assert!(!pick(&disk).expect("readable").expect("bootable").repaired);
    }
}
