//! Putting the boot program on both partitions that firmware starts from, one after the other, so that at each instant one
//! of them is whole.

use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use host_io::{Disk, Paths};
use serde::Serialize;

use super::entry::{Target, Variables};
use super::error::InstallError;
use super::program::Program;
use super::volume::{self, Replaced};
use crate::create::blueprint::Kind;
use crate::disk::OsDisk;
use crate::error::Error;
use crate::table::Entry;

/// Where the firmware's entries lead to. Removable disks, and firmware that has lost its entries, look in the other folder.
const OURS: [&str; 2] = ["EFI", "signpost"];
const FALLBACK: [&str; 2] = ["EFI", "BOOT"];

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Installed {
    /// The partitions in the order in which they were written.
    pub partitions: Vec<Placed>,
    /// The firmware's entries, the first one first; empty where there is no firmware to tell.
    pub entries: Vec<String>,
}

/// The boot program on one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Placed {
    /// The partition.
    pub node: PathBuf,
    /// Its number.
    pub number: u32,
    /// Whether this boot came from it.
    pub started_from: bool,
    /// Whether anything had to be written.
    pub written: bool,
}

/// Installs the program in the file at `path` on the host's disk, and makes the firmware start it.
///
/// # Errors
/// See [`InstallError`]. A partition that was not reached is as it was.
pub fn install(paths: &Paths, disk: &OsDisk, path: &Path) -> Result<Installed, Error> {
    let failed = |source: InstallError| Error::Install(Box::new(source));
    let bytes =
        std::fs::read(path).map_err(|source| failed(InstallError::Read { path: path.to_owned(), source }))?;
    let program = Program::parse(bytes)
        .map_err(|source| failed(InstallError::Program { path: path.to_owned(), source }))?;
    let mut targets = partitions(disk)?;
    if targets.is_empty() {
        return Err(failed(InstallError::NoPartition { disk: disk.path().to_owned() }));
    }
    let started_from = Variables::of(paths).as_ref().and_then(Variables::started_from);
    let firmware = Variables::of(paths)
        .filter(|_| is_device(disk.path()) || targets.iter().any(|entry| Some(entry.guid) == started_from));
    // It would not start any more, on either partition.
    if !program.signed && firmware.as_ref().is_some_and(Variables::secure_boot) {
        return Err(failed(InstallError::Unsigned { path: path.to_owned() }));
    }
    // The one that has just been seen to start comes last: the other one is whole and read back by then.
    targets.sort_by_key(|entry| (Some(entry.guid) == started_from, entry.number));
    let mut placed = Vec::new();
    for entry in &targets {
        let (node, partition) = disk.open_exclusively(entry)?;
        let put = put(&*partition, &program)
            .map_err(|source| failed(InstallError::Partition { node: node.clone(), source }))?;
        placed.push(Placed {
            node,
            number: entry.number,
            started_from: Some(entry.guid) == started_from,
            written: put == Replaced::Written,
        });
    }
    let entries = match &firmware {
        None => Vec::new(),
        Some(firmware) => {
            targets.sort_by_key(|entry| entry.number);
            let targets: Vec<Target> = targets.iter().map(|entry| target(entry, &program)).collect();
            let numbers =
                firmware.prefer(&targets).map_err(|source| failed(InstallError::Firmware(source)))?;
            numbers.into_iter().map(|number| format!("Boot{number:04X}")).collect()
        }
    };
    Ok(Installed { partitions: placed, entries })
}

/// Whether a machine can have it built in. The disk in a file is another machine's, whose firmware is not the one of this
/// machine: that one's list would lead nowhere, before all that it starts today.
fn is_device(disk: &Path) -> bool {
    std::fs::metadata(disk).is_ok_and(|metadata| metadata.file_type().is_block_device())
}

fn partitions(disk: &OsDisk) -> Result<Vec<Entry>, Error> {
    let found = disk.inspect()?;
    Ok(found.entries().used().filter(|entry| entry.type_guid == Kind::Efi.type_guid()).collect())
}

/// Both places: while one of them changes, firmware finds the other.
fn put(partition: &dyn Disk, program: &Program) -> io::Result<Replaced> {
    let name = program.machine.name();
    let fallback = volume::replace(partition, &FALLBACK, name, &program.bytes)?;
    let ours = volume::replace(partition, &OURS, name, &program.bytes)?;
    Ok(if fallback == Replaced::Written { fallback } else { ours })
}

fn target(entry: &Entry, program: &Program) -> Target {
    Target {
        description: format!("signpost {}", entry.number),
        number: entry.number,
        guid: entry.guid,
        first_lba: entry.first_lba,
        sectors: entry.last_lba - entry.first_lba + 1,
        file: format!("\\{}\\{}\\{}.EFI", OURS[0], OURS[1], program.machine.name()),
    }
}
