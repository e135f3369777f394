//! The ways in which an instance is given the settings of its first boot.

use std::error::Error;
use std::fs;
use std::path::Path;

use testdata::DiskImage;
use testdata::disk::layout::types;

use crate::bench::tools::{command, said};

/// What the settings are called, wherever they are.
const NAME: &str = "user-data.toml";
/// The label of a drive with them.
const LABEL: &str = "user-data";
/// How large such a drive is.
const DRIVE: &str = "8M";

/// One way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::vm) enum Way {
    /// A credential in the machine's tables (SMBIOS, type 11).
    Tables,
    /// A credential in QEMU's own store (`fw_cfg`).
    Store,
    /// A drive of its own.
    Drive,
    /// A file on the persistent partition.
    File,
}

impl Way {
    /// What a person would call it.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Tables => "by the machine's tables",
            Self::Store => "by QEMU's store",
            Self::Drive => "on a drive",
            Self::File => "on its persistent partition",
        }
    }
}

/// Puts the settings where this way has them, beside the disk or on it: what QEMU is told.
pub(super) fn lay(way: Way, settings: &str, disk: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let file = disk.with_file_name(NAME);
    fs::write(&file, settings)?;
    Ok(match way {
        Way::Tables => {
            let coded = said(command("base64").arg("--wrap=0").arg(&file))?;
            let value = format!("io.systemd.credential.binary:{NAME}={}", coded.trim());
            vec!["-smbios".to_owned(), format!("type=11,value={value}")]
        }
        Way::Store => {
            let name = format!("opt/io.systemd.credentials/{NAME}");
            vec!["-fw_cfg".to_owned(), format!("name={name},file={}", file.display())]
        }
        Way::Drive => {
            let drive = disk.with_file_name("drive.img");
            let _ = fs::remove_file(&drive);
            let tree = disk.with_file_name("drive");
            fs::create_dir_all(&tree)?;
            fs::copy(&file, tree.join(NAME))?;
            let mut make = command("mkfs.ext4");
            said(make.args(["-q", "-L", LABEL, "-d"]).arg(&tree).arg(&drive).arg(DRIVE))?;
            vec![
                "-blockdev".to_owned(),
                format!("driver=file,filename={},node-name=given,read-only=on", drive.display()),
                "-device".to_owned(),
                "virtio-blk-pci,drive=given".to_owned(),
            ]
        }
        Way::File => {
            let partitions = DiskImage::at(disk).partitions();
            let data = partitions.iter().find(|partition| partition.type_guid == types::DATA);
            let place = data.ok_or("find the persistent partition")?.start;
            let inside = format!("{}?offset={place}", disk.display());
            // It ends well whatever becomes of that.
            said(command("debugfs").args(["-w", "-R", &format!("rm {NAME}")]).arg(&inside))?;
            let write = format!("write {} {NAME}", file.display());
            said(command("debugfs").args(["-w", "-R", &write]).arg(&inside))?;
            let listed = said(command("debugfs").args(["-R", "ls -p /"]).arg(&inside))?;
            if !listed.contains(NAME) {
                return Err(format!("put {NAME} onto the persistent partition with debugfs").into());
            }
            Vec::new()
        }
    })
}
