//! Packages unpacked, without anything that differs from run to run. No script of a package is run.

use std::error::Error;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::packages::Package;
use super::release::Extent;
use crate::bench::tools::{command, said};

/// The second that stands for every time that a build would leave: 2026-01-01.
pub(super) const EPOCH: u64 = 1_767_225_600;

/// What of the modules a small initial file system takes.
const MODULES: [&str; 11] = [
    "fs/ext4",
    "fs/jbd2",
    "fs/fat",
    "drivers/ata",
    "drivers/block",
    "drivers/md",
    "drivers/nvme",
    "drivers/scsi",
    "drivers/virtio",
    "drivers/net/ethernet/intel",
    "crypto",
];

/// The files of a release.
pub(super) struct Tree {
    /// ROOT.
    pub(super) root: PathBuf,
    /// What goes into BOOT: a kernel and an initial file system.
    pub(super) boot: PathBuf,
    /// How much ROOT holds.
    pub(super) bytes: u64,
}

/// Unpacks `packages` from `archives` below `dir`.
pub(super) fn unpack(
    packages: &[Package],
    extent: Extent,
    archives: &Path,
    dir: &Path,
) -> Result<Tree, Box<dyn Error>> {
    let (root, boot) = (dir.join("root"), dir.join("boot"));
    fs::create_dir_all(&boot)?;
    for merged in ["bin", "sbin", "lib", "lib64"] {
        fs::create_dir_all(root.join("usr").join(merged))?;
        symlink(Path::new("usr").join(merged), root.join(merged))?;
    }
    for package in packages {
        let mut deb = command("dpkg-deb")
            .arg("--fsys-tarfile")
            .arg(archives.join(&package.file))
            .stdout(Stdio::piped())
            .spawn()?;
        let files = deb.stdout.take().expect("it was asked for");
        said(
            command("tar")
                .args(["--extract", "--preserve-permissions", "--keep-directory-symlink", "--directory"])
                .arg(&root)
                .stdin(files),
        )
        .map_err(|error| format!("unpack {}: {error}", package.file))?;
        if !deb.wait()?.success() {
            return Err(format!("unpack {}", package.file).into());
        }
    }
    let kernel = fs::read_dir(root.join("boot"))?
        .filter_map(Result::ok)
        .find(|entry| entry.file_name().to_string_lossy().starts_with("vmlinuz-"))
        .ok_or("find a kernel in the packages")?;
    fs::rename(kernel.path(), boot.join("vmlinuz"))?;
    let version = kernel.file_name().to_string_lossy().replacen("vmlinuz-", "", 1);
    fs::remove_dir_all(root.join("boot"))?;
    fs::create_dir(root.join("boot"))?;
    if extent == Extent::Little {
        for part in ["gpu", "media", "net", "staging", "infiniband", "iio", "usb", "scsi"] {
            let drivers = root.join("usr/lib/modules").join(&version).join("kernel/drivers").join(part);
            fs::remove_dir_all(drivers)?;
        }
    }
    // Files carry the time that their package gave them; folders got theirs from unpacking.
    let folders = "find \"$1\" ! -type f -print0 | xargs -0 touch --no-dereference --date=@\"$2\"";
    said(command("sh").args(["-c", folders, "sh"]).arg(&root).arg(EPOCH.to_string()))?;
    initial(&root, &version, &boot.join("initrd"))?;
    let used = said(command("du").args(["--summarize", "--block-size=1"]).arg(&root))?;
    let bytes = used.split_whitespace().next().and_then(|bytes| bytes.parse().ok());
    Ok(Tree { root, boot, bytes: bytes.ok_or("read what du says")? })
}

/// An initial file system as small systems have it: a shell, and modules that find a disk.
fn initial(root: &Path, version: &str, out: &Path) -> Result<(), Box<dyn Error>> {
    let kernel = Path::new("usr/lib/modules").join(version).join("kernel");
    let mut parts: Vec<PathBuf> = MODULES.iter().map(|part| kernel.join(part)).collect();
    parts.push("usr/bin/busybox".into());
    parts.retain(|part| root.join(part).exists());
    let pack = "out=$1; shift; find \"$@\" | LC_ALL=C sort \
        | cpio --create --format=newc --reproducible --owner=0:0 --quiet | zstd -q -9 > \"$out\"";
    said(command("sh").current_dir(root).args(["-ec", pack, "sh"]).arg(out).args(parts))?;
    if fs::metadata(out)?.len() < 1 << 20 {
        return Err("pack an initial file system: there are no modules in it".into());
    }
    Ok(())
}
