//! What can go wrong while a repository is made.

use std::io;
use std::path::PathBuf;

use host_io::Advise;
use thiserror::Error;

/// What a source of keys may fail with.
pub type SourceError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Why a repository was not made, or not changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{doing} {path}")]
    File {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A key file does not hold an Ed25519 key.
    #[error("use the key in {path}: {reason}")]
    Key {
        /// The file, or where else the key came from.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No key could be generated.
    #[error("generate a key: this machine gives no random numbers")]
    Random,
    /// A root role that nobody could ever satisfy, or that does not follow its predecessor.
    #[error("make root version {version}: {reason}")]
    Root {
        /// The root's version.
        version: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A key that lies elsewhere cannot be reached.
    #[error("reach the key that signs")]
    Source(#[source] SourceError),
    /// The keys at hand do not make enough signatures.
    #[error("sign the {role} role: {reason}")]
    Sign {
        /// The role.
        role: String,
        /// Which signatures are missing.
        reason: String,
    },
    /// A role that nothing can be delegated to, or that is not there.
    #[error("delegate to {name:?}: {reason}")]
    Delegation {
        /// The role.
        name: String,
        /// Why not.
        reason: String,
    },
    /// The name of a target that no host would take.
    #[error("add the target {name:?}: a name may only have letters, digits and ._+-")]
    Name {
        /// The name.
        name: String,
    },
    /// A signed target would get other bytes.
    #[error("add the target {name}: it was published with other bytes before")]
    Republished {
        /// The name.
        name: String,
    },
    /// A date that TUF metadata cannot hold.
    #[error("write the date {date} into metadata")]
    Date {
        /// The date.
        date: String,
    },
    /// The repository that is to be changed cannot be read.
    #[error("load the repository that is to be changed")]
    Load(#[source] crate::Error),
}

impl Error {
    pub(crate) fn file(doing: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::File { doing, path: path.into(), source }
    }
}

impl Advise for Error {
    fn help(&self) -> Option<String> {
        let text = match self {
            Self::File { .. } => "check the path, the permissions and the free space",
            Self::Key { .. } => "give a file with an Ed25519 private key as PKCS#8 PEM",
            Self::Source(_) => "see that whatever holds the key can be reached, and that you may use it",
            Self::Root { .. } => "check thresholds, keys and version against the root before",
            Self::Sign { .. } => "give the keys that the root role names for this role",
            Self::Delegation { .. } => {
                "see \"Teams with keys of their own\" in docs/publishing.md for what can be delegated, and to whom"
            }
            Self::Name { .. } => "rename the file",
            Self::Republished { .. } => {
                "publish a new version instead: hosts may have fetched half of the old one"
            }
            Self::Load(error) => return error.help(),
            Self::Random | Self::Date { .. } => return None,
        };
        Some(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (
                Error::Key { path: "/data/file".into(), reason: "it is torn".into() },
                "use the key in /data/file: it is torn",
            ),
            (Error::Random, "generate a key: this machine gives no random numbers"),
            (Error::Root { version: 2, reason: "it is torn".into() }, "make root version 2: it is torn"),
            (
                Error::Sign { role: "timestamp".into(), reason: "it is torn".into() },
                "sign the timestamp role: it is torn",
            ),
            (
                Error::Name { name: "migrate_v1.1.0_x.lz4".into() },
                "add the target \"migrate_v1.1.0_x.lz4\": a name may only have letters, digits and ._+-",
            ),
            (
                Error::Republished { name: "migrate_v1.1.0_x.lz4".into() },
                "add the target migrate_v1.1.0_x.lz4: it was published with other bytes before",
            ),
            (Error::Date { date: "-1".into() }, "write the date -1 into metadata"),
            (
                Error::Load(crate::Error::NotBegun { dir: "/t".into() }),
                "load the repository that is to be changed",
            ),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
