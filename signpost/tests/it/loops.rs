//! The same on a block device: a loop device over an image, where the machine lets us make one (root, `losetup`).
//! Elsewhere these tests say that they did not run.

use std::process::Command;

use crate::cli::signpost;
use crate::disks::{self, Image, PROVEN};

/// A loop device, taken down when dropped.
struct Loop(String);

impl Loop {
    fn over(image: &Image) -> Option<Self> {
        let output = Command::new("losetup")
            .args(["--find", "--show", "--partscan", "--sector-size"])
            .arg(image.sector_size.to_string())
            .arg(&image.path)
            .output()
            .ok()
            .filter(|output| output.status.success());
        if output.is_none() {
            println!("no loop device can be made here: not run");
        }
        Some(Self(String::from_utf8(output?.stdout).unwrap().trim().to_owned()))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["--detach", &self.0]).status();
    }
}

#[test]
fn a_flip_on_a_block_device_is_on_the_medium() {
    for sector_size in [512, 4096] {
        let image = disks::two_sets(sector_size, PROVEN, signpost::BootBits::CLEAR);
        let Some(device) = Loop::over(&image) else { return };
        let root = image.dir.path().to_str().unwrap();
        let run = |args: &[&str]| {
            signpost(&[&["--root", root, "--disk", &device.0, "--active", "A"], args].concat())
        };
        run(&["mark-inactive-valid"]).ok();
        run(&["upgrade-to-inactive"]).ok();
        let status = run(&["status"]).ok();
        assert!(status.stdout.starts_with(&format!("OS disk: {}\n", device.0)), "{status:?}");
        assert!(status.stdout.contains("priority=2 tries_left=1 successful=false"), "{status:?}");
        let report: serde_json::Value =
            serde_json::from_str(&run(&["status", "--json"]).ok().stdout).unwrap();
        assert_eq!(report["sector_size"], sector_size, "the device says so itself");
        image.judged_whole_by_others();
        assert_eq!(image.bits(5).priority, 2);
    }
}

#[test]
fn a_torn_table_on_a_block_device_is_repaired_or_refused() {
    let image = disks::factory();
    image.damage(|bytes| bytes[1024 + 48] ^= 1);
    let Some(device) = Loop::over(&image) else { return };
    let root = image.dir.path().to_str().unwrap();
    let run =
        |args: &[&str]| signpost(&[&["--root", root, "--disk", &device.0, "--active", "A"], args].concat());
    run(&["verify"]).refused("the primary copy is broken");
    run(&["repair"]).ok();
    image.judged_whole_by_others();
    let zeros = vec![0; 34 * 512];
    for offset in [0, image.bytes().len() as u64 - zeros.len() as u64] {
        let disk = host_io::FileDisk::open(device.0.as_ref(), host_io::Access::ReadWrite).unwrap();
        host_io::Disk::write_at(&disk, offset, &zeros).unwrap();
        host_io::Disk::sync(&disk).unwrap();
    }
    run(&["status"]).refused("there is no GUID partition table on it");
    run(&["rewrite-table"]).refused("there is no GUID partition table on it");
}
