//! The disk: named by a person, or found from what is running.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use host_io::{Host as _, Paths, SystemHost};
use uuid::Uuid;

use super::command_line::CommandLine;
use super::config::Config;
use super::evidence::Evidence;
use super::firmware::Firmware;
use super::sysfs::{self, DeviceNumber, Sysfs};
use crate::bits::Role;
use crate::error::Error;
use crate::layout::Layout;
use crate::node::read_table;
use crate::set::SetName;
use crate::table::{Copies, Table};

/// What a person said on the command line; it goes before everything that could be found out.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// `--disk`.
    pub disk: Option<PathBuf>,
    /// `--active`.
    pub active: Option<SetName>,
}

/// Where the disk is, and what is known of the running system.
#[derive(Debug)]
pub struct Whereabouts {
    /// Its node, or the image file.
    pub path: PathBuf,
    /// Its number, where it is a device that the kernel knows.
    pub device: Option<DeviceNumber>,
    /// What the kernel knows of its block devices.
    pub sysfs: Sysfs,
    /// Bytes a sector of an image file, where somebody said so.
    pub sector_size: Option<u32>,
    /// What tells which set runs.
    pub evidence: Evidence,
}

/// Finds the disk that carries the sets, and gathers what is known of the running system.
///
/// # Errors
/// When no disk is named and none or more than one can be found.
pub fn find(paths: &Paths, choice: &Choice) -> Result<Whereabouts, Error> {
    let config = Config::load(&paths.signpost_config())?;
    let command_line = read_command_line(paths);
    let firmware = Firmware::read(paths);
    let kernel = Sysfs::of(paths);
    let running = Running::look(paths, &kernel)?;
    let (path, device) = match choice.disk.as_ref().or(config.disk.as_ref()) {
        Some(path) => (path.clone(), sysfs::device_of(path)),
        None => {
            let named = Names {
                boot: command_line.boot.guid().or(firmware.boot.guid()),
                root: command_line.root.guid().or(firmware.stub.guid()),
            };
            let device = search(&kernel, &running, named)?;
            (node(&kernel, device)?, Some(device))
        }
    };
    // What the configuration says of the running set is about the disk that it names, or about the one that is found.
    let about_this_disk = choice.disk.is_none() || choice.disk == config.disk;
    let evidence = Evidence {
        flag: choice.active,
        command_line,
        firmware,
        configured: config.active.filter(|_| about_this_disk),
        root_partitions: running.numbers_on(device),
    };
    let sector_size = config.sector_size.filter(|_| about_this_disk);
    Ok(Whereabouts { path, device, sysfs: kernel, sector_size, evidence })
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

/// The partitions that the kernel or the firmware name: the boot partition of a set, and one that may be of a set.
struct Names {
    boot: Option<Uuid>,
    root: Option<Uuid>,
}

/// The one disk that the running system came from.
fn search(sysfs: &Sysfs, running: &Running, named: Names) -> Result<DeviceNumber, Error> {
    let tables = Tables::read(sysfs)?;
    // A cloned disk is attached. The boot program may have started from either.
    let unique = |guid: Uuid| match tables.holding(guid)[..] {
        [] => Ok(None),
        [disk] => Ok(Some(disk)),
        ref several => Err(Error::Duplicate { guid, disks: nodes(sysfs, several)? }),
    };
    let booted = named.boot.map(unique).transpose()?.flatten();
    let root = named.root.map(unique).transpose()?.flatten();
    let below: Vec<DeviceNumber> = running.disks().into_iter().collect();
    if let Some(token) = booted.filter(|token| !below.is_empty() && !below.contains(token)) {
        return Err(Error::TwoAnswers { root: nodes(sysfs, &below)?, token: node(sysfs, token)? });
    }
    let with_sets: Vec<DeviceNumber> = below.iter().copied().filter(|&disk| tables.have_sets(disk)).collect();
    let chosen = match (&with_sets[..], &below[..]) {
        ([disk], _) => *disk,
        ([_, _, ..], _) => return Err(Error::SeveralDisks(nodes(sysfs, &with_sets)?)),
        // What is wrong with it will be said when it is read.
        ([], [disk]) => *disk,
        ([], []) => booted.or(root).ok_or(Error::NoDisk)?,
        ([], [_, _, ..]) => booted.ok_or(Error::NoSets(nodes(sysfs, &below)?))?,
    };
    for guid in tables.boot_partitions(chosen) {
        unique(guid)?;
    }
    Ok(chosen)
}

/// The tables of all disks. They may be anything; one that cannot be read is not what we are looking for.
struct Tables(Vec<(DeviceNumber, Copies)>);

impl Tables {
    fn read(sysfs: &Sysfs) -> Result<Self, Error> {
        let mut tables = Vec::new();
        for disk in sysfs.disks().map_err(Error::Devices)? {
            let node = node(sysfs, disk)?;
            match read_table(&node, None) {
                Ok(copies) => tables.push((disk, copies)),
                Err(error) => {
                    tracing::debug!("passed over {}: {}", node.display(), host_io::report::chain(&error));
                }
            }
        }
        Ok(Self(tables))
    }

    fn usable(&self) -> impl Iterator<Item = (DeviceNumber, &Table)> {
        self.0.iter().filter_map(|(disk, copies)| Some((*disk, copies.current().ok()?.0)))
    }

    /// The disks that have a partition with this identifier.
    fn holding(&self, guid: Uuid) -> Vec<DeviceNumber> {
        let holds = |table: &Table| table.entries().used().any(|entry| entry.guid == guid);
        self.usable().filter(|(_, table)| holds(table)).map(|(disk, _)| disk).collect()
    }

    fn have_sets(&self, disk: DeviceNumber) -> bool {
        self.usable().any(|(other, table)| other == disk && Layout::find(table).is_ok())
    }

    fn boot_partitions(&self, disk: DeviceNumber) -> Vec<Uuid> {
        let of_disk = self.usable().filter(|(other, _)| *other == disk);
        let entries = of_disk.flat_map(|(_, table)| table.entries().used());
        entries.filter(|entry| entry.type_guid == Role::Boot.type_guid()).map(|entry| entry.guid).collect()
    }
}

fn node(sysfs: &Sysfs, disk: DeviceNumber) -> Result<PathBuf, Error> {
    sysfs.node(disk).map_err(Error::Devices)
}

fn nodes(sysfs: &Sysfs, disks: &[DeviceNumber]) -> Result<Vec<PathBuf>, Error> {
    disks.iter().map(|&disk| node(sysfs, disk)).collect()
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
