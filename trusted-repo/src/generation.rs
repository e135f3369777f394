//! A directory of files that is replaced as a whole.
//!
//! A base directory holds one directory per state and a link `current` to the live one. A new state is written beside,
//! made durable, and then the link is swapped: a reader sees the old state or the new one. A power cut leaves a name
//! that begins with a dot or a state that nobody links to; the next writer removes both.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use host_io::Fs;
use host_io::fs::Kind;
use host_io::swap;

/// The link to the live state.
pub(crate) const CURRENT: &str = "current";

/// One file of a state: its path below the state's directory, of at most one folder and a name.
pub(crate) type File<'a> = (PathBuf, &'a [u8]);

/// Writes the state `name` below `base`, durable and complete, without making it live. What was there is replaced.
pub(crate) fn write(fs: &dyn Fs, base: &Path, name: &str, files: &[File<'_>]) -> io::Result<()> {
    swap::make_dirs(fs, base, 0o755)?;
    let done = base.join(name);
    let new = swap::beside(&done);
    swap::discard(fs, &new)?;
    fs.make_dir(&new, 0o755)?;
    let folders: BTreeSet<PathBuf> =
        files.iter().filter_map(|(path, _)| path.parent()).map(|folder| new.join(folder)).collect();
    for folder in folders.iter().filter(|folder| **folder != new) {
        fs.make_dir(folder, 0o755)?;
    }
    for (path, bytes) in files {
        let mut file = fs.create(&new.join(path), 0o644)?;
        file.write_all(bytes)?;
        file.sync()?;
    }
    for folder in &folders {
        fs.sync_dir(folder)?;
    }
    fs.sync_dir(&new)?;
    swap::discard(fs, &done)?;
    fs.rename(&new, &done)?;
    fs.sync_dir(base)
}

/// The live state's name; `None` when there is none yet.
pub(crate) fn current(fs: &dyn Fs, base: &Path) -> io::Result<Option<String>> {
    let link = base.join(CURRENT);
    match fs.kind(&link)? {
        None => Ok(None),
        Some(Kind::Link) => {
            let target = fs.read_link(&link)?;
            let name = target.to_str().filter(|name| is_state_name(name));
            name.map(|name| Some(name.to_owned())).ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("{} points to {}", link.display(), target.display()),
                )
            })
        }
        Some(_) => Err(io::Error::new(io::ErrorKind::InvalidData, format!("{} is no link", link.display()))),
    }
}

/// A link that leads out of its base would be somebody else's doing.
fn is_state_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains('/')
}

/// Makes the state `name` the live one.
pub(crate) fn make_current(fs: &dyn Fs, base: &Path, name: &str) -> io::Result<()> {
    swap::replace_link(fs, Path::new(name), &base.join(CURRENT))
}

/// Removes every state but those in `keep`, and what writers left behind.
pub(crate) fn prune(fs: &dyn Fs, base: &Path, keep: &[&str]) -> io::Result<()> {
    for entry in fs.list(base)? {
        if !keep.contains(&entry.name.as_str()) && entry.name != CURRENT {
            swap::discard(fs, &base.join(&entry.name))?;
        }
    }
    fs.sync_dir(base)
}

#[cfg(test)]
mod tests {
    use host_io::SystemFs;

    use super::*;

    #[test]
    fn a_state_appears_as_a_whole_and_the_older_ones_go() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let base = dir.path().join("base");
        for (name, text) in [("one", "1"), ("two", "2")] {
            let files = [(PathBuf::from("sub/file"), text.as_bytes()), (PathBuf::from("top"), &b"x"[..])];
            write(&SystemFs, &base, name, &files).expect("written");
            make_current(&SystemFs, &base, name).expect("swapped");
        }
        assert_eq!(current(&SystemFs, &base).expect("a link").as_deref(), Some("two"));
        assert_eq!(std::fs::read(base.join("current/sub/file")).expect("there"), b"2");
        prune(&SystemFs, &base, &["two"]).expect("pruned");
        assert!(!base.join("one").exists());
        assert!(base.join("current/top").exists());
    }

    #[test]
    fn a_half_written_state_is_not_live_and_does_not_matter() {
        let dir = tempfile::tempdir().expect("temporary directory");
        std::fs::create_dir(dir.path().join(".one.new")).expect("leftover");
        assert_eq!(current(&SystemFs, dir.path()).expect("nothing"), None);
        write(&SystemFs, dir.path(), "one", &[(PathBuf::from("file"), b"x")]).expect("written");
        assert_eq!(std::fs::read(dir.path().join("one/file")).expect("there"), b"x");
    }

    #[test]
    fn a_link_that_leads_out_is_refused() {
        let dir = tempfile::tempdir().expect("temporary directory");
        std::os::unix::fs::symlink("../elsewhere", dir.path().join(CURRENT)).expect("linked");
        assert!(current(&SystemFs, dir.path()).is_err());
    }
}
