//! Why the boot program was not installed.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::program::NoProgram;

/// Why the boot program was not installed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InstallError {
    /// The file cannot be read.
    #[error("read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is no program that firmware starts.
    #[error("take {path} for a boot program")]
    Program {
        /// The file.
        path: PathBuf,
        /// Why.
        source: NoProgram,
    },
    /// The firmware starts only what is signed, and this is not.
    #[error("install {path}: Secure Boot is on, and it carries no signature")]
    Unsigned {
        /// The file.
        path: PathBuf,
    },
    /// The disk has no partition that firmware starts from.
    #[error("find a partition on {disk} that firmware starts from")]
    NoPartition {
        /// The disk.
        disk: PathBuf,
    },
    /// A partition is in use, has no file system, or refuses.
    #[error("put the boot program on {node}")]
    Partition {
        /// The partition.
        node: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The firmware's list cannot be read or changed.
    #[error("tell the firmware of the boot program")]
    Firmware(#[source] io::Error),
}

impl InstallError {
    /// What a person can do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Read { .. } | Self::Program { .. } => {
                "name the file that \"cargo xtask bootpick\" or the package has made"
            }
            Self::Unsigned { .. } => {
                "sign it with the key that this firmware trusts (sbsign), then install the signed file"
            }
            Self::NoPartition { .. } => {
                "lay the disk out with \"signpost create --for uefi\", or let another tool make a partition of the type EFI system"
            }
            Self::Partition { .. } => {
                "unmount it, and format it where it holds no FAT file system; the other partition was not touched after this"
            }
            Self::Firmware(_) => {
                "mount efivarfs on /sys/firmware/efi/efivars and run it as root; the program itself is in place"
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
            (
                InstallError::Read {
                    path: "/data/file".into(),
                    source: io::Error::other("the disk is gone"),
                },
                "read /data/file",
            ),
            (
                InstallError::Program { path: "/data/file".into(), source: NoProgram::Machine(7) },
                "take /data/file for a boot program",
            ),
            (
                InstallError::NoPartition { disk: "/dev/vdb".into() },
                "find a partition on /dev/vdb that firmware starts from",
            ),
            (
                InstallError::Firmware(io::Error::other("the disk is gone")),
                "tell the firmware of the boot program",
            ),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
