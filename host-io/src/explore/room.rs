//! A persistent partition that is full, without a file system of its own: programs that are recorded are refused bytes
//! once what is left of a number is used up.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What a new directory takes.
pub(super) const DIRECTORY: usize = 4096;

/// How many bytes may still be written, where that is less than the machine has. A file beside the record says so. What
/// is removed gives nothing back: a medium frees blocks when it likes.
#[derive(Debug)]
pub struct Room {
    file: PathBuf,
}

impl Room {
    pub(super) fn beside(record: &Path) -> Self {
        Self { file: record.join("room") }
    }

    /// From now on there is room for so many bytes below `dir`, and elsewhere for all that the machine has.
    ///
    /// # Errors
    /// When that cannot be written down.
    pub fn leave(&self, bytes: u64, dir: &Path) -> io::Result<()> {
        fs::write(&self.file, format!("{bytes} {}", dir.display()))
    }

    /// From now on there is room for all that the machine has.
    ///
    /// # Errors
    /// When that cannot be written down.
    pub fn free(&self) -> io::Result<()> {
        match fs::remove_file(&self.file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// What is left for `path`; `None` where nobody counts.
    #[must_use]
    pub fn left(&self, path: &Path) -> Option<u64> {
        self.read().filter(|(_, dir)| path.starts_with(dir)).map(|(left, _)| left)
    }

    /// Takes room for so many bytes at `path`, or refuses as a full file system does. Nobody else may do so meanwhile.
    pub(super) fn take(&self, bytes: usize, path: &Path) -> io::Result<()> {
        let Some((left, dir)) = self.read().filter(|(_, dir)| path.starts_with(dir)) else { return Ok(()) };
        let left = left.checked_sub(bytes as u64).ok_or(io::ErrorKind::StorageFull)?;
        self.leave(left, &dir)
    }

    fn read(&self) -> Option<(u64, PathBuf)> {
        let text = fs::read_to_string(&self.file).ok()?;
        let (left, dir) = text.split_once(' ')?;
        Some((left.parse().ok()?, PathBuf::from(dir)))
    }
}
