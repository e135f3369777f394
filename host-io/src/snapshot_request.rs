//! A wish for the next boot: the settings as they were kept, instead of migrations.
//!
//! Whoever goes back to an earlier release by hand may want the settings that it had when it was left. The wish names
//! both versions, so a boot of any other one has nothing to do with it, and takes it away.

use std::io;
use std::path::PathBuf;

use semver::Version;
use serde::{Deserialize, Serialize};

use crate::{Fs, Paths, swap};

/// A wish for one boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotRequest {
    /// The version that is left: the live settings are of it.
    pub from: Version,
    /// The version that boots, and whose kept settings are wanted.
    pub to: Version,
}

impl SnapshotRequest {
    /// Leaves the wish.
    ///
    /// # Errors
    /// As the system says; there is no wish then, or the earlier one.
    pub fn write(&self, fs: &dyn Fs, paths: &Paths) -> io::Result<()> {
        let text = serde_json::to_vec(self).expect("a wish is plain text");
        swap::replace_file(fs, &file(paths), &text, 0o644)
    }

    /// The wish, if there is one that can be understood. Settings are then carried as without one, which loses nothing.
    #[must_use]
    pub fn read(fs: &dyn Fs, paths: &Paths) -> Option<Self> {
        let path = file(paths);
        fs.kind(&path).ok()??;
        let parsed = fs.read(&path).and_then(|bytes| Ok(serde_json::from_slice(&bytes)?));
        parsed.inspect_err(|error| tracing::warn!("failed to read the wish {}: {error}", path.display())).ok()
    }

    /// Takes the wish away. Needs no free block.
    ///
    /// # Errors
    /// As the system says.
    pub fn forget(fs: &dyn Fs, paths: &Paths) -> io::Result<()> {
        swap::discard_durably(fs, &file(paths))
    }
}

fn file(paths: &Paths) -> PathBuf {
    paths.record().join("restore-snapshot.json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemFs;

    #[test]
    fn a_wish_is_left_read_and_taken_away() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let paths = Paths::under(dir.path());
        let read = || SnapshotRequest::read(&SystemFs, &paths);
        assert_eq!(read(), None);
        let wish = SnapshotRequest { from: Version::new(1, 1, 0), to: Version::new(1, 0, 0) };
        wish.write(&SystemFs, &paths).expect("written");
        assert_eq!(read(), Some(wish));
        std::fs::write(file(&paths), "{").expect("broken");
        assert_eq!(read(), None);
        SnapshotRequest::forget(&SystemFs, &paths).expect("removed");
        SnapshotRequest::forget(&SystemFs, &paths).expect("gone already");
        assert_eq!(read(), None);
    }
}
