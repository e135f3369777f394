//! Which table entries the sets are made of (`docs/compatibility.md`, "Finding the sets").

use alloc::vec::Vec;
use core::fmt;

use uuid::Uuid;

use crate::bits::{self, Attempts, BootBits, PRIVATE_TYPE, Role};
use crate::set::SetName;
use crate::state::State;
use crate::table::{Entries, Entry, Table};

/// The partition numbers of one set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Members {
    /// The boot partition's number.
    pub boot: u32,
    /// The root partition's number.
    pub root: u32,
    /// The hash partition's number.
    pub hash: u32,
}

impl Members {
    /// The number of the partition with a role.
    #[must_use]
    pub const fn number(self, role: Role) -> u32 {
        match role {
            Role::Boot => self.boot,
            Role::Root => self.root,
            Role::Hash => self.hash,
        }
    }

    /// Whether a partition number belongs to this set.
    #[must_use]
    pub fn contains(self, number: u32) -> bool {
        Role::ALL.into_iter().any(|role| self.number(role) == number)
    }
}

/// Which entries of a table make up the sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Set A.
    pub a: Members,
    /// Set B, on a disk that has one.
    pub b: Option<Members>,
    /// The private partition's number.
    pub private: u32,
    /// Boot partitions beyond the second. They never boot, or the table would have been refused.
    pub ignored: Vec<u32>,
}

/// Why a table's partitions do not make up sets.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayoutError {
    /// Something of a set is missing.
    Incomplete {
        /// How many partitions there are at all.
        partitions: usize,
        /// How many boot, root, hash and private partitions there are.
        found: [usize; 4],
    },
    /// More than one private partition.
    TwoPrivate([u32; 2]),
    /// A boot partition of neither set that the boot program may start.
    ThirdWouldBoot {
        /// Its number.
        number: u32,
        /// Its priority.
        priority: u8,
    },
    /// A partition ends before it starts, or lies outside of the range for partitions.
    OutOfRange(u32),
    /// Two partitions share sectors.
    Overlap([u32; 2]),
    /// Two boot partitions carry the same identifier, so nobody can tell which one booted.
    SameGuid([u32; 2]),
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete { partitions, found: [boot, root, hash, private] } => write!(
                f,
                "of {partitions} partitions {boot} are boot, {root} root, {hash} hash and {private} private ones"
            ),
            Self::TwoPrivate([one, two]) => {
                write!(f, "partitions {one} and {two} are both private ones, and only one can count")
            }
            Self::ThirdWouldBoot { number, priority } => write!(
                f,
                "partition {number} is a third boot partition with priority {priority}, which the boot program may start"
            ),
            Self::OutOfRange(number) => {
                write!(f, "partition {number} does not lie within the range for partitions")
            }
            Self::Overlap([one, two]) => write!(f, "partitions {one} and {two} overlap"),
            Self::SameGuid([one, two]) => write!(f, "partitions {one} and {two} have the same identifier"),
        }
    }
}

impl core::error::Error for LayoutError {}

impl LayoutError {
    /// What a disk needs instead.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Incomplete { .. } => {
                "the sets need one or two partitions each of the boot, root and hash types and one private partition; was the right disk named?"
            }
            Self::TwoPrivate(_) => "keep one private partition, and give the other one another type",
            Self::ThirdWouldBoot { .. } => {
                "only two sets are managed: give that partition another type, or clear its priority"
            }
            Self::OutOfRange(_) | Self::Overlap(_) | Self::SameGuid(_) => {
                "the table is damaged: check it with another partitioning tool before anything is written"
            }
        }
    }
}

impl Layout {
    /// Finds the sets among a table's entries. The first partition of each type, by number, belongs to set A, the
    /// second to set B.
    ///
    /// # Errors
    /// When a set is incomplete, or the partitions cannot be what they say.
    pub fn find(table: &Table) -> Result<Self, LayoutError> {
        let used: Vec<Entry> = table.entries().used().collect();
        let of_type = |guid: Uuid| {
            used.iter().filter(|entry| entry.type_guid == guid).map(|entry| entry.number).collect()
        };
        let boot: Vec<u32> = of_type(Role::Boot.type_guid());
        let root: Vec<u32> = of_type(Role::Root.type_guid());
        let hash: Vec<u32> = of_type(Role::Hash.type_guid());
        let private: Vec<u32> = of_type(PRIVATE_TYPE);
        let member = |index: usize| {
            Some(Members { boot: *boot.get(index)?, root: *root.get(index)?, hash: *hash.get(index)? })
        };
        let incomplete = LayoutError::Incomplete {
            partitions: used.len(),
            found: [boot.len(), root.len(), hash.len(), private.len()],
        };
        let (Some(a), Some(&private_number)) = (member(0), private.first()) else { return Err(incomplete) };
        // The boot partitions say how many sets there are meant to be.
        let b = if boot.len() > 1 { Some(member(1).ok_or(incomplete)?) } else { None };
        if let [one, two, ..] = private[..] {
            return Err(LayoutError::TwoPrivate([one, two]));
        }
        let layout = Self { a, b, private: private_number, ignored: boot.into_iter().skip(2).collect() };
        layout.check_boot_partitions(&used)?;
        check_extents(&layout.ours(), &used, table.header().first_usable(), table.header().last_usable())?;
        Ok(layout)
    }

    fn check_boot_partitions(&self, used: &[Entry]) -> Result<(), LayoutError> {
        let entry = |number: u32| used.iter().find(|entry| entry.number == number);
        for third in self.ignored.iter().filter_map(|&number| entry(number)) {
            let bits = BootBits::from_attributes(third.attributes);
            if bits.would_boot() {
                return Err(LayoutError::ThirdWouldBoot { number: third.number, priority: bits.priority });
            }
        }
        match (entry(self.a.boot), self.b.and_then(|b| entry(b.boot))) {
            (Some(a), Some(b)) if a.guid == b.guid => Err(LayoutError::SameGuid([a.number, b.number])),
            _ => Ok(()),
        }
    }

    fn ours(&self) -> Vec<u32> {
        let sets = [Some(self.a), self.b].into_iter().flatten();
        sets.flat_map(|members| Role::ALL.map(|role| members.number(role))).chain([self.private]).collect()
    }

    /// The members of a set.
    #[must_use]
    pub const fn members(&self, name: SetName) -> Option<Members> {
        match name {
            SetName::A => Some(self.a),
            SetName::B => self.b,
        }
    }

    /// The set that a partition number belongs to.
    #[must_use]
    pub fn set_of(&self, number: u32) -> Option<SetName> {
        [SetName::A, SetName::B]
            .into_iter()
            .find(|&name| self.members(name).is_some_and(|members| members.contains(number)))
    }

    /// The boot state that the entries hold, while `active` is running; `None` where these partitions have no such set.
    #[must_use]
    pub fn state(&self, entries: &Entries, active: SetName) -> Option<State> {
        self.members(active)?;
        let bits = |members: Members| BootBits::from_attributes(attributes(entries, members.boot));
        let attempts = |members: Members| Attempts::from_attributes(attributes(entries, members.boot));
        Some(State {
            active,
            a: bits(self.a),
            b: self.b.map(bits),
            attempts_a: attempts(self.a),
            attempts_b: self.b.map(attempts).unwrap_or_default(),
            boot_has_ever_succeeded: bits::boot_has_ever_succeeded(attributes(entries, self.private)),
        })
    }

    /// Puts a boot state into the entries; nothing else in them changes.
    pub fn patch(&self, entries: &mut Entries, state: &State) {
        for name in [SetName::A, SetName::B] {
            if let (Some(members), Some(bits)) = (self.members(name), state.bits(name)) {
                let kept = attributes(entries, members.boot);
                entries.set_attributes(members.boot, state.attempts(name).patch(bits.patch(kept)));
            }
        }
        let private =
            bits::with_boot_ever_succeeded(attributes(entries, self.private), state.boot_has_ever_succeeded);
        entries.set_attributes(self.private, private);
    }
}

fn attributes(entries: &Entries, number: u32) -> u64 {
    entries.get(number).map_or(0, |entry| entry.attributes)
}

/// The partitions that we write to, or whose bits count, lie within the range for partitions and share no sector with
/// any other partition. How the others lie is not our business.
fn check_extents(
    ours: &[u32],
    used: &[Entry],
    first_usable: u64,
    last_usable: u64,
) -> Result<(), LayoutError> {
    for entry in used.iter().filter(|entry| ours.contains(&entry.number)) {
        let (first, last) = (entry.first_lba, entry.last_lba);
        if first < first_usable || first > last || last > last_usable {
            return Err(LayoutError::OutOfRange(entry.number));
        }
        let shares = |other: &&Entry| {
            other.number != entry.number && other.first_lba <= last && first <= other.last_lba
        };
        if let Some(other) = used.iter().find(shares) {
            return Err(LayoutError::Overlap([
                entry.number.min(other.number),
                entry.number.max(other.number),
            ]));
        }
    }
    Ok(())
}
