//! The metadata directory: each trusted role under its plain name, byte for byte as it came, and nothing else of ours.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use host_io::fs::Kind;
use host_io::{Fs, swap};

use crate::memory::store::Remembered;

/// Makes `dir` show what is remembered, or the `anchor` alone where nothing is. Files that are right stay untouched.
pub(super) fn draw(fs: &dyn Fs, dir: &Path, anchor: &[u8], remembered: &Remembered) -> io::Result<()> {
    let mut roles: BTreeMap<&str, &[u8]> =
        remembered.roles.iter().map(|(name, bytes)| (name.as_str(), &bytes[..])).collect();
    roles.insert("root.json", remembered.newest_root().map_or(anchor, |root| &root[..]));
    for (name, bytes) in &roles {
        let path = dir.join(name);
        let same = fs.kind(&path)? == Some(Kind::File) && fs.read(&path)? == *bytes;
        if !same {
            swap::replace_file(fs, &path, bytes, 0o644)?;
        }
    }
    for entry in fs.list(dir)? {
        let ours =
            entry.kind == Kind::File && Path::new(&entry.name).extension().is_some_and(|e| e == "json");
        if ours && !roles.contains_key(entry.name.as_str()) {
            fs.remove_file(&dir.join(&entry.name))?;
        }
    }
    fs.sync_dir(dir)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use host_io::SystemFs;

    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(dir).expect("there");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("readable").file_name().into_string().expect("text")).collect();
        names.sort();
        names
    }

    #[test]
    fn a_role_that_is_no_longer_trusted_leaves_the_picture() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let mut remembered = Remembered::default();
        draw(&SystemFs, dir.path(), b"anchor", &remembered).expect("drawn");
        assert_eq!(std::fs::read(dir.path().join("root.json")).expect("there"), b"anchor");
        remembered.roots.insert(2, Bytes::from_static(b"two"));
        for name in ["snapshot.json", "timestamp.json", "a%2Fb.json"] {
            remembered.roles.insert(name.to_owned(), Bytes::from_static(b"{}"));
        }
        draw(&SystemFs, dir.path(), b"anchor", &remembered).expect("drawn");
        assert_eq!(std::fs::read(dir.path().join("root.json")).expect("there"), b"two");
        assert_eq!(names(dir.path()), ["a%2Fb.json", "root.json", "snapshot.json", "timestamp.json"]);
        remembered.roles.remove("snapshot.json");
        draw(&SystemFs, dir.path(), b"anchor", &remembered).expect("drawn");
        assert_eq!(names(dir.path()), ["a%2Fb.json", "root.json", "timestamp.json"]);
    }
}
