//! Making the files and directories of a store, and removing a transaction.

use std::path::{Path, PathBuf};

use host_io::fs::{Fs, NewFile};

use super::contents::{Change, Contents};
use super::many::{self, MANY};
use super::names::{DIR_MODE, DROPPED, FILE_MODE, PENDING, transaction_dir};
use super::plan::{Directory, plan, plan_change};
use crate::error::Error;
use crate::unsynced::Unsynced;

/// Writes a data directory that must not exist yet. When this returns, every file and every name in it is durable, its
/// own name included.
///
/// # Errors
/// When a key, value or name cannot be stored (nothing was written then), or the storage refuses.
pub fn write(fs: &dyn Fs, dir: &Path, contents: &Contents) -> Result<(), Error> {
    let mut unsynced = Unsynced::default();
    write_unsynced(fs, dir, contents, &mut unsynced)?;
    let parent = dir.parent().unwrap_or(dir);
    unsynced.directory(parent);
    unsynced.settle(fs, parent)
}

/// [`write`] without the wait for the medium, which `unsynced` still owes.
pub(crate) fn write_unsynced(
    fs: &dyn Fs,
    dir: &Path,
    contents: &Contents,
    unsynced: &mut Unsynced,
) -> Result<(), Error> {
    let root = plan(contents)?;
    write_directory(fs, dir, &root, unsynced)
}

/// Writes a transaction into a data directory that has none of that name.
pub(crate) fn write_change(
    fs: &dyn Fs,
    dir: &Path,
    transaction: &str,
    change: &Change,
    unsynced: &mut Unsynced,
) -> Result<(), Error> {
    let pending = dir.join(PENDING);
    if fs.kind(&pending).map_err(Error::io("look at", &pending))?.is_none() {
        fs.make_dir(&pending, DIR_MODE).map_err(Error::io("make the directory", &pending))?;
        unsynced.directory(dir);
    }
    unsynced.directory(&pending);
    write_directory(fs, &transaction_dir(dir, transaction)?, &plan_change(change)?, unsynced)
}

/// Removes one transaction in one step. This frees room and needs none, so that a boot with a full partition can drop
/// what was never committed. What is broken in it is no obstacle.
///
/// # Errors
/// When the storage refuses; the transaction is then whole or gone.
pub(crate) fn drop_pending(fs: &dyn Fs, dir: &Path, transaction: &str) -> Result<(), Error> {
    let tree = transaction_dir(dir, transaction)?;
    let there = fs.kind(&tree).map_err(Error::io("look at", &tree))?;
    if there.is_none() {
        return Ok(());
    }
    let dropped = dir.join(DROPPED);
    sweep_dropped(fs, dir)?;
    // Before this rename the transaction is there, after it there is none; what lies in DROPPED is garbage.
    fs.rename(&tree, &dropped).map_err(Error::io("remove", &tree))?;
    let pending = dir.join(PENDING);
    fs.sync_dir(&pending).map_err(Error::io("sync", &pending))?;
    fs.sync_dir(dir).map_err(Error::io("sync", dir))?;
    sweep_dropped(fs, dir)
}

/// Removes what a removal that was cut off has left of its transaction.
///
/// # Errors
/// When the storage refuses.
pub(crate) fn sweep_dropped(fs: &dyn Fs, dir: &Path) -> Result<(), Error> {
    let dropped = dir.join(DROPPED);
    host_io::swap::discard(fs, &dropped).map_err(Error::io("remove", &dropped))
}

fn write_directory(
    fs: &dyn Fs,
    path: &Path,
    directory: &Directory,
    unsynced: &mut Unsynced,
) -> Result<(), Error> {
    let mut files = Vec::new();
    make_directories(fs, path, directory, unsynced, &mut files)?;
    if files.len() < MANY {
        return files.iter().try_for_each(|(path, bytes)| write_file(fs, path, bytes, unsynced));
    }
    // Nobody keeps so many files open until they are synced one by one.
    unsynced.everything();
    many::each(&files, |(path, bytes), done| done.push(written(fs, path, bytes).map(drop)))
        .into_iter()
        .collect()
}

/// Makes the directories, and tells which files are to lie in them.
fn make_directories<'a>(
    fs: &dyn Fs,
    path: &Path,
    directory: &'a Directory,
    unsynced: &mut Unsynced,
    files: &mut Vec<(PathBuf, &'a [u8])>,
) -> Result<(), Error> {
    fs.make_dir(path, DIR_MODE).map_err(Error::io("make the directory", path))?;
    unsynced.directory(path);
    for (name, below) in &directory.directories {
        make_directories(fs, &path.join(name), below, unsynced, files)?;
    }
    files.extend(directory.files.iter().map(|(name, bytes)| (path.join(name), bytes.as_slice())));
    Ok(())
}

/// Writes a file that is not there yet; its directory is owed a sync as well, by the caller.
pub(crate) fn write_file(
    fs: &dyn Fs,
    path: &Path,
    bytes: &[u8],
    unsynced: &mut Unsynced,
) -> Result<(), Error> {
    unsynced.file(path, written(fs, path, bytes)?);
    Ok(())
}

fn written(fs: &dyn Fs, path: &Path, bytes: &[u8]) -> Result<Box<dyn NewFile>, Error> {
    let mut file = fs.create(path, FILE_MODE).map_err(Error::io("write", path))?;
    file.write_all(bytes).map_err(Error::io("write", path))?;
    Ok(file)
}
