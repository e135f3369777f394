//! Laying out disks, through the program: what comes out is judged by every other reader, and what must not be touched is
//! not.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::Value;
use signpost::BootBits;

use crate::cli::{Ran, signpost};
use crate::disks::{self, Image, MIB, PROVEN};
use crate::golden;

/// A small layout, the same at every run.
pub(crate) const SMALL: &str = r#"
[[partition]]
type = "efi"
label = "ESP"
size = "2 MiB"
guid = "00000000-0000-4000-8000-000000000001"
[[partition]]
type = "boot"
label = "BOOT-A"
size = "1 MiB"
guid = "00000000-0000-4000-8000-000000000002"
[[partition]]
type = "root"
label = "ROOT-A"
size = "4 MiB"
guid = "00000000-0000-4000-8000-000000000003"
[[partition]]
type = "hash"
label = "HASH-A"
size = "1 MiB"
guid = "00000000-0000-4000-8000-000000000004"
[[partition]]
type = "boot"
label = "BOOT-B"
size = "1 MiB"
guid = "00000000-0000-4000-8000-000000000005"
[[partition]]
type = "root"
label = "ROOT-B"
size = "4 MiB"
guid = "00000000-0000-4000-8000-000000000006"
[[partition]]
type = "hash"
label = "HASH-B"
size = "1 MiB"
guid = "00000000-0000-4000-8000-000000000007"
[[partition]]
type = "private"
size = "rest"
guid = "00000000-0000-4000-8000-000000000008"
[[partition]]
type = "0fc63daf-8483-4772-8e79-3d69d8477de4"
label = "somebody else's"
size = "1M"
guid = "00000000-0000-4000-8000-000000000009"
"#;

/// Runs `create` on an image with a layout.
pub(crate) fn create(image: &Image, layout: &str, args: &[&str]) -> Ran {
    let path = image.dir.path().join("layout.toml");
    std::fs::write(&path, layout).unwrap();
    image.run(&[&["create", "--layout", path.to_str().unwrap()], args].concat())
}

fn report(ran: Ran) -> Value {
    serde_json::from_str(&ran.ok().stdout).unwrap()
}

/// Number, label, type, first mebibyte and length of each partition, by gptman.
fn partitions(image: &Image) -> Vec<(u32, String, uuid::Uuid, u64, u64)> {
    let mib = |sectors: u64| sectors * image.sector_size / MIB;
    let gpt = image.gptman();
    let used = gpt.iter().filter(|(_, entry)| entry.is_used());
    used.map(|(number, entry)| {
        let kind = uuid::Uuid::from_bytes_le(entry.partition_type_guid);
        let name = entry.partition_name.as_str().to_owned();
        (number, name, kind, mib(entry.starting_lba), mib(entry.size().unwrap()))
    })
    .collect()
}

#[test]
fn the_standard_layout_is_the_documented_one_and_everybody_reads_it() {
    let image = disks::nothing();
    image.run(&["create", "--size", "3G"]).ok();
    assert_eq!(image.path.metadata().unwrap().len(), 3 << 30);
    image.judged_whole_by_others();
    let found: Vec<_> = partitions(&image)
        .into_iter()
        .map(|(number, name, _, start, len)| (number, name, start, len))
        .collect();
    let expected = [
        ("BIOS-BOOT", 1, 4),
        ("EFI-SYSTEM", 5, 5),
        ("BOTTLEROCKET-BOOT-A", 10, 40),
        ("BOTTLEROCKET-ROOT-A", 50, 920),
        ("BOTTLEROCKET-HASH-A", 970, 10),
        ("BOTTLEROCKET-RESERVED-A", 980, 25),
        ("EFI-BACKUP", 1005, 5),
        ("BOTTLEROCKET-BOOT-B", 1010, 40),
        ("BOTTLEROCKET-ROOT-B", 1050, 920),
        ("BOTTLEROCKET-HASH-B", 1970, 10),
        ("BOTTLEROCKET-RESERVED-B", 1980, 25),
        ("BOTTLEROCKET-PRIVATE", 2005, 41),
        ("", 2046, 1025),
    ];
    let expected: Vec<_> = (1u32..)
        .zip(expected)
        .map(|(number, (name, start, len))| (number, name.to_owned(), start, len))
        .collect();
    assert_eq!(found, expected);
    image.run(&["verify"]).ok();
    // Nothing boots before somebody says so.
    let status = image.run_as("A", &["status"]).ok();
    assert!(status.stdout.contains("Next:    None\n"), "{status:?}");
    assert!(image.gptman().iter().all(|(_, entry)| entry.attribute_bits == 0));
}

#[test]
fn a_factory_disk_boots_set_a_and_goes_through_an_update() {
    for sector_size in ["512", "4096"] {
        let mut image = disks::nothing();
        image.sector_size = sector_size.parse().unwrap();
        create(&image, SMALL, &["--size", "32M", "--sector-size", sector_size, "--factory"]).ok();
        image.judged_whole_by_others();
        assert_eq!((image.bits(2), image.bits(5)), (PROVEN, BootBits::CLEAR));
        let status = image.run_as("A", &["status"]).ok();
        assert!(status.stdout.contains("Next:    Set A\n") && status.stderr.is_empty(), "{status:?}");
        for command in ["clear-inactive", "mark-inactive-valid", "upgrade-to-inactive"] {
            image.run_as("A", &[command]).ok();
            image.judged_whole_by_others();
        }
        assert_eq!(image.bits(5), BootBits { priority: 2, tries: 1, successful: false });
        image.run_as("A", &["repair", "--relocate"]).ok();
        image.run(&["verify"]).ok();
    }
}

#[test]
fn the_resulting_table_is_shown_to_people_and_to_programs() {
    let image = disks::nothing();
    let disk = image.path.to_str().unwrap();
    let ran = create(&image, SMALL, &["--size", "20M", "--factory"]).ok();
    golden::assert("create.txt", &ran.stdout.replace(disk, "DISK"));
    assert!(ran.stderr.contains("set A counts as proven"), "{ran:?}");
    let ran = create(&image, SMALL, &["--force", "--json"]);
    let report = report(ran);
    assert_eq!(report["written"], true);
    assert_eq!(report["data_disk"], Value::Null);
    assert_eq!(report["disk"]["disk"], disk);
    assert_eq!((&report["disk"]["len"], &report["disk"]["sector_size"]), (&(20 * MIB).into(), &512.into()));
    assert_eq!(report["disk"]["partitions"].as_array().unwrap().len(), 9);
    assert_eq!(
        report["disk"]["partitions"][5],
        serde_json::json!({
            "number": 6,
            "type": "root",
            "type_guid": "5526016a-1a97-4ea4-b39a-b7c8c6ca4502",
            "guid": "00000000-0000-4000-8000-000000000006",
            "label": "ROOT-B",
            "start": 10 * MIB,
            "len": 4 * MIB,
            "set": "B",
            "bits": null,
        })
    );
    assert_eq!(
        report["disk"]["partitions"][1]["bits"],
        serde_json::json!({ "priority": 0, "tries_left": 0, "successful": false })
    );
    assert_eq!(report["disk"]["partitions"][7]["len"], 3 * MIB, "what the others leave");
    assert_eq!(report["notes"], serde_json::json!(["no set boots yet"]));
}

#[test]
fn identifiers_that_nobody_gave_are_made_up_anew() {
    let image = disks::nothing();
    let guids = |ran: Ran| -> Vec<String> {
        let report = report(ran);
        let rows = report["disk"]["partitions"].as_array().unwrap().clone();
        let own = [report["disk"]["guid"].clone()];
        own.iter()
            .chain(rows.iter().map(|row| &row["guid"]))
            .map(|guid| guid.as_str().unwrap().to_owned())
            .collect()
    };
    let first = guids(image.run(&["create", "--size", "1G", "--json", "--one-set", "--dry-run"]));
    let second = guids(image.run(&["create", "--size", "1G", "--json", "--one-set", "--dry-run"]));
    let all: std::collections::BTreeSet<&String> = first.iter().chain(&second).collect();
    assert_eq!(all.len(), first.len() + second.len());
    for guid in all {
        let guid: uuid::Uuid = guid.parse().unwrap();
        assert_eq!((guid.get_version_num(), guid.get_variant()), (4, uuid::Variant::RFC4122));
    }
}

#[test]
fn the_data_may_lie_on_a_second_disk() {
    let image = disks::nothing();
    let data = Image { path: image.dir.path().join("data.img"), ..disks::nothing() };
    let second = data.path.to_str().unwrap().to_owned();
    let args = ["create", "--size", "1G", "--data-disk", &second, "--data-size", "64M", "--json"];
    let report = report(image.run(&args));
    image.judged_whole_by_others();
    data.judged_whole_by_others();
    assert_eq!(report["data_disk"]["disk"], second.as_str());
    let kind = "626f7474-6c65-6474-6861-726d61726b73".parse().unwrap();
    assert_eq!(partitions(&data), [(1, String::new(), kind, 1, 62)]);
    // The system fills its disk: the last mebibyte is the table's.
    assert_eq!(partitions(&image).last().unwrap(), &(13, String::new(), kind, 1022, 1));
    image.run(&["verify"]).ok();
    data.run(&["status"]).refused("of 1 partitions 0 are boot");
}

#[test]
fn one_set_can_be_asked_for() {
    let image = disks::nothing();
    image.run(&["create", "--size", "1G", "--one-set", "--factory"]).ok();
    image.judged_whole_by_others();
    assert_eq!(partitions(&image)[3].4, 920);
    let status = image.run(&["status"]).ok();
    assert!(status.stdout.contains("Active:  Set A\nNext:    Set A\n") && !status.stdout.contains("Set B"));
    image.run(&["clear-inactive"]).refused("only one partition set");
}

#[test]
fn a_dry_run_says_the_same_and_touches_nothing() {
    let image = disks::nothing();
    let dry = create(&image, SMALL, &["--size", "20M", "--factory", "--dry-run"]).ok();
    assert!(!image.path.exists());
    assert!(dry.stderr.contains("nothing was written"), "{dry:?}");
    assert_eq!(report(create(&image, SMALL, &["--size", "20M", "--dry-run", "--json"]))["written"], false);
    let done = create(&image, SMALL, &["--size", "20M", "--factory"]).ok();
    assert_eq!(dry.stdout, done.stdout);
    let before = image.bytes();
    create(&image, SMALL, &["--force", "--dry-run"]).ok();
    create(&image, SMALL, &["--dry-run"]).refused("has a partition table already");
    assert!(image.bytes() == before);
}

/// Every way to lay the image out is refused with `said`, and nothing changes.
#[track_caller]
fn refused_unless_forced(image: &Image, said: &str) {
    let before = image.bytes();
    let ran = create(image, SMALL, &["--factory"]).refused(said);
    assert!(ran.stderr.contains("--force"), "{ran:?}");
    assert!(ran.stdout.is_empty(), "{ran:?}");
    assert!(image.bytes() == before, "a refusal writes nothing");
    create(image, SMALL, &["--factory", "--force"]).ok();
    image.judged_whole_by_others();
    image.run(&["verify"]).ok();
    assert_eq!(image.bits(2), PROVEN);
}

#[test]
fn a_disk_that_has_a_table_is_left_alone_unless_forced() {
    refused_unless_forced(
        &disks::image(512, vec![("all", disks::partuuid(1), 30, 0)]),
        "has a partition table",
    );
    // Whatever is left of one, and whatever its sectors are.
    let image = disks::empty(32);
    image.damage(|bytes| {
        let at = bytes.len() - 512;
        bytes[at..at + 8].copy_from_slice(b"EFI PART");
    });
    refused_unless_forced(&image, "has a partition table");
    let mut image = disks::image(4096, vec![("all", disks::partuuid(1), 30, 0)]);
    image.sector_size = 512;
    refused_unless_forced(&image, "has a partition table");
    let older = disks::empty(32);
    older.damage(|bytes| {
        bytes[446 + 4] = 0x83;
        bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
    });
    refused_unless_forced(&older, "has a partition table");
}

#[test]
fn a_disk_that_holds_anything_else_is_left_alone_unless_forced() {
    // ext4's mark, btrfs', that of a RAID member at the end, and a FAT's first sector.
    for (at, mark) in [(1080, &b"\x53\xef"[..]), (65600, b"_BHRfS_M"), (32 * MIB - 8192, b"\xfc\x4e\x2b\xa9")]
    {
        let image = disks::empty(32);
        image.damage(|bytes| {
            let at = usize::try_from(at).unwrap();
            bytes[at..at + mark.len()].copy_from_slice(mark);
        });
        refused_unless_forced(&image, &format!("there is something at byte {at}"));
        // What was there cannot be mistaken for something again.
        assert_ne!(&image.bytes()[usize::try_from(at).unwrap()..][..mark.len()], mark);
    }
    let fat = disks::empty(32);
    fat.damage(|bytes| {
        bytes[..3].copy_from_slice(b"\xeb\x3c\x90");
        bytes[446..510].fill(0xcd);
        bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
    });
    refused_unless_forced(&fat, "there is something at byte 0");
}

#[test]
fn what_lies_inside_of_partitions_is_not_touched() {
    let image = disks::empty(32);
    let mut file = File::options().write(true).open(&image.path).unwrap();
    file.seek(SeekFrom::Start(MIB)).unwrap();
    file.write_all(&vec![0xa5; usize::try_from(30 * MIB).unwrap()]).unwrap();
    create(&image, SMALL, &[]).ok();
    let bytes = image.bytes();
    let (start, end) = (usize::try_from(MIB).unwrap(), usize::try_from(31 * MIB).unwrap());
    assert!(bytes[start..end].iter().all(|&byte| byte == 0xa5));
}

#[test]
fn an_image_file_is_made_only_when_asked_for_and_never_over_something() {
    let image = disks::nothing();
    let ran = image.run(&["create"]).refused("there is no such disk or file");
    assert!(ran.stderr.contains("give --size"), "{ran:?}");
    assert!(!image.path.exists());
    std::fs::write(&image.path, "a letter").unwrap();
    for force in [&["create", "--size", "2G"][..], &["create", "--size", "2G", "--force"]] {
        image.run(force).refused("it exists already");
    }
    assert_eq!(std::fs::read_to_string(&image.path).unwrap(), "a letter");
    // A link that leads nowhere is something, too.
    let link = Image { path: image.dir.path().join("link"), ..disks::nothing() };
    symlink(image.dir.path().join("elsewhere"), &link.path).unwrap();
    link.run(&["create", "--size", "2G"]).refused("it exists already");
    link.run(&["create"]).refused("open ");
    assert!(!image.dir.path().join("elsewhere").exists());
}

#[test]
fn a_mistyped_device_does_not_become_a_file() {
    let name = "/dev/no-such-disk-of-signpost";
    signpost(&["--disk", name, "create", "--size", "2G"]).refused("among the device nodes");
    signpost(&["--disk", name, "create"]).refused("no such disk");
    signpost(&["--disk", "/dev/null", "create", "--force"])
        .refused("neither a block device nor an image file");
    assert!(!Path::new(name).exists());
}

#[test]
fn a_disk_must_be_named_for_it() {
    // Not even the configured disk is taken.
    let image = disks::empty(32);
    std::fs::create_dir(image.dir.path().join("etc")).unwrap();
    std::fs::write(image.dir.path().join("etc/signpost.toml"), format!("disk = {:?}\n", image.path)).unwrap();
    let root = image.dir.path().to_str().unwrap();
    signpost(&["--root", root, "create", "--force"]).refused("lay out a disk: none is named");
    assert!(image.bytes().iter().all(|&byte| byte == 0));
}

#[test]
fn a_layout_that_does_not_fit_leaves_nothing_behind() {
    let image = disks::nothing();
    create(&image, SMALL, &["--size", "17M"]).refused("need 18 MiB with the table, and it has 17 MiB");
    image.run(&["create", "--size", "2G", "--os-size", "3"]).refused("need 3072 MiB with the table");
    image.run(&["create", "--size", "1023M"]).refused("need 1024 MiB");
    image.run(&["create", "--size", "1M", "--force"]).refused("has 1 MiB");
    assert!(!image.path.exists());
    let image = disks::empty(1);
    create(&image, SMALL, &[]).refused("need 2 MiB");
    create(&disks::empty(0), SMALL, &["--force"]).refused("has 0 MiB");
    // To the mebibyte.
    let image = disks::nothing();
    create(&image, SMALL, &["--size", "18M"]).ok();
    image.judged_whole_by_others();
}

#[test]
fn a_layout_that_makes_no_sets_or_no_sense_is_refused() {
    let image = disks::nothing();
    let without = |kind: &str| SMALL.replacen(&format!("type = \"{kind}\""), "type = \"reserved\"", 1);
    for (layout, said) in [
        (without("private"), "0 private"),
        (without("hash"), "2 are boot, 2 root, 1 hash"),
        (format!("{SMALL}{}", "[[partition]]\ntype = \"private\"\nsize = \"1M\"\n"), "both private"),
        (
            SMALL.replace("size = \"2 MiB\"", "size = \"rest\""),
            "two partitions of one disk are to take the rest",
        ),
        (SMALL.replace("00000009", "00000008"), "two partitions are to have the identifier"),
        (SMALL.replace("2 MiB", "2 MB"), "line 5: \"2 MB\" is no size"),
        ("partitions = []".to_owned(), "unknown field `partitions`"),
        (format!("{SMALL}[[data-partition]]\ntype = \"data\"\nsize = \"rest\"\n"), "no data disk"),
    ] {
        let said =
            if said == "no data disk" { "partitions for a data disk, and none is named" } else { said };
        create(&image, &layout, &["--size", "64M"]).refused(said);
        assert!(!image.path.exists());
    }
    image
        .run(&["create", "--size", "2G", "--layout", "/nowhere.toml"])
        .refused("read the layout /nowhere.toml");
    assert_eq!(image.run(&["create", "--size", "2"]).code, 1);
    assert_eq!(image.run(&["create", "--size", "2G", "--os-size", "0"]).code, 1);
    assert_eq!(image.run(&["create", "--size", "2G", "--data-size", "1G"]).code, 1);
    image.run(&["create", "--size", "2G", "--sector-size", "1000"]).refused("no sectors of 1000 bytes");
    assert!(!image.path.exists());
}

#[test]
fn a_third_boot_partition_of_a_new_disk_never_boots() {
    let image = disks::nothing();
    let third = "[[partition]]\ntype = \"boot\"\nsize = \"1M\"\n";
    create(&image, &format!("{SMALL}{third}"), &["--size", "32M", "--factory"]).ok();
    let status = image.run_as("A", &["status"]).ok();
    assert!(status.stderr.contains("partition 10 is a third boot partition"), "{status:?}");
}

#[test]
fn the_second_disk_is_another_one_and_is_wanted() {
    let image = disks::empty(64);
    let path = image.path.to_str().unwrap();
    create(&image, SMALL, &["--data-disk", path]).refused("it is the data disk as well");
    let link = image.dir.path().join("link");
    symlink(&image.path, &link).unwrap();
    create(&image, SMALL, &["--data-disk", link.to_str().unwrap()]).refused("it is the data disk as well");
    let other = disks::empty(64);
    let other_path = other.path.to_str().unwrap();
    create(&image, SMALL, &["--data-disk", other_path]).refused("the layout has no partition for it");
    // What is on the second disk protects both.
    other.damage(|bytes| bytes[0] = 1);
    let data = "[[data-partition]]\ntype = \"data\"\nsize = \"rest\"\n";
    create(&image, &format!("{SMALL}{data}"), &["--data-disk", other_path])
        .refused(&format!("lay out {other_path}: it is not empty"));
    assert!(image.bytes().iter().all(|&byte| byte == 0));
}

#[test]
fn a_disk_that_somebody_works_on_is_waited_for_and_then_named() {
    let image = disks::empty(32);
    let _other = host_io::DiskLock::acquire(&image.path).unwrap();
    create(&image, SMALL, &[]).refused(&format!("held by process {}", std::process::id()));
    let mut first = [0; 4096];
    File::open(&image.path).unwrap().read_exact(&mut first).unwrap();
    assert_eq!(first, [0; 4096]);
}
