//! The partitions that firmware starts from: laid out, formatted, filled, and cut off by power cuts; judged by others'
//! tools where they are there.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

use fatfs::{FileSystem, FsOptions};
use host_io::{Access, Disk, FileDisk, Medium};
use signpost::esp::volume::{self, Replaced};

use crate::cli::{Ran, signpost};

const ESP: u64 = 64 << 20;
const LOADER: &str = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";

/// A file that firmware would take for a program, with `content` in it.
fn program(machine: u16, signed: bool, content: &str) -> Vec<u8> {
    let mut bytes = vec![0; 1024];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, b"MZ");
    put(0x3c, &0x80u32.to_le_bytes());
    put(0x80, b"PE\0\0");
    put(0x84, &machine.to_le_bytes());
    put(0x98, &0x20bu16.to_le_bytes());
    put(0x98 + 68, &10u16.to_le_bytes());
    put(0x98 + 108, &16u32.to_le_bytes());
    if signed {
        put(0x98 + 112 + 36, &8u32.to_le_bytes());
    }
    bytes.extend(content.as_bytes());
    bytes
}

/// A disk laid out for `bootpick`, in a directory that is a host as well.
struct Laid {
    dir: tempfile::TempDir,
    esps: Vec<(u64, String)>,
}

impl Laid {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("disk.img");
        let args = ["--disk", image.to_str().unwrap(), "create", "--size", "2G", "--for", "uefi", "--json"];
        let made: serde_json::Value = serde_json::from_str(&signpost(&args).ok().stdout).unwrap();
        let partitions = made["disk"]["partitions"].as_array().unwrap();
        let esps = partitions.iter().filter(|one| one["type"] == "efi");
        let esps = esps.map(|one| (one["start"].as_u64().unwrap(), one["guid"].as_str().unwrap().to_owned()));
        Self { esps: esps.collect(), dir }
    }

    fn image(&self) -> PathBuf {
        self.dir.path().join("disk.img")
    }

    fn variable(&self, name: &str, vendor: &str, attributes: u8, value: &[u8]) {
        let path = self.dir.path().join("sys/firmware/efi/efivars");
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join(format!("{name}-{vendor}")), [&[attributes, 0, 0, 0], value].concat())
            .unwrap();
    }

    /// The firmware of this host has started it from one of these partitions.
    fn started_from(&self, esp: usize) {
        let wide: Vec<u8> = self.esps[esp].1.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
        self.variable("LoaderDevicePartUUID", LOADER, 6, &wide);
    }

    fn value(&self, name: &str) -> Option<Vec<u8>> {
        let path = self.dir.path().join("sys/firmware/efi/efivars").join(format!("{name}-{GLOBAL}"));
        std::fs::read(path).ok().map(|bytes| bytes[4..].to_vec())
    }

    fn install(&self, program: &[u8]) -> Ran {
        let file = self.dir.path().join("program.efi");
        std::fs::write(&file, program).unwrap();
        let (root, image) = (self.dir.path().to_str().unwrap().to_owned(), self.image());
        let args = ["--root", &root, "--disk", image.to_str().unwrap(), "--active", "A"];
        signpost(&[&args[..], &["install-bootpick", "--json", file.to_str().unwrap()]].concat())
    }

    /// A file on a partition, as another implementation would look for it.
    fn on_esp(&self, esp: usize, path: &str) -> Option<Vec<u8>> {
        let disk = FileDisk::open(&self.image(), Access::Read).unwrap();
        let mut bytes = vec![0; usize::try_from(ESP).unwrap()];
        disk.read_at(self.esps[esp].0, &mut bytes).unwrap();
        let files = FileSystem::new(io::Cursor::new(bytes), FsOptions::new()).unwrap();
        let mut content = Vec::new();
        let mut file = files.root_dir().open_file(path).ok()?;
        io::Read::read_to_end(&mut file, &mut content).unwrap();
        Some(content)
    }
}

#[test]
fn a_disk_for_uefi_has_two_partitions_to_start_from_that_others_find_in_order() {
    let laid = Laid::new();
    assert_eq!(laid.esps.len(), 2);
    for (start, _) in &laid.esps {
        let mut image = std::fs::File::open(laid.image()).unwrap();
        let copy = laid.dir.path().join("esp.img");
        io::Seek::seek(&mut image, io::SeekFrom::Start(*start)).unwrap();
        io::copy(&mut io::Read::take(image, ESP), &mut std::fs::File::create(&copy).unwrap()).unwrap();
        let bytes = std::fs::read(&copy).unwrap();
        assert_eq!(&bytes[82..87], b"FAT32", "the mark of its kind");
        match Command::new("fsck.fat").arg("-n").arg(&copy).output() {
            Ok(judged) => assert!(judged.status.success(), "{judged:?}"),
            Err(_) => println!("fsck.fat is not here to judge it"),
        }
    }
}

#[test]
fn the_boot_program_is_put_on_both_partitions_in_both_places() {
    let laid = Laid::new();
    let first = program(0x8664, false, "one");
    let answer: serde_json::Value = serde_json::from_str(&laid.install(&first).ok().stdout).unwrap();
    assert_eq!(answer["entries"], serde_json::json!([]), "there is no firmware to tell");
    let second = program(0x8664, false, "two, and longer");
    laid.install(&second).ok();
    for esp in [0, 1] {
        for place in ["EFI/BOOT/BOOTX64.EFI", "EFI/signpost/BOOTX64.EFI"] {
            assert_eq!(laid.on_esp(esp, place).as_ref(), Some(&second), "{place}");
        }
        for leftover in ["EFI/BOOT/BOOTX64.NEW", "EFI/BOOT/BOOTX64.OLD"] {
            assert_eq!(laid.on_esp(esp, leftover), None, "{leftover}");
        }
    }
    let before = std::fs::read(laid.image()).unwrap();
    let again: serde_json::Value = serde_json::from_str(&laid.install(&second).ok().stdout).unwrap();
    assert_eq!(again["partitions"][0]["written"], false);
    assert!(std::fs::read(laid.image()).unwrap() == before, "not a byte is written again");
    laid.install(&program(0xaa64, false, "arm")).ok();
    assert!(laid.on_esp(1, "EFI/BOOT/BOOTAA64.EFI").is_some());
    assert_eq!(laid.on_esp(1, "EFI/BOOT/BOOTX64.EFI"), Some(second), "the other machine's stays");
}

#[test]
fn the_partition_that_this_boot_came_from_is_written_last() {
    let laid = Laid::new();
    laid.started_from(0);
    let answer: serde_json::Value =
        serde_json::from_str(&laid.install(&program(0x8664, false, "")).ok().stdout).unwrap();
    let order: Vec<_> = answer["partitions"].as_array().unwrap().iter().map(|one| &one["number"]).collect();
    assert_eq!(order, [2, 1]);
    assert_eq!(answer["partitions"][1]["started_from"], true);
}

#[test]
fn the_firmware_starts_both_before_anything_else_and_lost_entries_come_back() {
    let laid = Laid::new();
    laid.started_from(0);
    laid.variable("Boot0000", GLOBAL, 7, b"\x01\0\0\0\x04\0W\0\0\0\x7f\xff\x04\0");
    laid.variable("BootOrder", GLOBAL, 7, &[0, 0]);
    let file = program(0x8664, false, "");
    let answer: serde_json::Value = serde_json::from_str(&laid.install(&file).ok().stdout).unwrap();
    assert_eq!(answer["entries"], serde_json::json!(["Boot0001", "Boot0002"]));
    assert_eq!(laid.value("BootOrder").unwrap(), [1, 0, 2, 0, 0, 0]);
    let entry = laid.value("Boot0002").unwrap();
    let guid: uuid::Uuid = laid.esps[1].1.parse().unwrap();
    // Active, a partition by its identifier, and the file on it.
    assert_eq!(entry[..4], [1, 0, 0, 0]);
    let node = entry.windows(4).position(|window| window == [4, 1, 42, 0]).unwrap();
    assert_eq!(entry[node + 4..node + 8], 2u32.to_le_bytes());
    assert_eq!(entry[node + 8..node + 16], (laid.esps[1].0 / 512).to_le_bytes());
    assert_eq!(entry[node + 24..node + 40], guid.to_bytes_le());
    assert_eq!(entry[node + 40..node + 42], [2, 2]);
    let file_name: Vec<u8> =
        "\\EFI\\signpost\\BOOTX64.EFI".encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
    assert!(entry[node + 42..].windows(file_name.len()).any(|window| window == file_name));
    // The firmware forgets one and puts its own first.
    std::fs::remove_file(laid.dir.path().join(format!("sys/firmware/efi/efivars/Boot0001-{GLOBAL}")))
        .unwrap();
    laid.variable("BootOrder", GLOBAL, 7, &[0, 0, 2, 0]);
    laid.install(&file).ok();
    assert_eq!(laid.value("BootOrder").unwrap(), [1, 0, 2, 0, 0, 0]);
    assert_eq!(laid.value("Boot0002").unwrap(), entry, "what is right stays");
}

#[test]
fn under_secure_boot_only_a_signed_program_is_installed() {
    let laid = Laid::new();
    laid.started_from(1);
    laid.variable("SecureBoot", GLOBAL, 6, &[1]);
    laid.variable("SetupMode", GLOBAL, 6, &[0]);
    laid.install(&program(0x8664, false, "")).refused("Secure Boot is on, and it carries no signature");
    assert_eq!(laid.on_esp(0, "EFI/BOOT/BOOTX64.EFI"), None);
    laid.install(&program(0x8664, true, "")).ok();
    laid.variable("SetupMode", GLOBAL, 6, &[1]);
    laid.install(&program(0x8664, false, "")).ok();
}

#[test]
fn the_firmware_of_the_host_where_a_disk_image_is_made_is_not_told_of_it() {
    let (laid, other) = (Laid::new(), Laid::new());
    // This host has started from a disk of its own.
    let own: Vec<u8> = other.esps[0].1.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
    laid.variable("LoaderDevicePartUUID", LOADER, 6, &own);
    laid.variable("SecureBoot", GLOBAL, 6, &[1]);
    laid.variable("SetupMode", GLOBAL, 6, &[0]);
    laid.variable("BootOrder", GLOBAL, 7, &[9, 0]);
    let answer: serde_json::Value =
        serde_json::from_str(&laid.install(&program(0x8664, false, "")).ok().stdout).unwrap();
    assert_eq!(answer["entries"], serde_json::json!([]));
    assert_eq!(laid.value("BootOrder").unwrap(), [9, 0]);
    assert_eq!(laid.value("Boot0000"), None);
    assert!(laid.on_esp(1, "EFI/BOOT/BOOTX64.EFI").is_some());
}

#[test]
fn what_firmware_would_not_start_is_not_installed() {
    let laid = Laid::new();
    laid.install(b"no program").refused("it is no UEFI program");
    laid.install(&program(0x014c, false, "")).refused("0x014c");
    std::fs::write(laid.dir.path().join("layout.toml"), "").unwrap();
    let image = crate::disks::factory();
    let file = image.dir.path().join("program.efi");
    std::fs::write(&file, program(0x8664, false, "")).unwrap();
    image.run_as("A", &["install-bootpick", file.to_str().unwrap()]).refused("put the boot program on ");
}

/// A write with its place, or a sync.
type Op = Option<(u64, Vec<u8>)>;

/// A partition in memory that remembers every write and sync.
struct Recorded {
    bytes: Mutex<Vec<u8>>,
    log: Mutex<Vec<Op>>,
}

impl Disk for Recorded {
    fn len(&self) -> u64 {
        self.bytes.lock().unwrap().len() as u64
    }

    fn sector_size(&self) -> u32 {
        512
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let at = usize::try_from(offset).unwrap();
        buf.copy_from_slice(&self.bytes.lock().unwrap()[at..at + buf.len()]);
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let at = usize::try_from(offset).unwrap();
        self.bytes.lock().unwrap()[at..at + bytes.len()].copy_from_slice(bytes);
        self.log.lock().unwrap().push(Some((offset, bytes.to_vec())));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.log.lock().unwrap().push(None);
        Ok(())
    }

    fn read_back_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.read_at(offset, buf)
    }

    fn medium(&self) -> Medium {
        Medium::Device
    }
}

#[test]
fn a_power_cut_leaves_the_old_program_or_the_new_one_under_its_name() {
    let partition = Recorded { bytes: Mutex::new(vec![0; 4 << 20]), log: Mutex::default() };
    volume::format(&partition, "EFI-A", 7).unwrap();
    let (old, new) = (program(0x8664, false, "old"), program(0x8664, false, &"new".repeat(3000)));
    assert_eq!(volume::replace(&partition, &["EFI", "BOOT"], "BOOTX64", &old).unwrap(), Replaced::Written);
    let before = partition.bytes.lock().unwrap().clone();
    partition.log.lock().unwrap().clear();
    volume::replace(&partition, &["EFI", "BOOT"], "BOOTX64", &new).unwrap();
    let log = partition.log.lock().unwrap().clone();
    let (mut durable, mut pending, mut seen) = (before, BTreeMap::new(), [0, 0]);
    let mut look = |bytes: Vec<u8>| {
        let cut = Recorded { bytes: Mutex::new(bytes), log: Mutex::default() };
        let found = volume::read(&cut, &["EFI", "BOOT"], "BOOTX64.EFI").unwrap();
        let found = found.expect("something is under the name");
        assert!(found == old || found == new, "it is whole");
        seen[usize::from(found == new)] += 1;
    };
    for op in log {
        match op {
            Some((at, bytes)) => {
                pending.insert(at, bytes);
            }
            None => {
                // Each sector alone, all but one, and all of them: any may be what the cut has kept.
                let apply = |kept: &dyn Fn(u64) -> bool| {
                    let mut bytes = durable.clone();
                    for (at, written) in pending.iter().filter(|(at, _)| kept(**at)) {
                        let at = usize::try_from(*at).unwrap();
                        bytes[at..at + written.len()].copy_from_slice(written);
                    }
                    bytes
                };
                for one in pending.keys().copied().collect::<Vec<_>>() {
                    look(apply(&|at| at == one));
                    look(apply(&|at| at != one));
                }
                durable = apply(&|_| true);
                look(durable.clone());
                pending.clear();
            }
        }
    }
    assert!(seen[0] > 5 && seen[1] > 0, "{seen:?}");
}

#[test]
fn a_leftover_of_a_cut_does_not_stand_in_the_way() {
    let partition = Recorded { bytes: Mutex::new(vec![0; 4 << 20]), log: Mutex::default() };
    volume::format(&partition, "EFI-A", 7).unwrap();
    for content in ["a", "b", "a"] {
        volume::replace(&partition, &["EFI"], "LEFT", content.as_bytes()).unwrap();
    }
    assert_eq!(volume::read(&partition, &["EFI"], "LEFT.EFI").unwrap().unwrap(), b"a");
    assert_eq!(volume::replace(&partition, &["EFI"], "LEFT", b"a").unwrap(), Replaced::AlreadyThere);
    assert_eq!(volume::read(&partition, &["NOT"], "LEFT.EFI").unwrap(), None);
}
