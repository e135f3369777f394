//! Finding the disk and the running set from the kernel's devices.

use std::fs;
use std::os::unix::fs::symlink;

use signpost::bits::BootBits;

use crate::cli::signpost;
use crate::disks::{self, PROVEN, partuuid};
use crate::fake_host::FakeHost;

/// The partitions of a factory disk: boot, root, hash of both sets.
const ROOT_A: u32 = 3;
const HASH_A: u32 = 4;
const ROOT_B: u32 = 6;
const HASH_B: u32 = 7;

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
fn a_root_that_is_a_plain_partition_is_found() {
    let host = FakeHost::new();
    host.disk("vda", 700, &disks::factory());
    host.root_is(&format!("vda/vda{ROOT_B}"));
    let ran = host.run(&["status"]).ok();
    assert!(ran.stdout.contains("Active:  Set B\n"), "{ran:?}");
}

#[test]
fn an_encrypted_root_is_found_through_its_mapping() {
    let host = FakeHost::new();
    host.disk("nvme0n1", 700, &disks::factory());
    host.mapped("dm-0", "702:0", &[&format!("nvme0n1/nvme0n1p{ROOT_A}")]);
    host.write("sys/devices/dm-0/dm/uuid", "CRYPT-LUKS2-61ae01fc2e5f4a2c9d7a-root\n");
    // A logical volume inside of it.
    host.mapped("dm-1", &host.root_number(), &["dm-0"]);
    host.write("sys/devices/dm-1/dm/uuid", "LVM-part3-looks-like-a-partition\n");
    let ran = host.run(&["status"]).ok();
    assert!(ran.stdout.contains("Active:  Set A\n"), "{ran:?}");
    let node = host.at(&format!("dev/nvme0n1p{ROOT_A}"));
    assert!(ran.stdout.contains(&format!("root={} ", node.display())), "{ran:?}");
}

#[test]
fn a_multipath_disk_is_one_disk_and_its_partitions_are_mappings() {
    let host = FakeHost::new();
    host.multipath(&disks::factory());
    host.mapped("dm-20", &host.root_number(), &[&format!("dm-{ROOT_B}"), &format!("dm-{HASH_B}")]);
    // Both paths show the same table, which makes nothing ambiguous.
    host.write("proc/cmdline", &format!("signpost.boot=PARTUUID={}\n", partuuid(5)));
    let dev = host.at("dev");
    let dev = dev.display();
    assert_eq!(
        host.run(&["status"]).ok().stdout,
        format!(
            "OS disk: {dev}/dm-0\n\
             Set A:   boot={dev}/dm-2 root={dev}/dm-3 hash={dev}/dm-4 priority=1 tries_left=0 successful=true\n\
             Set B:   boot={dev}/dm-5 root={dev}/dm-6 hash={dev}/dm-7 priority=0 tries_left=0 successful=false\n\
             Active:  Set B\n\
             Next:    Set A\n"
        )
    );
    host.run(&["mark-successful-boot"]).ok();
    assert!(host.run(&["status"]).ok().stdout.contains("tries_left=0 successful=true\nActive:  Set B"));
    host.run(&["verify"]).ok();
    host.write("sys/devices/dm-6/size", "4095\n");
    host.run(&["verify"])
        .refused("partition 6 is at byte 7340032, 2097152 bytes long, but for the kernel 2096640");
}

#[test]
fn the_members_of_a_mirror_are_not_disks_of_their_own() {
    let host = FakeHost::new();
    let image = disks::factory();
    host.disk("sda", 710, &image);
    host.disk("sdb", 711, &image);
    host.disk("md127", 713, &image);
    for member in ["sda", "sdb"] {
        let holders = host.at(&format!("sys/devices/{member}/holders"));
        fs::create_dir_all(&holders).unwrap();
        symlink(host.at("sys/devices/md127"), holders.join("md127")).unwrap();
    }
    host.root_is(&format!("md127/md127p{ROOT_A}"));
    let ran = host.run(&["status"]).ok();
    assert!(ran.stdout.starts_with(&format!("OS disk: {}\n", host.at("dev/md127").display())), "{ran:?}");
}

#[test]
fn the_kernels_partitions_are_compared_with_the_table() {
    let host = FakeHost::new();
    host.disk("vda", 700, &disks::factory());
    host.root_is(&format!("vda/vda{ROOT_A}"));
    let ran = host.run(&["verify"]).ok();
    assert!(ran.stdout.ends_with("kernel:         has the same partitions\n"), "{ran:?}");
    host.write(&format!("sys/devices/vda/vda{ROOT_B}/start"), "14335\n");
    let ran = host.run(&["verify"]).refused(
        "partition 6 is at byte 7340032, 2097152 bytes long, but for the kernel at byte 7339520, 2097152 bytes long",
    );
    assert!(ran.stdout.contains("kernel:         has other partitions\n"), "{ran:?}");
    fs::remove_file(host.at(&format!("sys/devices/vda/vda{HASH_B}/partition"))).unwrap();
    host.run(&["verify"]).refused("the kernel has no partition 7");
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
fn devices_that_the_kernel_hides_or_describes_oddly_are_passed_over() {
    type Attach = fn(&FakeHost);
    let odd: [(&str, Attach); 7] = [
        ("a hidden path of an NVMe disk", |host| {
            host.write("sys/devices/nvme/nvme1c1n1/hidden", "1\n");
            host.write("sys/devices/nvme/nvme1c1n1/size", "131072\n");
            host.link("sys/block/nvme1c1n1", "../devices/nvme/nvme1c1n1");
        }),
        ("a hidden path with a number and partitions", |host| {
            host.disk("nvme0c0n1", 720, &disks::factory());
            host.write("sys/devices/nvme0c0n1/hidden", "1\n");
        }),
        ("no device number", |host| {
            host.write("sys/devices/odd/size", "0\n");
            host.link("sys/block/odd", "../devices/odd");
        }),
        ("a device that is gone", |host| host.link("sys/block/sdz", "../devices/sdz")),
        ("a file", |host| host.write("sys/block/readme", "")),
        ("a number that is none", |host| {
            host.write("sys/devices/zz/dev", "none\n");
            host.link("sys/block/zz", "../devices/zz");
        }),
        ("a partition without a size", |host| {
            host.disk("sdy", 721, &disks::factory());
            std::fs::remove_file(host.at("sys/devices/sdy/sdy1/size")).unwrap();
        }),
    ];
    for (what, attach) in odd {
        let host = FakeHost::new();
        host.disk("nvme0n1", 700, &disks::factory());
        host.mapped("dm-0", &host.root_number(), &[&format!("nvme0n1/nvme0n1p{ROOT_A}")]);
        // A hidden path is also among what holds the disk, and what the root stands on.
        host.link("sys/devices/nvme0n1/holders/nvme0c0n1", "../../nvme0c0n1");
        host.link("sys/devices/dm-0/slaves/nvme0c0n1", "../../nvme0c0n1");
        attach(&host);
        assert!(host.run(&["status"]).ok().stdout.contains("Active:  Set A\n"), "{what}");
        host.run(&["mark-successful-boot"]).ok();
    }
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
fn a_clone_is_refused_also_when_nothing_but_the_root_speaks() {
    let host = FakeHost::new();
    let image = disks::factory();
    host.disk("vda", 700, &image);
    host.root_is(&format!("vda/vda{ROOT_A}"));
    host.run(&["status"]).ok();
    // The firmware may have started the boot program's set from either.
    host.disk("vdb", 701, &image);
    let ran =
        host.run(&["mark-successful-boot"]).refused(&format!("partition {} is on several", partuuid(2)));
    for name in ["dev/vda", "dev/vdb"] {
        assert!(ran.stderr.contains(host.at(name).to_str().unwrap()), "{ran:?}");
    }
}

#[test]
fn a_root_token_that_two_disks_answer_to_is_refused_with_both_named() {
    let host = FakeHost::new();
    let image = disks::factory();
    host.disk("vda", 700, &image);
    host.disk("vdb", 701, &image);
    host.write("proc/cmdline", &format!("root=PARTUUID={}\n", partuuid(ROOT_B.into())));
    let ran = host.run(&["status"]).refused("is on several");
    assert!(ran.stderr.contains("dev/vda and"), "{ran:?}");
}

#[test]
fn a_token_on_another_disk_than_the_root_is_refused_with_both_named() {
    let host = FakeHost::new();
    // The same layout with identifiers of its own.
    let other = disks::factory();
    let mut gpt = other.gptman();
    for (number, entry) in gpt.iter_mut().filter(|(_, entry)| entry.is_used()) {
        entry.unique_partition_guid = partuuid(u128::from(number) + 100).to_bytes_le();
    }
    gpt.write_into(&mut fs::File::options().read(true).write(true).open(&other.path).unwrap()).unwrap();
    host.disk("vda", 700, &disks::factory());
    host.disk("vdb", 701, &other);
    host.root_is(&format!("vda/vda{ROOT_A}"));
    host.write("proc/cmdline", &format!("signpost.boot=PARTUUID={}\n", partuuid(105)));
    let ran = host.run(&["status"]).refused("says that the system was started from");
    for name in ["dev/vda", "dev/vdb"] {
        assert!(ran.stderr.contains(host.at(name).to_str().unwrap()), "{ran:?}");
    }
    host.write("proc/cmdline", &format!("signpost.boot=PARTUUID={}\n", partuuid(2)));
    host.run(&["status"]).ok();
}

#[test]
fn a_root_over_two_disks_without_sets_says_so() {
    let host = FakeHost::new();
    let linux = uuid::Uuid::from_u128(0x0fc63daf_8483_4772_8e79_3d69d8477de4);
    host.disk("vda", 700, &disks::image(512, vec![("one", linux, 2, 0)]));
    host.disk("vdb", 701, &disks::image(512, vec![("two", linux, 2, 0)]));
    host.mapped("dm-0", &host.root_number(), &["vda/vda1", "vdb/vdb1"]);
    let ran = host.run(&["status"]).refused("none of them carries partition sets");
    assert!(ran.stderr.contains("dev/vda and"), "{ran:?}");
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
    // The token of the boot program must not say otherwise.
    fs::create_dir(image.dir.path().join("proc")).unwrap();
    fs::write(
        image.dir.path().join("proc/cmdline"),
        format!("signpost.boot=PARTUUID={}\n", partuuid(5).as_hyphenated().to_string().to_uppercase()),
    )
    .unwrap();
    signpost(&["--root", root, "status"]).refused("the configuration says set A, but signpost.boot=");
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

#[test]
fn an_initramfs_learns_the_partitions_of_the_set_that_was_chosen() {
    let host = FakeHost::new();
    host.disk("vda", 700, &disks::factory());
    // Nothing is mounted yet: only the boot program's word says which set it is.
    host.write("proc/cmdline", &format!("gpt signpost.boot=PARTUUID={}\n", partuuid(5)));
    let vda = host.at("dev/vda");
    let vda = vda.display();
    assert_eq!(
        host.run(&["running"]).ok().stdout,
        format!(
            "SET=B\nPROVEN=no\nDISK='{vda}'\nBOOT='{vda}5'\nROOT='{vda}6'\nHASH='{vda}7'\nPRIVATE='{vda}8'\nDATA='{vda}9'\n"
        )
    );
    host.write("proc/cmdline", "gpt\n");
    host.run(&["running"]).refused("the kernel command line names none that is here");
}
