//! The disk that carries the sets.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use host_io::{Access, Disk, DiskLock, DiskRange, FileDisk, Medium, Paths};

use crate::bits::Role;
use crate::discover::sysfs::{self, DeviceNumber, KernelPartition, Sysfs};
use crate::discover::{self, Choice, Evidence, Whereabouts};
use crate::error::Error;
use crate::handover::Handover;
use crate::inspect::{self, Inspection};
use crate::node;
use crate::sectors::DiskSectors;
use crate::set::SetName;
use crate::state::State;
use crate::status::{Partition, Status};
use crate::step::Step;
use crate::table::{Copies, Entries, Entry, WriteError, relocate, rewrite};
use crate::transition::{self, Command, Refusal};
use crate::users;

/// The disk that carries the partition sets of a host, and what is known of the running one. Nothing of the table is
/// kept in memory: every call reads it anew.
#[derive(Debug)]
pub struct OsDisk {
    path: PathBuf,
    device: Option<DeviceNumber>,
    sysfs: Sysfs,
    sector_size: Option<u32>,
    evidence: Evidence,
}

impl From<Whereabouts> for OsDisk {
    fn from(found: Whereabouts) -> Self {
        let Whereabouts { path, device, sysfs, sector_size, evidence } = found;
        Self { path, device, sysfs, sector_size, evidence }
    }
}

impl OsDisk {
    /// The disk of the host that `paths` describes (`docs/compatibility.md`, "Finding the sets").
    ///
    /// # Errors
    /// When no disk is named and none, or more than one, can be found. The disk itself is not opened yet.
    pub fn discover(paths: &Paths) -> Result<Self, Error> {
        Self::discover_with(paths, &Choice::default())
    }

    /// [`OsDisk::discover`], where a person has named the disk or the running set.
    ///
    /// # Errors
    /// As [`OsDisk::discover`].
    pub fn discover_with(paths: &Paths, choice: &Choice) -> Result<Self, Error> {
        discover::find(paths, choice).map(Self::from)
    }

    /// The disk's node, or the image file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the boot program has left for this boot, on a host whose boot program leaves anything.
    #[must_use]
    pub const fn handover(&self) -> Option<&Handover> {
        self.evidence.firmware.handover.as_ref()
    }

    /// Reads and judges the table. Works also when nobody can say which set is running.
    ///
    /// # Errors
    /// When there is no table that can be used, or it has no sets.
    pub fn inspect(&self) -> Result<Inspection, Error> {
        let disk = self.open(Access::Read)?;
        self.judged(Copies::read(&mut DiskSectors::cached(&disk)))
    }

    /// Both sets, which of them runs, and which boots next.
    ///
    /// # Errors
    /// As [`OsDisk::inspect`], and when nobody can say which set is running.
    pub fn status(&self) -> Result<Status, Error> {
        self.inspect()?.status()
    }

    /// [`OsDisk::inspect`], by what is on the medium instead of what the kernel has in memory.
    ///
    /// # Errors
    /// As [`OsDisk::inspect`].
    pub fn inspect_medium(&self) -> Result<Inspection, Error> {
        let disk = self.open(Access::Read)?;
        self.look(&disk)
    }

    /// Carries out a command: reads the table under the disk lock, decides, and writes both copies by the write rule.
    /// On success both copies are equal and durable, also when nothing had to change. The operation lock is the
    /// caller's business.
    ///
    /// # Errors
    /// When the command is refused (nothing is written then), or the disk fails (one copy is whole in any case).
    pub fn apply(&self, command: Command) -> Result<Status, Error> {
        self.locked(|disk| self.apply_to(disk, command))
    }

    /// [`Command::UpgradeToInactive`], granting the other set 1 to 15 starts instead of one.
    ///
    /// # Errors
    /// As [`OsDisk::apply`].
    pub fn upgrade_with_tries(&self, tries: u8) -> Result<Status, Error> {
        self.locked(|disk| {
            self.change(disk, Command::UpgradeToInactive, |state| {
                transition::upgrade_with_tries(state, tries)
            })
        })
    }

    /// [`OsDisk::apply`] on a disk that the caller has opened and locked. It is taken for the one at [`OsDisk::path`].
    ///
    /// # Errors
    /// As [`OsDisk::apply`].
    pub fn apply_to(&self, disk: &dyn Disk, command: Command) -> Result<Status, Error> {
        let rule = match host_io::guards::stands("last-set-that-boots") {
            true => transition::apply,
            false => transition::apply_without_guard,
        };
        self.change(disk, command, |state| rule(state, command))
    }

    /// Moves the backup table to the end of a disk that has grown; repairs both copies first. No bit changes.
    ///
    /// # Errors
    /// As [`OsDisk::apply`], and when the disk has grown by less than a table needs.
    pub fn relocate(&self) -> Result<Status, Error> {
        self.locked(|disk| self.relocate_on(disk))
    }

    /// [`OsDisk::relocate`] on a disk that the caller has opened and locked.
    ///
    /// # Errors
    /// As [`OsDisk::relocate`].
    pub fn relocate_on(&self, disk: &dyn Disk) -> Result<Status, Error> {
        self.apply_to(disk, Command::RewriteTable)?;
        relocate(&mut DiskSectors::on_medium(disk)).map_err(|error| self.explain(error))?;
        self.look(disk)?.status()
    }

    pub(crate) fn locked<T>(&self, act: impl FnOnce(&dyn Disk) -> Result<T, Error>) -> Result<T, Error> {
        let disk = self.open(Access::ReadWrite)?;
        let _lock = DiskLock::acquire(&self.path)?;
        act(&disk)
    }

    fn change(
        &self,
        disk: &dyn Disk,
        command: Command,
        transition: impl FnOnce(&State) -> Result<State, Refusal>,
    ) -> Result<Status, Error> {
        let decide = |copies: &Copies| -> Result<Entries, Error> {
            let (table, _, layout) = inspect::usable(&self.path, copies)?;
            let before = inspect::state(&self.path, table, &layout, &self.evidence)?;
            let after = transition(&before).map_err(|source| Error::Refused { command, source })?;
            let mut entries = table.entries().clone();
            layout.patch(&mut entries, &after);
            Ok(entries)
        };
        rewrite(&mut DiskSectors::on_medium(disk), decide).map_err(|error| self.explain(error))?;
        self.look(disk)?.status()
    }

    fn look(&self, disk: &dyn Disk) -> Result<Inspection, Error> {
        self.judged(Copies::read(&mut DiskSectors::on_medium(disk)))
    }

    pub(crate) fn judged(&self, copies: Copies) -> Result<Inspection, Error> {
        Inspection::new(&self.path, copies, &self.evidence, self.kernel_partitions()?)
    }

    /// One partition of a set. It is where both the table and the kernel say, or it is not opened. For writing it is opened
    /// only when the other set is known to be running.
    ///
    /// # Errors
    /// When the disk has no such set, or it is to be written to and is running, or table and kernel disagree, or it cannot be opened.
    pub fn open_partition(&self, set: SetName, role: Role, access: Access) -> Result<Box<dyn Disk>, Error> {
        let found = self.inspect()?;
        let partition = match found.set(set) {
            Some(members) => members.partition(role).clone(),
            None => return Err(Error::NoSet { set, role }),
        };
        // The running set is never written to, so for writing it must be known which one that is.
        if access == Access::ReadWrite && found.status()?.active == set {
            return Err(Error::Running { set, role });
        }
        let disk = self.open(access)?;
        match disk.medium() {
            Medium::ImageFile => Ok(Box::new(
                DiskRange::new(Arc::new(disk), partition.start, partition.len)
                    .map_err(|source| Error::Open { path: partition.node, source })?,
            )),
            Medium::Device => self.open_node(&partition, access),
        }
    }

    fn open(&self, access: Access) -> Result<FileDisk, Error> {
        let disk = node::open(&self.path, access, self.sector_size)?;
        // A name that was found, not given, must lead to the device that was found. Where a directory is the whole host,
        // files stand for devices.
        let found = self.device.filter(|_| self.sysfs.is_the_machines());
        if found.is_some_and(|device| sysfs::device_of(&self.path) != Some(device)) {
            return Err(Error::WrongDiskNode { path: self.path.clone() });
        }
        Ok(disk)
    }

    /// A partition of no set, for writing, that nobody else uses: it is not mounted, and cannot be while this is open. With
    /// the name by which people know it.
    pub(crate) fn open_exclusively(&self, entry: &Entry) -> Result<(PathBuf, Box<dyn Disk>), Error> {
        let found = self.inspect()?;
        let sector = u64::from(found.copies.geometry().sector_size);
        let (start, len) = (entry.first_lba * sector, (entry.last_lba - entry.first_lba + 1) * sector);
        let disk = self.open(Access::ReadWrite)?;
        if disk.medium() == Medium::ImageFile {
            let mut name = self.path.clone().into_os_string();
            name.push(format!("#{}", entry.number));
            let range = DiskRange::new(Arc::new(disk), start, len);
            let range = range.map_err(|source| Error::Open { path: self.path.clone(), source })?;
            return Ok((PathBuf::from(name), Box::new(range)));
        }
        let kernel = self.kernel_partitions()?.unwrap_or_default();
        let (path, number) = (self.path.clone(), entry.number);
        let Some(known) = kernel.iter().find(|known| known.number == number) else {
            return Err(Error::NoNode { path, number });
        };
        let node = FileDisk::open_unused(&known.node)
            .map_err(|source| Error::Open { path: known.node.clone(), source })?;
        if sysfs::device_of(&known.node) != Some(known.device) {
            return Err(Error::WrongNode { path, number, node: known.node.clone() });
        }
        if !known.has_extent(start, len) || node.len() != len {
            let kernel = (known.start.unwrap_or(start), node.len());
            return Err(Error::Extents { path, number, table: (start, len), kernel });
        }
        Ok((known.node.clone(), Box::new(node)))
    }

    fn open_node(&self, partition: &Partition, access: Access) -> Result<Box<dyn Disk>, Error> {
        let (path, number) = (self.path.clone(), partition.number);
        let kernel = self.kernel_partitions()?.unwrap_or_default();
        let Some(known) = kernel.iter().find(|known| known.number == number) else {
            return Err(Error::NoNode { path, number });
        };
        let node = match access {
            Access::Read => node::open_as_is(&known.node, access)?,
            // Held as long as it is open: nobody mounts it meanwhile.
            Access::ReadWrite => claim(&known.node)?,
        };
        if sysfs::device_of(&known.node) != Some(known.device) {
            return Err(Error::WrongNode { path, number, node: known.node.clone() });
        }
        // The node's own size too: names in /dev may lag behind the kernel.
        if !known.has_extent(partition.start, partition.len) || node.len() != partition.len {
            let table = (partition.start, partition.len);
            let kernel = (known.start.unwrap_or(partition.start), node.len());
            return Err(Error::Extents { path, number, table, kernel });
        }
        if known.start.is_none() {
            self.compare(&node, partition)?;
        }
        Ok(Box::new(node))
    }

    /// The kernel does not tell where a mapping starts, so what it shows is compared with what lies there.
    fn compare(&self, node: &FileDisk, partition: &Partition) -> Result<(), Error> {
        let disk = self.open(Access::Read)?;
        let unreadable = |source| Error::Open { path: node.path().to_owned(), source };
        match first_difference(node, &disk, partition.start).map_err(unreadable)? {
            None => Ok(()),
            Some(at) => Err(Error::Mapping {
                path: self.path.clone(),
                number: partition.number,
                node: node.path().to_owned(),
                at,
            }),
        }
    }

    /// The partitions as the kernel knows them; `None` where it does not know the disk, as an image file.
    fn kernel_partitions(&self) -> Result<Option<Vec<KernelPartition>>, Error> {
        let known = self.device.filter(|&device| self.sysfs.knows(device));
        known.map(|device| self.sysfs.partitions_of(device)).transpose().map_err(Error::Devices)
    }

    pub(crate) fn explain(&self, error: WriteError<io::Error, Error>) -> Error {
        explain(&self.path, error)
    }
}

/// Why the table of the disk at `path` could not be changed.
pub(crate) fn explain(path: &Path, error: WriteError<io::Error, Error>) -> Error {
    let path = path.to_owned();
    match error {
        WriteError::Unusable(source) => Error::Unusable { path, source },
        WriteError::Refused(error) => error,
        WriteError::Settle(source) => Error::Write { path, step: Step::Settle, source },
        WriteError::Write { which, lba, source } => {
            Error::Write { path, step: Step::Write(which, lba), source }
        }
        WriteError::Sync { which, source } => Error::Write { path, step: Step::Sync(which), source },
        WriteError::ReadBack { which, lba, source } => {
            Error::Write { path, step: Step::ReadBack(which, lba), source }
        }
        WriteError::Differs { which, lba } => Error::Differs { path, which, lba },
    }
}

/// The sector size with which the image file at `path` has a table; `None` for a block device, which tells it itself.
pub(crate) fn sector_size_of(path: &Path) -> Result<Option<u32>, Error> {
    let disk = node::open(path, Access::Read, None)?;
    Ok((disk.medium() == Medium::ImageFile).then(|| disk.sector_size()))
}

/// Compares samples of a partition with the disk from `start` on: the first place where they differ.
fn first_difference(partition: &dyn Disk, disk: &dyn Disk, start: u64) -> io::Result<Option<u64>> {
    const SAMPLE: u64 = 4096;
    const SAMPLES: u64 = 64;
    let len = partition.len();
    let mut theirs = vec![0; usize::try_from(SAMPLE.min(len)).unwrap_or_default()];
    let mut ours = theirs.clone();
    for sample in 0..SAMPLES {
        // From the first to the last one, evenly, in whole samples.
        let at = (len - theirs.len() as u64) / SAMPLE * sample / (SAMPLES - 1) * SAMPLE;
        partition.read_back_at(at, &mut theirs)?;
        disk.read_back_at(start + at, &mut ours)?;
        if theirs != ours {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// Opens the node of a partition to write to it, if nobody uses it.
fn claim(path: &Path) -> Result<FileDisk, Error> {
    let in_use = |users| Error::InUse { node: path.to_owned(), users };
    let device = sysfs::device_of(path);
    let disk = match FileDisk::open_unused(path) {
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
            return Err(in_use(device.map(users::of).unwrap_or_default()));
        }
        opened => opened.map_err(|source| Error::Open { path: path.to_owned(), source })?,
    };
    match device.map(users::loops).unwrap_or_default() {
        loops if loops.is_empty() => Ok(disk),
        loops => Err(in_use(loops)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_in_place_of_the_node_that_was_found_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vda");
        std::fs::write(&path, [0; 4096]).unwrap();
        let found = Some(DeviceNumber { major: 259, minor: 77 });
        let sysfs = |paths: &Paths| Sysfs::of(paths);
        for access in [Access::Read, Access::ReadWrite] {
            let disk = |paths| {
                OsDisk::from(Whereabouts {
                    path: path.clone(),
                    device: found,
                    sysfs: sysfs(&paths),
                    sector_size: None,
                    evidence: Evidence::default(),
                })
            };
            let refused = disk(Paths::system()).open(access).unwrap_err();
            assert!(matches!(refused, Error::WrongDiskNode { .. }), "{refused}");
            disk(Paths::under(dir.path())).open(access).unwrap();
        }
    }

    #[test]
    fn a_mapping_that_starts_elsewhere_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            FileDisk::open(&path, Access::Read).unwrap()
        };
        let content: Vec<u8> =
            (0u32..400_000).flat_map(|word| word.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let disk = file("disk", &content);
        for (start, len) in [(1 << 20, 1 << 19), (4096, 512), (0, content.len())] {
            let right = file("right", &content[start..start + len]);
            assert_eq!(first_difference(&right, &disk, start as u64).unwrap(), None);
        }
        let late = file("late", &content[(1 << 20) + 512..][..1 << 19]);
        assert_eq!(first_difference(&late, &disk, 1 << 20).unwrap(), Some(0));
        // The same start and another end.
        let mut other = content[1 << 20..][..1 << 19].to_vec();
        *other.last_mut().unwrap() ^= 1;
        assert_eq!(first_difference(&file("other", &other), &disk, 1 << 20).unwrap(), Some((1 << 19) - 4096));
        assert!(first_difference(&late, &disk, 1 << 30).is_err());
    }
}
