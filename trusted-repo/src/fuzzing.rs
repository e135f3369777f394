//! Doors for the targets in the folder `fuzz`, and for nobody else: each gives bytes from outside to one reader and
//! asserts what holds of whatever comes out, beside what is private. They are always compiled, so that they cannot rot.

use std::path::Path;

use bytes::Bytes;
use host_io::Fs;
use ring::digest::{SHA256, digest};

use crate::cache::pin::Pin;
use crate::memory::roots::KnownRoot;
use crate::memory::store;
use crate::metadata::hashes::Hashes;
use crate::target::lz4;
use crate::target::proof::{Check, TargetInfo, VerifiedBytes};
use crate::transport::range::{ContentRange, MOST_PASSED_OVER};

/// How much is passed over of a part with this `Content-Range` that continues an object of `length` bytes at `position`.
///
/// # Panics
/// When a part is taken that does not fit.
#[must_use]
pub fn resumes(position: u64, length: u64, content_range: &str) -> Option<u64> {
    let range = ContentRange::parse(content_range)?;
    assert!(range.first <= range.last, "a range is in order");
    assert!(range.total.is_none_or(|total| range.last < total), "a range lies in its object");
    let total = range.total.map_or_else(|| "*".to_owned(), |total| total.to_string());
    let written = format!("bytes {}-{}/{total}", range.first, range.last);
    assert_eq!(ContentRange::parse(&written), Some(range), "what is written reads back");
    let before = range.before(position, length)?;
    assert!(before <= MOST_PASSED_OVER, "what is passed over is bounded");
    assert_eq!(range.first + before, position, "a part continues where the rest ended");
    assert!(position <= range.last && range.last < length, "it brings something new of the signed object");
    assert!(
        range.total.is_none_or(|total| total == length),
        "it is a part of an object of the signed length"
    );
    Some(before)
}

/// Decodes one LZ4 frame of at most `limit` raw bytes, as if `bytes` had been signed.
///
/// # Panics
/// When more comes out than is allowed.
#[must_use]
pub fn frame(bytes: &[u8], limit: u64) -> Option<Vec<u8>> {
    let hashes = Hashes::sha256(digest(&SHA256, bytes).as_ref().try_into().expect("SHA-256 has 32 bytes"));
    let mut check = Check::new(TargetInfo { name: "x.lz4".to_owned(), length: bytes.len() as u64, hashes });
    check.update(bytes).expect("not one byte more than were announced");
    let proof = check.finish().expect("these very bytes");
    let raw = lz4::decode(&VerifiedBytes::new(proof, Bytes::copy_from_slice(bytes)), limit).ok()?;
    assert!(raw.len() as u64 <= limit, "the limit holds");
    Some(raw)
}

/// Reads the pin of the set in these two directories, and everything that it names.
///
/// # Panics
/// When a file is taken that is not the pinned one.
#[must_use]
pub fn pinned(fs: &dyn Fs, metadata_dir: &Path, targets_dir: &Path) -> bool {
    let Ok(Some(pin)) = Pin::find(fs, metadata_dir, targets_dir) else { return false };
    for name in pin.target_names() {
        let info = TargetInfo { name: name.to_owned(), length: 0, hashes: Hashes::sha256([0; 32]) };
        // Whether or not it is the pinned one, asking is safe.
        let _any_answer = pin.check_target(targets_dir, &info);
    }
    let Ok(files) = pin.read_metadata(fs, metadata_dir) else { return false };
    for (name, bytes) in &files {
        assert!(!name.contains('/'), "nothing outside of the directory is read");
        assert_eq!(fs.read(&metadata_dir.join(name)).ok().as_deref(), Some(&bytes[..]), "exact bytes");
    }
    let again: Pin = serde_json::from_slice(&pin.to_json()).expect("what is written reads back");
    assert_eq!(again, pin, "and says the same");
    true
}

/// Reads the memory in `dir`, which nobody else uses. Gives the versions of the roots that it vouches for.
///
/// # Panics
/// When a memory without a root is taken.
#[must_use]
pub fn remembered(fs: &dyn Fs, dir: &Path) -> Option<Vec<u64>> {
    let remembered = store::read(fs, dir).ok()??.remembered;
    assert!(remembered.newest_root().is_some(), "a memory has a root");
    let (root, _) = remembered.advance();
    assert_eq!(remembered.roots.keys().next_back(), Some(&root), "its newest root counts");
    Some(remembered.roots.keys().copied().collect())
}

/// Reads a root role that must be signed by a threshold of its own keys.
#[must_use]
pub fn root_role(bytes: &[u8]) -> Option<u64> {
    let root = KnownRoot::parse(bytes).ok()?;
    let _for_people = root.describe();
    assert!(root.says_the_same_as(&root.clone()), "a root says what it says");
    assert!(!root.vouches_for(&root.clone()), "no root is its own successor");
    Some(root.version())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_doors_lead_where_they_say() {
        assert_eq!(resumes(3, 9, "bytes 3-8/9"), Some(0));
        assert_eq!(resumes(3, 9, "bytes 2-8/*"), Some(1));
        assert_eq!(resumes(3, 9, "bytes 4-8/9"), None);
        assert_eq!(frame(b"not a frame", 10), None);
        assert_eq!(root_role(b"{}"), None);
        let dir = tempfile::tempdir().unwrap();
        assert!(!pinned(&host_io::SystemFs, dir.path(), dir.path()));
        assert_eq!(remembered(&host_io::SystemFs, dir.path()), None);
    }
}
