//! The two locks, always taken in this order: the operation lock, then the disk lock.
//!
//! - The **operation lock** is held for a whole update, whether a person or the API started it.
//! - The **disk lock** is held on the disk node, only around one read-modify-write of the partition table.
//!
//! A [`DirLock`] beside them keeps two readers and writers of one small directory of state apart, for moments. All are
//! `flock(2)` locks: the kernel releases them when the holder dies, however it dies.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use thiserror::Error;

use crate::Paths;

/// How long a second holder of a short lock waits for the first one.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long an update waits for the operation lock: longer than a question after it ([`OperationLock::is_held`])
/// shares it, and much shorter than any update.
const ASKING: Duration = Duration::from_millis(200);

/// Why a lock was not taken.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// Somebody else holds it.
    #[error("take the lock {path}: it is held by {}", holder(*.pid))]
    Held {
        /// The locked file.
        path: PathBuf,
        /// The holder, where the kernel tells.
        pid: Option<u32>,
    },
    /// The lock file cannot be opened or locked.
    #[error("take the lock {path}")]
    Io {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

/// Proof that this process is the only one that changes the update state.
#[derive(Debug)]
pub struct OperationLock {
    _file: File,
}

impl OperationLock {
    /// Takes the lock, or says who has it.
    ///
    /// # Errors
    /// [`Error::Held`] when an update runs already.
    pub fn acquire(paths: &Paths) -> Result<Self, Error> {
        let path = paths.operation_lock();
        let failed = |source| Error::Io { path: path.clone(), source };
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(failed)?;
        }
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        lock_within(&file, &path, ASKING)?;
        Ok(Self { _file: file })
    }

    /// The process that holds the lock, where the kernel tells. It may end at any moment: whoever means to signal it
    /// opens it first and asks here again.
    #[must_use]
    pub fn holder(paths: &Paths) -> Option<u32> {
        holder_of(&File::open(paths.operation_lock()).ok()?)
    }

    /// Whether somebody holds the lock at this moment. Reading never creates the file.
    ///
    /// # Errors
    /// When the lock file exists and cannot be opened.
    pub fn is_held(paths: &Paths) -> Result<bool, Error> {
        let path = paths.operation_lock();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(source) => return Err(Error::Io { path, source }),
        };
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(false),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
            Err(errno) => Err(Error::Io { path, source: errno.into() }),
        }
    }
}

/// Proof that this process is the only one of ours that changes the disk's partition table.
#[derive(Debug)]
pub struct DiskLock {
    _file: File,
}

impl DiskLock {
    /// Takes the lock on `disk`, waiting up to five seconds for another holder.
    ///
    /// # Errors
    /// [`Error::Held`] when it is still held then.
    pub fn acquire(disk: &Path) -> Result<Self, Error> {
        Self::acquire_within(disk, PATIENCE)
    }

    /// [`DiskLock::acquire`] with another patience.
    ///
    /// # Errors
    /// [`Error::Held`] when it is still held after `patience`.
    pub fn acquire_within(disk: &Path, patience: Duration) -> Result<Self, Error> {
        // Opening for writing would make udev rescan the partitions on close; a lock needs no more than reading.
        Ok(Self { _file: open_locked(disk, patience)? })
    }
}

/// Proof that this process is the only one of ours that reads or replaces the state in a directory. Held for moments,
/// inside of any other lock.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

impl DirLock {
    /// Takes the lock on `dir`, which has to exist, waiting up to five seconds for another holder.
    ///
    /// # Errors
    /// [`Error::Held`] when it is still held then.
    pub fn acquire(dir: &Path) -> Result<Self, Error> {
        Ok(Self { _file: open_locked(dir, PATIENCE)? })
    }
}

fn open_locked(path: &Path, patience: Duration) -> Result<File, Error> {
    let file = File::open(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
    lock_within(&file, path, patience)?;
    Ok(file)
}

#[expect(clippy::disallowed_methods, reason = "a bounded wait needs a monotonic clock")]
fn lock_within(file: &File, path: &Path, patience: Duration) -> Result<(), Error> {
    let give_up = Instant::now() + patience;
    loop {
        if try_lock(file).map_err(|source| Error::Io { path: path.to_owned(), source })? {
            return Ok(());
        }
        if Instant::now() >= give_up {
            return Err(Error::Held { path: path.to_owned(), pid: holder_of(file) });
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn try_lock(file: &File) -> io::Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// How often the list of locks is read before a holder counts as unknown. The kernel hands it out in parts, no larger
/// than what is asked for at once, and an entry moves to a part that was read already when somebody lets go of a lock
/// before it.
const READINGS: u32 = 8;

/// The process that holds a `flock` on `file`, from the kernel's list of locks.
fn holder_of(file: &File) -> Option<u32> {
    let inode = file.metadata().ok()?.ino().to_string();
    (0..READINGS).find_map(|_| holder_in(&locks().ok()?, &inode))
}

/// The kernel's list of locks. The room to begin with makes the first part a large one; without it that is one entry.
fn locks() -> io::Result<String> {
    let mut text = String::with_capacity(64 << 10);
    File::open("/proc/locks")?.read_to_string(&mut text)?;
    Ok(text)
}

fn holder_in(locks: &str, inode: &str) -> Option<u32> {
    locks.lines().find_map(|line| {
        // "1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF"
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, _, pid, place, ..] = fields[..] else { return None };
        let same = place.rsplit(':').next() == Some(inode);
        same.then(|| pid.parse().ok().filter(|&pid| pid != 0)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_update_is_told_who_runs_the_first() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let paths = Paths::under(dir.path());
        assert!(!OperationLock::is_held(&paths).expect("readable"));
        assert!(!paths.operation_lock().exists(), "asking must not create the lock");
        let first = OperationLock::acquire(&paths).expect("free");
        assert!(OperationLock::is_held(&paths).expect("readable"));
        let error = OperationLock::acquire(&paths).expect_err("held");
        assert!(error.to_string().contains("held by"), "{error}");
        assert_eq!(OperationLock::holder(&paths), Some(std::process::id()));
        drop(first);
        assert_eq!(OperationLock::holder(&paths), None);
        OperationLock::acquire(&paths).expect("free again");
    }

    #[test]
    fn a_second_writer_of_a_table_gives_up_in_the_end() {
        let file = tempfile::NamedTempFile::new().expect("temporary file");
        let _first = DiskLock::acquire(file.path()).expect("free");
        let error = DiskLock::acquire_within(file.path(), Duration::ZERO).expect_err("held");
        assert!(matches!(error, Error::Held { .. }), "{error}");
    }

    #[test]
    fn the_state_in_a_directory_has_one_user_at_a_time() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let first = DirLock::acquire(dir.path()).expect("free");
        assert!(matches!(open_locked(dir.path(), Duration::ZERO), Err(Error::Held { .. })));
        drop(first);
        DirLock::acquire(dir.path()).expect("free again");
        assert!(matches!(DirLock::acquire(&dir.path().join("missing")), Err(Error::Io { .. })));
    }
}
