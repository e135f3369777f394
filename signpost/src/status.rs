//! The state of both sets, as one value.

use std::path::PathBuf;

use uuid::Uuid;

use crate::bits::{BootBits, Role};
use crate::discover::Source;
use crate::set::SetName;

/// The state of both sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The disk's node or image file.
    pub disk: PathBuf,
    /// The set that is running.
    pub active: SetName,
    /// Who says so.
    pub active_source: Source,
    /// Set A.
    pub a: Set,
    /// Set B, on a disk that has one.
    pub b: Option<Set>,
    /// The set that the boot program starts next; `None` when it would find none.
    pub next: Option<SetName>,
    /// Whether some boot of this disk has succeeded once.
    pub boot_has_ever_succeeded: bool,
    /// What a person should know beside this, a sentence each.
    pub notes: Vec<String>,
}

impl Status {
    /// A set by its name.
    #[must_use]
    pub fn set(&self, name: SetName) -> Option<&Set> {
        match name {
            SetName::A => Some(&self.a),
            SetName::B => self.b.as_ref(),
        }
    }

    /// The running set.
    #[must_use]
    pub fn active(&self) -> &Set {
        self.set(self.active).unwrap_or(&self.a)
    }

    /// The other set, on a disk that has one.
    #[must_use]
    pub fn inactive(&self) -> Option<&Set> {
        self.b.as_ref().and_then(|_| self.set(self.active.other()))
    }
}

/// One partition set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// Its name.
    pub name: SetName,
    /// Kernel and command line.
    pub boot: Partition,
    /// The root file system.
    pub root: Partition,
    /// The hash tree over it.
    pub hash: Partition,
    /// Its boot bits.
    pub bits: BootBits,
}

impl Set {
    /// The partition with a role.
    #[must_use]
    pub const fn partition(&self, role: Role) -> &Partition {
        match role {
            Role::Boot => &self.boot,
            Role::Root => &self.root,
            Role::Hash => &self.hash,
        }
    }
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Its number on the disk, from 1.
    pub number: u32,
    /// Its identifier (PARTUUID).
    pub guid: Uuid,
    /// Its first byte on the disk.
    pub start: u64,
    /// Its length in bytes.
    pub len: u64,
    /// Its node; for an image file the file's name and the number: `disk.img#5`.
    pub node: PathBuf,
}
