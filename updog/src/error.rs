//! Why a command of `updog` failed, and what to do next.

use std::io;
use std::path::PathBuf;

use host_io::Advise;
use semver::Version;
use signpost::SetName;
use thiserror::Error;
use update_metadata::{NoPath, Seed};

use crate::after::rollback;
use crate::config;
use crate::decide::choice::Held;
use crate::decide::guard;
use crate::decide::machine::Barred;
use crate::decide::withheld::By;
use crate::flip::record;
use crate::look::plan::{OverBudget, Unsigned};
use crate::turn::refused;
use crate::wait::Stopped;
use crate::write::install;

/// Any failure of the program.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The program could not even begin.
    #[error("start")]
    Start(#[source] io::Error),
    /// An answer could not be written to stdout.
    #[error("write the answer")]
    Answer(#[source] io::Error),
    /// `check-update` found nothing to do.
    #[error("find an update: no update available")]
    NoUpdate {
        /// Why, as a sentence.
        why: String,
        /// The update that will come later, with this host's seed.
        held: Option<(Held, Seed)>,
    },
    /// `check-update` found only what did not stay when it was tried here.
    #[error("find an update: no update available")]
    FailedHere {
        /// Why, as a sentence.
        why: String,
        /// The newest one of them.
        barred: Box<Barred>,
    },
    /// `check-update` found only what is withheld from this host.
    #[error("find an update: no update available")]
    Withheld {
        /// Why, as a sentence.
        why: String,
        /// The newest one of them.
        version: Version,
        /// Who withholds it.
        by: Box<By>,
    },
    /// The running system does not do what it should.
    #[error("confirm this boot: {reason}")]
    Unhealthy {
        /// What is wrong.
        reason: String,
        /// What becomes of this boot.
        then: String,
    },
    /// Going back is not possible.
    #[error(transparent)]
    Rollback(#[from] rollback::Refused),
    /// What was staged may not run any more.
    #[error("activate {version}: it may not run any more: {why}")]
    Recalled {
        /// What is staged.
        version: Version,
        /// What the repository says of it.
        why: String,
    },
    /// The wish for kept settings cannot be left for the next boot, or an old one not be taken away.
    #[error("say in what shape the next boot wants the settings")]
    Wish(#[source] io::Error),
    /// What is remembered of releases that did not stay cannot be changed.
    #[error("forget which releases did not stay")]
    Attempts(#[source] io::Error),
    /// There is no such record.
    #[error("find the record {id:?} in the history")]
    NoRecord {
        /// What was asked for.
        id: String,
    },
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The host does not say what it is, or does not reboot.
    #[error(transparent)]
    Host(#[from] host_io::host::Error),
    /// The update is in place, and the reboot into it was refused.
    #[error("reboot into the update, which is in place")]
    Reboot(#[source] host_io::host::Error),
    /// The trust anchor of the image cannot be read.
    #[error("read the trusted root {path}")]
    Anchor {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another update runs.
    #[error(transparent)]
    Lock(#[from] host_io::lock::Error),
    /// The repository cannot be used.
    #[error(transparent)]
    Repository(#[from] trusted_repo::Error),
    /// The disk cannot be used, or its bits do not allow the command.
    #[error(transparent)]
    Disk(#[from] signpost::Error),
    /// The command is not for this moment.
    #[error(transparent)]
    Refused(#[from] guard::Refusal),
    /// This host's settings cannot be carried to the release.
    #[error(transparent)]
    Rehearsal(#[from] crate::look::rehearsal::Refused),
    /// The manifest knows no migrations between the two versions.
    #[error(transparent)]
    NoPath(#[from] NoPath),
    /// The manifest names a migration that the repository does not have.
    #[error("find the migrations for the next boot")]
    MissingMigration(#[source] trusted_repo::Error),
    /// The manifest names a migration that no file can be named after.
    #[error("accept the migration {name:?}: its name has characters that no target name may have")]
    UnsafeMigration {
        /// Its target name.
        name: String,
    },
    /// The repository does not sign a target that the manifest names.
    #[error(transparent)]
    Unsigned(#[from] Unsigned),
    /// It would take more from the network than it may.
    #[error(transparent)]
    OverBudget(#[from] OverBudget),
    /// There is no room for the next boot's files.
    #[error(transparent)]
    NoRoom(#[from] guard::NoRoom),
    /// Migrations and metadata for the next boot cannot be stored.
    #[error("keep the migrations for the next boot")]
    Cache(#[source] trusted_repo::Error),
    /// An image cannot be used or written.
    #[error(transparent)]
    Install(Box<install::Error>),
    /// The record cannot be used.
    #[error(transparent)]
    Record(#[from] record::Error),
    /// It failed after the inactive set was cleared.
    #[error("install {version} in set {set}")]
    AfterClear {
        /// What was to be installed.
        version: Version,
        /// The set, which stays cleared.
        set: SetName,
        /// Bytes that had been fetched until then.
        fetched: u64,
        /// Bytes that had been written until then.
        written: u64,
        /// Why.
        source: Box<Error>,
    },
    /// The first release of a disk cannot be installed. Nothing was changed.
    #[error(transparent)]
    First(Box<crate::write::first::Refused>),
    /// It failed after both sets of a disk that nothing runs from were taken out of the boot.
    #[error("install {version} in set {set} of {disk}")]
    AfterClearOfIdle {
        /// What was to be installed.
        version: Version,
        /// The set.
        set: SetName,
        /// The disk.
        disk: PathBuf,
        /// Why.
        source: Box<Error>,
    },
    /// A command lacks one of its options.
    #[error("understand what to do: {option} is missing")]
    Missing {
        /// The option.
        option: &'static str,
    },
    /// Forgetting what is trusted was not confirmed.
    #[error("forget what is trusted: it was not confirmed")]
    Unconfirmed,
    /// There is no reboot in turn, or a turn does not end.
    #[error(transparent)]
    Turn(#[from] refused::Refused),
    /// A signal asked to stop.
    #[error("finish")]
    Stopped(#[from] Stopped),
}

impl Error {
    /// Whether it ended because it was told to.
    #[must_use]
    pub fn is_stop(&self) -> bool {
        match self {
            Self::Stopped(_) => true,
            Self::Install(error) => matches!(**error, install::Error::Stopped(_)),
            Self::AfterClear { source, .. } | Self::AfterClearOfIdle { source, .. } => source.is_stop(),
            _ => false,
        }
    }

    /// Whether a part of an image, or its index, is not to be had, though all of it may be.
    #[must_use]
    pub fn is_for_want_of_it(&self) -> bool {
        match self {
            Self::Install(error) => error.is_for_want_of_it(),
            Self::Repository(error) => error.is_for_want_of_it(),
            _ => false,
        }
    }

    /// Whether no place has the bytes that are signed: what came is something else.
    #[must_use]
    pub fn is_of_its_bytes(&self) -> bool {
        matches!(self, Self::Repository(error) if error.is_of_its_bytes())
    }
}

impl From<install::Error> for Error {
    fn from(error: install::Error) -> Self {
        Self::Install(Box::new(error))
    }
}

impl Advise for Error {
    fn help(&self) -> Option<String> {
        match self {
            Self::Start(_) | Self::Answer(_) => None,
            Self::NoUpdate { why, .. } | Self::FailedHere { why, .. } | Self::Withheld { why, .. } => {
                Some(why.clone())
            }
            Self::Unhealthy { then, .. } => Some(then.clone()),
            Self::Rollback(refused) => refused.help(),
            Self::Recalled { .. } => Some(
                "nothing was changed and it stays staged; \"updog update\" installs what is offered now, and \"updog update-apply --insist\" starts it all the same".to_owned(),
            ),
            Self::Wish(_) | Self::Attempts(_) => Some(
                "nothing was changed; see that the persistent partition is mounted, writable and not full".to_owned(),
            ),
            Self::NoRecord { .. } => Some("\"updog history\" lists them".to_owned()),
            Self::Config(error) => error.help(),
            Self::Host(_) => None,
            Self::Reboot(_) => Some("the next reboot starts it, however that comes about".to_owned()),
            Self::Anchor { .. } => Some("the image ships that file; this one is damaged or no such image".to_owned()),
            Self::Lock(host_io::lock::Error::Held { .. }) => {
                Some("wait for the other update to finish, then run it again".to_owned())
            }
            Self::Lock(error) => error.help(),
            Self::Repository(error) | Self::Cache(error) => error.help(),
            Self::Disk(error) => error.help(),
            Self::Refused(refusal) => refusal.help(),
            Self::Rehearsal(error) => error.help(),
            Self::NoPath(_) | Self::MissingMigration(_) | Self::UnsafeMigration { .. } => Some(
                "nothing was changed; without its migrations the new version would not boot: tell whoever publishes the repository"
                    .to_owned(),
            ),
            Self::Unsigned(_) => {
                Some("the repository is incomplete: tell whoever publishes it".to_owned())
            }
            Self::OverBudget(error) => error.help(),
            Self::NoRoom(_) => Some(
                "nothing was changed; free some space on the partition that has it, then run it again".to_owned(),
            ),
            Self::Install(error) => error.help(),
            Self::Record(error) => error.help(),
            Self::AfterClear { set, fetched, written, source, .. } => {
                let next = match &**source {
                    // Here a stop did change something.
                    Self::Stopped(_) => None,
                    other => other.help(),
                };
                let next = next.unwrap_or_else(|| "run \"updog update\" again".to_owned());
                Some(format!(
                    "set {set} stays cleared and the running set boots as before; {fetched} bytes were fetched and {written} written; {next}"
                ))
            }
            Self::First(refused) => refused.help(),
            Self::AfterClearOfIdle { .. } => Some("nothing on that disk boots; run the same command again".to_owned()),
            Self::Missing { option: "--variant" } => Some(
                "give --variant, the kind of system as its repository names it: the directory above ARCH/timestamp.json"
                    .to_owned(),
            ),
            Self::Missing { option } => Some(format!("give {option}")),
            Self::Unconfirmed => Some(
                "after it an older state of the repository is not told from a newer one, once; to do it, add --yes"
                    .to_owned(),
            ),
            Self::Turn(refused) => refused.help(),
            Self::Stopped(_) => Some("nothing was changed".to_owned()),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Start(_)
            | Self::Answer(_)
            | Self::Anchor { .. }
            | Self::Host(_)
            | Self::Reboot(_)
            | Self::Missing { .. }
            | Self::Unconfirmed
            | Self::Stopped(_) => "failed",
            Self::NoUpdate { .. } | Self::Withheld { .. } => "no_update",
            Self::FailedHere { .. } => "held",
            Self::Unhealthy { .. } => "unhealthy",
            Self::Rollback(refused) => refused.code(),
            Self::Recalled { .. } => "disallowed",
            Self::Wish(_) | Self::Attempts(_) | Self::NoRecord { .. } => "failed",
            Self::Config(error) => error.code(),
            Self::Lock(host_io::lock::Error::Held { .. }) => "locked",
            Self::Lock(_) => "failed",
            Self::Repository(error) | Self::Cache(error) => error.code(),
            Self::Disk(error) => error.code(),
            Self::Refused(refusal) => refusal.code(),
            Self::Rehearsal(error) => error.code(),
            Self::NoPath(_) | Self::MissingMigration(_) | Self::UnsafeMigration { .. } => "missing_migration",
            Self::Unsigned(_) => "missing_target",
            Self::OverBudget(error) => error.code(),
            Self::NoRoom(_) => "no_room",
            Self::Install(error) => error.code(),
            Self::Record(error) => error.code(),
            Self::AfterClear { source, .. } | Self::AfterClearOfIdle { source, .. } => source.code(),
            Self::First(refused) => refused.code(),
            Self::Turn(refused) => refused.code(),
        }
    }
}

impl From<crate::write::first::Refused> for Error {
    fn from(refused: crate::write::first::Refused) -> Self {
        Self::First(Box::new(refused))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (Error::Start(io::Error::other("the disk is gone")), "start"),
            (Error::Answer(io::Error::other("the disk is gone")), "write the answer"),
            (
                Error::NoUpdate { why: "it was recalled".into(), held: None },
                "find an update: no update available",
            ),
            (
                Error::Unhealthy { reason: "it is torn".into(), then: "mark it".into() },
                "confirm this boot: it is torn",
            ),
            (
                Error::Recalled { version: "1.2.0".parse().unwrap(), why: "it was recalled".into() },
                "activate 1.2.0: it may not run any more: it was recalled",
            ),
            (
                Error::Wish(io::Error::other("the disk is gone")),
                "say in what shape the next boot wants the settings",
            ),
            (Error::Attempts(io::Error::other("the disk is gone")), "forget which releases did not stay"),
            (Error::NoRecord { id: "17".into() }, "find the record \"17\" in the history"),
            (
                Error::Reboot(host_io::host::Error::Reboot {
                    through: "systemctl".into(),
                    source: std::io::Error::other("gone"),
                }),
                "reboot into the update, which is in place",
            ),
            (
                Error::Anchor { path: "/data/file".into(), source: io::Error::other("the disk is gone") },
                "read the trusted root /data/file",
            ),
            (
                Error::MissingMigration(trusted_repo::Error::NotBegun { dir: "/t".into() }),
                "find the migrations for the next boot",
            ),
            (
                Error::UnsafeMigration { name: "migrate_v1.1.0_x.lz4".into() },
                "accept the migration \"migrate_v1.1.0_x.lz4\": its name has characters that no target name may have",
            ),
            (
                Error::Cache(trusted_repo::Error::NotBegun { dir: "/t".into() }),
                "keep the migrations for the next boot",
            ),
            (Error::Missing { option: "--root" }, "understand what to do: --root is missing"),
            (
                Error::AfterClear {
                    version: "1.2.0".parse().unwrap(),
                    set: SetName::B,
                    fetched: 1,
                    written: 2,
                    source: Box::new(Error::Unconfirmed),
                },
                "install 1.2.0 in set B",
            ),
            (Error::Unconfirmed, "forget what is trusted: it was not confirmed"),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
