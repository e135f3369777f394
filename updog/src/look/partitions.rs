//! The partitions of both sets, opened: one to be written to, one to be read.

use host_io::{Access, Disk};
use signpost::{OsDisk, Partition, Role, Set, SetName, Status};

use crate::error::Error;
use crate::write::install::{Target, WriteCount};

/// The partitions of the inactive set, opened. Clones are the same ones.
#[derive(Clone)]
pub struct Targets {
    /// For boot.
    pub boot: Target,
    /// For root.
    pub root: Target,
    /// For hash.
    pub hash: Target,
}

impl Targets {
    /// Opens the partitions of `set`. What is written to them is counted in `count`.
    ///
    /// # Errors
    /// When one of them is not where both the table and the kernel say, or cannot be opened.
    pub fn open(disk: &OsDisk, set: &Set, access: Access, count: &WriteCount) -> Result<Self, Error> {
        let open = |image: Role, partition: &Partition| -> Result<Target, Error> {
            let opened = disk.open_partition(set.name, image, access)?;
            let device = partition.node.display().to_string();
            Ok(Target { image, disk: opened.into(), device, count: count.clone() })
        };
        Ok(Self {
            boot: open(Role::Boot, &set.boot)?,
            root: open(Role::Root, &set.root)?,
            hash: open(Role::Hash, &set.hash)?,
        })
    }
}

/// The partitions of the running set, for reading: the partitions themselves, where one rotten block is an error and
/// nothing more, not what is mounted.
pub struct Running {
    /// Which set it is.
    pub set: SetName,
    /// Its boot partition.
    pub boot: Box<dyn Disk>,
    /// Its root partition.
    pub root: Box<dyn Disk>,
    /// Its hash partition.
    pub hash: Box<dyn Disk>,
}

impl Running {
    /// Opens the partitions of the running set.
    ///
    /// # Errors
    /// As [`Targets::open`].
    pub fn open(disk: &OsDisk, status: &Status) -> Result<Self, Error> {
        let set = status.active;
        let open = |image| disk.open_partition(set, image, Access::Read);
        Ok(Self { set, boot: open(Role::Boot)?, root: open(Role::Root)?, hash: open(Role::Hash)? })
    }
}

/// The partition of the running set that has an image.
pub(crate) fn partition(running: &Running, image: Role) -> &dyn Disk {
    match image {
        Role::Boot => &*running.boot,
        Role::Root | Role::Hash => &*running.root,
    }
}
