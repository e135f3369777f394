//! The locks, always taken in this order: the operation lock, the disk lock, the lock of a directory.
//!
//! - The **operation lock** is held for a whole update, whether a person or the API started it.
//! - The **disk lock** is held on the disk node, only around one read-modify-write of the partition table.
//! - A [`DirLock`] keeps two readers and writers of one small directory of state apart, for moments.
//!
//! All are `flock(2)` locks: the kernel releases them when the holder dies, however it dies. Whoever may open a file may
//! take such a lock, to read it is enough; so what is locked is closed to everybody else first ([`private`]). Who holds
//! one is known from two sides: the kernel's list of locks, and for the operation lock what the holder wrote into it.
//!
//! - [`private`]: files and directories that nobody else may open
//! - `kernel`: the kernel's list of locks
//! - [`holder`]: a process that holds the operation lock, by both

pub mod holder;
mod kernel;
pub mod private;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use thiserror::Error;

use crate::Paths;
pub use holder::Holder;

/// How long a second holder of a short lock waits for the first one.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long an update waits for the operation lock: longer than a reader of an earlier release shares it for a question,
/// and much shorter than any update.
const ASKING: Duration = Duration::from_millis(200);

/// Why a lock was not taken.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// Somebody else holds it.
    #[error("take the lock {path}: it is held by {}", who(*.pid))]
    Held {
        /// The locked file.
        path: PathBuf,
        /// The holder, where the kernel tells.
        pid: Option<u32>,
    },
    /// What lies in the lock's place is not what we would put there.
    #[error("take the lock {path}: it {why}")]
    NotOurs {
        /// The lock file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
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

impl Error {
    /// What a person can do about a lock that is nobody's.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::NotOurs { path, .. } => Some(format!(
                "nothing was changed; look at what it is, then take it away: rm -r {}",
                path.display()
            )),
            Self::Held { .. } | Self::Io { .. } => None,
        }
    }
}

fn who(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

/// Proof that this process is the only one that changes the update state.
#[derive(Debug)]
pub struct OperationLock {
    file: File,
}

impl OperationLock {
    /// Takes the lock, or says who has it.
    ///
    /// # Errors
    /// [`Error::Held`] when an update runs already; [`Error::NotOurs`] when somebody else put a file, a link or anything
    /// else into its place.
    pub fn acquire(paths: &Paths) -> Result<Self, Error> {
        let path = paths.operation_lock();
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(|source| misplaced(dir, source))?;
        }
        private::make(&paths.update_state());
        let file = private::open_file(&path).map_err(|source| misplaced(&path, source))?;
        private::claim(&file).map_err(|why| Error::NotOurs { path: path.clone(), why })?;
        lock_within(&file, &path, ASKING)?;
        if let Err(error) = Holder::this_process().and_then(|own| own.write(&file)) {
            tracing::warn!("nobody will be able to tell who holds {}: {error}", path.display());
        }
        Ok(Self { file })
    }

    /// The process of ours that holds the lock: what the kernel says and what the holder wrote agree, and the process that
    /// is meant still runs. A holder that wrote nothing is nobody's to signal.
    #[must_use]
    pub fn holder(paths: &Paths) -> Option<Holder> {
        let file = ours(&paths.operation_lock()).ok()??;
        let holder = Holder::read(&file)?;
        match kernel::writer(&file) {
            kernel::Writer::Process(pid) if pid == holder.pid() && holder.runs() => Some(holder),
            _ => None,
        }
    }

    /// Whether somebody holds the lock at this moment. Asking takes no lock that others could see, and never creates the
    /// file.
    ///
    /// # Errors
    /// When the lock file exists and cannot be opened.
    pub fn is_held(paths: &Paths) -> Result<bool, Error> {
        let path = paths.operation_lock();
        let failed = |source| Error::Io { path: path.clone(), source };
        // Where something else lies in its place, nobody of ours can hold it.
        let Some(file) = ours(&path).map_err(failed)? else { return Ok(false) };
        if Holder::read(&file).is_some_and(|holder| holder.runs()) {
            return Ok(true);
        }
        match kernel::writer(&file) {
            kernel::Writer::Process(_) => Ok(true),
            kernel::Writer::Nobody => Ok(false),
            // Without the kernel's list there is no other way than to try.
            kernel::Writer::Unknown => match flock(&file, FlockOperation::NonBlockingLockShared) {
                Ok(()) => Ok(false),
                Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
                Err(errno) => Err(failed(errno.into())),
            },
        }
    }
}

impl Drop for OperationLock {
    fn drop(&mut self) {
        // Whoever reads it now finds nobody, and the kernel's list settles it.
        let _the_word_of_a_process_that_goes_on = self.file.set_len(0);
    }
}

/// Why what should be at `path` is not: something else is there, or the system says so.
fn misplaced(path: &Path, source: io::Error) -> Error {
    match private::other_kind(&source) {
        Some(why) => Error::NotOurs { path: path.to_owned(), why: why.to_owned() },
        None => Error::Io { path: path.to_owned(), source },
    }
}

/// The lock file, to be read; `None` when there is none, or it is not ours.
fn ours(path: &Path) -> io::Result<Option<File>> {
    match private::open_to_read(path) {
        Ok(file) => Ok(private::check(&file).is_ok().then_some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // A link, which is never followed, a socket, or no directory to lie in.
        Err(error) if private::other_kind(&error).is_some() => Ok(None),
        Err(error) => Err(error),
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
    /// Takes the lock on `dir`, which has to exist, waiting up to five seconds for another holder. Whoever may read the
    /// directory may take it as well.
    ///
    /// # Errors
    /// [`Error::Held`] when it is still held then.
    pub fn acquire(dir: &Path) -> Result<Self, Error> {
        Ok(Self { _file: open_locked(dir, PATIENCE)? })
    }

    /// [`DirLock::acquire`] on a directory that nobody else has a business in, after it is closed to them.
    ///
    /// # Errors
    /// [`Error::Held`] when it is still held then.
    pub fn acquire_private(dir: &Path) -> Result<Self, Error> {
        private::close(dir);
        Self::acquire(dir)
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
            return Err(Error::Held { path: path.to_owned(), pid: kernel::writer(file).pid() });
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
        assert_eq!(OperationLock::holder(&paths).map(|holder| holder.pid()), Some(std::process::id()));
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

    /// A process that holds a `flock` of some kind on a file, as whoever calls flock(1) does.
    struct Stranger(std::process::Child);

    impl Stranger {
        fn holding(path: &Path, kind: &str) -> Self {
            let script = "exec 9<\"$1\"; flock $0 9; echo; read wait";
            let mut child = std::process::Command::new("sh")
                .args(["-c", script, kind])
                .arg(path)
                .stdin(std::process::Stdio::piped())
                .stdout(std::process::Stdio::piped())
                .spawn()
                .expect("a shell");
            let mut line = [0];
            io::Read::read_exact(child.stdout.as_mut().expect("piped"), &mut line).expect("it has the lock");
            Self(child)
        }
    }

    impl Drop for Stranger {
        fn drop(&mut self) {
            let _ended = self.0.kill();
            let _reaped = self.0.wait();
        }
    }

    #[test]
    fn a_holder_that_wrote_nothing_is_seen_and_is_nobody_of_ours() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let paths = Paths::under(dir.path());
        drop(OperationLock::acquire(&paths).expect("free"));
        let _stranger = Stranger::holding(&paths.operation_lock(), "-x");
        assert!(OperationLock::is_held(&paths).expect("readable"));
        assert_eq!(OperationLock::holder(&paths), None);
        assert!(matches!(OperationLock::acquire(&paths), Err(Error::Held { .. })));
    }

    #[test]
    fn the_word_of_a_process_that_has_ended_counts_for_nothing() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let paths = Paths::under(dir.path());
        drop(OperationLock::acquire(&paths).expect("free"));
        // Written by a process that was killed; its number may be anybody's now, this very process's for one.
        let own = Holder::this_process().expect("known");
        for word in
            [format!("{} {}\n", own.pid(), own.started() + 1), "0 0\n".to_owned(), "nonsense".to_owned()]
        {
            std::fs::write(paths.operation_lock(), word).expect("writable");
            assert!(!OperationLock::is_held(&paths).expect("readable"));
            let _stranger = Stranger::holding(&paths.operation_lock(), "-x");
            assert!(OperationLock::is_held(&paths).expect("readable"));
            assert_eq!(OperationLock::holder(&paths), None);
        }
        OperationLock::acquire(&paths).expect("free");
    }

    #[test]
    fn a_lock_on_another_file_with_the_same_number_is_not_this_one() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let paths = Paths::under(dir.path());
        drop(OperationLock::acquire(&paths).expect("free"));
        let file = File::open(paths.operation_lock()).expect("there");
        let place = kernel::place(&file).expect("told");
        let line = |device: &str| format!("1: FLOCK  ADVISORY  WRITE 4711 {device}:{} 0 EOF\n", place.inode);
        assert_eq!(kernel::writer_in(&line(&place.device), &place), Some(4711));
        assert_eq!(kernel::writer_in(&line("ff:7f"), &place), None);
    }

    #[test]
    fn somebody_who_only_shares_or_waits_for_a_lock_does_not_hold_it() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let paths = Paths::under(dir.path());
        drop(OperationLock::acquire(&paths).expect("free"));
        let _reader = Stranger::holding(&paths.operation_lock(), "-s");
        assert!(!OperationLock::is_held(&paths).expect("readable"));
        let file = File::open(paths.operation_lock()).expect("there");
        let place = kernel::place(&file).expect("told");
        let waits = format!("1: -> FLOCK  ADVISORY  WRITE 4711 {}:{} 0 EOF\n", place.device, place.inode);
        assert_eq!(kernel::writer_in(&waits, &place), None);
    }

    #[test]
    fn asking_takes_no_lock_that_an_update_could_meet() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let paths = Paths::under(dir.path());
        drop(OperationLock::acquire(&paths).expect("free"));
        let asking = std::sync::atomic::AtomicBool::new(true);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while asking.load(std::sync::atomic::Ordering::Relaxed) {
                        OperationLock::is_held(&paths).expect("readable");
                    }
                });
            }
            let file = private::open_file(&paths.operation_lock()).expect("there");
            for _ in 0..200 {
                assert!(try_lock(&file).expect("lockable"), "a question was met");
                flock(&file, FlockOperation::Unlock).expect("unlockable");
            }
            asking.store(false, std::sync::atomic::Ordering::Relaxed);
        });
    }

    #[test]
    fn what_somebody_else_put_into_the_place_of_the_lock_is_refused_and_named() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let dir = tempfile::tempdir().expect("temporary directory");
        let paths = Paths::under(dir.path());
        let lock = paths.operation_lock();
        std::fs::create_dir_all(lock.parent().expect("it lies somewhere")).expect("made");
        let victim = dir.path().join("victim");
        std::fs::write(&victim, "precious").expect("made");
        let refused = |said: &str| {
            let error = OperationLock::acquire(&paths).expect_err("refused");
            let said_all = crate::report::chain(&error);
            assert!(said_all.contains(said) && said_all.contains("run/lock"), "{said_all}");
            assert!(error.help().is_some_and(|help| help.contains("take it away")), "{said_all}");
            assert!(!OperationLock::is_held(&paths).expect("nobody of ours can"));
            assert_eq!(std::fs::read_to_string(&victim).expect("there"), "precious");
        };
        symlink(&victim, &lock).expect("made");
        refused("symbolic link");
        std::fs::remove_file(&lock).expect("removed");
        std::fs::hard_link(&victim, &lock).expect("made");
        refused("has 2 names");
        std::fs::remove_file(&lock).expect("removed");
        std::fs::create_dir(&lock).expect("made");
        refused("directory");
        std::fs::remove_dir(&lock).expect("removed");
        let made = std::process::Command::new("mkfifo").arg(&lock).status().expect("mkfifo");
        assert!(made.success());
        refused("is no regular file");
        std::fs::remove_file(&lock).expect("removed");
        drop(std::os::unix::net::UnixListener::bind(&lock).expect("made"));
        refused("is no regular file");
        std::fs::remove_file(&lock).expect("removed");
        let dir_of_locks = lock.parent().expect("it lies somewhere");
        std::fs::remove_dir(dir_of_locks).expect("removed");
        std::fs::write(dir_of_locks, "").expect("made");
        refused("is no directory");
        std::fs::remove_file(dir_of_locks).expect("removed");
        symlink("nowhere", dir_of_locks).expect("made");
        refused("is no directory");
        std::fs::remove_file(dir_of_locks).expect("removed");
        std::fs::create_dir(dir_of_locks).expect("made");
        if rustix::process::geteuid().is_root() {
            std::fs::write(&lock, "").expect("made");
            std::os::unix::fs::chown(&lock, Some(65534), None).expect("root may");
            refused("belongs to user 65534");
            std::fs::remove_file(&lock).expect("removed");
        }
        // One of an earlier release, that everybody may open.
        std::fs::write(&lock, "").expect("made");
        std::fs::set_permissions(&lock, std::fs::Permissions::from_mode(0o644)).expect("set");
        OperationLock::acquire(&paths).expect("ours");
        assert_eq!(std::fs::metadata(&lock).expect("there").permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_directory_of_ours_is_closed_before_it_is_locked() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("temporary directory");
        let mode =
            |mode| std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(mode)).expect("set");
        let now = || std::fs::metadata(dir.path()).expect("there").permissions().mode() & 0o777;
        mode(0o755);
        drop(DirLock::acquire(dir.path()).expect("free"));
        assert_eq!(now(), 0o755, "one that others read stays open");
        let _lock = DirLock::acquire_private(dir.path()).expect("free");
        assert_eq!(now(), 0o700);
        if rustix::process::geteuid().is_root() {
            // Nobody else can so much as open it.
            let tried = std::process::Command::new("setpriv")
                .args(["--reuid=65534", "--clear-groups", "flock", "-n"])
                .arg(dir.path())
                .arg("true")
                .output();
            if let Ok(tried) = tried {
                let said = String::from_utf8_lossy(&tried.stderr).into_owned();
                assert!(!tried.status.success() && said.contains("denied"), "{said}");
            }
        }
    }
}
