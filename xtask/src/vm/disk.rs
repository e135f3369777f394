//! The VM's disk: made by `signpost create`, filled as a factory would, and judged by tools that are not ours.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use testdata::{DiskImage, Images, Set};

use super::image::UNIFIED;
use crate::bench::tools::{command, said};

/// What the disk is divided into.
const LAYOUT: [(&str, &str, u32); 11] = [
    ("efi", "EFI-A", 64),
    ("boot", "BOTTLEROCKET-BOOT-A", 40),
    ("root", "BOTTLEROCKET-ROOT-A", 160),
    ("hash", "BOTTLEROCKET-HASH-A", 4),
    ("efi", "EFI-B", 64),
    ("boot", "BOTTLEROCKET-BOOT-B", 40),
    ("root", "BOTTLEROCKET-ROOT-B", 160),
    ("hash", "BOTTLEROCKET-HASH-B", 4),
    ("reserved", "BOTTLEROCKET-RESERVED-B", 1),
    ("private", "BOTTLEROCKET-PRIVATE", 1),
    ("data", "BOTTLEROCKET-DATA", 192),
];
/// The disk's size: all of that and both copies of the table.
const SIZE: &str = "732M";
/// The label of the persistent partition.
pub(super) const DATA: &str = "BOTTLEROCKET-DATA";

/// Where the boot program lies: where firmware looks by itself, and where its entries lead.
const BOOT_PROGRAM: [&str; 2] = ["::EFI/BOOT/BOOTX64.EFI", "::EFI/signpost/BOOTX64.EFI"];

/// The labels of the two EFI system partitions, the one that firmware looks at first.
pub(super) const ESPS: [&str; 2] = ["EFI-A", "EFI-B"];

/// Makes a disk at `path` with a release in set A, which counts as proven, an empty persistent partition, and the boot
/// program on both EFI system partitions.
pub(super) fn factory(
    path: &Path,
    images: &Images,
    bootpick: Option<&Path>,
) -> Result<DiskImage, Box<dyn Error>> {
    let layout = path.with_extension("layout");
    let text: String = LAYOUT
        .iter()
        .map(|(kind, label, mib)| {
            format!("[[partition]]\ntype = \"{kind}\"\nlabel = \"{label}\"\nsize = \"{mib} MiB\"\n\n")
        })
        .collect();
    fs::write(&layout, text)?;
    let _ = fs::remove_file(path);
    let mut create = command(&testdata::program("signpost").to_string_lossy());
    said(
        create.arg("--disk").arg(path).args(["create", "--size", SIZE, "--factory", "--layout"]).arg(&layout),
    )?;
    let disk = DiskImage::at(path);
    disk.install(Set::A, images)?;
    if let Some(bootpick) = bootpick {
        for label in ESPS {
            esp(&disk, label, bootpick, path)?;
        }
    }
    let data = disk.partition(DATA);
    said(
        command("mkfs.ext4")
            .args(["-q", "-F", "-L", "data", "-E", &format!("offset={}", data.start)])
            .arg(path)
            .arg(format!("{}k", data.len / 1024)),
    )?;
    Ok(disk)
}

/// An EFI system partition with the boot program where firmware looks for it by itself.
fn esp(disk: &DiskImage, label: &str, bootpick: &Path, beside: &Path) -> Result<(), Box<dyn Error>> {
    let file = beside.with_extension("esp");
    fs::File::create(&file)?.set_len(disk.partition(label).len)?;
    said(command("mkfs.fat").args(["-F", "32", "-n", "ESP"]).arg(&file))?;
    said(command("mmd").arg("-i").arg(&file).args(["::EFI", "::EFI/BOOT", "::EFI/signpost"]))?;
    for to in BOOT_PROGRAM {
        said(command("mcopy").arg("-i").arg(&file).arg(bootpick).arg(to))?;
    }
    put_back(disk, label, &file)?;
    Ok(())
}

/// Puts systemd's boot program onto an EFI system partition, with what set A holds as its one entry, so that it starts
/// the very same system.
pub(super) fn systemd_boot(disk: &DiskImage, dir: &Path) -> Result<(), Box<dyn Error>> {
    const PROGRAM: &str = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi";
    let boot = extract(disk, &Set::A.label("BOOT"), dir)?;
    let guid = disk.partition(&Set::A.label("BOOT")).guid;
    let files = dir.join("systemd-boot");
    fs::create_dir_all(&files)?;
    said(
        command("mcopy")
            .arg("-n")
            .arg("-i")
            .arg(&boot)
            .args(["::vmlinuz", "::initrd", "::cmdline"])
            .arg(&files),
    )?;
    fs::remove_file(boot)?;
    let line = fs::read_to_string(files.join("cmdline"))?;
    let entry = format!(
        "title A\nlinux /vmlinuz\ninitrd /initrd\noptions {} signpost.boot=PARTUUID={guid}\n",
        line.trim()
    );
    fs::write(files.join("a.conf"), entry)?;
    fs::write(files.join("loader.conf"), "timeout 0\n")?;
    let esp = extract(disk, ESPS[0], dir)?;
    said(command("mmd").arg("-i").arg(&esp).args(["::loader", "::loader/entries"]))?;
    said(command("mcopy").arg("-o").arg("-i").arg(&esp).args([PROGRAM, BOOT_PROGRAM[0]]))?;
    for (file, to) in
        [("vmlinuz", "::"), ("initrd", "::"), ("loader.conf", "::loader/"), ("a.conf", "::loader/entries/")]
    {
        said(command("mcopy").arg("-i").arg(&esp).arg(files.join(file)).arg(to))?;
    }
    put_back(disk, ESPS[0], &esp)?;
    Ok(())
}

/// Puts the boot program for 64-bit Arm beside the other one, and a program for it into set B, in the place of a kernel.
pub(super) fn arm(
    disk: &DiskImage,
    bootpick: &Path,
    kernel: &[u8],
    dir: &Path,
) -> Result<(), Box<dyn Error>> {
    for label in ESPS {
        let esp = extract(disk, label, dir)?;
        said(command("mcopy").arg("-i").arg(&esp).arg(bootpick).arg("::EFI/BOOT/BOOTAA64.EFI"))?;
        put_back(disk, label, &esp)?;
    }
    let label = Set::B.label("BOOT");
    let boot = extract(disk, &label, dir)?;
    said(command("mkfs.fat").args(["-n", "BOOT"]).arg(&boot))?;
    for (name, bytes) in [("vmlinuz", kernel), ("initrd", b"nothing"), ("cmdline", b"quiet\n")] {
        let file = dir.join(name);
        fs::write(&file, bytes)?;
        said(command("mcopy").arg("-i").arg(&boot).arg(&file).arg("::"))?;
        fs::remove_file(file)?;
    }
    put_back(disk, &label, &boot)?;
    Ok(())
}

/// What independent tools say of a disk: its table by `sgdisk`, and each set that would boot by `veritysetup`, held
/// against the root hash that its BOOT names. The first thing that is wrong is the error. A set that was made to rot must
/// be found so by the same tool.
pub(super) fn judge(disk: &DiskImage, rotten: Option<Set>, dir: &Path) -> Result<(), String> {
    let words = said(command("sgdisk").arg("-v").arg(disk.path())).map_err(|error| error.to_string())?;
    if !words.contains("No problems found") {
        return Err(format!("sgdisk does not like the table: {}", words.trim()));
    }
    for set in [Set::A, Set::B] {
        let bits = disk.bits(set);
        if rotten == Some(set) {
            if verified(disk, set, dir).is_ok() {
                return Err(format!("set {set:?} was made to rot, and veritysetup finds it whole"));
            }
        } else if bits.priority > 0 && (bits.tries > 0 || bits.successful) {
            verified(disk, set, dir)
                .map_err(|error| format!("set {set:?} would boot, and is not whole: {error}"))?;
        }
    }
    Ok(())
}

/// Verifies all of a set's root with `veritysetup`.
pub(super) fn verified(disk: &DiskImage, set: Set, dir: &Path) -> Result<(), Box<dyn Error>> {
    let boot = extract(disk, &set.label("BOOT"), dir)?;
    let line = command_line(&boot, dir)?;
    let hash = line
        .split_whitespace()
        .find_map(|word| word.strip_prefix("signpost.roothash="))
        .ok_or("find signpost.roothash= in the command line")?
        .to_owned();
    let (root, tree) = (extract(disk, &set.label("ROOT"), dir)?, extract(disk, &set.label("HASH"), dir)?);
    said(command("veritysetup").arg("verify").args([&root, &tree]).arg(&hash))?;
    for file in [boot, root, tree] {
        fs::remove_file(file)?;
    }
    Ok(())
}

/// The command line of a BOOT: a file of its own, or a section of its unified image.
fn command_line(boot: &Path, dir: &Path) -> Result<String, Box<dyn Error>> {
    if let Ok(line) = said(command("mtype").arg("-i").arg(boot).arg("::cmdline")) {
        return Ok(line);
    }
    let [image, copy, line] = ["unified.part", "copy.part", "cmdline.part"].map(|name| dir.join(name));
    said(command("mcopy").arg("-n").arg("-i").arg(boot).arg(UNIFIED).arg(&image))?;
    let section = format!(".cmdline={}", line.display());
    // It always writes a whole image as well.
    said(command("objcopy").args(["--dump-section", &section]).args([&image, &copy]))?;
    let text = fs::read_to_string(&line)?;
    for file in [image, copy, line] {
        fs::remove_file(file)?;
    }
    Ok(text)
}

/// The boot program in both places of an EFI system partition, whose file system `fsck.fat` must find whole.
pub(super) fn boot_programs(
    disk: &DiskImage,
    label: &str,
    dir: &Path,
) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let esp = extract(disk, label, dir)?;
    said(command("fsck.fat").arg("-n").arg(&esp))?;
    let mut programs = Vec::new();
    for place in BOOT_PROGRAM {
        let file = dir.join("program.part");
        said(command("mcopy").arg("-n").arg("-i").arg(&esp).arg(place).arg(&file))?;
        programs.push(fs::read(&file)?);
        fs::remove_file(file)?;
    }
    fs::remove_file(esp)?;
    Ok(programs)
}

/// A partition as a file of its own, below `dir`.
pub(super) fn extract(disk: &DiskImage, label: &str, dir: &Path) -> std::io::Result<PathBuf> {
    let path = dir.join(format!("{label}.part"));
    std::io::copy(&mut disk.window(label), &mut fs::File::create(&path)?)?;
    Ok(path)
}

/// Writes such a file over its partition, and removes it.
fn put_back(disk: &DiskImage, label: &str, file: &Path) -> std::io::Result<()> {
    std::io::copy(&mut fs::File::open(file)?, &mut disk.window(label))?;
    fs::remove_file(file)
}
