//! Why no first release is installed.

use std::path::PathBuf;

use host_io::Advise;
use semver::Version;
use signpost::SetName;
use thiserror::Error;
use trusted_repo::BadAddress;

use crate::decide::withheld::By;

/// Why nothing was installed. Nothing was changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Refused {
    /// The disk is the one of this host.
    #[error("install into {disk}: this host runs from it")]
    Running {
        /// The disk.
        disk: PathBuf,
    },
    /// A set of it counts as proven.
    #[error("install into {disk}: set {set} of it is proven, so it holds a system that boots")]
    Proven {
        /// The disk.
        disk: PathBuf,
        /// The set.
        set: SetName,
    },
    /// The repository's address makes no sense.
    #[error("understand the repository {repo:?}")]
    Address {
        /// What was given, as it may be shown.
        repo: String,
        /// What is wrong with it.
        source: BadAddress,
    },
    /// The root role that was given cannot be read.
    #[error("read the root role {path}")]
    Root {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file that was given is no root role.
    #[error("read the root role {path}: it is none ({reason})")]
    NoRoot {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// There is no metadata for this flavour in the place that was given.
    #[error("find a repository for {variant} {arch} in {repo}: {variant}/{arch}/timestamp.json is not there")]
    NoRepository {
        /// The place.
        repo: String,
        /// For which flavour.
        variant: String,
        /// For which architecture.
        arch: String,
    },
    /// Nothing fits.
    #[error("find {what} for {variant} {arch}: the repository offers {offered}")]
    NotOffered {
        /// What was looked for.
        what: String,
        /// For which flavour.
        variant: String,
        /// For which architecture.
        arch: String,
        /// What there is instead.
        offered: String,
    },
    /// Nothing fits but what is withheld.
    #[error("install {version}: {by}")]
    Withheld {
        /// The version.
        version: Version,
        /// Who withholds it, since when and why.
        by: String,
    },
    /// The new system's persistent partition cannot be used.
    #[error("use {dir} as the persistent partition of the new system")]
    Persistent {
        /// The directory.
        dir: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Refused {
    pub(super) fn withheld(version: &Version, by: &By) -> Self {
        Self::Withheld { version: version.clone(), by: by.to_string() }
    }
}

impl Advise for Refused {
    fn help(&self) -> Option<String> {
        Some(
            match self {
                Self::Running { .. } => "\"updog update\" installs into the set that is not running",
                Self::Proven { .. } => {
                    "nothing was changed; with --force neither set boots any more until the new release was read back"
                }
                Self::Address { .. } => "give a directory that \"pubrepo\" made or mirrored, or its address",
                Self::Root { .. } | Self::NoRoot { .. } => "give the root.json of the repository's keys, from a place that you trust",
                Self::NoRepository { .. } => {
                    "--repo is what has VARIANT/ARCH and targets, as \"pubrepo\" makes it; look which of them --variant and --arch can name"
                }
                Self::NotOffered { .. } => "name one of these with --image, or another flavour with --variant",
                Self::Withheld { .. } => "nothing was changed; name another version with --image",
                Self::Persistent { .. } => {
                    "mount the partition that becomes /var/lib/bottlerocket there, or leave --persistent out"
                }
            }
            .to_owned(),
        )
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Running { .. } | Self::Proven { .. } => "disallowed",
            Self::NotOffered { .. } | Self::Withheld { .. } => "no_update",
            Self::NoRepository { .. } => "not_a_repository",
            Self::NoRoot { .. } => "untrusted",
            Self::Address { .. } | Self::Root { .. } | Self::Persistent { .. } => "failed",
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
                Refused::Proven { disk: "/dev/vdb".into(), set: SetName::B },
                "install into /dev/vdb: set B of it is proven, so it holds a system that boots",
            ),
            (
                Refused::Withheld { version: Version::new(1, 1, 0), by: "guard withholds it".into() },
                "install 1.1.0: guard withholds it",
            ),
            (
                Refused::Address { repo: "x".into(), source: BadAddress::NoPath },
                "understand the repository \"x\"",
            ),
            (
                Refused::Root {
                    path: "/data/file".into(),
                    source: std::io::Error::other("the disk is gone"),
                },
                "read the root role /data/file",
            ),
            (
                Refused::NoRoot { path: "/data/file".into(), reason: "expected value".into() },
                "read the root role /data/file: it is none (expected value)",
            ),
            (
                Refused::NoRepository {
                    repo: "/stick".into(),
                    variant: "metal".into(),
                    arch: "x86_64".into(),
                },
                "find a repository for metal x86_64 in /stick: metal/x86_64/timestamp.json is not there",
            ),
            (
                Refused::Persistent {
                    dir: "/data/trust".into(),
                    source: std::io::Error::other("the disk is gone"),
                },
                "use /data/trust as the persistent partition of the new system",
            ),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
