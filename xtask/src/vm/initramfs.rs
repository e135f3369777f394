//! The initramfs of a set: Debian's own `mkinitramfs`, with what `dist/initramfs` gives it and nothing else.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use super::kernel::Kernel;
use crate::bench::tools::{command, said};
use crate::cargo::workspace;

/// What a host would have in `/etc/initramfs-tools/initramfs.conf`; only the drivers that the hook names.
const CONFIG: &str =
    "MODULES=list\nBUSYBOX=auto\nKEYMAP=n\nCOMPRESS=zstd\nDEVICE=\nNFSROOT=auto\nRUNSIZE=10%\nFSTYPE=auto\n";

/// `mkinitramfs` reads the kernel's modules and configuration from where an installed one has them. They are put there
/// in a mount namespace of this call alone; where that is not allowed, as links for as long as it takes.
const CALL: &str = r#"
set -e
kernel=$1 version=$2 out=$4 conf=$3
mkdir -p /lib/modules
if mount --bind "$kernel/lib/modules" /lib/modules 2>/dev/null && mount --bind "$kernel/boot" /boot 2>/dev/null; then
    exec mkinitramfs -d "$conf" -o "$out" "$version"
fi
[ ! -e "/lib/modules/$version" ] && [ ! -e "/boot/config-$version" ] || exec mkinitramfs -d "$conf" -o "$out" "$version"
trap 'rm -f "/lib/modules/$version" "/boot/config-$version"' EXIT
ln -s "$kernel/lib/modules/$version" "/lib/modules/$version"
ln -s "$kernel/boot/config-$version" "/boot/config-$version"
mkinitramfs -d "$conf" -o "$out" "$version"
"#;

/// Makes the initramfs in `dir`, with the programs of `programs`.
pub(super) fn make(kernel: &Kernel, programs: &Path, dir: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let conf = dir.join("initramfs-tools");
    let _ = fs::remove_dir_all(&conf);
    fs::create_dir_all(&conf)?;
    said(command("cp").arg("-r").arg(workspace().join("dist/initramfs/initramfs-tools/.")).arg(&conf))?;
    fs::write(conf.join("initramfs.conf"), CONFIG)?;
    let out = dir.join("initrd");
    let namespace: &[&str] = if said(command("unshare").args(["--mount", "true"])).is_ok() {
        &["unshare", "--mount"]
    } else if said(command("unshare").args(["--map-root-user", "--mount", "true"])).is_ok() {
        &["unshare", "--map-root-user", "--mount"]
    } else {
        &["env"]
    };
    let mut call = command(namespace[0]);
    call.args(&namespace[1..]).args(["sh", "-c", CALL, "mkinitramfs"]);
    call.arg(&kernel.dir).arg(&kernel.version).arg(&conf).arg(&out).env("UPDATE_STACK_PROGRAMS", programs);
    said(&mut call)?;
    Ok(out)
}
