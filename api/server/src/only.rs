//! One server per host: two would undo each other's commits.

use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use thiserror::Error;

/// Proof that no other server works on the same datastore: two would undo each other's commits.
#[derive(Debug)]
pub struct OnlyServer {
    _dir: File,
}

/// Why this server may not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// Another one runs.
    #[error("serve the datastore {0}: another apiserver serves it already")]
    Held(PathBuf),
    /// The directory cannot be opened or locked.
    #[error("lock the datastore {path}")]
    Io {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl OnlyServer {
    /// Claims the datastores in `base`, a directory that exists. The kernel ends the claim with the process.
    ///
    /// # Errors
    /// When another server has claimed them, or the directory cannot be opened.
    pub fn claim(base: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Io { path: base.to_owned(), source };
        host_io::lock::private::close(base);
        let dir = File::open(base).map_err(failed)?;
        match flock(&dir, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _dir: dir }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::Held(base.to_owned())),
            Err(errno) => Err(failed(errno.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_claim_is_refused_until_the_first_ends() {
        let dir = tempfile::tempdir().unwrap();
        let first = OnlyServer::claim(dir.path()).unwrap();
        assert!(matches!(OnlyServer::claim(dir.path()), Err(Error::Held(_))));
        drop(first);
        OnlyServer::claim(dir.path()).unwrap();
        assert!(matches!(OnlyServer::claim(&dir.path().join("missing")), Err(Error::Io { .. })));
    }
}
