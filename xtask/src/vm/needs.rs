//! What the VM is made with, and the Debian packages that have it.

use std::error::Error;
use std::path::Path;
use std::process::Command;

use crate::bench::tools::command;

/// A program by its name, or a file by its path, and the package that brings it.
struct Need(&'static str, &'static str);

const NEEDS: [Need; 18] = [
    Need("qemu-system-x86_64", "qemu-system-x86"),
    Need("/usr/share/OVMF/OVMF_CODE_4M.fd", "ovmf"),
    Need("sgdisk", "gdisk"),
    Need("veritysetup", "cryptsetup-bin"),
    Need("mkfs.erofs", "erofs-utils"),
    Need("mkfs.ext4", "e2fsprogs"),
    Need("mkfs.fat", "dosfstools"),
    Need("mcopy", "mtools"),
    Need("zstd", "zstd"),
    Need("cpio", "cpio"),
    Need("mkinitramfs", "initramfs-tools-core"),
    Need("busybox", "busybox-static"),
    Need("depmod", "kmod"),
    Need("strip", "binutils"),
    Need("sbsign", "sbsigntool"),
    Need("openssl", "openssl"),
    Need("/usr/lib/systemd/boot/efi/linuxx64.efi.stub", "systemd-boot-efi"),
    Need("/usr/lib/systemd/boot/efi/systemd-bootx64.efi", "systemd-boot-efi"),
];

/// What the one scenario with another processor needs beside that. Without it, only that one is not run.
const ARM: [Need; 2] = [
    Need("qemu-system-aarch64", "qemu-system-arm"),
    Need("/usr/share/AAVMF/AAVMF_CODE.fd", "qemu-efi-aarch64"),
];

/// Where programs lie.
const DIRS: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// The packages that are missing here.
pub(crate) fn missing() -> Vec<&'static str> {
    missing_of(&NEEDS)
}

/// Those that are missing for a machine with 64-bit Arm.
pub(crate) fn missing_for_arm() -> Vec<&'static str> {
    missing_of(&ARM)
}

fn missing_of(needs: &[Need]) -> Vec<&'static str> {
    let there = |name: &str| {
        if name.starts_with('/') {
            Path::new(name).exists()
        } else {
            DIRS.iter().any(|dir| Path::new(dir).join(name).exists())
        }
    };
    let mut missing: Vec<&str> =
        needs.iter().filter(|Need(name, _)| !there(name)).map(|Need(_, package)| *package).collect();
    missing.dedup();
    missing
}

/// Refuses in one sentence where something is missing.
pub(crate) fn all_there() -> Result<(), Box<dyn Error>> {
    if !cfg!(target_arch = "x86_64") {
        return Err(
            "start the VM: its image is made of Debian's amd64 kernel, and this is another architecture"
                .into(),
        );
    }
    match missing()[..] {
        [] => Ok(()),
        ref packages => Err(format!(
            "find all that the VM is made with: install the Debian packages {}, or run \"cargo xtask setup --for vm --install\" as root",
            packages.join(" ")
        )
        .into()),
    }
}

/// Installs packages with this machine's apt, and nothing that they only recommend.
pub(crate) fn install(packages: &[&str]) -> Result<(), Box<dyn Error>> {
    if !rustix::process::geteuid().is_root() {
        return Err("install packages: only root can".into());
    }
    renew_lists()?;
    apt_get(&[&["-q", "-y", "install", "--no-install-recommends"], packages].concat())
}

/// Has apt look at what there is today.
pub(super) fn renew_lists() -> Result<(), Box<dyn Error>> {
    apt_get(&["-q", "update"])
}

fn apt_get(args: &[&str]) -> Result<(), Box<dyn Error>> {
    let mut apt: Command = command("apt-get");
    let status = apt.env("DEBIAN_FRONTEND", "noninteractive").args(args).status()?;
    if status.success() { Ok(()) } else { Err(format!("run apt-get {}: {status}", args.join(" ")).into()) }
}
