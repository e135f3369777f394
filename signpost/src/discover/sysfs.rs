//! What the kernel knows of its block devices, below a `sys` directory that tests can build.
//!
//! A partition is one of two things here. On most disks the kernel has found it itself. On a disk that is a mapping, as
//! with multipath, `kpartx` makes a mapping for each partition; the mapping's identifier starts with `partN-`.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use host_io::fs::{Entry, Kind};
use host_io::{Fs, Paths, SystemFs};

/// sysfs counts in these, whatever the disk's own sectors are.
const SYSFS_SECTOR: u64 = 512;

/// A device number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceNumber {
    /// Which driver.
    pub major: u32,
    /// Which of its devices.
    pub minor: u32,
}

impl DeviceNumber {
    /// The number as `stat(2)` packs it.
    #[must_use]
    pub fn from_dev(dev: u64) -> Self {
        // Both parts are spread over the 64 bits; shifting by eight is wrong from minor 256 on.
        Self { major: rustix::fs::major(dev), minor: rustix::fs::minor(dev) }
    }

    fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.trim().split_once(':')?;
        Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
    }
}

impl fmt::Display for DeviceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

/// A partition as the kernel knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelPartition {
    /// Its number on its disk.
    pub number: u32,
    /// Its device.
    pub device: DeviceNumber,
    /// Its first byte on the disk. The kernel does not tell it of a mapping.
    pub start: Option<u64>,
    /// Its length in bytes.
    pub len: u64,
    /// Its node.
    pub node: PathBuf,
}

impl KernelPartition {
    /// Whether it is where a table says, as far as the kernel tells.
    #[must_use]
    pub fn has_extent(&self, start: u64, len: u64) -> bool {
        self.len == len && self.start.is_none_or(|own| own == start)
    }
}

/// The kernel's block devices.
#[derive(Debug, Clone)]
pub struct Sysfs {
    sys: PathBuf,
    dev: PathBuf,
}

impl Sysfs {
    /// The devices of the host that `paths` describes.
    #[must_use]
    pub fn of(paths: &Paths) -> Self {
        Self { sys: paths.resolve(Path::new("/sys")), dev: paths.resolve(Path::new("/dev")) }
    }

    /// Whether these are the devices of the machine itself, not of a host below a directory.
    pub(crate) fn is_the_machines(&self) -> bool {
        self.dev == Path::new("/dev")
    }

    fn dir(&self, device: DeviceNumber) -> PathBuf {
        self.sys.join("dev/block").join(device.to_string())
    }

    /// Whether the kernel has such a block device. File systems without one have made-up numbers.
    #[must_use]
    pub fn knows(&self, device: DeviceNumber) -> bool {
        self.dir(device).is_dir()
    }

    /// The partitions that a device stands on, through any number of mapped devices. Empty when it stands on none.
    ///
    /// # Errors
    /// When the kernel's description cannot be read.
    pub fn partitions_below(&self, device: DeviceNumber) -> io::Result<BTreeSet<DeviceNumber>> {
        let mut found = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut open = vec![device];
        while let Some(device) = open.pop() {
            if !seen.insert(device) {
                continue;
            }
            if self.partition_number(device)?.is_some() {
                found.insert(device);
                continue;
            }
            open.extend(self.devices_in(&self.dir(device).join("slaves"))?);
        }
        Ok(found)
    }

    /// The number of a partition on its disk; `None` for a device that is no partition.
    ///
    /// # Errors
    /// When the kernel's description cannot be read.
    pub fn partition_number(&self, device: DeviceNumber) -> io::Result<Option<u32>> {
        let dir = self.dir(device);
        let path = dir.join("partition");
        match SystemFs.kind(&path)? {
            None => Ok(self.mapped_partition(&dir)?.map(|(number, _)| number)),
            Some(_) => number(&path).map(Some),
        }
    }

    /// The number and the disk of a partition that is a mapping; `None` for everything else.
    fn mapped_partition(&self, dir: &Path) -> io::Result<Option<(u32, DeviceNumber)>> {
        let path = dir.join("dm/uuid");
        if SystemFs.kind(&path)?.is_none() {
            return Ok(None);
        }
        let uuid = read(&path)?;
        let number = uuid.strip_prefix("part").and_then(|rest| rest.split_once('-')?.0.parse().ok());
        let slaves = self.devices_in(&dir.join("slaves"))?;
        match (number, &slaves[..]) {
            (Some(number), &[disk]) => Ok(Some((number, disk))),
            (Some(_) | None, _) => Ok(None),
        }
    }

    /// The disk that a partition is on.
    ///
    /// # Errors
    /// When the kernel's description cannot be read.
    pub fn disk_of(&self, partition: DeviceNumber) -> io::Result<DeviceNumber> {
        if let Some((_, disk)) = self.mapped_partition(&self.dir(partition))? {
            return Ok(disk);
        }
        // The device's directory is inside of its disk's; the kernel resolves ".." behind the link.
        self.number_in(&self.dir(partition).join(".."))
    }

    /// The node of a device.
    ///
    /// # Errors
    /// When the kernel's description cannot be read.
    pub fn node(&self, device: DeviceNumber) -> io::Result<PathBuf> {
        self.node_in(&self.dir(device))
    }

    /// The partitions of a disk, by number.
    ///
    /// # Errors
    /// When the kernel's description cannot be read.
    pub fn partitions_of(&self, disk: DeviceNumber) -> io::Result<Vec<KernelPartition>> {
        let dir = self.dir(disk);
        let mut partitions = Vec::new();
        for entry in self.list(&dir)?.into_iter().filter(|entry| entry.kind == Kind::Directory) {
            let inside = dir.join(&entry.name);
            if SystemFs.kind(&inside.join("partition"))?.is_none() {
                continue;
            }
            let Some(device) = self.number_if_any(&inside)? else { continue };
            partitions.push(KernelPartition {
                number: number(&inside.join("partition"))?,
                device,
                start: Some(bytes(&inside.join("start"))?),
                len: bytes(&inside.join("size"))?,
                node: self.named(&inside, &entry.name)?,
            });
        }
        for holder in self.devices_in(&dir.join("holders"))? {
            if let Some((number, on)) = self.mapped_partition(&self.dir(holder))?
                && on == disk
            {
                partitions.push(KernelPartition {
                    number,
                    device: holder,
                    start: None,
                    len: bytes(&self.dir(holder).join("size"))?,
                    node: self.node(holder)?,
                });
            }
        }
        // Where a number occurs twice, what the kernel has found itself was first.
        partitions.sort_by_key(|partition| partition.number);
        partitions.dedup_by_key(|partition| partition.number);
        Ok(partitions)
    }

    /// All disks with partitions, except those that are a part of another one: the paths of a multipath disk and the
    /// members of a mirror show the same table as the whole. What the kernel keeps to itself (the paths of an NVMe disk
    /// have no device number) and what is just going away is passed over.
    ///
    /// # Errors
    /// When the kernel's description cannot be read.
    pub fn disks(&self) -> io::Result<Vec<DeviceNumber>> {
        let dir = self.sys.join("block");
        let mut disks = Vec::new();
        for entry in self.list(&dir)? {
            match self.disk_with_partitions(&dir.join(&entry.name)) {
                Ok(disk) => disks.extend(disk),
                // Somebody else's odd device must not keep ours from being found.
                Err(error) => tracing::warn!("passed over the device {}: {error}", entry.name),
            }
        }
        Ok(disks)
    }

    fn disk_with_partitions(&self, dir: &Path) -> io::Result<Option<DeviceNumber>> {
        let Some(device) = self.number_if_any(dir)? else { return Ok(None) };
        let is_disk = !self.partitions_of(device)?.is_empty() && !self.is_part_of_another(device)?;
        Ok(is_disk.then_some(device))
    }

    fn is_part_of_another(&self, disk: DeviceNumber) -> io::Result<bool> {
        for holder in self.devices_in(&self.dir(disk).join("holders"))? {
            if self.mapped_partition(&self.dir(holder))?.is_none_or(|(_, on)| on != disk) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The devices that a directory of links leads to.
    fn devices_in(&self, dir: &Path) -> io::Result<Vec<DeviceNumber>> {
        let mut devices = Vec::new();
        for entry in self.list(dir)? {
            devices.extend(self.number_if_any(&dir.join(entry.name))?);
        }
        Ok(devices)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        match SystemFs.list(dir) {
            // A device that is not built on others may have no such directory.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            listed => listed,
        }
    }

    /// The number of the device in `dir`; `None` where the kernel gives it none, as to the hidden paths of a multipath
    /// disk, or it is gone by now.
    fn number_if_any(&self, dir: &Path) -> io::Result<Option<DeviceNumber>> {
        if hidden(dir) {
            return Ok(None);
        }
        match self.number_in(dir) {
            Ok(device) => Ok(Some(device)),
            Err(error) if is_absence(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn number_in(&self, dir: &Path) -> io::Result<DeviceNumber> {
        let path = dir.join("dev");
        let text = read(&path)?;
        DeviceNumber::parse(&text).ok_or_else(|| nonsense(&path, &text))
    }

    fn node_in(&self, dir: &Path) -> io::Result<PathBuf> {
        let link = SystemFs.read_link(dir)?;
        let name = link.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.named(dir, &name)
    }

    /// The node of the device in `dir`, whose directory is called `name`.
    fn named(&self, dir: &Path, name: &str) -> io::Result<PathBuf> {
        let path = dir.join("uevent");
        let told = match SystemFs.kind(&path)? {
            Some(_) => read(&path)?.lines().find_map(|line| line.strip_prefix("DEVNAME=")).map(str::to_owned),
            None => None,
        };
        // A directory's name cannot hold a "/", so the kernel writes "cciss!c0d0p1" for "cciss/c0d0p1".
        Ok(self.dev.join(told.unwrap_or_else(|| name.replace('!', "/"))))
    }
}

/// The device number of a node; `None` for an image file, and for what cannot be looked at.
pub(crate) fn device_of(path: &Path) -> Option<DeviceNumber> {
    let metadata = std::fs::metadata(path).ok()?;
    metadata.file_type().is_block_device().then(|| DeviceNumber::from_dev(metadata.rdev()))
}

/// Whether the kernel uses a device for itself alone.
fn hidden(dir: &Path) -> bool {
    read(&dir.join("hidden")).is_ok_and(|text| text.trim() == "1")
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn read(path: &Path) -> io::Result<String> {
    let bytes = SystemFs.read(path).map_err(|error| {
        // A device that goes away takes its directory with it; whoever has a file of it open is told this.
        let gone = error.raw_os_error() == Some(rustix::io::Errno::NODEV.raw_os_error());
        let kind = if gone { io::ErrorKind::NotFound } else { error.kind() };
        io::Error::new(kind, format!("{}: {error}", path.display()))
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn number<T: std::str::FromStr>(path: &Path) -> io::Result<T> {
    let text = read(path)?;
    text.trim().parse().map_err(|_| nonsense(path, &text))
}

fn bytes(path: &Path) -> io::Result<u64> {
    let sectors: u64 = number(path)?;
    sectors.checked_mul(SYSFS_SECTOR).ok_or_else(|| nonsense(path, &sectors.to_string()))
}

fn nonsense(path: &Path, text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{} holds {:?}", path.display(), text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_parts_of_a_device_number_are_spread_over_its_bits() {
        for (major, minor) in [(8, 3), (8, 256), (253, 1_048_575), (4095, 0), (4096, 77), (70_000, 300)] {
            let number = DeviceNumber::from_dev(rustix::fs::makedev(major, minor));
            assert_eq!(number, DeviceNumber { major, minor });
            assert_eq!(DeviceNumber::parse(&format!("{number}\n")), Some(number));
        }
        // What shifting by eight makes of the second one.
        let dev = rustix::fs::makedev(8, 256);
        assert_ne!((dev >> 8, dev & 0xff), (8, 256));
        for text in ["", "8", "8:", ":3", "8:3:1", "a:b"] {
            assert_eq!(DeviceNumber::parse(text), None, "{text}");
        }
    }
}
