//! What was written and is not on the medium yet.
//!
//! Few files and directories are waited for one by one; from a handful on, the file system is told once to write down
//! all that it has. So no change of a store waits more than a handful of times, however much it writes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use host_io::fs::{Fs, NewFile};

use crate::error::Error;

/// How many are waited for one by one.
const FEW: usize = 4;

/// Files and directories that are owed a sync. Nothing may refer to them before [`Unsynced::settle`].
#[derive(Default)]
pub(crate) struct Unsynced {
    files: Vec<(PathBuf, Box<dyn NewFile>)>,
    directories: BTreeSet<PathBuf>,
    many: bool,
}

impl Unsynced {
    /// A file was written.
    pub(crate) fn file(&mut self, path: &Path, file: Box<dyn NewFile>) {
        if self.many {
            return;
        }
        self.files.push((path.to_owned(), file));
        self.count();
    }

    /// The names in a directory have changed.
    pub(crate) fn directory(&mut self, path: &Path) {
        if self.many {
            return;
        }
        self.directories.insert(path.to_owned());
        self.count();
    }

    /// A directory was removed: the names in the one above have changed, and nobody can sync it any more.
    pub(crate) fn removed(&mut self, path: &Path) {
        self.directories.retain(|directory| !directory.starts_with(path));
        self.files.retain(|(file, _)| !file.starts_with(path));
    }

    /// More than what was told here may have to be written down.
    pub(crate) fn everything(&mut self) {
        self.many = true;
        self.files.clear();
        self.directories.clear();
    }

    /// Waits until all of it is on the medium. It lies on the file system of `base`.
    pub(crate) fn settle(self, fs: &dyn Fs, base: &Path) -> Result<(), Error> {
        if self.many {
            return fs.sync_all(base).map_err(Error::io("sync", base));
        }
        for (path, mut file) in self.files {
            file.sync().map_err(Error::io("sync", &path))?;
        }
        for path in &self.directories {
            fs.sync_dir(path).map_err(Error::io("sync", path))?;
        }
        Ok(())
    }

    fn count(&mut self) {
        if self.files.len() + self.directories.len() > FEW {
            self.everything();
        }
    }
}
