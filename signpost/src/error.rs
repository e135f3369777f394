//! Why something was refused or failed, and what to do next.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use host_io::Advise;
use thiserror::Error;
use uuid::Uuid;

use crate::bits::Role;
use crate::create::CreateError;
use crate::create::blueprint::Wrong;
use crate::discover::ActiveUnknown;
use crate::esp::error::InstallError;
use crate::layout::LayoutError;
use crate::set::SetName;
use crate::step::Step;
use crate::table::{Unusable, Which};
use crate::transition::{Command, Refusal};

/// What `boot-deadline` ends with when trying again may help.
const TRY_AGAIN: u8 = 3;

/// Everything that can go wrong between a command and the bits on the disk.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration cannot be read, or says what it cannot mean.
    #[error("read the configuration {path}")]
    Config {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The kernel's description of its devices cannot be read.
    #[error("find the disk that / is on")]
    Devices(#[source] io::Error),
    /// Nobody names a disk, and none can be found.
    #[error("find the disk: / is on no partition, and the kernel command line names none that is here")]
    NoDisk,
    /// More than one disk may be the one.
    #[error("choose the disk: / stands on several that carry partition sets, {}", list(.0))]
    SeveralDisks(Vec<PathBuf>),
    /// `/` stands on several disks, and none of them carries sets.
    #[error("find the disk: / is on {}, and none of them carries partition sets", list(.0))]
    NoSets(Vec<PathBuf>),
    /// `/` and the boot program's token are on different disks.
    #[error(
        "choose the disk: / is on {}, but the kernel command line says that the system was started from {token}",
        list(root)
    )]
    TwoAnswers {
        /// The disks that `/` stands on.
        root: Vec<PathBuf>,
        /// The disk with the partition that the token names.
        token: PathBuf,
    },
    /// The partition that the system was started from exists more than once.
    #[error("choose the disk: partition {guid} is on several, {}", list(.disks))]
    Duplicate {
        /// The partition's identifier.
        guid: Uuid,
        /// The disks that carry it.
        disks: Vec<PathBuf>,
    },
    /// A disk or partition cannot be opened.
    #[error("open {path}")]
    Open {
        /// Its node or file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The running set was not marked good in time, and there is no other that boots.
    #[error("prove set {0} in time: the system is degraded, and no other set boots")]
    Degraded(SetName),
    /// A boot whose time is over was not reset, and may be by the next try.
    #[error(transparent)]
    Overdue(Box<Error>),
    /// The machine does not let itself be reset.
    #[error("reset the machine")]
    Reset(#[source] host_io::host::Error),
    /// No set of a disk may be started.
    #[error("pick a set of {path} to start")]
    NothingBoots {
        /// The disk.
        path: PathBuf,
        /// The sets that were said not to be started.
        aside: Vec<SetName>,
    },
    /// The boot program was not installed.
    #[error(transparent)]
    Install(Box<InstallError>),
    /// A lock is held by somebody else, or cannot be taken.
    #[error(transparent)]
    Lock(#[from] host_io::lock::Error),
    /// There is no table, or one that must not be touched.
    #[error("use the partition table of {path}")]
    Unusable {
        /// The disk.
        path: PathBuf,
        /// Why.
        source: Unusable,
    },
    /// The table's partitions do not make up sets.
    #[error("find the partition sets on {path}")]
    Layout {
        /// The disk.
        path: PathBuf,
        /// Why.
        source: LayoutError,
    },
    /// Nobody can say which set is running.
    #[error("tell which partition set of {path} is running")]
    Active {
        /// The disk.
        path: PathBuf,
        /// Why.
        source: ActiveUnknown,
    },
    /// The command does not fit the state. Nothing was changed.
    #[error("{}", command.errand())]
    Refused {
        /// The command.
        command: Command,
        /// Why.
        source: Refusal,
    },
    /// The disk refused while the table was changed. One copy of the table is whole in any case.
    #[error("{step} on {path}")]
    Write {
        /// The disk.
        path: PathBuf,
        /// What was being done.
        step: Step,
        /// Why.
        source: io::Error,
    },
    /// What is on the disk is not what was written.
    #[error("verify the {which} partition table on {path}: sector {lba} is not what was written")]
    Differs {
        /// The disk.
        path: PathBuf,
        /// Which copy.
        which: Which,
        /// The first sector that differs.
        lba: u64,
    },
    /// The disk has no such set.
    #[error("open the {role} partition of set {set}: this disk has only one partition set")]
    NoSet {
        /// The set that was asked for.
        set: SetName,
        /// The partition that was asked for.
        role: Role,
    },
    /// The partition belongs to the set that is running.
    #[error("open the {role} partition of set {set} for writing: that set is running")]
    Running {
        /// The running set.
        set: SetName,
        /// The partition that was asked for.
        role: Role,
    },
    /// A layout cannot be read, or says what it cannot mean.
    #[error("read the layout {path}")]
    Blueprint {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: Wrong,
    },
    /// Nobody said which disk to lay out.
    #[error("lay out a disk: none is named")]
    NothingToLayOut,
    /// A disk cannot be laid out.
    #[error("lay out {disk}")]
    Create {
        /// The disk.
        disk: PathBuf,
        /// Why.
        source: CreateError,
    },
    /// Something about the table is not as it should be.
    #[error("verify the partition table of {path}: {}", problems.join("; "))]
    Unhealthy {
        /// The disk.
        path: PathBuf,
        /// What is wrong, a sentence each.
        problems: Vec<String>,
    },
    /// The answer did not reach its reader.
    #[error("write the answer to stdout")]
    Answer(#[source] io::Error),
    /// The kernel does not know the partition.
    #[error("open partition {number} of {path}: the kernel has no such partition")]
    NoNode {
        /// The disk.
        path: PathBuf,
        /// The partition's number.
        number: u32,
    },
    /// The partition is in use. Nothing was written to it.
    #[error("open {node} for writing: {}", in_use(.users))]
    InUse {
        /// Its node.
        node: PathBuf,
        /// Who uses it, as far as that is known.
        users: Vec<String>,
    },
    /// What stands in a partition's place among the nodes is something else.
    #[error("open partition {number} of {path}: {node} is not its node")]
    WrongNode {
        /// The disk.
        path: PathBuf,
        /// The partition's number.
        number: u32,
        /// What should be its node.
        node: PathBuf,
    },
    /// What stands in the disk's place among the nodes is something else.
    #[error("open {path}: it is not the node of the disk that was found")]
    WrongDiskNode {
        /// What should be its node.
        path: PathBuf,
    },
    /// A partition that is a mapping shows other bytes than its place on the disk.
    #[error(
        "open partition {number} of {path}: its mapping {node} shows other bytes than the disk, at byte {at} of it"
    )]
    Mapping {
        /// The disk.
        path: PathBuf,
        /// The partition's number.
        number: u32,
        /// The mapping's node.
        node: PathBuf,
        /// Where the first difference was seen.
        at: u64,
    },
    /// The kernel's partition is not where the table says.
    #[error(
        "open partition {number} of {path}: the table has it at byte {}, {} bytes long, the kernel at byte {}, {} bytes long",
        table.0, table.1, kernel.0, kernel.1
    )]
    Extents {
        /// The disk.
        path: PathBuf,
        /// The partition's number.
        number: u32,
        /// Start and length in bytes by the table.
        table: (u64, u64),
        /// Start and length in bytes by the kernel.
        kernel: (u64, u64),
    },
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" and ")
}

fn in_use(users: &[String]) -> String {
    match users {
        [] => "it is in use, and the kernel does not tell by whom".to_owned(),
        users => format!("it is {}", users.join(", and ")),
    }
}

impl Error {
    /// What the program ends with.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Overdue(_) => ExitCode::from(TRY_AGAIN),
            _ => ExitCode::FAILURE,
        }
    }

    /// The same, of a boot whose time is over: whatever it is, the machine should be reset and was not, unless nothing
    /// better boots.
    #[must_use]
    pub fn of_an_overdue_boot(self) -> Self {
        match self {
            degraded @ Self::Degraded(_) => degraded,
            other => Self::Overdue(Box::new(other)),
        }
    }
}

impl Advise for Error {
    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Config { .. } => "correct the file, or name the disk with --disk",
            Self::Install(source) => source.help(),
            Self::NothingBoots { .. } => {
                "no set has both a priority and a try or a proof: see \"signpost status\"; one that works is brought back with \"signpost --active A mark-successful-boot\" and \"cancel-upgrade\""
            }
            Self::Degraded(_) => {
                "see which health check fails with \"updog status\"; what proves the set is \"updog confirm-boot\""
            }
            Self::Overdue(error) => return error.help(),
            Self::Reset(_) => "reboot it another way: its system was not marked good",
            Self::Devices(_) | Self::NoDisk | Self::NoSets(_) => {
                "name the disk with --disk, or in /etc/signpost.toml"
            }
            Self::SeveralDisks(_) | Self::TwoAnswers { .. } => {
                "name one with --disk, or in /etc/signpost.toml"
            }
            Self::Duplicate { .. } => {
                "detach the copy, or name the right disk with --disk or in /etc/signpost.toml"
            }
            Self::Open { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied => "run it as root",
                io::ErrorKind::NotFound => "name a disk or an image file that exists; nothing was created",
                io::ErrorKind::ResourceBusy => {
                    "something uses it: unmount and unmap what is on it, or name another disk"
                }
                _ => "name a block device or an image file that can be opened",
            },
            Self::Lock(error @ host_io::lock::Error::NotOurs { .. }) => return error.help(),
            Self::Lock(host_io::lock::Error::Held { .. }) => "wait until it is done, then run this again",
            Self::Lock(_) => "check that the path exists and may be opened",
            Self::Unusable { source, .. } => match source {
                Unusable::NoTable { .. } => {
                    "name a disk that was installed with partition sets, or reinstall this one"
                }
                Unusable::EntriesElsewhere(_) => {
                    "move the entries to sector 2 with another partitioning tool, or reinstall the disk"
                }
                Unusable::DiskTooShort { .. } => {
                    "the image was cut off or the disk replaced: copy it again in full"
                }
                Unusable::NoRoom(_) => {
                    "make room before the first or after the last partition with another tool"
                }
            },
            Self::Layout { source, .. } => source.help(),
            Self::Active { source, .. } => source.help(),
            Self::Refused { source, .. } => source.help(),
            Self::Write { .. } | Self::Differs { .. } => {
                "one copy of the table is still whole: check the disk, then run \"signpost rewrite-table\""
            }
            Self::Running { .. } => {
                "only the other set can be written to; reboot into it to write to this one"
            }
            Self::Unhealthy { .. } => {
                "run \"signpost repair\", after a disk was enlarged \"signpost repair --relocate\", and reboot if the kernel's partitions differ"
            }
            Self::Blueprint { .. } => "correct the file; \"signpost create --help\" shows a small one",
            Self::NothingToLayOut => {
                "name it with --disk; the disk that the system runs from is never taken for it"
            }
            Self::Create { source, .. } => source.help(),
            Self::Answer(_) => "check where stdout leads to",
            Self::NoSet { .. } => Refusal::NoInactiveSet.help(),
            Self::InUse { .. } => {
                "nothing was written; let go of it (umount, swapoff, losetup -d), then run it again"
            }
            Self::WrongNode { .. } | Self::WrongDiskNode { .. } => {
                "remove what is there, and let the system make the node again (\"udevadm trigger\", or reboot)"
            }
            Self::NoNode { .. } | Self::Extents { .. } | Self::Mapping { .. } => {
                "the table was changed after the kernel read it: reboot before anything is written"
            }
        };
        Some(help.to_owned())
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Lock(host_io::lock::Error::Held { .. }) => "locked",
            Self::Refused { source: Refusal::Unproven { .. }, .. } => "unproven",
            Self::Refused { .. } => "disallowed",
            Self::InUse { .. } => "disallowed",
            Self::Degraded(_) => "degraded",
            Self::Overdue(error) => error.code(),
            Self::Config { .. }
            | Self::Reset(_)
            | Self::Lock(_)
            | Self::Answer(_)
            | Self::Blueprint { .. }
            | Self::NothingToLayOut => "failed",
            Self::Devices(_)
            | Self::NoDisk
            | Self::SeveralDisks(_)
            | Self::NoSets(_)
            | Self::TwoAnswers { .. }
            | Self::Duplicate { .. }
            | Self::Open { .. }
            | Self::Unusable { .. }
            | Self::Layout { .. }
            | Self::Active { .. }
            | Self::Write { .. }
            | Self::Differs { .. }
            | Self::NoSet { .. }
            | Self::Running { .. }
            | Self::Create { .. }
            | Self::Unhealthy { .. }
            | Self::NoNode { .. }
            | Self::WrongNode { .. }
            | Self::WrongDiskNode { .. }
            | Self::Mapping { .. }
            | Self::NothingBoots { .. }
            | Self::Install(_)
            | Self::Extents { .. } => "disk",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (Error::Devices(io::Error::other("the disk is gone")), "find the disk that / is on"),
            (
                Error::NoDisk,
                "find the disk: / is on no partition, and the kernel command line names none that is here",
            ),
            (
                Error::SeveralDisks(vec!["/dev/vda".into(), "/dev/vdb".into()]),
                "choose the disk: / stands on several that carry partition sets, /dev/vda and /dev/vdb",
            ),
            (
                Error::NoSets(vec!["/dev/vda".into(), "/dev/vdb".into()]),
                "find the disk: / is on /dev/vda and /dev/vdb, and none of them carries partition sets",
            ),
            (
                Error::TwoAnswers {
                    root: vec!["/dev/vda".into(), "/dev/vdb".into()],
                    token: "/dev/vda".into(),
                },
                "choose the disk: / is on /dev/vda and /dev/vdb, but the kernel command line says that the system was started from /dev/vda",
            ),
            (
                Error::Duplicate {
                    guid: Uuid::from_u128(1),
                    disks: vec!["/dev/vda".into(), "/dev/vdb".into()],
                },
                "choose the disk: partition 00000000-0000-0000-0000-000000000001 is on several, /dev/vda and /dev/vdb",
            ),
            (
                Error::Degraded(SetName::B),
                "prove set B in time: the system is degraded, and no other set boots",
            ),
            (
                Error::Reset(host_io::host::Error::Reboot {
                    through: "systemctl".into(),
                    source: std::io::Error::other("gone"),
                }),
                "reset the machine",
            ),
            (
                Error::NothingBoots { path: "/data/file".into(), aside: vec![SetName::A] },
                "pick a set of /data/file to start",
            ),
            (
                Error::Layout {
                    path: "/data/file".into(),
                    source: LayoutError::Incomplete { partitions: 1, found: [0; 4] },
                },
                "find the partition sets on /data/file",
            ),
            (
                Error::Write {
                    path: "/data/file".into(),
                    step: Step::Settle,
                    source: io::Error::other("the disk is gone"),
                },
                "sync earlier writes on /data/file",
            ),
            (Error::Create { disk: "/dev/vdb".into(), source: CreateError::Exists }, "lay out /dev/vdb"),
            (
                Error::Unhealthy { path: "/data/file".into(), problems: vec!["a".into(), "b".into()] },
                "verify the partition table of /data/file: a; b",
            ),
            (Error::Answer(io::Error::other("the disk is gone")), "write the answer to stdout"),
            (
                Error::NoNode { path: "/data/file".into(), number: 3 },
                "open partition 3 of /data/file: the kernel has no such partition",
            ),
            (
                Error::Mapping {
                    path: "/data/file".into(),
                    number: 3,
                    node: "/dev/vdb3".into(),
                    at: 1_048_576,
                },
                "open partition 3 of /data/file: its mapping /dev/vdb3 shows other bytes than the disk, at byte 1048576 of it",
            ),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
