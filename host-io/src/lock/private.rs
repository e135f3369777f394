//! Files and directories that nobody else may open: whoever can open one can take its lock.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::geteuid;

/// What group and others may do.
const OTHERS: u32 = 0o077;

/// Opens a lock file, which is made when it is not there. A link is not followed, and a pipe is not waited for.
pub(super) fn open_file(path: &Path) -> io::Result<File> {
    let mut how = OpenOptions::new();
    how.read(true).write(true).mode(0o600).custom_flags(flags());
    match how.open(path) {
        // Made anew only where nothing is: in a directory of everybody the kernel refuses to open for making what is
        // somebody else's, and we would not learn whose.
        Err(error) if error.kind() == io::ErrorKind::NotFound => match how.create_new(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => how.create_new(false).open(path),
            opened => opened,
        },
        opened => opened,
    }
}

/// Opens a lock file to look at it.
pub(super) fn open_to_read(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(flags()).open(path)
}

fn flags() -> i32 {
    (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed()
}

/// What lies in the place of a file of ours, where that is why it cannot be opened, as the rest of a sentence. The kernel's
/// own words tell little.
pub(super) fn other_kind(error: &io::Error) -> Option<&'static str> {
    match Errno::from_io_error(error)? {
        Errno::LOOP => Some("is a symbolic link, which is not followed"),
        Errno::ISDIR => Some("is a directory"),
        Errno::NXIO => Some("is no regular file"),
        Errno::EXIST | Errno::NOTDIR => Some("is no directory"),
        _ => None,
    }
}

/// Whether an open file is one of ours: a regular file with one name that belongs to us.
///
/// # Errors
/// With what is wrong, as the rest of a sentence.
pub(super) fn check(file: &File) -> Result<(), String> {
    let metadata = file.metadata().map_err(|error| format!("cannot be looked at ({error})"))?;
    if !metadata.is_file() {
        return Err("is no regular file".to_owned());
    }
    if metadata.uid() != geteuid().as_raw() {
        return Err(format!("belongs to user {}: somebody else has put it there", metadata.uid()));
    }
    if metadata.nlink() != 1 {
        return Err(format!("has {} names: somebody else may open it by another", metadata.nlink()));
    }
    Ok(())
}

/// [`check`], and whoever else may open it may not from now on.
pub(super) fn claim(file: &File) -> Result<(), String> {
    check(file)?;
    let mode = file.metadata().map_err(|error| format!("cannot be looked at ({error})"))?.mode() & 0o7777;
    if mode & OTHERS == 0 {
        return Ok(());
    }
    tracing::info!("the lock was open to others (mode {mode:o}): it is closed to them now");
    file.set_permissions(Permissions::from_mode(0o600))
        .map_err(|error| format!("is open to others, and cannot be closed to them ({error})"))
}

/// Makes a directory of ours, where the one that it belongs into is there, and closes it. Where that cannot be done,
/// whoever needs it will say so.
pub fn make(dir: &Path) {
    let _there_already_or_told_later = DirBuilder::new().mode(0o700).create(dir);
    close(dir);
}

/// Closes a directory of ours to everybody else. One that is not there, or belongs to somebody else, stays as it is.
pub fn close(dir: &Path) {
    let how = OFlags::DIRECTORY.bits().cast_signed();
    let Ok(file) = OpenOptions::new().read(true).custom_flags(how).open(dir) else { return };
    let Ok(metadata) = file.metadata() else { return };
    // First: its owner gets in whatever its mode is.
    if metadata.uid() != geteuid().as_raw() {
        if geteuid().is_root() {
            tracing::warn!(
                "{} belongs to user {}, who may hold its lock and change what is in it",
                dir.display(),
                metadata.uid()
            );
        }
        return;
    }
    let mode = metadata.mode() & 0o7777;
    if mode & OTHERS == 0 {
        return;
    }
    match file.set_permissions(Permissions::from_mode(mode & !OTHERS)) {
        Ok(()) => {
            tracing::info!("{} was open to others (mode {mode:o}): it is closed to them now", dir.display())
        }
        Err(error) => {
            tracing::warn!("{} is open to others and cannot be closed to them: {error}", dir.display())
        }
    }
}
