//! The disk: named by a person, or found from what is running.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use host_io::{Host as _, Paths, SystemHost};
use uuid::Uuid;

use super::command_line::CommandLine;
use super::config::Config;
use super::evidence::Evidence;
use super::sysfs::{DeviceNumber, Sysfs};
use crate::disk::{self, OsDisk};
use crate::error::Error;
use crate::layout::Layout;
use crate::set::SetName;

/// What a person said on the command line; it goes before everything that could be found out.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// `--disk`.
    pub disk: Option<PathBuf>,
    /// `--active`.
    pub active: Option<SetName>,
}

/// Finds the disk that carries the sets, and gathers what is known of the running system.
///
/// # Errors
/// When no disk is named and none or more than one can be found.
pub fn find(paths: &Paths, choice: &Choice) -> Result<OsDisk, Error> {
    let config = Config::load(&paths.signpost_config())?;
    let command_line = read_command_line(paths);
    let sysfs = Sysfs::of(paths);
    let running = Running::look(paths, &sysfs)?;
    let (path, device) = match choice.disk.as_ref().or(config.disk.as_ref()) {
        Some(path) => (path.clone(), device_of(path)),
        None => {
            let device = search(&sysfs, &running, &command_line)?;
            (sysfs.node(device).map_err(Error::Devices)?, Some(device))
        }
    };
    // What the configuration says of the running set is about the disk that it names, or about the one that is found.
    let about_this_disk = choice.disk.is_none() || choice.disk == config.disk;
    let evidence = Evidence {
        flag: choice.active,
        command_line,
        configured: config.active.filter(|_| about_this_disk),
        root_partitions: running.numbers_on(device),
    };
    let sector_size = config.sector_size.filter(|_| about_this_disk);
    Ok(OsDisk::new(path, device, sysfs, sector_size, evidence))
}

/// The partitions that `/` stands on: disk, number on it.
struct Running(Vec<(DeviceNumber, u32)>);

impl Running {
    fn look(paths: &Paths, sysfs: &Sysfs) -> Result<Self, Error> {
        let metadata = std::fs::metadata(paths.root())
            .map_err(|source| Error::Open { path: paths.root().to_owned(), source })?;
        let root = DeviceNumber::from_dev(metadata.dev());
        if !sysfs.knows(root) {
            return Ok(Self(Vec::new()));
        }
        let on = |partition| -> io::Result<(DeviceNumber, u32)> {
            Ok((sysfs.disk_of(partition)?, sysfs.partition_number(partition)?.unwrap_or_default()))
        };
        let partitions = sysfs.partitions_below(root).map_err(Error::Devices)?;
        partitions.into_iter().map(on).collect::<io::Result<_>>().map(Self).map_err(Error::Devices)
    }

    fn disks(&self) -> BTreeSet<DeviceNumber> {
        self.0.iter().map(|(disk, _)| *disk).collect()
    }

    fn numbers_on(&self, disk: Option<DeviceNumber>) -> Vec<u32> {
        self.0.iter().filter(|(on, _)| Some(*on) == disk).map(|(_, number)| *number).collect()
    }
}

/// The one disk that the running system came from.
fn search(sysfs: &Sysfs, running: &Running, command_line: &CommandLine) -> Result<DeviceNumber, Error> {
    for guid in command_line.guids() {
        let holders = holders_of(sysfs, guid)?;
        // A cloned disk is attached. The boot program may have started from either.
        if holders.len() > 1 {
            return Err(Error::Duplicate { guid, disks: nodes(sysfs, holders)? });
        }
    }
    let below: Vec<DeviceNumber> = running.disks().into_iter().collect();
    let candidates: Vec<DeviceNumber> = match below[..] {
        [disk] => return Ok(disk),
        [] => {
            let mut named = BTreeSet::new();
            for guid in command_line.guids() {
                named.extend(holders_of(sysfs, guid)?);
            }
            named.into_iter().collect()
        }
        _ => below.into_iter().filter(|&disk| carries_sets(sysfs, disk)).collect(),
    };
    match candidates[..] {
        [disk] => Ok(disk),
        [] => Err(Error::NoDisk),
        _ => Err(Error::SeveralDisks(nodes(sysfs, candidates)?)),
    }
}

/// The disks that have a partition with this identifier.
fn holders_of(sysfs: &Sysfs, guid: Uuid) -> Result<Vec<DeviceNumber>, Error> {
    let disks = sysfs.disks().map_err(Error::Devices)?;
    let holds = |&disk: &DeviceNumber| {
        peek(sysfs, disk, |table| table.entries().used().any(|entry| entry.guid == guid))
    };
    Ok(disks.into_iter().filter(holds).collect())
}

fn carries_sets(sysfs: &Sysfs, disk: DeviceNumber) -> bool {
    peek(sysfs, disk, |table| Layout::find(table).is_ok())
}

/// Looks at the table of a disk that may be anything; one that cannot be read is not what we are looking for.
fn peek(sysfs: &Sysfs, device: DeviceNumber, look: impl FnOnce(&crate::table::Table) -> bool) -> bool {
    let Ok(node) = sysfs.node(device) else { return false };
    match disk::read_table(&node, None) {
        Ok(copies) => copies.current().is_ok_and(|(table, _)| look(table)),
        Err(error) => {
            tracing::debug!("passed over {}: {}", node.display(), host_io::report::chain(&error));
            false
        }
    }
}

fn nodes(sysfs: &Sysfs, disks: Vec<DeviceNumber>) -> Result<Vec<PathBuf>, Error> {
    disks.into_iter().map(|disk| sysfs.node(disk)).collect::<io::Result<_>>().map_err(Error::Devices)
}

/// The device number of a node; `None` for an image file, and for what cannot be looked at.
fn device_of(path: &Path) -> Option<DeviceNumber> {
    let metadata = std::fs::metadata(path).ok()?;
    metadata.file_type().is_block_device().then(|| DeviceNumber::from_dev(metadata.rdev()))
}

fn read_command_line(paths: &Paths) -> CommandLine {
    match SystemHost::new(paths.clone()).command_line() {
        Ok(text) => CommandLine::parse(&text),
        Err(error) => {
            tracing::debug!("no kernel command line: {}", host_io::report::chain(&error));
            CommandLine::default()
        }
    }
}
