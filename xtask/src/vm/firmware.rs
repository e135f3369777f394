//! What starts the VM: OVMF with our boot program from the disk, or, while that is not wanted, QEMU itself with the
//! kernel of the set that the fixtures' firmware picks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use testdata::DiskImage;
use testdata::host::firmware;

use super::disk::extract;
use super::unmet::Unmet;
use crate::bench::tools::{command, said};

/// The emulator of 64-bit Arm.
const ARM_EMULATOR: &str = "qemu-system-aarch64";
const CODE: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";
const VARIABLES: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";
const SECURE_CODE: &str = "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd";
/// With keys enrolled, and Secure Boot on.
const SECURE_VARIABLES: &str = "/usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd";

const ARM_CODE: &str = "/usr/share/AAVMF/AAVMF_CODE.fd";
const ARM_VARIABLES: &str = "/usr/share/AAVMF/AAVMF_VARS.fd";

/// How a machine starts.
#[derive(Debug, Clone)]
pub(super) enum Firmware {
    /// UEFI, with the variables of this machine.
    Uefi {
        /// The variables' file.
        variables: PathBuf,
        /// Whether it starts only what is signed.
        secure: bool,
    },
    /// UEFI of a machine with 64-bit Arm, with its variables.
    Arm {
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
    pub(super) fn uefi(dir: &Path, secure: bool) -> std::io::Result<Self> {
        let variables = dir.join("uefi-variables");
        fs::copy(if secure { SECURE_VARIABLES } else { VARIABLES }, &variables)?;
        Ok(Self::Uefi { variables, secure })
    }

    /// UEFI of a machine with 64-bit Arm that has never been started, with its variables in `dir`.
    pub(super) fn arm(dir: &Path) -> std::io::Result<Self> {
        let variables = dir.join("arm-variables");
        fs::copy(ARM_VARIABLES, &variables)?;
        Ok(Self::Arm { variables })
    }

    /// The emulator of its processor.
    pub(super) fn emulator(&self) -> &'static str {
        match self {
            Self::Uefi { .. } | Self::Direct { .. } => "qemu-system-x86_64",
            Self::Arm { .. } => ARM_EMULATOR,
        }
    }

    /// Adds it to QEMU's arguments. Without firmware this is the pick, and what it costs.
    pub(super) fn describe(&self, qemu: &mut Command, dir: &Path) -> Result<(), Unmet> {
        match self {
            Self::Uefi { variables, secure } => {
                qemu.args(["-cpu", "max"]);
                if *secure {
                    qemu.args(["-machine", "q35,accel=tcg,smm=on"]);
                    qemu.args(["-global", "driver=cfi.pflash01,property=secure,value=on"]);
                } else {
                    qemu.args(["-machine", "q35,accel=tcg,smm=off"]);
                }
                let code = if *secure { SECURE_CODE } else { CODE };
                flash(qemu, code, variables);
            }
            Self::Arm { variables } => {
                qemu.args(["-machine", "virt,accel=tcg", "-cpu", "cortex-a72"]);
                flash(qemu, ARM_CODE, variables);
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
                qemu.args(["-machine", "q35,accel=tcg,smm=off", "-cpu", "max"]);
                qemu.arg("-kernel").arg(dir.join("vmlinuz")).arg("-initrd").arg(dir.join("initrd"));
                qemu.arg("-append").arg(format!("{} signpost.boot=PARTUUID={}", line.trim(), pick.guid));
            }
        }
        Ok(())
    }
}

/// The firmware's program and its variables, as the chips that they are in.
fn flash(qemu: &mut Command, code: &str, variables: &Path) {
    qemu.arg("-drive").arg(format!("if=pflash,format=raw,unit=0,readonly=on,file={code}"));
    qemu.arg("-drive").arg(format!("if=pflash,format=raw,unit=1,file={}", variables.display()));
}
