//! What holds before anything is published: names that are names, keys that are not served, a root role beside them.

use std::path::{Path, PathBuf};

use trusted_repo::author::SignedRoot;
use update_metadata::safe_target_name;

use crate::Error;
use crate::layout::KeyLayout;

/// The root role that images ship, and that a repository is verified from.
pub(crate) fn load_root(keys: &KeyLayout) -> Result<SignedRoot, Error> {
    let path = keys.root_role();
    let bytes = std::fs::read(&path).map_err(|error| Error::file("read the root role", &path, error))?;
    Ok(SignedRoot::parse(&bytes)?)
}

pub(crate) fn check_name(what: &'static str, value: &str) -> Result<(), Error> {
    if safe_target_name(value) { Ok(()) } else { Err(Error::Name { what, value: value.to_owned() }) }
}

/// Refuses keys that a web server would hand out.
pub(crate) fn check_apart(repo: &Path, keys: &Path) -> Result<(), Error> {
    let real = |path: &Path| {
        std::path::absolute(path)
            .map(|path| without_links(&path))
            .map_err(|error| Error::file("find", path, error))
    };
    if real(keys)?.starts_with(real(repo)?) {
        return Err(Error::KeysServed { keys: keys.to_owned() });
    }
    Ok(())
}

/// `path` with the links resolved in as much of it as exists.
fn without_links(path: &Path) -> PathBuf {
    let parts =
        path.ancestors().find_map(|above| Some((above.canonicalize().ok()?, path.strip_prefix(above).ok()?)));
    parts.map_or_else(|| path.to_owned(), |(above, below)| above.join(below))
}
