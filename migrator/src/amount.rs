//! How much lies in a directory, in bytes and in files.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use host_io::{Fs as _, SystemFs};

/// So many bytes, in so many files and directories.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// Bytes.
    pub bytes: u64,
    /// Files, directories and whatever else has a name.
    pub files: u64,
}

/// More than any bound.
const ENDLESS: Amount = Amount { bytes: u64::MAX, files: u64::MAX };
/// What the kernel counts the space of files in, in bytes.
const BLOCK: u64 = 512;

impl Amount {
    /// What the file system gets back when these directories go. What cannot be looked at counts for nothing.
    #[must_use]
    pub fn taken_by(directories: &[PathBuf]) -> Self {
        directories.iter().fold(Self::default(), |sum, directory| {
            sum.plus(Self::count(directory, ENDLESS, |metadata| metadata.blocks() * BLOCK))
        })
    }

    /// What lies below `directory`, itself included, for whoever is to read it; beyond `most` it is not counted to its
    /// end. Somebody may be writing there meanwhile.
    #[must_use]
    pub fn below(directory: &Path, most: Self) -> Self {
        // A file may be longer than what it takes, and whoever reads it gets all of it.
        let held = |metadata: &Metadata| if metadata.is_file() { metadata.len() } else { 0 };
        Self::count(directory, most, |metadata| held(metadata).max(metadata.blocks() * BLOCK))
    }

    fn count(directory: &Path, most: Self, bytes: impl Fn(&Metadata) -> u64) -> Self {
        let mut sum = Self::default();
        // One directory is open at a time, however deep they lie.
        let mut todo = vec![directory.to_owned()];
        while let Some(path) = todo.pop() {
            let metadata = match std::fs::symlink_metadata(&path) {
                Ok(metadata) => metadata,
                // Nested so deep that no name leads there any more: who does that has no store in mind.
                Err(error) if error.kind() == io::ErrorKind::InvalidFilename => return ENDLESS,
                Err(_) => continue,
            };
            sum = sum.plus(Self { bytes: bytes(&metadata), files: 1 });
            if sum.exceeds(most) {
                break;
            }
            if metadata.is_dir()
                && let Ok(entries) = std::fs::read_dir(&path)
            {
                // Of one that has more than may be, no more than shows it.
                let enough = most.files.saturating_sub(sum.files).saturating_add(1);
                let enough = usize::try_from(enough).unwrap_or(usize::MAX);
                todo.extend(entries.flatten().map(|entry| entry.path()).take(enough));
            }
        }
        sum
    }

    /// What is free where `path` lies; `None` where the file system does not count both.
    #[must_use]
    pub fn free(path: &Path) -> Option<Self> {
        let (bytes, files) = (SystemFs.free_bytes(path).ok()?, SystemFs.free_files(path).ok()?);
        (files != u64::MAX).then_some(Self { bytes, files })
    }

    /// Whether it is more than `most`, in bytes or in files.
    #[must_use]
    pub fn exceeds(self, most: Self) -> bool {
        self.bytes > most.bytes || self.files > most.files
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { bytes: self.bytes.saturating_add(other.bytes), files: self.files.saturating_add(other.files) }
    }

    /// The greater of both, in bytes and in files.
    #[must_use]
    pub fn greater(self, other: Self) -> Self {
        Self { bytes: self.bytes.max(other.bytes), files: self.files.max(other.files) }
    }

    /// Half of it.
    #[must_use]
    pub fn half(self) -> Self {
        Self { bytes: self.bytes / 2, files: self.files / 2 }
    }

    /// So many times this.
    #[must_use]
    pub fn times(self, number: u64) -> Self {
        Self { bytes: self.bytes.saturating_mul(number), files: self.files.saturating_mul(number) }
    }

    /// What is left of it without `other`.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        Self { bytes: self.bytes.saturating_sub(other.bytes), files: self.files.saturating_sub(other.files) }
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes in {} files", self.bytes, self.files)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rustix::fs::{Mode, OFlags};

    use super::*;

    #[test]
    fn everything_that_has_a_name_is_counted_and_no_link_followed() {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("inside");
        fs::create_dir_all(inside.join("a/b")).unwrap();
        fs::write(inside.join("a/b/file"), vec![b'x'; 10_000]).unwrap();
        fs::write(dir.path().join("large"), vec![b'x'; 1_000_000]).unwrap();
        std::os::unix::fs::symlink(dir.path(), inside.join("link")).unwrap();
        let found = Amount::below(&inside, ENDLESS);
        assert_eq!(found.files, 5);
        assert!((10_000..200_000).contains(&found.bytes), "{found}");
        let taken = Amount::taken_by(&[inside.clone(), inside.clone(), "/not/there".into()]);
        assert_eq!(taken.files, 10);
        assert!((20_000..400_000).contains(&taken.bytes), "{taken}");
        // Far beyond what is possible, nobody goes on to count.
        let most = Amount { bytes: u64::MAX, files: 2 };
        assert!(Amount::below(&inside, most).exceeds(most));
        assert!(Amount::below(&inside, most).files < found.files);
    }

    #[test]
    fn a_file_counts_as_long_as_it_says_though_it_takes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        fs::File::create(dir.path().join("sparse")).unwrap().set_len(1 << 30).unwrap();
        assert!(Amount::below(dir.path(), ENDLESS).bytes >= 1 << 30);
        assert!(Amount::taken_by(&[dir.path().to_owned()]).bytes < 1 << 20);
    }

    #[test]
    fn what_lies_too_deep_for_any_name_is_too_much() {
        let dir = tempfile::tempdir().unwrap();
        let name = "d".repeat(200);
        let mut at = fs::File::open(dir.path()).unwrap();
        for _ in 0..30 {
            rustix::fs::mkdirat(&at, &*name, 0o700.into()).unwrap();
            let flags = OFlags::RDONLY | OFlags::DIRECTORY;
            at = rustix::fs::openat(&at, &*name, flags, Mode::empty()).unwrap().into();
        }
        assert_eq!(Amount::below(dir.path(), ENDLESS), ENDLESS);
    }
}
