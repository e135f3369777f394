//! A file on the host: whether it is as it should be, putting it there, taking it away.
//!
//! Somebody else may have put anything into its place. A container has the directory of its `user-data` as its own, and
//! may leave a link, a pipe or an endless file there: none of these is followed, waited for or read to its end, and what
//! is not complete yet never lies where the container could reach it.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use host_io::fs::{Fs, Kind};
use host_io::swap;

use super::plan::{Directory, WantedFile};

/// Whether a regular file with exactly these bytes lies at `path`.
#[must_use]
pub fn holds(fs: &dyn Fs, path: &Path, bytes: &[u8]) -> bool {
    fs.read_regular(path, bytes.len() as u64).is_ok_and(|now| now == bytes)
}

/// Puts a file to `path`, in one step for whoever reads it.
///
/// # Errors
/// As the system says; what was there is then still there.
pub fn put(fs: &dyn Fs, path: &Path, file: &WantedFile) -> io::Result<()> {
    let Some(dir) = path.parent() else { return swap::replace_file(fs, path, &file.bytes, file.mode) };
    swap::make_dirs(fs, dir, file.dir_mode)?;
    match (file.directory, dir.parent()) {
        (Directory::OfTheInstance, Some(above)) => put_from(fs, above, dir, path, file),
        (Directory::OfTheInstance | Directory::Ours, _) => {
            swap::replace_file(fs, path, &file.bytes, file.mode)
        }
    }
}

/// [`put`] into a directory `dir` that another one writes to; the file is made in the one `above`.
fn put_from(fs: &dyn Fs, above: &Path, dir: &Path, path: &Path, file: &WantedFile) -> io::Result<()> {
    if fs.kind(dir)? != Some(Kind::Directory) {
        return Err(io::Error::new(
            io::ErrorKind::NotADirectory,
            format!("{} is no directory", dir.display()),
        ));
    }
    let mut name = OsString::from(".");
    for part in [dir.file_name(), path.file_name()].into_iter().flatten() {
        name.push(part);
        name.push(".");
    }
    name.push("new");
    let new = above.join(name);
    swap::discard(fs, &new)?;
    let mut made = fs.create(&new, file.mode)?;
    made.write_all(&file.bytes)?;
    made.sync()?;
    drop(made);
    fs.rename(&new, path).inspect_err(|_| drop(swap::discard(fs, &new)))?;
    fs.sync_dir(dir)
}

/// Removes the file at `path`, a link or a pipe in its place as well. A directory of that name stays: it is not ours.
///
/// # Errors
/// As the system says.
pub fn take_away(fs: &dyn Fs, path: &Path) -> io::Result<()> {
    match fs.kind(path)? {
        None => return Ok(()),
        Some(Kind::Directory) => {
            tracing::warn!("{} stays: it is a directory, which is none of ours", path.display());
            return Ok(());
        }
        Some(_) => fs.remove_file(path)?,
    }
    tracing::info!("removed {}", path.display());
    path.parent().map_or(Ok(()), |dir| fs.sync_dir(dir))
}
