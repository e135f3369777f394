//! A disk that nothing runs from, claimed for as long as its first system is written to it.
//!
//! The sets of such a disk have no running one among them, so none of the commands of an update fits it. What may be
//! done instead is little: take both sets out of the boot, fill one, and leave the disk as a factory does.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use host_io::{Disk, DiskLock, DiskRange, FileDisk};

use crate::bits::{Attempts, BootBits, Role};
use crate::disk::{explain, sector_size_of};
use crate::error::Error;
use crate::inspect::{self, Inspection};
use crate::sectors::DiskSectors;
use crate::set::SetName;
use crate::state::State;
use crate::table::{Copies, Entries, rewrite};

/// What set a factory leaves proven has.
pub(crate) const FROM_THE_FACTORY: BootBits = BootBits { priority: 1, tries: 0, successful: true };

/// A disk with partition sets that nothing uses, kept so while this lives: on a block device no partition of it can be
/// mounted or mapped meanwhile, and no other program of ours changes its table.
pub struct IdleDisk {
    path: PathBuf,
    disk: Arc<dyn Disk>,
    found: Inspection,
    _lock: DiskLock,
}

impl IdleDisk {
    /// Claims the disk or image file at `path`.
    ///
    /// # Errors
    /// When something uses it, or it carries no partition sets.
    pub fn claim(path: &Path) -> Result<Self, Error> {
        let opened = |source| Error::Open { path: path.to_owned(), source };
        let sector_size = sector_size_of(path)?;
        let disk = FileDisk::open_unused(path).map_err(opened)?;
        let disk = match sector_size {
            Some(bytes) => disk.with_sector_size(bytes),
            None => disk,
        };
        let lock = DiskLock::acquire(path)?;
        let copies = Copies::read(&mut DiskSectors::on_medium(&disk));
        let found = Inspection::new(path, copies, &crate::discover::Evidence::default(), None)?;
        Ok(Self { path: path.to_owned(), disk: Arc::new(disk), found, _lock: lock })
    }

    /// The disk's node, or the image file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The sets that count as proven: what they hold boots.
    #[must_use]
    pub fn proven(&self) -> Vec<SetName> {
        let sets = [SetName::A, SetName::B].into_iter().filter_map(|name| self.found.set(name));
        sets.filter(|set| set.bits.successful).map(|set| set.name).collect()
    }

    /// One partition of a set, for writing.
    ///
    /// # Errors
    /// When the disk has no such set, or the table does not fit the disk.
    pub fn partition(&self, set: SetName, role: Role) -> Result<Box<dyn Disk>, Error> {
        let Some(members) = self.found.set(set) else { return Err(Error::NoSet { set, role }) };
        let partition = members.partition(role).clone();
        // The kernel would not let a partition's own node be opened beside the claim on all of the disk.
        let range = DiskRange::new(Arc::clone(&self.disk), partition.start, partition.len);
        Ok(Box::new(range.map_err(|source| Error::Open { path: partition.node, source })?))
    }

    /// Takes both sets out of the boot, before one of them is written to.
    ///
    /// # Errors
    /// When the disk fails; one copy of the table is whole in any case.
    pub fn clear(&self) -> Result<(), Error> {
        self.change(None)
    }

    /// Leaves the disk as a factory does: `set` boots and counts as proven, the other one does not.
    ///
    /// # Errors
    /// As [`IdleDisk::clear`].
    pub fn leave_as_factory(&self, set: SetName) -> Result<(), Error> {
        self.change(Some(set))
    }

    fn change(&self, boots: Option<SetName>) -> Result<(), Error> {
        let bits = |name| if boots == Some(name) { FROM_THE_FACTORY } else { BootBits::CLEAR };
        let decide = |copies: &Copies| -> Result<Entries, Error> {
            let (table, _, layout) = inspect::usable(&self.path, copies)?;
            let mut entries = table.entries().clone();
            let before = layout.state(&entries, SetName::A).expect("every layout has set A");
            let after = State {
                a: bits(SetName::A),
                b: before.b.map(|_| bits(SetName::B)),
                attempts_a: Attempts::NONE,
                attempts_b: Attempts::NONE,
                ..before
            };
            layout.patch(&mut entries, &after);
            Ok(entries)
        };
        rewrite(&mut DiskSectors::on_medium(&*self.disk), decide).map_err(|error| explain(&self.path, error))
    }
}
