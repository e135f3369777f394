//! A program that is killed: before a given change, as the kernel or a person kills it, while the power stays.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::{Signal, getpid, kill_process};

/// After how many more changes somebody is killed. A file beside the record says so; while it is missing nobody is.
#[derive(Debug, Clone)]
pub struct Killing {
    file: PathBuf,
}

impl Killing {
    pub(super) fn beside(record: &Path) -> Self {
        Self { file: record.join("killing") }
    }

    /// Whoever is about to make a change after so many others is killed before it makes it. Then nobody else is.
    ///
    /// # Errors
    /// When that cannot be written down.
    pub fn after(&self, changes: u64) -> io::Result<()> {
        fs::write(&self.file, changes.to_string())
    }

    /// After how many more changes somebody is killed; `None` where nobody will be, or somebody was.
    #[must_use]
    pub fn left(&self) -> Option<u64> {
        fs::read_to_string(&self.file).ok()?.parse().ok()
    }

    /// From now on nobody is killed.
    ///
    /// # Errors
    /// When that cannot be written down.
    pub fn stop(&self) -> io::Result<()> {
        match fs::remove_file(&self.file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Counts a change that is about to be made, or ends the program that would make it. Nobody else may count meanwhile.
    pub(super) fn count(&self) {
        let Some(left) = self.left() else { return };
        if let Some(left) = left.checked_sub(1) {
            return self.after(left).expect("a record can be written");
        }
        self.stop().expect("a record can be written");
        kill_process(getpid(), Signal::KILL).expect("a program may kill itself");
        loop {
            std::thread::park();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::{Record, RecordedFs};
    use crate::fs::Fs as _;

    /// That the next one would be killed is shown where a whole program is: `cargo xtask crash`.
    #[test]
    fn changes_are_counted_looks_are_not_and_nobody_is_killed_once_that_is_called_off() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let record: &'static Record = Box::leak(Box::new(Record::at(dir.path())));
        let (fs, killing) = (RecordedFs(record), record.killing());
        assert_eq!(killing.left(), None);
        killing.after(2).expect("a record can be written");
        fs.make_dir(&dir.path().join("one"), 0o700).expect("made");
        fs.kind(&dir.path().join("one")).expect("a look");
        assert_eq!(killing.left(), Some(1));
        fs.make_dir(&dir.path().join("two"), 0o700).expect("made");
        assert_eq!(killing.left(), Some(0));
        killing.stop().expect("a record can be written");
        fs.make_dir(&dir.path().join("three"), 0o700).expect("made, and whoever made it lives");
    }
}
