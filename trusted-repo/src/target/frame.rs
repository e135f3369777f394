//! The proof that a part of a target is the one that a verified index describes.
//!
//! An index is a small target of its own, so its digests are as good as signed. A [`VerifiedFrame`] exists only for bytes
//! whose SHA-256 stands there; the target around them need not be fetched.

use std::fmt;

use bytes::Bytes;
use ring::digest::{SHA256, digest};

use crate::Error;

/// The longest frame that is fetched, in bytes: it is held in memory.
pub const LONGEST_FRAME: u64 = 64 << 20;

/// What an index says of a frame. Not a proof of anything about its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameInfo {
    /// Where it begins in its target, in bytes.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u64,
    /// Its SHA-256.
    pub sha256: [u8; 32],
}

impl fmt::Display for FrameInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the frame of {} bytes at offset {}", self.length, self.offset)
    }
}

/// Proof: these bytes have the length and the SHA-256 of the frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedFrame {
    info: FrameInfo,
    bytes: Bytes,
}

impl VerifiedFrame {
    pub(crate) fn check(target: &str, info: FrameInfo, bytes: Bytes) -> Result<Self, Error> {
        let refusal = |reason| Error::Tampered { name: target.to_owned(), reason };
        if bytes.len() as u64 != info.length {
            return Err(refusal(format!("{info} ends after {} bytes", bytes.len())));
        }
        let found = digest(&SHA256, &bytes);
        if found.as_ref() != info.sha256 {
            let (found, indexed) = (hex::encode(found), hex::encode(info.sha256));
            return Err(refusal(format!(
                "the SHA-256 of {info} is {found}, and {indexed} stands in its index"
            )));
        }
        Ok(Self { info, bytes })
    }

    /// What the index says of it, which holds.
    #[must_use]
    pub fn info(&self) -> FrameInfo {
        self.info
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_indexed_bytes_are_a_frame() {
        let sha256 = digest(&SHA256, b"frame").as_ref().try_into().expect("32 bytes");
        let info = FrameInfo { offset: 7, length: 5, sha256 };
        let frame = VerifiedFrame::check("t", info, Bytes::from_static(b"frame")).expect("it is");
        assert_eq!((frame.bytes(), frame.info()), (&b"frame"[..], info));
        for (other, why) in [(&b"fram"[..], "after 4 bytes"), (b"framE", "SHA-256"), (b"frames", "6 bytes")] {
            let error = VerifiedFrame::check("t", info, Bytes::from_static(other)).expect_err("it is not");
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
