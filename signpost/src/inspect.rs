//! A disk's table as it was read, with what is known of the running set. Everything that can be told is told, also when
//! nobody can say which set is running.

use std::path::{Path, PathBuf};

use crate::bits::{self, Attempts, BootBits, DATA_TYPE, Role};
use crate::discover::sysfs::KernelPartition;
use crate::discover::{ActiveUnknown, Evidence, Source};
use crate::error::Error;
use crate::layout::{Layout, Members};
use crate::pick;
use crate::set::SetName;
use crate::state::State;
use crate::status::{Partition, Set, Status};
use crate::table::{Copies, Entries, Found, Table, Which};

/// What lies on the disk.
#[derive(Debug)]
pub struct Inspection {
    pub(crate) disk: PathBuf,
    pub(crate) copies: Copies,
    /// The copy that counts.
    table: Table,
    pub(crate) counts: Which,
    layout: Layout,
    active: Result<(SetName, Source), ActiveUnknown>,
    kernel: Option<Vec<KernelPartition>>,
}

impl Inspection {
    /// Judges what was read from `disk`. `kernel` are the partitions as the kernel knows them; `None` for an image file.
    ///
    /// # Errors
    /// When there is no table, or it has no sets.
    pub(crate) fn new(
        disk: &Path,
        copies: Copies,
        evidence: &Evidence,
        kernel: Option<Vec<KernelPartition>>,
    ) -> Result<Self, Error> {
        let (table, counts, layout) = usable(disk, &copies)?;
        let active = evidence.active(&layout, table.entries());
        let table = table.clone();
        Ok(Self { disk: disk.to_owned(), table, counts, layout, active, kernel, copies })
    }

    /// The running set and who said so.
    ///
    /// # Errors
    /// Why nobody can say.
    pub fn active(&self) -> Result<(SetName, Source), &ActiveUnknown> {
        self.active.as_ref().copied()
    }

    /// The disk's node or file.
    #[must_use]
    pub fn disk(&self) -> &Path {
        &self.disk
    }

    /// Both copies of the table.
    #[must_use]
    pub const fn copies(&self) -> &Copies {
        &self.copies
    }

    /// Which entries the sets are made of.
    #[must_use]
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// A set; `None` for set B of a disk that has only one.
    #[must_use]
    pub fn set(&self, name: SetName) -> Option<Set> {
        let members = self.layout.members(name)?;
        let boot = self.entries().get(members.boot)?;
        Some(Set {
            name,
            boot: self.partition(members, Role::Boot)?,
            root: self.partition(members, Role::Root)?,
            hash: self.partition(members, Role::Hash)?,
            bits: BootBits::from_attributes(boot.attributes),
        })
    }

    /// How often a set was started, while it was proven, without reaching its root.
    #[must_use]
    pub fn attempts(&self, name: SetName) -> Attempts {
        let boot = self.layout.members(name).and_then(|members| self.entries().get(members.boot));
        Attempts::from_attributes(boot.map_or(0, |entry| entry.attributes))
    }

    /// The set that the boot program starts next.
    #[must_use]
    pub fn next(&self) -> Option<SetName> {
        let bits = |members: Members| {
            let attributes = self.entries().get(members.boot).map_or(0, |entry| entry.attributes);
            (BootBits::from_attributes(attributes), Attempts::from_attributes(attributes))
        };
        pick::next_counting(bits(self.layout.a), self.layout.b.map(bits))
    }

    /// Whether some boot of this disk has succeeded once.
    #[must_use]
    pub fn boot_has_ever_succeeded(&self) -> bool {
        self.entries()
            .get(self.layout.private)
            .is_some_and(|entry| bits::boot_has_ever_succeeded(entry.attributes))
    }

    /// What a person should know beside the status itself, a sentence each.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for which in [Which::Primary, Which::Backup] {
            if let Found::Broken(defect) = self.copies.found(which) {
                notes.push(format!(
                    "the {which} partition table is broken: {defect}; the next change repairs it, as does \"signpost repair\""
                ));
            }
        }
        let both_whole =
            [Which::Primary, Which::Backup].iter().all(|&which| self.copies.found(which).table().is_some());
        if both_whole && !self.copies.are_equal() {
            notes.push(
                "the two copies of the partition table differ and the primary counts; the next change makes them equal"
                    .to_owned(),
            );
        }
        if self.copies.has_grown() {
            notes.push(format!(
                "the disk has grown: the backup table is at sector {}, the disk ends at sector {}; \"signpost repair --relocate\" moves it",
                self.copies.backup_lba(),
                self.copies.geometry().last_lba()
            ));
        }
        for number in &self.layout.ignored {
            notes.push(format!(
                "partition {number} is a third boot partition; it is ignored, as it never boots"
            ));
        }
        let bits = |name: SetName| self.set(name).map_or(BootBits::CLEAR, |set| set.bits);
        // As the boot program passes it over (`pick`).
        let worn = |name: &SetName, next: SetName| {
            bits(*name).successful
                && self.attempts(*name) == Attempts::MOST
                && bits(*name).priority > bits(next).priority
        };
        if let Some(next) = self.next()
            && let Some(worn) = [SetName::A, SetName::B].into_iter().find(|name| worn(name, next))
        {
            notes.push(format!(
                "set {worn} is proven and did not reach its root in {} starts: set {next} is started instead, until an update or a rollback to set {worn}",
                Attempts::MOST.get()
            ));
        }
        if self.next().is_none() {
            notes.push(
                "no set would boot after a reset: run \"signpost mark-successful-boot\" and \"signpost cancel-upgrade\" now"
                    .to_owned(),
            );
        }
        notes
    }

    /// How the kernel's partitions compare with the table's: what differs, a sentence each. `None` when the kernel does
    /// not know this disk, as an image file.
    #[must_use]
    pub fn extents_that_differ(&self) -> Option<Vec<String>> {
        let kernel = self.kernel.as_ref()?;
        let partitions = [SetName::A, SetName::B]
            .into_iter()
            .filter_map(|name| self.set(name))
            .flat_map(|set| [set.boot, set.root, set.hash]);
        let differs = |partition: Partition| {
            let Partition { number, start, len, .. } = partition;
            let place = |start: Option<u64>, len| match start {
                Some(start) => format!("at byte {start}, {len} bytes long"),
                None => format!("{len} bytes long"),
            };
            match kernel.iter().find(|known| known.number == number) {
                Some(known) if known.has_extent(start, len) => None,
                Some(known) => Some(format!(
                    "partition {number} is {}, but for the kernel {}",
                    place(Some(start), len),
                    place(known.start, known.len)
                )),
                None => Some(format!("the kernel has no partition {number}")),
            }
        };
        Some(partitions.filter_map(differs).collect())
    }

    /// The status.
    ///
    /// # Errors
    /// When nobody can say which set is running.
    pub fn status(&self) -> Result<Status, Error> {
        let (active, source) = self
            .active()
            .map_err(|source| Error::Active { path: self.disk.clone(), source: source.clone() })?;
        let a = self.set(SetName::A).expect("the layout has a set A");
        Ok(Status {
            disk: self.disk.clone(),
            active,
            active_source: source,
            a,
            b: self.set(SetName::B),
            next: self.next(),
            boot_has_ever_succeeded: self.boot_has_ever_succeeded(),
            notes: self.notes(),
        })
    }

    pub(crate) fn entries(&self) -> &Entries {
        self.table.entries()
    }

    /// The private partition.
    #[must_use]
    pub fn private(&self) -> Option<Partition> {
        self.numbered(self.layout.private)
    }

    /// The partition for data on this disk, the first where there are several; `None` where the data lies elsewhere.
    #[must_use]
    pub fn data(&self) -> Option<Partition> {
        self.entries()
            .used()
            .find(|entry| entry.type_guid == DATA_TYPE)
            .and_then(|entry| self.numbered(entry.number))
    }

    fn partition(&self, members: Members, role: Role) -> Option<Partition> {
        self.numbered(members.number(role))
    }

    fn numbered(&self, number: u32) -> Option<Partition> {
        let entry = self.entries().get(number)?;
        let sector = u64::from(self.copies.geometry().sector_size);
        let known = self.kernel.iter().flatten().find(|partition| partition.number == number);
        Some(Partition {
            number,
            guid: entry.guid,
            start: entry.first_lba * sector,
            len: (entry.last_lba - entry.first_lba + 1) * sector,
            node: known.map_or_else(|| without_node(&self.disk, number), |partition| partition.node.clone()),
        })
    }
}

/// The copy that counts, and the sets in it.
pub(crate) fn usable<'a>(disk: &Path, copies: &'a Copies) -> Result<(&'a Table, Which, Layout), Error> {
    let (table, counts) =
        copies.current().map_err(|source| Error::Unusable { path: disk.to_owned(), source })?;
    let layout = Layout::find(table).map_err(|source| Error::Layout { path: disk.to_owned(), source })?;
    Ok((table, counts, layout))
}

/// The boot state of a table, for a change.
pub(crate) fn state(
    disk: &Path,
    table: &Table,
    layout: &Layout,
    evidence: &Evidence,
) -> Result<State, Error> {
    let (active, _) = evidence
        .active(layout, table.entries())
        .map_err(|source| Error::Active { path: disk.to_owned(), source })?;
    Ok(layout.state(table.entries(), active).expect("evidence names only sets of this layout"))
}

/// How a partition that has no node is shown: `disk.img#5`.
fn without_node(disk: &Path, number: u32) -> PathBuf {
    let mut name = disk.as_os_str().to_owned();
    name.push(format!("#{number}"));
    PathBuf::from(name)
}
