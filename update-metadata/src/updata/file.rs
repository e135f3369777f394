//! A manifest from a file and back, new, synced, swapped.

use std::io::Read as _;
use std::path::Path;

use crate::Manifest;
use crate::manifest::MAX_LEN;
use host_io::{Fs, swap};

use super::exit::Error;

/// The bytes of a file, up to one more than any manifest may have.
pub(crate) fn bytes(fs: &dyn Fs, path: &Path) -> Result<Vec<u8>, Error> {
    let read = || {
        let mut bytes = Vec::new();
        fs.open(path)?.take(MAX_LEN as u64 + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|source| Error::Read { path: path.to_owned(), source })
}

/// The text of a file.
pub(crate) fn text(fs: &dyn Fs, path: &Path) -> Result<String, Error> {
    String::from_utf8(bytes(fs, path)?).map_err(|_| Error::NotText { path: path.to_owned() })
}

/// The manifest in a file.
pub(crate) fn load(fs: &dyn Fs, path: &Path) -> Result<Manifest, Error> {
    Manifest::parse(&bytes(fs, path)?).map_err(|source| Error::Manifest { path: path.to_owned(), source })
}

/// Replaces the file by `manifest` in one step, if it can be read again.
pub(crate) fn store(fs: &dyn Fs, path: &Path, manifest: &Manifest) -> Result<(), Error> {
    let json = manifest.to_json();
    Manifest::parse(json.as_bytes()).map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
    swap::replace_file(fs, path, json.as_bytes(), 0o644)
        .map_err(|source| Error::Write { path: path.to_owned(), source })
}
