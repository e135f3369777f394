//! Finding the disk and the running set from the kernel's devices: a `sys` tree below a directory, with disk images in
//! place of nodes. `/` of such a host is the directory itself, so its device number is the one that the tree describes.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

use signpost::bits::BootBits;

use crate::cli::{Ran, signpost};
use crate::disks::{self, Image, PROVEN, partuuid};

/// A host that is made of files. Its devices have majors from 700 on: nobody has those, so they never meet the number that
/// `/` has on the machine that runs the tests.
struct FakeHost {
    dir: tempfile::TempDir,
}

/// The partitions of a factory disk: boot, root, hash of both sets.
const ROOT_A: u32 = 3;
const HASH_A: u32 = 4;
const ROOT_B: u32 = 6;
const HASH_B: u32 = 7;

impl FakeHost {
    fn new() -> Self {
        let host = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir_all(host.at("sys/dev/block")).unwrap();
        fs::create_dir_all(host.at("sys/block")).unwrap();
        host
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Describes a device in `sys/devices/PLACE`, with the links by which the kernel leads to it.
    fn device(&self, place: &str, number: &str, whole: bool) {
        self.write(&format!("sys/devices/{place}/dev"), &format!("{number}\n"));
        fs::create_dir_all(self.at(&format!("sys/devices/{place}/slaves"))).unwrap();
        symlink(format!("../../devices/{place}"), self.at(&format!("sys/dev/block/{number}"))).unwrap();
        if whole {
            let name = Path::new(place).file_name().unwrap().to_str().unwrap();
            symlink(format!("../devices/{place}"), self.at(&format!("sys/block/{name}"))).unwrap();
        }
    }

    /// Attaches an image as the disk `name`, with the partitions that its table has.
    fn disk(&self, name: &str, major: u32, image: &Image) {
        self.device(name, &format!("{major}:0"), true);
        let node = self.at("dev").join(name.replace('!', "/"));
        fs::create_dir_all(node.parent().unwrap()).unwrap();
        fs::copy(&image.path, node).unwrap();
        for (number, entry) in image.gptman().iter().filter(|(_, entry)| entry.is_used()) {
            let inside = if name.ends_with(char::is_numeric) {
                format!("{name}p{number}")
            } else {
                format!("{name}{number}")
            };
            // A minor above 255: the number's two parts are spread over the bits of what stat tells.
            self.device(&format!("{name}/{inside}"), &format!("{major}:{}", 300 + number), false);
            self.write(&format!("sys/devices/{name}/{inside}/partition"), &format!("{number}\n"));
            self.write(&format!("sys/devices/{name}/{inside}/start"), &format!("{}\n", entry.starting_lba));
            self.write(&format!("sys/devices/{name}/{inside}/size"), &format!("{}\n", entry.size().unwrap()));
        }
    }

    /// A mapped device that stands on others.
    fn mapped(&self, name: &str, number: &str, on: &[&str]) {
        self.device(name, number, true);
        for below in on {
            let inside = Path::new(below).file_name().unwrap().to_str().unwrap();
            symlink(format!("../../{below}"), self.at(&format!("sys/devices/{name}/slaves/{inside}")))
                .unwrap();
        }
    }

    /// The device number of `/`, as this machine really has it.
    fn root_number(&self) -> String {
        let dev = fs::metadata(self.dir.path()).unwrap().dev();
        format!("{}:{}", rustix::fs::major(dev), rustix::fs::minor(dev))
    }

    fn run(&self, args: &[&str]) -> Ran {
        signpost(&[&["--root", self.dir.path().to_str().unwrap()], args].concat())
    }
}

#[test]
fn the_set_is_found_through_any_number_of_mapped_devices() {
    let host = FakeHost::new();
    host.disk("vda", 700, &disks::factory());
    // verity over two partitions, a mapping over that, and another one on top.
    host.mapped("dm-0", "702:0", &["vda/vda6", "vda/vda7"]);
    host.mapped("dm-1", "702:1", &["dm-0"]);
    host.mapped("dm-2", &host.root_number(), &["dm-1"]);
    let vda = host.at("dev/vda");
    let vda = vda.display();
    assert_eq!(
        host.run(&["status"]).ok().stdout,
        format!(
            "OS disk: {vda}\n\
             Set A:   boot={vda}2 root={vda}3 hash={vda}4 priority=1 tries_left=0 successful=true\n\
             Set B:   boot={vda}5 root={vda}6 hash={vda}7 priority=0 tries_left=0 successful=false\n\
             Active:  Set B\n\
             Next:    Set A\n"
        )
    );
    let report: serde_json::Value =
        serde_json::from_str(&host.run(&["status", "--json"]).ok().stdout).unwrap();
    assert_eq!(report["active_reason"], "the device of /");
}

#[test]
fn a_name_with_an_exclamation_mark_is_a_node_in_a_directory() {
    let host = FakeHost::new();
    host.disk("cciss!c0d0", 704, &disks::factory());
    host.mapped("dm-0", &host.root_number(), &[&format!("cciss!c0d0/cciss!c0d0p{ROOT_A}")]);
    let ran = host.run(&["status"]).ok();
    let node = host.at("dev/cciss/c0d0");
    assert!(ran.stdout.contains(&format!("OS disk: {}\n", node.display())), "{ran:?}");
    assert!(ran.stdout.contains(&format!("root={}p{ROOT_A} ", node.display())), "{ran:?}");
}

#[test]
fn the_kernels_own_name_of_a_node_goes_before_the_directorys() {
    let host = FakeHost::new();
    host.disk("vda", 700, &disks::factory());
    host.write(&format!("sys/devices/vda/vda{ROOT_A}/uevent"), "MAJOR=254\nDEVNAME=mapped/root-a\n");
    host.mapped("dm-0", &host.root_number(), &[&format!("vda/vda{ROOT_A}")]);
    let ran = host.run(&["status"]).ok();
    assert!(ran.stdout.contains(&format!("root={} ", host.at("dev/mapped/root-a").display())), "{ran:?}");
}

#[test]
fn a_root_without_a_device_needs_the_boot_programs_token() {
    let host = FakeHost::new();
    host.disk("vda", 700, &disks::factory());
    host.run(&["status"]).refused("find the disk: / is on no partition");
    host.write("proc/cmdline", &format!("quiet signpost.boot=PARTUUID={}\n", partuuid(5)));
    let ran = host.run(&["status"]).ok();
    assert!(ran.stdout.contains("Active:  Set B\n"), "{ran:?}");
}

#[test]
fn the_kernels_root_token_is_the_last_resort() {
    let host = FakeHost::new();
    host.disk("vda", 700, &disks::factory());
    host.write("proc/cmdline", &format!("root=PARTUUID={} ro\n", partuuid(ROOT_A.into())));
    assert!(host.run(&["status"]).ok().stdout.contains("Active:  Set A\n"));
    // A clearer word goes before it.
    host.write(
        "proc/cmdline",
        &format!("root=PARTUUID={} signpost.boot=PARTUUID={}\n", partuuid(ROOT_A.into()), partuuid(5)),
    );
    assert!(host.run(&["status"]).ok().stdout.contains("Active:  Set B\n"));
}

#[test]
fn a_cloned_disk_is_refused_with_both_named() {
    let host = FakeHost::new();
    let image = disks::factory();
    host.disk("vda", 700, &image);
    host.disk("vdb", 701, &image);
    host.mapped("dm-0", &host.root_number(), &[&format!("vda/vda{ROOT_A}")]);
    host.write("proc/cmdline", &format!("signpost.boot=PARTUUID={}\n", partuuid(2)));
    for command in ["status", "mark-successful-boot", "clear-inactive"] {
        let ran = host.run(&[command]).refused("is on several");
        for name in ["dev/vda", "dev/vdb"] {
            assert!(ran.stderr.contains(host.at(name).to_str().unwrap()), "{ran:?}");
        }
    }
    // A person may know better.
    host.run(&["--disk", host.at("dev/vdb").to_str().unwrap(), "status"]).ok();
}

#[test]
fn a_root_over_two_disks_with_sets_is_refused_with_both_named() {
    let host = FakeHost::new();
    host.disk("vda", 700, &disks::factory());
    host.disk("vdb", 701, &disks::factory());
    host.mapped("dm-0", &host.root_number(), &["vda/vda3", "vdb/vdb3"]);
    let ran = host.run(&["status"]).refused("stands on several");
    assert!(ran.stderr.contains("dev/vda and"), "{ran:?}");
}

#[test]
fn a_second_disk_below_the_root_that_carries_no_set_does_not_matter() {
    let host = FakeHost::new();
    let linux = uuid::Uuid::from_u128(0x0fc63daf_8483_4772_8e79_3d69d8477de4);
    host.disk("vda", 700, &disks::factory());
    host.disk("vdb", 701, &disks::image(512, vec![("cache", linux, 2, 0)]));
    host.mapped("dm-0", &host.root_number(), &["vda/vda3", "vdb/vdb1"]);
    assert!(host.run(&["status"]).ok().stdout.contains("Active:  Set A\n"));
}

#[test]
fn what_is_said_must_not_contradict_where_the_root_is() {
    let host = FakeHost::new();
    host.disk("vda", 700, &disks::two_sets(512, PROVEN, PROVEN));
    host.mapped("dm-0", &host.root_number(), &[&format!("vda/vda{ROOT_B}"), &format!("vda/vda{HASH_B}")]);
    assert!(host.run(&["status"]).ok().stdout.contains("Active:  Set B\n"));
    // Taking A for the running set would let an update write to B, which is running.
    host.run(&["--active", "A", "clear-inactive"]).refused("--active says set A, but / is on set B");
    host.write("proc/cmdline", &format!("signpost.boot=PARTUUID={}\n", partuuid(2)));
    host.run(&["clear-inactive"]).refused("but / is on set B");
    host.write("proc/cmdline", "");
    host.write("etc/signpost.toml", "active = \"A\"\n");
    host.run(&["clear-inactive"]).refused("the configuration says set A, but / is on set B");
    let ran = host.run(&["status"]).refused("but / is on set B");
    assert!(ran.stdout.contains("Active:  unknown"), "{ran:?}");
}

#[test]
fn a_root_on_partitions_of_both_sets_is_refused() {
    let host = FakeHost::new();
    host.disk("vda", 700, &disks::factory());
    host.mapped("dm-0", &host.root_number(), &[&format!("vda/vda{ROOT_B}"), &format!("vda/vda{HASH_A}")]);
    host.run(&["mark-successful-boot"]).refused("/ stands on partitions of both sets: 4, 6");
}

#[test]
fn a_token_that_names_nothing_here_is_not_passed_over() {
    let host = FakeHost::new();
    host.disk("vda", 700, &disks::factory());
    host.mapped("dm-0", &host.root_number(), &[&format!("vda/vda{ROOT_A}")]);
    host.write("proc/cmdline", &format!("signpost.boot=PARTUUID={}\n", partuuid(99)));
    host.run(&["clear-inactive"]).refused("belongs to no set of this disk");
    host.write("proc/cmdline", "signpost.boot=PARTUUID=nonsense\n");
    host.run(&["clear-inactive"]).refused("unclear: signpost.boot=PARTUUID=nonsense");
}

#[test]
fn the_configuration_names_disk_and_set_where_nothing_else_does() {
    let image = disks::two_sets(4096, PROVEN, BootBits::CLEAR);
    let config = format!("disk = {:?}\nactive = \"A\"\nsector_size = 4096\n", image.path);
    fs::create_dir(image.dir.path().join("etc")).unwrap();
    fs::write(image.dir.path().join("etc/signpost.toml"), config).unwrap();
    let root = image.dir.path().to_str().unwrap();
    assert!(signpost(&["--root", root, "status"]).ok().stdout.contains("Active:  Set A\n"));
    // The token of the boot program goes before it.
    fs::create_dir(image.dir.path().join("proc")).unwrap();
    fs::write(
        image.dir.path().join("proc/cmdline"),
        format!("signpost.boot=PARTUUID={}\n", partuuid(5).as_hyphenated().to_string().to_uppercase()),
    )
    .unwrap();
    assert!(signpost(&["--root", root, "status"]).ok().stdout.contains("Active:  Set B\n"));
    // And what it says of the running set is not said of another disk.
    let other = disks::factory();
    fs::write(image.dir.path().join("proc/cmdline"), "").unwrap();
    signpost(&["--root", root, "--disk", other.path.to_str().unwrap(), "status"]).refused("names a set");
}

#[test]
fn a_configuration_that_makes_no_sense_is_refused() {
    let image = disks::factory();
    fs::create_dir(image.dir.path().join("etc")).unwrap();
    fs::write(image.dir.path().join("etc/signpost.toml"), "disc = \"x\"\n").unwrap();
    image.run(&["status"]).refused("read the configuration");
}
