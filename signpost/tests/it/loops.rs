//! Block devices: a loop device over an image, where the machine lets us make one (root, `losetup`, a free device).
//! Elsewhere these tests, and the halves of others that need one, say loudly that they did not run.

use std::fs::File;
use std::os::unix::fs::{OpenOptionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use host_io::{Access, Medium, Paths};
use signpost::discover::Choice;
use signpost::{BootBits, OsDisk, Role, SetName};

use crate::cli::Ran;
use crate::create::SMALL;
use crate::disks::{self, Image, MIB, PROVEN};

/// A loop device, taken down when dropped.
pub(crate) struct Loop(pub(crate) String);

impl Loop {
    /// A block device over an image file.
    pub(crate) fn over(image: &Path, sector_size: u64) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("SKIPPED: not root, so no block device can be made of the image");
            return None;
        }
        let mut said = String::new();
        // Others look for a free device at the same moment, and only one of them gets it.
        for _ in 0..8 {
            match Command::new("losetup")
                .args(["--find", "--show", "--sector-size", &sector_size.to_string()])
                .arg(image)
                .output()
            {
                Ok(output) if output.status.success() => {
                    let device = Self(String::from_utf8(output.stdout).unwrap().trim().to_owned());
                    device.drop_partitions();
                    return Some(device);
                }
                Ok(output) => said = String::from_utf8_lossy(&output.stderr).into_owned(),
                Err(error) => said = error.to_string(),
            }
        }
        eprintln!("SKIPPED: no block device can be made of the image: {}", said.trim());
        None
    }

    /// Makes the device forget what it remembers of a file that was changed below it.
    pub(crate) fn forget(&self) {
        run("losetup", &["--set-capacity", &self.0]);
        run("blockdev", &["--flushbufs", &self.0]);
    }

    /// The kernel keeps partitions that were given to a loop device, even when it gets another file.
    fn drop_partitions(&self) {
        let inside = std::fs::read_dir(format!("/sys/block/{}", self.name())).into_iter().flatten().flatten();
        for entry in inside {
            if let Ok(number) = std::fs::read_to_string(entry.path().join("partition")) {
                let _ = Command::new("delpart").args([&self.0, number.trim()]).status();
            }
        }
    }

    /// The device's name without its directory.
    fn name(&self) -> &str {
        self.0.trim_start_matches("/dev/")
    }

    /// Gives the kernel partition `number`, in sectors of 512 bytes. `false` where it has no nodes for partitions.
    fn has_partition(&self, number: u32, start: u64, len: u64) -> bool {
        let extent = [number.into(), start, len].map(|value: u64| value.to_string());
        let added =
            Command::new("addpart").arg(&self.0).args(extent).status().is_ok_and(|code| code.success());
        let there = added && Path::new(&format!("{}p{number}", self.0)).exists();
        if !there {
            eprintln!("SKIPPED: no node appears for a partition of a block device");
        }
        there
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        self.drop_partitions();
        let _ = Command::new("losetup").args(["--detach", &self.0]).status();
    }
}

#[track_caller]
fn run(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {output:?}");
}

fn create(image: &Image, args: &[&str]) -> Ran {
    crate::create::create(image, SMALL, args)
}

fn open(image: &Image) -> OsDisk {
    let choice = Choice { disk: Some(image.disk().into()), active: Some(SetName::A) };
    OsDisk::discover_with(&Paths::under(image.dir.path()), &choice).unwrap()
}

/// A host below the image's directory that sees the machine's devices.
fn with_real_sys(image: &Image) {
    symlink("/sys", image.dir.path().join("sys")).unwrap();
    symlink("/dev", image.dir.path().join("dev")).unwrap();
}

#[test]
fn a_flip_on_a_block_device_is_on_the_medium() {
    for sector_size in [512, 4096] {
        let Some(image) = disks::two_sets(sector_size, PROVEN, BootBits::CLEAR).as_device() else { return };
        image.run_as("A", &["mark-inactive-valid"]).ok();
        image.run_as("A", &["upgrade-to-inactive"]).ok();
        let status = image.run_as("A", &["status"]).ok();
        assert!(status.stdout.starts_with(&format!("OS disk: {}\n", image.disk())), "{status:?}");
        assert!(status.stdout.contains("priority=2 tries_left=1 successful=false"), "{status:?}");
        let report: serde_json::Value =
            serde_json::from_str(&image.run_as("A", &["status", "--json"]).ok().stdout).unwrap();
        assert_eq!(report["sector_size"], sector_size, "the device says so itself");
        image.judged_whole_by_others();
        assert_eq!(image.bits(5).priority, 2);
    }
}

#[test]
fn a_partition_of_a_block_device_is_opened_by_its_node() {
    let Some(image) = disks::factory().as_device() else { return };
    with_real_sys(&image);
    let (device, entry) = (image.device.as_ref().unwrap(), image.gptman()[6].clone());
    let refused = open(&image).open_partition(SetName::B, Role::Root, Access::ReadWrite).err().unwrap();
    assert!(matches!(refused, signpost::Error::NoNode { number: 6, .. }), "{refused}");
    if !device.has_partition(6, entry.starting_lba, entry.size().unwrap()) {
        return;
    }
    let root = open(&image).open_partition(SetName::B, Role::Root, Access::ReadWrite).unwrap();
    assert_eq!((root.len(), root.medium()), (2 * MIB, Medium::Device));
    root.write_at(4096, &[7; 4096]).unwrap();
    root.sync().unwrap();
    drop(root);
    let at = usize::try_from(entry.starting_lba * 512).unwrap() + 4096;
    assert_eq!(image.bytes()[at..at + 4096], [7; 4096]);
    let status = image.run_as("A", &["status"]).ok();
    assert!(status.stdout.contains(&format!("/dev/{}p6 ", device.name())), "{status:?}");
}

/// Something that is done to a partition's node, how it is called, and how it is undone.
type Use = (&'static [&'static str], &'static str, &'static [&'static str]);

#[test]
fn a_partition_that_somebody_uses_is_not_opened_for_writing_and_the_user_is_named() {
    let Some(image) = disks::factory().as_device() else { return };
    with_real_sys(&image);
    let (device, entry) = (image.device.as_ref().unwrap(), image.gptman()[6].clone());
    if !device.has_partition(6, entry.starting_lba, entry.size().unwrap()) {
        return;
    }
    let node = format!("/dev/{}p6", device.name());
    let place = image.dir.path().join("mounted");
    std::fs::create_dir(&place).unwrap();
    let place = place.to_str().unwrap();
    let uses: [Use; 3] = [
        (&["sh", "-c", "mkfs.ext4 -q $0 && mount $0 $1"], "it is mounted at ", &["sh", "-c", "umount $0"]),
        (
            &["sh", "-c", "mkswap -q $0 && swapon $0"],
            "it is a swap area (swapoff ",
            &["sh", "-c", "swapoff $0"],
        ),
        (
            &["losetup", "--find"],
            "it is below the loop device /dev/loop",
            &["sh", "-c", "losetup -j $0 | cut -d: -f1 | xargs losetup -d"],
        ),
    ];
    for (begin, said, end) in uses {
        let mut used = Command::new(begin[0]);
        used.args(&begin[1..]).arg(&node);
        if begin[0] == "sh" {
            used.arg(place);
        }
        let used = used.output().unwrap();
        if !used.status.success() {
            eprintln!("SKIPPED: {begin:?}: {}", String::from_utf8_lossy(&used.stderr).trim());
            continue;
        }
        let refused = open(&image).open_partition(SetName::B, Role::Root, Access::ReadWrite).err();
        // To look at it is no harm.
        let looked = open(&image).open_partition(SetName::B, Role::Root, Access::Read).is_ok();
        let ended = Command::new(end[0]).args(&end[1..]).arg(&node).output().unwrap();
        assert!(ended.status.success(), "{end:?}: {ended:?}");
        let refused = refused.unwrap_or_else(|| panic!("not refused: {begin:?}")).to_string();
        assert!(refused.contains(&format!("p6 for writing: {said}")), "{refused}");
        assert!(looked, "{begin:?}");
    }
    // And whoever writes to it keeps others away for as long as that takes.
    let root = open(&image).open_partition(SetName::B, Role::Root, Access::ReadWrite).unwrap();
    let mounted = Command::new("swapon").arg(&node).output().unwrap();
    assert!(!mounted.status.success(), "{mounted:?}");
    drop(root);
}

#[test]
fn a_partition_that_the_kernel_has_elsewhere_is_refused_with_both_places() {
    let Some(image) = disks::factory().as_device() else { return };
    with_real_sys(&image);
    let (device, entry) = (image.device.as_ref().unwrap(), image.gptman()[6].clone());
    // As after another tool has changed the table of a disk that is in use.
    if !device.has_partition(6, entry.starting_lba - 8, entry.size().unwrap()) {
        return;
    }
    let start = entry.starting_lba * 512;
    let refused = open(&image).open_partition(SetName::B, Role::Root, Access::ReadWrite).err().unwrap();
    assert_eq!(
        refused.to_string(),
        format!(
            "open partition 6 of {}: the table has it at byte {start}, 2097152 bytes long, the kernel at byte {}, 2097152 bytes long",
            image.disk(),
            start - 4096
        )
    );
    image.run_as("A", &["verify"]).refused(&format!("partition 6 is at byte {start}"));
}

#[test]
fn a_file_in_place_of_a_partitions_node_is_refused_and_a_missing_one_is_not_made() {
    let Some(image) = disks::factory().as_device() else { return };
    let (device, entry) = (image.device.as_ref().unwrap(), image.gptman()[6].clone());
    if !device.has_partition(6, entry.starting_lba, entry.size().unwrap()) {
        return;
    }
    symlink("/sys", image.dir.path().join("sys")).unwrap();
    let dev = image.dir.path().join("dev");
    std::fs::create_dir(&dev).unwrap();
    let node = dev.join(format!("{}p6", device.name()));
    let refused = open(&image).open_partition(SetName::B, Role::Root, Access::ReadWrite).err().unwrap();
    assert!(matches!(refused, signpost::Error::Open { .. }), "{refused}");
    assert!(!node.exists());
    // A file of the right size, as a "dd" to a node that was not there leaves it.
    File::create(&node).unwrap().set_len(2 * MIB).unwrap();
    let refused = open(&image).open_partition(SetName::B, Role::Root, Access::ReadWrite).err().unwrap();
    assert!(matches!(refused, signpost::Error::WrongNode { number: 6, .. }), "{refused}");
    // And the node of another device.
    std::fs::remove_file(&node).unwrap();
    symlink(image.disk(), &node).unwrap();
    let refused = open(&image).open_partition(SetName::B, Role::Root, Access::ReadWrite).err().unwrap();
    assert!(matches!(refused, signpost::Error::WrongNode { number: 6, .. }), "{refused}");
}

#[test]
fn a_block_device_is_laid_out_unless_it_is_in_use_or_holds_something() {
    for sector_size in [512, 4096] {
        let mut image = disks::empty(32);
        image.sector_size = sector_size;
        let Some(image) = image.as_device() else { return };
        {
            let flags = i32::try_from(rustix::fs::OFlags::EXCL.bits()).unwrap();
            // As the kernel holds a disk of which something is mounted.
            let _in_use = File::options().read(true).custom_flags(flags).open(image.disk()).unwrap();
            create(&image, &["--factory", "--force"]).refused("it is in use");
        }
        create(&image, &["--sector-size", "1024"]).refused("no sectors of 1024 bytes");
        let other = if sector_size == 512 { "4096" } else { "512" };
        create(&image, &["--sector-size", other]).refused(&format!("no sectors of {other} bytes"));
        let ran = create(&image, &["--factory"]).ok();
        assert!(ran.stdout.contains(&format!("32 MiB, sectors of {sector_size} bytes")), "{ran:?}");
        // The fake host has no kernel that could show the partitions.
        assert!(ran.stderr.contains("partx --update"), "{ran:?}");
        image.judged_whole_by_others();
        image.run_as("A", &["verify"]).ok();
        assert_eq!(image.bits(2), PROVEN);
        create(&image, &[]).refused("it has a partition table already");
    }
}

#[test]
fn the_kernels_partitions_after_a_layout_are_those_of_the_table() {
    let Some(image) = disks::empty(32).as_device() else { return };
    with_real_sys(&image);
    let ran = create(&image, &[]).ok();
    let first = format!("/sys/block/{0}/{0}p1/start", image.device.as_ref().unwrap().name());
    // Whether a kernel reads tables of loop devices differs; that it is told truly does not.
    let shown = std::fs::read_to_string(first).is_ok_and(|start| start.trim() == "2048");
    assert_eq!(ran.stderr.contains("does not show the new partitions"), !shown, "{ran:?}");
}
