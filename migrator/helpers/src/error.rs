//! Why a migration fails.

use std::path::PathBuf;

use thiserror::Error;

/// Why a migration fails. The boot then fails, and the host goes back to the set that it came from.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The source cannot be read.
    #[error("read the source store {path}")]
    Read {
        /// The data directory.
        path: PathBuf,
        /// Why.
        source: datastore::Error,
    },
    /// The target cannot be written.
    #[error("write the target store {path}")]
    Write {
        /// The data directory.
        path: PathBuf,
        /// Why.
        source: datastore::Error,
    },
    /// Something lies where the target is to be written.
    #[error("write the target store {path}: it exists already")]
    TargetExists {
        /// The data directory.
        path: PathBuf,
    },
    /// The migration made a key that is none.
    #[error("take over what the migration made")]
    Key(#[from] datastore::KeyError),
    /// A list of text was expected.
    #[error("change the list {setting}: it holds {item}, which is not text")]
    NotText {
        /// The setting or metadata entry.
        setting: String,
        /// The first item that is not text.
        item: String,
    },
    /// A rename finds something in its place.
    #[error("rename {from}: {to} is there already")]
    Occupied {
        /// What is renamed.
        from: datastore::Key,
        /// What is in its place.
        to: datastore::Key,
    },
    /// A reason of the migration's own.
    #[error("{0}")]
    Other(String),
}

impl host_io::Advise for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (
                Error::Read {
                    path: "/data/file".into(),
                    source: datastore::Error::Value { path: "/s".into(), reason: "torn".into() },
                },
                "read the source store /data/file",
            ),
            (
                Error::Write {
                    path: "/data/file".into(),
                    source: datastore::Error::Value { path: "/s".into(), reason: "torn".into() },
                },
                "write the target store /data/file",
            ),
            (Error::Key("".parse::<datastore::Key>().unwrap_err()), "take over what the migration made"),
            (
                Error::NotText { setting: "ntp.servers".into(), item: "7".into() },
                "change the list ntp.servers: it holds 7, which is not text",
            ),
            (
                Error::Occupied {
                    from: "settings.motd".parse().unwrap(),
                    to: "settings.motd".parse().unwrap(),
                },
                "rename settings.motd: settings.motd is there already",
            ),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
