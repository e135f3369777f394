//! A file for everybody to read, in a directory that nobody else writes to.
//!
//! A program with more rights than ours may read what lies there and pass it on, and whoever may write to a directory
//! decides what a name in it leads to. So the directory is reached part by part, without following a link, and each part has
//! to belong to root or to us and to be closed to other writers; from then on it is held by its descriptor, and what becomes of
//! its name meanwhile changes nothing. The file itself is new, synced, swapped.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::geteuid;
use thiserror::Error;

use crate::Advise;

/// What group and others must not be able to do with a directory.
const WRITTEN_BY_OTHERS: u32 = 0o022;
const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC).union(OFlags::RDONLY);

/// Why a file was not put there, or not taken away. What was there is then still there.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A part of the way is not safe.
    #[error("use the directory {path}: it {reason}")]
    Unsafe {
        /// The part.
        path: PathBuf,
        /// What is wrong with it, as the rest of a sentence.
        reason: String,
    },
    /// The system refuses.
    #[error("replace {path}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Advise for Error {
    fn help(&self) -> Option<String> {
        match self {
            Self::Unsafe { path, .. } => Some(format!(
                "find out who made it so, and let {0} be a directory of root's that nobody else writes to",
                path.display()
            )),
            Self::Io { .. } => None,
        }
    }
}

/// Replaces the file `name` in the directory `relative` below `root`, mode 0644 whatever the mask. What is missing of the
/// directory is made.
///
/// # Errors
/// When a part of the way is a link, is open to other writers or belongs to somebody else; and as the system says.
pub fn replace(root: &Path, relative: &Path, name: &str, bytes: &[u8]) -> Result<(), Error> {
    let dir = reach(root, relative, Missing::IsMade)?.expect("what is missing was made");
    let path = root.join(relative).join(name);
    put(&dir, name, bytes).map_err(|errno| Error::Io { path, source: errno.into() })
}

/// Takes the file away, and nothing is done where there is none.
///
/// # Errors
/// As [`replace`].
pub fn remove(root: &Path, relative: &Path, name: &str) -> Result<(), Error> {
    let Some(dir) = reach(root, relative, Missing::IsTold)? else { return Ok(()) };
    match rustix::fs::unlinkat(&dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(Error::Io { path: root.join(relative).join(name), source: errno.into() }),
    }
}

/// What happens to a part of the way that is not there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    IsMade,
    IsTold,
}

fn put(dir: &OwnedFd, name: &str, bytes: &[u8]) -> Result<(), Errno> {
    let new = format!(".{name}.new");
    // Of a run that was cut: nobody reads it by that name.
    match rustix::fs::unlinkat(dir, &new, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(errno),
    }
    let how = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::openat(dir, &new, how, Mode::from_raw_mode(0o600))?);
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    rustix::fs::fchmod(&file, Mode::from_raw_mode(0o644))?;
    rustix::fs::renameat(dir, &new, dir, name)?;
    rustix::fs::fsync(dir)
}

/// The directory, once every part of the way to it was looked at; `None` where one is missing and is not to be made.
fn reach(root: &Path, relative: &Path, missing: Missing) -> Result<Option<OwnedFd>, Error> {
    let mut path = root.to_owned();
    let failed = |path: &Path, errno: Errno| match errno {
        Errno::LOOP | Errno::NOTDIR => Error::Unsafe {
            path: path.to_owned(),
            reason: "is a link or no directory, and nothing is followed there".to_owned(),
        },
        errno => Error::Io { path: path.to_owned(), source: errno.into() },
    };
    let mut dir =
        rustix::fs::openat(CWD, root, DIRECTORY, Mode::empty()).map_err(|errno| failed(root, errno))?;
    for part in relative.components() {
        let Component::Normal(part) = part else { continue };
        path.push(part);
        let open = || rustix::fs::openat(&dir, part, DIRECTORY | OFlags::NOFOLLOW, Mode::empty());
        let next = match open() {
            Err(Errno::NOENT) if missing == Missing::IsTold => return Ok(None),
            Err(Errno::NOENT) => match rustix::fs::mkdirat(&dir, part, Mode::from_raw_mode(0o755)) {
                // Everybody is to pass, whatever our mask.
                Ok(()) => open().and_then(|made| {
                    rustix::fs::fchmod(&made, Mode::from_raw_mode(0o755))?;
                    Ok(made)
                }),
                // Somebody made it in between; it is looked at as if it had been there.
                Err(Errno::EXIST) => open(),
                Err(errno) => Err(errno),
            },
            opened => opened,
        };
        dir = next.map_err(|errno| failed(&path, errno))?;
        check(&dir).map_err(|reason| Error::Unsafe { path: path.clone(), reason })?;
    }
    Ok(Some(dir))
}

/// That nobody else decides what is in an open directory.
fn check(dir: &OwnedFd) -> Result<(), String> {
    let stat = rustix::fs::fstat(dir).map_err(|errno| format!("cannot be looked at ({errno})"))?;
    if stat.st_uid != 0 && stat.st_uid != geteuid().as_raw() {
        return Err(format!("belongs to user {}", stat.st_uid));
    }
    let mode = stat.st_mode & 0o7777;
    if mode & WRITTEN_BY_OTHERS != 0 {
        return Err(format!("can be written to by others (mode {mode:o})"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    const DIR: &str = "run/figures";

    fn put_there(root: &Path, text: &str) -> Result<(), Error> {
        replace(root, Path::new(DIR), "a.prom", text.as_bytes())
    }

    #[test]
    fn failures_are_told_in_these_words() {
        let error =
            Error::Io { path: "/run/figures/a.prom".into(), source: io::Error::other("the disk is gone") };
        assert_eq!(error.to_string(), "replace /run/figures/a.prom");
        assert!(error.help().is_none());
    }

    fn refused(root: &Path) -> String {
        let error = put_there(root, "x").expect_err("unsafe");
        assert!(error.help().expect("a next step").contains("be a directory of root's"), "{error}");
        assert!(remove(root, Path::new(DIR), "a.prom").is_err(), "nothing is taken away there either");
        error.to_string()
    }

    #[test]
    fn everybody_reads_it_and_it_is_replaced_in_one_step() {
        let root = tempfile::tempdir().expect("temporary directory");
        for text in ["one", "two, which is longer", "3"] {
            put_there(root.path(), text).expect("put");
            let path = root.path().join(DIR).join("a.prom");
            assert_eq!(fs::read_to_string(&path).expect("there"), text);
            assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o7777, 0o644);
            // As a cut run leaves it.
            fs::write(root.path().join(DIR).join(".a.prom.new"), "half").expect("leftover");
        }
        remove(root.path(), Path::new(DIR), "a.prom").expect("removed");
        assert!(!root.path().join(DIR).join("a.prom").exists());
        remove(root.path(), Path::new(DIR), "a.prom").expect("nothing to remove");
        remove(root.path(), Path::new("run/elsewhere"), "a.prom").expect("no directory either");
        assert!(!root.path().join("run/elsewhere").exists());
    }

    #[test]
    fn a_link_at_any_part_of_the_way_is_refused_and_what_it_leads_to_stays() {
        let root = tempfile::tempdir().expect("temporary directory");
        let elsewhere = tempfile::tempdir().expect("temporary directory");
        fs::create_dir(root.path().join("run")).expect("made");
        symlink(elsewhere.path(), root.path().join(DIR)).expect("linked");
        assert!(
            refused(root.path()).ends_with("it is a link or no directory, and nothing is followed there")
        );
        fs::remove_file(root.path().join(DIR)).expect("removed");
        fs::remove_dir(root.path().join("run")).expect("removed");
        symlink(elsewhere.path(), root.path().join("run")).expect("linked");
        assert!(refused(root.path()).contains("a link or no directory"));
        assert_eq!(fs::read_dir(elsewhere.path()).expect("listed").count(), 0);
    }

    #[test]
    fn a_link_in_the_place_of_the_file_is_replaced_and_not_followed() {
        let root = tempfile::tempdir().expect("temporary directory");
        let theirs = root.path().join("theirs");
        fs::write(&theirs, "theirs").expect("written");
        put_there(root.path(), "one").expect("put");
        for name in ["a.prom", ".a.prom.new"] {
            let path = root.path().join(DIR).join(name);
            if path.exists() {
                fs::remove_file(&path).expect("removed");
            }
            symlink(&theirs, &path).expect("linked");
        }
        put_there(root.path(), "two").expect("put");
        assert_eq!(fs::read_to_string(theirs).expect("there"), "theirs");
        let path = root.path().join(DIR).join("a.prom");
        assert!(fs::symlink_metadata(path).expect("there").is_file());
    }

    #[test]
    fn a_directory_that_others_write_to_is_refused() {
        let root = tempfile::tempdir().expect("temporary directory");
        put_there(root.path(), "one").expect("put");
        for (part, mode) in [(DIR, 0o777), (DIR, 0o775), ("run", 0o1777)] {
            let path = root.path().join(part);
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("opened");
            let told = refused(root.path());
            assert!(told.starts_with("use the directory "), "{told}");
            assert!(told.contains(&format!("written to by others (mode {mode:o})")), "{told}");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("closed");
        }
        put_there(root.path(), "two").expect("put");
    }
}
