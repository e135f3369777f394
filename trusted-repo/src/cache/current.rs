//! Making a set the live one.

use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

use host_io::fs::Kind;
use host_io::{Fs, Paths, swap};
use tracing::warn;

use super::staged::CacheId;
use crate::{Error, generation};

/// Makes `id` the live set: swaps the link `current`, leads the two paths that a migrator opens through it, and removes
/// the other sets. A power cut leaves the old set live or the new one.
///
/// # Errors
/// When the file system refuses.
pub fn make_current(fs: &dyn Fs, paths: &Paths, id: &CacheId) -> Result<(), Error> {
    let cache = paths.cache();
    generation::make_current(fs, &cache, id.as_str())
        .map_err(|error| Error::cache("make the new set current in", &cache, error))?;
    for (path, part) in [(paths.metadata_cache(), "metadata"), (paths.migrations_cache(), "targets")] {
        lead_through(fs, &path, &cache.join(generation::CURRENT).join(part))
            .map_err(|error| Error::cache("lead to the new set from", &path, error))?;
    }
    if let Err(error) = generation::prune(fs, &cache, &[id.as_str()]) {
        warn!(%error, "an older set could not be removed; it does no harm");
    }
    Ok(())
}

/// Makes `path` a link to `target`, as seen from where `path` lies, so that a host below a directory works as well.
fn lead_through(fs: &dyn Fs, path: &Path, target: &Path) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("/"));
    let relative = relative_to(target, dir);
    match fs.kind(path)? {
        Some(Kind::Link) if fs.read_link(path)? == relative => return Ok(()),
        Some(Kind::Directory) => {
            // The older layout has a directory here. A link cannot take its place in one step; the set inside of it is
            // superseded already, because `current` was swapped before.
            let mut name = OsString::from(".");
            name.push(path.file_name().unwrap_or_default());
            name.push(".old");
            let aside = path.with_file_name(name);
            swap::discard(fs, &aside)?;
            fs.rename(path, &aside)?;
            swap::replace_link(fs, &relative, path)?;
            return swap::discard(fs, &aside);
        }
        _ => swap::make_dirs(fs, dir, 0o755)?,
    }
    swap::replace_link(fs, &relative, path)
}

/// `target` as written in a link that lies in `dir`; both are written from the same start.
fn relative_to(target: &Path, dir: &Path) -> PathBuf {
    let (mut target, mut dir) = (target.components().peekable(), dir.components().peekable());
    while target.peek().is_some() && target.peek() == dir.peek() {
        target.next();
        dir.next();
    }
    let ups = dir.filter(|part| matches!(part, Component::Normal(_))).map(|_| Component::ParentDir);
    ups.chain(target).collect()
}

#[cfg(test)]
mod tests {
    use host_io::SystemFs;

    use super::*;

    #[test]
    fn a_link_is_written_as_seen_from_where_it_lies() {
        assert_eq!(
            relative_to(Path::new("/h/var/lib/u/cache/current/metadata"), Path::new("/h/var/cache")),
            Path::new("../lib/u/cache/current/metadata")
        );
        assert_eq!(relative_to(Path::new("/a/b"), Path::new("/a")), Path::new("b"));
    }

    #[test]
    fn a_directory_of_the_older_layout_gives_way() {
        let root = tempfile::tempdir().expect("temporary directory");
        let paths = Paths::under(root.path());
        std::fs::create_dir_all(paths.migrations_cache()).expect("older layout");
        std::fs::write(paths.migrations_cache().join("old"), b"x").expect("older content");
        let target = paths.cache().join("current/targets");
        lead_through(&SystemFs, &paths.migrations_cache(), &target).expect("linked");
        std::fs::create_dir_all(&target).expect("a set");
        std::fs::write(target.join("new"), b"y").expect("content");
        assert_eq!(std::fs::read(paths.migrations_cache().join("new")).expect("through the link"), b"y");
    }
}
