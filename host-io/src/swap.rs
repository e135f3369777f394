//! New, synced, swapped: how anything changes on the persistent partition.
//!
//! A reader sees the old state or the new one, also after a power cut between any two lines of this file. What a cut
//! leaves behind is a name that ends in `.new`, which the next writer removes.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use crate::fs::{Fs, Kind};

/// Replaces the content of `path` with `bytes`. Parents are made where they are missing.
///
/// # Errors
/// As the system says; the old content is then still there.
pub fn replace_file(fs: &dyn Fs, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let dir = parent(path)?;
    make_dirs(fs, dir, 0o755)?;
    let new = beside(path);
    discard(fs, &new)?;
    let mut file = fs.create(&new, mode)?;
    file.write_all(bytes)?;
    file.sync()?;
    drop(file);
    fs.rename(&new, path)?;
    fs.sync_dir(dir)
}

/// [`replace_file`] where nothing outlives a reboot, or whoever reads it finds out that a power cut damaged it: one step
/// for every reader, and no sync.
///
/// # Errors
/// As the system says; the old content is then still there.
pub fn replace_volatile(fs: &dyn Fs, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let dir = parent(path)?;
    if fs.kind(dir)?.is_none() {
        make_dirs(fs, dir, 0o755)?;
    }
    let new = beside(path);
    discard(fs, &new)?;
    let mut file = fs.create(&new, mode)?;
    file.write_all(bytes)?;
    drop(file);
    fs.rename(&new, path)
}

/// Points the link `link` to `target`. The old link, if any, goes away in the same step.
///
/// # Errors
/// As the system says; the old link is then still there.
pub fn replace_link(fs: &dyn Fs, target: &Path, link: &Path) -> io::Result<()> {
    let dir = parent(link)?;
    let new = beside(link);
    discard(fs, &new)?;
    fs.make_link(target, &new)?;
    // The link's own name is durable before it takes the place of the live one.
    fs.sync_dir(dir)?;
    fs.rename(&new, link)?;
    fs.sync_dir(dir)
}

/// Makes `dir`, and whatever of its parents is missing for everybody to pass, each made durable in its own parent.
///
/// # Errors
/// As the system says, and when a part of the path is there but is no directory.
pub fn make_dirs(fs: &dyn Fs, dir: &Path, mode: u32) -> io::Result<()> {
    match fs.kind(dir)? {
        Some(Kind::Directory | Kind::Link) => Ok(()),
        Some(_) => Err(io::Error::new(
            io::ErrorKind::NotADirectory,
            format!("{} is there but is not a directory", dir.display()),
        )),
        None => {
            let above = parent(dir)?;
            make_dirs(fs, above, 0o755)?;
            match fs.make_dir(dir, mode) {
                // Another process may have made it in between; it is there, which is what was asked for.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                made => made,
            }?;
            fs.sync_dir(above)
        }
    }
}

/// Removes whatever lies at `path`, and nothing is there already when there is nothing.
///
/// # Errors
/// As the system says.
pub fn discard(fs: &dyn Fs, path: &Path) -> io::Result<()> {
    match fs.kind(path)? {
        None => Ok(()),
        Some(Kind::Directory) => fs.remove_tree(path),
        Some(_) => fs.remove_file(path),
    }
}

/// [`discard`], so that a power cut does not bring it back.
///
/// # Errors
/// As the system says.
pub fn discard_durably(fs: &dyn Fs, path: &Path) -> io::Result<()> {
    if fs.kind(path)?.is_none() {
        return Ok(());
    }
    discard(fs, path)?;
    fs.sync_dir(parent(path)?)
}

/// The name under which the next content of `path` is written.
#[must_use]
pub fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".new");
    path.with_file_name(name)
}

fn parent(path: &Path) -> io::Result<&Path> {
    match path.parent() {
        // A bare name lies in the working directory, which has to be named to be synced.
        Some(dir) if dir.as_os_str().is_empty() => Ok(Path::new(".")),
        Some(dir) => Ok(dir),
        None => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{} has no parent directory", path.display()),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemFs;

    #[test]
    fn a_file_is_replaced_and_a_leftover_of_a_cut_write_does_not_matter() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("a/b/file");
        replace_file(&SystemFs, &path, b"one", 0o600).expect("first");
        std::fs::write(beside(&path), b"half").expect("leftover");
        replace_file(&SystemFs, &path, b"two", 0o600).expect("second");
        assert_eq!(std::fs::read(&path).expect("there"), b"two");
        assert!(!beside(&path).exists());
    }

    #[test]
    fn what_need_not_last_is_replaced_in_one_step_as_well() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("run/updog/file");
        for content in ["one", "two"] {
            replace_volatile(&SystemFs, &path, content.as_bytes(), 0o644).expect("written");
            assert_eq!(std::fs::read_to_string(&path).expect("there"), content);
        }
        assert!(!beside(&path).exists());
    }

    #[test]
    fn a_link_is_replaced_in_one_step() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let link = dir.path().join("current");
        replace_link(&SystemFs, Path::new("one"), &link).expect("first");
        replace_link(&SystemFs, Path::new("two"), &link).expect("second");
        assert_eq!(std::fs::read_link(&link).expect("a link"), Path::new("two"));
    }

    #[test]
    fn a_bare_name_lies_in_the_working_directory() {
        assert_eq!(parent(Path::new("manifest.json")).expect("a place"), Path::new("."));
        assert_eq!(parent(Path::new("/manifest.json")).expect("a place"), Path::new("/"));
        assert!(parent(Path::new("/")).is_err());
        make_dirs(&SystemFs, parent(Path::new("manifest.json")).expect("a place"), 0o755)
            .expect("it is there");
    }

    #[test]
    fn a_file_in_the_way_of_a_directory_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let file = dir.path().join("file");
        std::fs::write(&file, b"x").expect("written");
        let error = make_dirs(&SystemFs, &file.join("below"), 0o755).expect_err("not a directory");
        assert!(error.to_string().contains("file"), "{error}");
    }
}
