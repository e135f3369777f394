//! A directory that goes away again, for tough to work in: at boot there may be no `/tmp` yet, or one that nobody can write.

use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A new directory that only we can read, where the environment says or else where a running machine has memory for it.
pub(super) fn directory() -> io::Result<TempDir> {
    let places = [std::env::temp_dir(), PathBuf::from("/run"), PathBuf::from("/dev/shm")];
    in_first(&places.each_ref().map(PathBuf::as_path))
}

/// The error is that of the first place: the one that a person would think of.
fn in_first(places: &[&Path]) -> io::Result<TempDir> {
    let mut first = None;
    for place in places {
        match tempfile::tempdir_in(place) {
            Ok(dir) => return Ok(dir),
            Err(error) => _ = first.get_or_insert(error),
        }
    }
    Err(first.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_place_that_takes_it_is_taken() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let missing = dir.path().join("missing");
        let made = in_first(&[&missing, dir.path()]).expect("the second one takes it");
        assert!(made.path().starts_with(dir.path()));
        let refused = in_first(&[&missing]).expect_err("nobody takes it");
        assert_eq!(refused.kind(), io::ErrorKind::NotFound);
    }
}
