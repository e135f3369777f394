//! Who says which set runs where no device does: the kernel's command line, firmware variables, a person, a file.

use std::fs;

use signpost::handover::{self, Handover};
use signpost::start::Why;

use crate::disks::{self, PROVEN, partuuid};
use crate::fake_host::FakeHost;

/// The ROOT partitions of a factory disk.
const ROOT_A: u32 = 3;
const ROOT_B: u32 = 6;

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
    // Where it names a partition of no set, or none at all, another may speak.
    for root in [partuuid(99).to_string(), "8d2f-01".to_owned()] {
        host.write("proc/cmdline", &format!("root=PARTUUID={root} signpost.boot=PARTUUID={}\n", partuuid(5)));
        assert!(host.run(&["status"]).ok().stdout.contains("Active:  Set B\n"), "{root}");
    }
}

#[test]
fn two_tokens_that_name_different_sets_are_refused() {
    let host = FakeHost::new();
    host.disk("vda", 700, &disks::two_sets(512, PROVEN, PROVEN));
    host.write(
        "proc/cmdline",
        &format!("root=PARTUUID={} signpost.boot=PARTUUID={}\n", partuuid(ROOT_A.into()), partuuid(5)),
    );
    host.run(&["clear-inactive"]).refused(
        "signpost.boot= on the kernel command line says set B, but root= on the kernel command line says set A",
    );
}

/// Leaves a firmware variable as Linux shows it.
fn variable(host: &FakeHost, name: &str, vendor: &str, attributes: u8, content: &[u8]) {
    host.write(&format!("sys/firmware/efi/efivars/{name}-{vendor}"), "");
    let path = host.at(&format!("sys/firmware/efi/efivars/{name}-{vendor}"));
    fs::write(path, [&[attributes, 0, 0, 0], content].concat()).unwrap();
}

/// What the boot program leaves when it has started from a partition.
fn left_by_bootpick(host: &FakeHost, attributes: u8, boot: u128) {
    let left = Handover { boot: partuuid(boot), why: Why::Priority, detail: String::new() };
    variable(host, handover::NAME, &handover::VENDOR.to_string(), attributes, left.to_text().as_bytes());
}

fn left_by_the_stub(host: &FakeHost, attributes: u8, partition: u128) {
    let text = partuuid(partition).to_string().to_uppercase();
    let wide: Vec<u8> = text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
    variable(host, "StubDevicePartUUID", "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f", attributes, &wide);
}

#[test]
fn a_firmware_variable_names_disk_and_set_of_a_boot_that_has_no_token() {
    for stub in [false, true] {
        let host = FakeHost::new();
        host.disk("vda", 700, &disks::factory());
        if stub {
            left_by_the_stub(&host, 6, 5);
        } else {
            left_by_bootpick(&host, 6, 5);
        }
        let ran = host.run(&["status"]).ok();
        assert!(ran.stdout.contains("Active:  Set B\n"), "{ran:?}");
        let report: serde_json::Value =
            serde_json::from_str(&host.run(&["status", "--json"]).ok().stdout).unwrap();
        let said = if stub { "the kernel image's" } else { "the boot program's" };
        assert_eq!(report["active_reason"], format!("{said} firmware variable"));
        host.run(&["mark-successful-boot"]).ok();
    }
}

#[test]
fn a_firmware_variable_counts_as_much_as_any_other_witness() {
    let host = FakeHost::new();
    host.disk("vda", 700, &disks::factory());
    left_by_bootpick(&host, 6, 5);
    host.write("proc/cmdline", &format!("signpost.boot=PARTUUID={}\n", partuuid(2)));
    host.run(&["mark-successful-boot"]).refused(
        "signpost.boot= on the kernel command line says set A, but the boot program's firmware variable says set B",
    );
    host.write("proc/cmdline", "quiet\n");
    host.root_is(&format!("vda/vda{ROOT_A}"));
    host.run(&["clear-inactive"])
        .refused("the boot program's firmware variable says set B, but / is on set A");
    left_by_bootpick(&host, 6, 2);
    host.run(&["status"]).ok();
    left_by_the_stub(&host, 6, 5);
    host.run(&["clear-inactive"]).refused("firmware variable says set A, but the kernel image's");
    // An image on the boot programs' own partition says nothing of a set.
    left_by_the_stub(&host, 6, 1);
    host.run(&["status"]).ok();
}

#[test]
fn a_firmware_variable_that_outlives_a_reset_is_refused() {
    let host = FakeHost::new();
    host.disk("vda", 700, &disks::factory());
    host.root_is(&format!("vda/vda{ROOT_A}"));
    left_by_bootpick(&host, 7, 2);
    host.run(&["clear-inactive"]).refused("the firmware variable SignpostBoot: its attributes are 0x7");
    left_by_bootpick(&host, 6, 2);
    left_by_the_stub(&host, 7, 2);
    host.run(&["clear-inactive"]).refused("the firmware variable StubDevicePartUUID: its attributes are 0x7");
    left_by_the_stub(&host, 6, 2);
    host.run(&["clear-inactive"]).ok();
    left_by_bootpick(&host, 6, 99);
    host.run(&["clear-inactive"]).refused("which belongs to no set of this disk");
}

#[test]
fn what_a_person_or_a_file_claims_is_refused_where_the_kernel_knows_otherwise() {
    let host = FakeHost::new();
    host.disk("vda", 700, &disks::two_sets(512, PROVEN, PROVEN));
    let (boot, root) = (format!("signpost.boot=PARTUUID={}\n", partuuid(5)), ROOT_B.into());
    let root = format!("root=PARTUUID={}\n", partuuid(root));
    for command_line in [boot, root] {
        host.write("proc/cmdline", &command_line);
        // As after a flip: the file was right before it.
        host.write("etc/signpost.toml", "active = \"A\"\n");
        let ran = host.run(&["clear-inactive"]).refused("the configuration says set A, but ");
        assert!(ran.stderr.contains("take \"active\" out of /etc/signpost.toml"), "{ran:?}");
        host.write("etc/signpost.toml", "active = \"B\"\n");
        host.run(&["status"]).ok();
        host.write("etc/signpost.toml", "");
        let ran = host.run(&["--active", "A", "clear-inactive"]).refused("--active says set A, but ");
        assert!(ran.stderr.contains("leave --active out"), "{ran:?}");
    }
}
