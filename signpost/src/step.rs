//! What is done to a partition table, one step after the other.

use crate::table::Which;

/// What was being done to the table when the disk refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The first look.
    Look,
    /// The sync before anything is read and judged.
    Settle,
    /// A write to a copy.
    Write(Which, u64),
    /// The sync of a copy.
    Sync(Which),
    /// The read of a copy that was just written.
    ReadBack(Which, u64),
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Look => f.write_str("look at what is there"),
            Self::Settle => f.write_str("sync earlier writes"),
            Self::Write(which, lba) => write!(f, "write sector {lba} of the {which} partition table"),
            Self::Sync(which) => write!(f, "sync the {which} partition table"),
            Self::ReadBack(which, lba) => {
                write!(f, "read back the {which} partition table from sector {lba}")
            }
        }
    }
}
