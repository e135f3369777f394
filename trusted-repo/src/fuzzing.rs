//! Doors for the targets in the folder `fuzz`, and for nobody else: each gives bytes from outside to one reader and
//! asserts what holds of whatever comes out, beside what is private. They are always compiled, so that they cannot rot.

use std::path::Path;

use bytes::Bytes;
use host_io::Fs;
use ring::digest::{SHA256, digest};

use crate::cache::pin::Pin;
use crate::lz4;
use crate::memory::roots::KnownRoot;
use crate::memory::store;
use crate::target::{Check, TargetInfo, VerifiedBytes};
use crate::transport::range::{ContentRange, Fit, Identity, fit};

/// The headers that describe an object, as they came.
#[derive(Debug, Clone, Copy, Default)]
pub struct Described<'a> {
    /// `ETag`.
    pub etag: Option<&'a str>,
    /// `Last-Modified`.
    pub last_modified: Option<&'a str>,
}

/// Whether a part with these headers continues the very object of `length` bytes that was begun with those.
///
/// # Panics
/// When a part is taken that does not fit.
#[must_use]
pub fn resumes(
    position: u64,
    begun: Described<'_>,
    length: Option<u64>,
    part: Described<'_>,
    content_range: &str,
) -> bool {
    let identity = Identity::of_whole(begun.etag, begun.last_modified, length);
    let Some(range) = ContentRange::parse(content_range) else { return false };
    assert!(range.first <= range.last, "a range is in order");
    assert!(range.total.is_none_or(|total| range.last < total), "a range lies in its object");
    let total = range.total.map_or_else(|| "*".to_owned(), |total| total.to_string());
    let written = format!("bytes {}-{}/{total}", range.first, range.last);
    assert_eq!(ContentRange::parse(&written), Some(range), "what is written reads back");
    let fit = fit(position, &identity, &range, &Identity::of_part(part.etag, part.last_modified, &range));
    if fit != Fit::Other {
        assert!(identity.can_be_resumed(), "without a length nothing is resumed");
        assert_eq!((range.first, range.total), (position, length), "a part continues where the rest ended");
        let strong = |of: Described<'_>| of.etag.filter(|tag| !tag.starts_with("W/")).map(str::to_owned);
        if let (Some(one), Some(other)) = (strong(begun), strong(part)) {
            assert_eq!(one, other, "a strong validator stays the same");
        }
        let says_which = |of: Described<'_>| {
            of.last_modified.is_some() || of.etag.is_some_and(|tag| !tag.starts_with("W/"))
        };
        assert_eq!(fit == Fit::Same, says_which(begun), "nothing is the same object without a validator");
        assert_eq!(says_which(begun), says_which(part), "both say which object they are of, or none does");
    }
    fit == Fit::Same
}

/// Decodes one LZ4 frame of at most `limit` raw bytes, as if `bytes` had been signed.
///
/// # Panics
/// When more comes out than is allowed.
#[must_use]
pub fn frame(bytes: &[u8], limit: u64) -> Option<Vec<u8>> {
    let sha256 = digest(&SHA256, bytes).as_ref().try_into().expect("SHA-256 has 32 bytes");
    let mut check = Check::new(TargetInfo { name: "x.lz4".to_owned(), length: bytes.len() as u64, sha256 });
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
        let info = TargetInfo { name: name.to_owned(), length: 0, sha256: [0; 32] };
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
        let begun = Described { etag: Some("\"a\""), last_modified: None };
        assert!(resumes(3, begun, Some(9), begun, "bytes 3-8/9"));
        assert!(!resumes(3, begun, Some(9), begun, "bytes 2-8/9"));
        let silent = Described::default();
        assert!(!resumes(3, silent, Some(9), silent, "bytes 3-8/9"), "nobody says which object it is");
        assert_eq!(frame(b"not a frame", 10), None);
        assert_eq!(root_role(b"{}"), None);
        let dir = tempfile::tempdir().unwrap();
        assert!(!pinned(&host_io::SystemFs, dir.path(), dir.path()));
        assert_eq!(remembered(&host_io::SystemFs, dir.path()), None);
    }
}
