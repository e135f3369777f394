//! Why a disk was not laid out.

use std::io;

use thiserror::Error;

use super::place::TooSmall;
use crate::layout::LayoutError;
use crate::step::Step;
use crate::table::Which;

/// Why a disk was not laid out. Up to the first write nothing was changed, and no file was made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CreateError {
    /// There is nothing at that path, and no size was given for a new image file.
    #[error("there is no such disk or file")]
    Missing,
    /// A new image file was asked for, and something is there already.
    #[error("it exists already, and a new image file is never made over something")]
    Exists,
    /// A new image file was asked for among the device nodes.
    #[error("it would be a file among the device nodes")]
    AmongDevices,
    /// The image file cannot be made.
    #[error("make the image file")]
    Make(#[source] io::Error),
    /// The block device, or one of its partitions, is in use.
    #[error("it is in use: it, or a partition of it, is mounted or mapped")]
    InUse,
    /// There is a partition table.
    #[error("it has a partition table already")]
    HasTable,
    /// There is something else where the table would lie.
    #[error("it is not empty: there is something at byte {at}")]
    NotEmpty {
        /// Where.
        at: u64,
    },
    /// No disk has such sectors, or this one has others.
    #[error("it has no sectors of {0} bytes")]
    SectorSize(u32),
    /// The partitions do not fit.
    #[error(transparent)]
    TooSmall(#[from] TooSmall),
    /// The layout has partitions for a second disk, and none is named.
    #[error("the layout has partitions for a data disk, and none is named")]
    NoDataDisk,
    /// A second disk is named, and the layout has no partition for it.
    #[error("a data disk is named, and the layout has no partition for it")]
    NothingForDataDisk,
    /// Both disks are the same.
    #[error("it is the data disk as well")]
    SameDisk,
    /// The partitions make up no sets.
    #[error("find partition sets in the layout")]
    Sets(#[source] LayoutError),
    /// The library that makes tables refuses to make this one.
    #[error("make the partition table: {0}")]
    Table(String),
    /// No identifiers can be had.
    #[error("make up identifiers")]
    Random(#[source] io::Error),
    /// The disk is not the one that was looked at.
    #[error("it has changed since it was looked at")]
    Changed,
    /// The disk refused.
    #[error("{step}")]
    Write {
        /// What was being done.
        step: Step,
        /// Why.
        source: io::Error,
    },
    /// The table is there, and a partition that firmware starts from got no file system.
    #[error("make a file system on a partition to start from")]
    Format(#[source] io::Error),
    /// What is on the disk is not what was written.
    #[error("verify the {which} partition table: sector {lba} is not what was written")]
    Differs {
        /// Which copy.
        which: Which,
        /// The first sector that differs.
        lba: u64,
    },
}

impl CreateError {
    /// What a person can do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Missing => "give --size to make a new image file; nothing was created",
            Self::Exists => "leave the size out to lay out what is there",
            Self::AmongDevices => "correct the device's name; an image file belongs elsewhere",
            Self::Make(_) => "name a place where a file can be made",
            Self::InUse => "unmount it and take its mappings down first",
            Self::HasTable | Self::NotEmpty { .. } => {
                "check that it is the right disk; --force lays it out anew, and all that is on it is lost"
            }
            Self::SectorSize(_) => {
                "give 512 or 4096 for an image file, and nothing for a device: it says so itself"
            }
            Self::TooSmall(_) => "name a larger disk, or give a smaller layout with --os-size or --layout",
            Self::NoDataDisk => "name it with --data-disk",
            Self::NothingForDataDisk => "leave it out, or give the layout a [[data-partition]]",
            Self::SameDisk => "name two disks",
            Self::Sets(_) => {
                "the layout needs one or two partitions each of the types boot, root and hash, and one private partition"
            }
            Self::Table(_) => "check the layout",
            Self::Random(_) => "run it again",
            Self::Changed => "make sure that nobody else writes to it, then run this again",
            Self::Write { .. } | Self::Differs { .. } | Self::Format(_) => {
                "check the disk, then run this again with --force"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (CreateError::Exists, "it exists already, and a new image file is never made over something"),
            (CreateError::AmongDevices, "it would be a file among the device nodes"),
            (CreateError::Make(io::Error::other("the disk is gone")), "make the image file"),
            (CreateError::InUse, "it is in use: it, or a partition of it, is mounted or mapped"),
            (CreateError::NotEmpty { at: 1_048_576 }, "it is not empty: there is something at byte 1048576"),
            (CreateError::SectorSize(7), "it has no sectors of 7 bytes"),
            (CreateError::NoDataDisk, "the layout has partitions for a data disk, and none is named"),
            (CreateError::NothingForDataDisk, "a data disk is named, and the layout has no partition for it"),
            (
                CreateError::Sets(LayoutError::Incomplete { partitions: 1, found: [0; 4] }),
                "find partition sets in the layout",
            ),
            (CreateError::Table("x".into()), "make the partition table: x"),
            (CreateError::Random(io::Error::other("the disk is gone")), "make up identifiers"),
            (CreateError::Changed, "it has changed since it was looked at"),
            (
                CreateError::Format(io::Error::other("the disk is gone")),
                "make a file system on a partition to start from",
            ),
            (
                CreateError::Differs { which: Which::Backup, lba: 34 },
                "verify the backup partition table: sector 34 is not what was written",
            ),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
