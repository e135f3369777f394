//! One target to a file, unless it is there already.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use host_io::{Fs, swap};

use crate::metadata::file_name::escaped;
use crate::open::repository::Repository;
use crate::place::source::Place;
use crate::target::proof::{Check, TargetInfo};
use crate::target::reader::TargetReader;
use crate::{Error, VerifiedTarget};

/// How much is read at once.
const BLOCK: usize = 64 * 1024;

/// What was done for a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saved {
    /// It came from the repository.
    Fetched(PathBuf),
    /// The file had the signed bytes already; nothing was asked for.
    There(PathBuf),
}

/// Has the target `name` as a file below `dir`. Until all its bytes are verified the file there stays as it was.
///
/// It wants a running tokio runtime, and a thread that may block.
///
/// # Errors
/// When it is not listed, its name leads out of `dir`, its bytes do not come or are not the signed ones, or the file
/// cannot be written.
pub fn save(repository: &Repository, fs: &dyn Fs, info: &TargetInfo, dir: &Path) -> Result<Saved, Error> {
    let name = info.name.as_str();
    if !is_below(name) {
        let reason = "its name leads out of the directory for targets".to_owned();
        return Err(Error::MissingTarget { name: name.to_owned(), reason, dir: None });
    }
    let path = dir.join(name);
    if is_there(fs, info, &path) {
        return Ok(Saved::There(path));
    }
    let mut last = None;
    for file in published_names(info, repository.has_digest_names()) {
        let file_at = |place: &Place| {
            Ok(match place {
                Place::Web(_) => escaped(&file, "/"),
                Place::Directory(_) => file.clone(),
            })
        };
        let written = repository.open_file(info.clone(), file_at).and_then(|reader| write(fs, reader, &path));
        match written {
            Ok(_proof) => return Ok(Saved::Fetched(path)),
            Err(error @ Error::MissingTarget { .. }) => last.get_or_insert(error),
            Err(error) => return Err(error),
        };
    }
    Err(last.expect("a target has a published name"))
}

/// Whether every part of a name is that of a file or folder.
fn is_below(name: &str) -> bool {
    name.split('/').all(|part| !matches!(part, "" | "." | "..") && !part.contains('\0'))
}

/// Where a target's file may lie below the targets base: as the specification has it, then as tough writes it.
fn published_names(info: &TargetInfo, consistent: bool) -> Vec<String> {
    if !consistent {
        return vec![info.name.clone()];
    }
    let named = |digest: String| match info.name.rsplit_once('/') {
        Some((folder, file)) => vec![format!("{folder}/{digest}.{file}"), format!("{digest}.{}", info.name)],
        None => vec![format!("{digest}.{}", info.name)],
    };
    info.hashes.all_hex().flat_map(named).collect()
}

fn is_there(fs: &dyn Fs, info: &TargetInfo, path: &Path) -> bool {
    let Ok(mut file) = fs.open(path) else { return false };
    let mut check = Check::new(info.clone());
    let mut block = vec![0; BLOCK];
    loop {
        match file.read(&mut block) {
            Ok(0) => return check.finish().is_ok(),
            Ok(count) if check.update(&block[..count]).is_ok() => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            _ => return false,
        }
    }
}

fn write(fs: &dyn Fs, reader: TargetReader, path: &Path) -> Result<VerifiedTarget, Error> {
    let new = swap::beside(path);
    let failed = |error| Error::cache("write the target to", path, error);
    if let Some(folder) = path.parent() {
        swap::make_dirs(fs, folder, 0o755).map_err(failed)?;
    }
    swap::discard(fs, &new).map_err(failed)?;
    match copy(fs, reader, &new, path) {
        Ok(proof) => {
            fs.rename(&new, path).map_err(failed)?;
            fs.sync_dir(path.parent().unwrap_or(Path::new("/"))).map_err(failed)?;
            Ok(proof)
        }
        Err(error) => {
            // What is left of it bears a name that nobody reads; the next try removes it.
            let _leftover = fs.remove_file(&new);
            Err(error)
        }
    }
}

fn copy(fs: &dyn Fs, mut reader: TargetReader, new: &Path, path: &Path) -> Result<VerifiedTarget, Error> {
    let failed = |error| Error::cache("write the target to", path, error);
    let mut file = fs.create(new, 0o644).map_err(failed)?;
    let mut block = vec![0; BLOCK];
    loop {
        match reader.read(&mut block) {
            Ok(0) => break,
            Ok(count) => file.write_all(&block[..count]).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::from_read(reader.name(), error)),
        }
    }
    let proof = reader.finish()?;
    file.sync().map_err(failed)?;
    Ok(proof)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Hashes;

    #[test]
    fn a_name_stays_in_its_directory() {
        for name in ["file", "path/to/a/file", "a b", "..c", "d..", "?#%2e%2e"] {
            assert!(is_below(name), "{name}");
        }
        for name in ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", ".", "a/./b", "nul\0"] {
            assert!(!is_below(name), "{name}");
        }
    }

    #[test]
    fn the_digest_stands_before_the_last_part_of_a_name() {
        let hashes = Hashes::sha256([0xab; 32]);
        let info = TargetInfo { name: "path/to/file".to_owned(), length: 0, hashes };
        let digest = "ab".repeat(32);
        assert_eq!(
            published_names(&info, true),
            [format!("path/to/{digest}.file"), format!("{digest}.path/to/file")]
        );
        assert_eq!(published_names(&info, false), ["path/to/file"]);
    }
}
