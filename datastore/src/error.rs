//! What can be wrong with a store, or with a change to it.

use std::io;
use std::path::{Path, PathBuf};

use semver::Version;
use thiserror::Error;

use crate::key::{Key, KeyError};

/// Why a store could not be read or changed. After an error of a change the store holds what it held before, or, when
/// only the last sync failed, what it was to hold.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no store yet: the first boot.
    #[error("find a datastore in {base}: there is no link \"current\"")]
    Absent {
        /// The directory that was to hold it.
        base: PathBuf,
    },
    /// A store is to be made where one is.
    #[error("make a datastore in {base}: one of version {version} is there")]
    Present {
        /// The directory that holds it.
        base: PathBuf,
        /// Its version.
        version: Version,
    },
    /// The link that a reader starts from is lost, and more than one store could be the live one.
    #[error("find the live datastore in {base}: its link \"current\" is lost, and there are {}", .stores.join(" and "))]
    Lost {
        /// The directory that holds them.
        base: PathBuf,
        /// The stores that it may have led to.
        stores: Vec<String>,
    },
    /// The storage refused.
    #[error("{errand} {path}")]
    Io {
        /// What was being done.
        errand: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A link of the chain is not as it must be.
    #[error("follow the datastore's link {path}: {reason}")]
    Link {
        /// The link.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Something lies in a data directory that has no place there. Links are never followed.
    #[error("read the datastore: {path} is {what}")]
    Foreign {
        /// Where.
        path: PathBuf,
        /// What it is instead of what it must be.
        what: &'static str,
    },
    /// A data directory has no live tree.
    #[error("read the datastore: {path} is missing")]
    NoLive {
        /// Where it must be.
        path: PathBuf,
    },
    /// A file does not hold a value.
    #[error("read the value in {path}: {reason}")]
    Value {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A value that no store may hold.
    #[error("store {key}: {reason}")]
    NotStorable {
        /// The setting.
        key: Key,
        /// Why not.
        reason: &'static str,
    },
    /// Two keys of which one is a part of the other: they would need one name for a file and a directory.
    #[error("store {key}: {other} holds a value, and nothing can lie below a value")]
    Collision {
        /// The longer key.
        key: Key,
        /// The shorter one.
        other: Key,
    },
    /// A part of a name is too long for a file once it is encoded.
    #[error(
        "store {name:?}: as a file name it has {len} bytes, and {} are possible",
        crate::encoding::NAME_MAX
    )]
    NameTooLong {
        /// The segment, metadata name or transaction.
        name: String,
        /// Bytes of the file name.
        len: usize,
    },
    /// A transaction or a metadata entry has no usable name.
    #[error("use {name:?} as the name of a {of}")]
    Name {
        /// The name.
        name: String,
        /// What it was to name.
        of: &'static str,
    },
    /// A text is not the name of a setting.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl Error {
    /// For `map_err`: the storage refused `errand` on `path`.
    pub(crate) fn io(errand: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { errand, path, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_in_these_words() {
        assert_eq!(
            Error::Value { path: "/data/file".into(), reason: "it is torn".into() }.to_string(),
            "read the value in /data/file: it is torn"
        );
    }
}
