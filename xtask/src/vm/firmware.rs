//! What starts the VM: OVMF with our boot program from the disk, or, while that is not wanted, QEMU itself with the
//! kernel of the set that the fixtures' firmware picks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use testdata::DiskImage;
use testdata::host::firmware;

use super::disk::extract;
use super::scenario::Unmet;
use crate::bench::tools::{command, said};

const CODE: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";
const VARIABLES: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";

/// How a machine starts.
#[derive(Debug, Clone)]
pub(super) enum Firmware {
    /// UEFI, with the variables of this machine.
    Uefi {
        /// The variables' file.
        variables: PathBuf,
    },
    /// No firmware: the kernel of the set that was picked.
    Direct {
        /// The disk to pick from.
        disk: PathBuf,
    },
}

impl Firmware {
    /// UEFI that has never been started, with its variables in `dir`.
    pub(super) fn uefi(dir: &Path) -> std::io::Result<Self> {
        let variables = dir.join("uefi-variables");
        fs::copy(VARIABLES, &variables)?;
        Ok(Self::Uefi { variables })
    }

    /// Adds it to QEMU's arguments. Without firmware this is the pick, and what it costs.
    pub(super) fn describe(&self, qemu: &mut Command, dir: &Path) -> Result<(), Unmet> {
        match self {
            Self::Uefi { variables } => {
                qemu.args(["-machine", "q35,accel=tcg,smm=off"]);
                qemu.arg("-drive").arg(format!("if=pflash,format=raw,unit=0,readonly=on,file={CODE}"));
                qemu.arg("-drive").arg(format!("if=pflash,format=raw,unit=1,file={}", variables.display()));
            }
            Self::Direct { disk } => {
                let disk = DiskImage::at(disk);
                let pick = firmware::pick(&disk)
                    .map_err(|error| Unmet::new(format!("pick a set: {error}")))?
                    .ok_or_else(|| Unmet::new("a set is bootable"))?;
                let label = disk.partitions().into_iter().find(|partition| partition.number == pick.number);
                let label = label.map(|partition| partition.label).unwrap_or_default();
                let load = || -> Result<String, Box<dyn std::error::Error>> {
                    let boot = extract(&disk, &label, dir)?;
                    for file in ["vmlinuz", "initrd", "cmdline"] {
                        let to = dir.join(file);
                        let _ = fs::remove_file(&to);
                        said(
                            command("mcopy").arg("-n").arg("-i").arg(&boot).arg(format!("::{file}")).arg(to),
                        )?;
                    }
                    fs::remove_file(boot)?;
                    Ok(fs::read_to_string(dir.join("cmdline"))?)
                };
                let line = load().map_err(|error| Unmet::new(format!("load {label}: {error}")))?;
                qemu.args(["-machine", "q35,accel=tcg,smm=off"]);
                qemu.arg("-kernel").arg(dir.join("vmlinuz")).arg("-initrd").arg(dir.join("initrd"));
                qemu.arg("-append").arg(format!("{} signpost.boot=PARTUUID={}", line.trim(), pick.guid));
            }
        }
        Ok(())
    }
}
