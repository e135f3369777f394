//! Why a boot fails here, and what a person can do. The exit code is 1 for all of them, and 2 for wrong usage.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use host_io::Advise;
use semver::Version;
use thiserror::Error;
use update_metadata::NoPath;

/// Why settings do not fit the system that boots. The live store is as it was.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The version to reach is not known.
    #[error("learn the version of the running system")]
    OsRelease(#[source] host_io::host::Error),
    /// The datastore's path cannot be one.
    #[error("use {path} as the link to the datastore")]
    DatastorePath {
        /// The path.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// This program cannot find itself.
    #[error("find the program that runs, to start migrations through it")]
    Launcher(#[source] io::Error),
    /// Another process works on the datastore.
    #[error("have the datastore to itself")]
    Lock(#[source] host_io::lock::Error),
    /// There is no place for copies.
    #[error("make a directory for copies in {path}")]
    Scratch {
        /// Where it was to be.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The datastore is broken or cannot be changed.
    #[error(transparent)]
    Datastore(#[from] datastore::Error),
    /// The shipped root role cannot be read.
    #[error("read the shipped root role {path}")]
    Anchor {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The cached repository is missing or not to be trusted.
    #[error("open the repository that was cached in {metadata}, to migrate settings from {from} to {to}")]
    Cache {
        /// Its metadata directory.
        metadata: PathBuf,
        /// The version of the settings.
        from: Version,
        /// The wanted version.
        to: Version,
        /// Why.
        source: Box<trusted_repo::Error>,
    },
    /// The manifest knows no way.
    #[error(transparent)]
    NoPath(Box<NoPath>),
    /// A migration of the way is not in the cache.
    #[error("get the migration {name} (for the step {step}) on the way to {to}")]
    MissingMigration {
        /// The target's name.
        name: String,
        /// The step of the manifest that names it.
        step: String,
        /// The wanted version.
        to: Version,
        /// Why it cannot be had.
        source: Box<trusted_repo::Error>,
    },
    /// A migration's name cannot be that of a file.
    #[error("use the migration {name:?}: a name may only have letters, digits and ._+-")]
    UnsafeName {
        /// The name.
        name: String,
    },
    /// The bytes of a migration are not the signed ones.
    #[error("verify the migration {name}")]
    Verify {
        /// The target's name.
        name: String,
        /// What is wrong.
        source: Box<trusted_repo::Error>,
    },
    /// A list of steps is none, or cannot be taken.
    #[error("take the steps of the migration {name}")]
    Steps {
        /// The target's name.
        name: String,
        /// Why not.
        source: migration_helpers::Error,
    },
    /// There is no memory that can be sealed and run.
    #[error("put the migration {name} into sealed memory")]
    Seal {
        /// The target's name.
        name: String,
        /// Why not.
        source: io::Error,
    },
    /// A migration failed.
    #[error("run the migration {name}")]
    Migration {
        /// The target's name.
        name: String,
        /// How it ended.
        source: crate::exec::Error,
    },
    /// What the migrations left is no store.
    #[error("take over what the migration {name} wrote")]
    Work {
        /// The last migration.
        name: String,
        /// What is wrong with it.
        source: datastore::Error,
    },
    /// The file system does not say how much is free.
    #[error("ask for the free space of {base}")]
    FreeSpace {
        /// Where room was wanted.
        base: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The new store does not fit.
    #[error("copy the settings in {base}: {needed} {of} are needed and {free} are free")]
    NoRoom {
        /// Where room was wanted.
        base: PathBuf,
        /// Bytes or files.
        of: &'static str,
        /// How many it takes.
        needed: u64,
        /// How many are free.
        free: u64,
    },
    /// The image's own model of its settings is broken.
    #[error("hold the settings against the image's model")]
    Model(#[source] Box<settings_model::ModelError>),
    /// The image cannot use what came out.
    #[error("use the migrated settings on {version}: {misfits}")]
    Misfit {
        /// The version that is to read them.
        version: Version,
        /// What does not fit.
        misfits: String,
    },
}

impl Error {
    /// What the program ends with.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(1)
    }

    /// Whether this host lacks room, whatever the release does.
    #[must_use]
    pub fn is_want_of_room(&self) -> bool {
        let full = |error: &io::Error| {
            matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        };
        match self {
            Self::NoRoom { .. } => true,
            Self::Datastore(datastore::Error::Io { source, .. }) | Self::Scratch { source, .. } => {
                full(source)
            }
            _ => false,
        }
    }
}

/// What the program ends with when it was called wrongly, or asked for help.
#[must_use]
pub fn exit_code_of_usage(usage: &clap::Error) -> ExitCode {
    ExitCode::from(if usage.use_stderr() { 2 } else { 0 })
}

impl Advise for Error {
    fn help(&self) -> Option<String> {
        let text = match self {
            Self::OsRelease(_) => "give the version with --migrate-to-version",
            Self::DatastorePath { .. } => "give a path like /var/lib/bottlerocket/datastore/current",
            Self::Launcher(_) => "mount /proc",
            Self::Lock(_) => "stop apiserver, or wait for the other migrator; then start the unit again",
            Self::Scratch { .. } => "the settings are as they were; look at the path",
            Self::Datastore(_) => "look at the path; the settings are as they were",
            Self::Anchor { .. } => "check --root-path; the image must ship its root.json",
            Self::Cache { .. } | Self::NoPath(_) => {
                "the settings are as they were; boot the set that fits them, or update again so that the cache is new"
            }
            Self::MissingMigration { .. } | Self::UnsafeName { .. } => {
                "the settings are as they were; tell the repository's owner: the release is not complete"
            }
            Self::Verify { .. } => "the settings are as they were; update again so that the cache is new",
            Self::Seal { .. } => "check the memory that is free, and the setting vm.memfd_noexec",
            Self::Model(_) => "the file is part of the image: install a release whose model is whole",
            Self::Misfit { .. } => {
                "the settings are as they were; report the release's migrations to its owner, or change these settings first"
            }
            Self::Migration { .. } | Self::Work { .. } | Self::Steps { .. } => {
                "the settings are as they were; report the migration, and what it says, to the release's owner"
            }
            Self::FreeSpace { .. } => "check that the persistent partition is healthy",
            Self::NoRoom { .. } => "free some space there; the settings are as they were",
        };
        Some(text.to_owned())
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NoPath(_) | Self::MissingMigration { .. } | Self::UnsafeName { .. } => "missing_migration",
            Self::Cache { source, .. } | Self::Verify { source, .. } => source.code(),
            Self::Migration { .. } | Self::Work { .. } | Self::Steps { .. } => "migration_failed",
            Self::Misfit { .. } => "misfit",
            Self::Lock(_) => "locked",
            error if error.is_want_of_room() => "no_room",
            _ => "failed",
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
                Error::DatastorePath {
                    path: "/data/file".into(),
                    source: io::Error::other("the disk is gone"),
                },
                "use /data/file as the link to the datastore",
            ),
            (
                Error::Launcher(io::Error::other("the disk is gone")),
                "find the program that runs, to start migrations through it",
            ),
            (
                Error::Scratch { path: "/data/file".into(), source: io::Error::other("the disk is gone") },
                "make a directory for copies in /data/file",
            ),
            (
                Error::Anchor { path: "/data/file".into(), source: io::Error::other("the disk is gone") },
                "read the shipped root role /data/file",
            ),
            (
                Error::Cache {
                    metadata: "/repo/metadata".into(),
                    from: "1.0.0".parse().unwrap(),
                    to: "1.1.0".parse().unwrap(),
                    source: Box::new(trusted_repo::Error::NotBegun { dir: "/t".into() }),
                },
                "open the repository that was cached in /repo/metadata, to migrate settings from 1.0.0 to 1.1.0",
            ),
            (
                Error::MissingMigration {
                    name: "migrate_v1.1.0_x.lz4".into(),
                    step: "(1.0.0, 1.1.0)".into(),
                    to: "1.1.0".parse().unwrap(),
                    source: Box::new(trusted_repo::Error::NotBegun { dir: "/t".into() }),
                },
                "get the migration migrate_v1.1.0_x.lz4 (for the step (1.0.0, 1.1.0)) on the way to 1.1.0",
            ),
            (
                Error::UnsafeName { name: "migrate_v1.1.0_x.lz4".into() },
                "use the migration \"migrate_v1.1.0_x.lz4\": a name may only have letters, digits and ._+-",
            ),
            (
                Error::Verify {
                    name: "migrate_v1.1.0_x.lz4".into(),
                    source: Box::new(trusted_repo::Error::NotBegun { dir: "/t".into() }),
                },
                "verify the migration migrate_v1.1.0_x.lz4",
            ),
            (
                Error::Steps {
                    name: "migrate_v1.1.0_x.lz4".into(),
                    source: migration_helpers::Error::NotText { setting: "x".into(), item: "7".into() },
                },
                "take the steps of the migration migrate_v1.1.0_x.lz4",
            ),
            (
                Error::Seal {
                    name: "migrate_v1.1.0_x.lz4".into(),
                    source: io::Error::other("the disk is gone"),
                },
                "put the migration migrate_v1.1.0_x.lz4 into sealed memory",
            ),
            (
                Error::Work {
                    name: "migrate_v1.1.0_x.lz4".into(),
                    source: datastore::Error::Value { path: "/s".into(), reason: "torn".into() },
                },
                "take over what the migration migrate_v1.1.0_x.lz4 wrote",
            ),
            (
                Error::FreeSpace {
                    base: "/var/lib/store".into(),
                    source: io::Error::other("the disk is gone"),
                },
                "ask for the free space of /var/lib/store",
            ),
            (
                Error::NoRoom { base: "/var/lib/store".into(), of: "bytes", needed: 2000, free: 1000 },
                "copy the settings in /var/lib/store: 2000 bytes are needed and 1000 are free",
            ),
            (
                Error::Model(Box::new(settings_model::ModelError::Setting {
                    path: "/m".into(),
                    key: "x".into(),
                    reason: "torn".into(),
                })),
                "hold the settings against the image's model",
            ),
            (
                Error::Misfit { version: "1.2.0".parse().unwrap(), misfits: "motd is a number".into() },
                "use the migrated settings on 1.2.0: motd is a number",
            ),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
