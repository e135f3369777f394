//! What a whole image is: its length and its digest.

use ring::digest::{SHA256, digest};

/// A SHA-256.
pub(super) type Sha256 = [u8; 32];

/// What a whole image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawSum {
    /// Its bytes.
    pub len: u64,
    /// Their SHA-256.
    pub sha256: [u8; 32],
}

pub(super) fn sha256(bytes: &[u8]) -> Sha256 {
    digest(&SHA256, bytes).as_ref().try_into().expect("a SHA-256 has 32 bytes")
}
