//! The proof that a target's bytes are the signed ones.
//!
//! A [`VerifiedTarget`] exists only after all bytes were read and their number and digests are those of the signed
//! metadata. Whoever holds one may act on the target.

use bytes::Bytes;

use crate::Error;
use crate::metadata::hashes::{Digesting, Hashes};

/// What the signed metadata says of a target. Not a proof of anything about its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetInfo {
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub length: u64,
    /// Its digests.
    pub hashes: Hashes,
}

/// Proof: this target was read to its end, and its length and digests are the signed ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedTarget {
    info: TargetInfo,
}

impl VerifiedTarget {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.info.name
    }

    /// Whether it is the one that `info` describes.
    pub(crate) fn is(&self, info: &TargetInfo) -> bool {
        self.info == *info
    }

    /// Its length in bytes, as fetched.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.info.length
    }

    /// Its signed digests, which are those of what was fetched.
    #[must_use]
    pub fn hashes(&self) -> &Hashes {
        &self.info.hashes
    }
}

/// A small target with its proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedBytes {
    target: VerifiedTarget,
    bytes: Bytes,
}

impl VerifiedBytes {
    pub(crate) fn new(target: VerifiedTarget, bytes: Bytes) -> Self {
        Self { target, bytes }
    }

    /// The proof.
    #[must_use]
    pub fn target(&self) -> &VerifiedTarget {
        &self.target
    }

    /// The target's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.target.name()
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its bytes, for whoever keeps them in the proof's place. They are copied only if somebody else has them as well.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes.into()
    }
}

/// A check that is under way.
pub(crate) struct Check {
    info: TargetInfo,
    digests: Digesting,
    seen: u64,
}

impl Check {
    pub(crate) fn new(info: TargetInfo) -> Self {
        let digests = Digesting::new(&info.hashes);
        Self { info, digests, seen: 0 }
    }

    pub(crate) fn name(&self) -> &str {
        &self.info.name
    }

    /// Takes the next bytes. More than are signed are refused at once, so that an endless stream ends here.
    pub(crate) fn update(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.seen = self.seen.saturating_add(bytes.len() as u64);
        if self.seen > self.info.length {
            return Err(self.refusal(format!("it goes on after the {} signed bytes", self.info.length)));
        }
        self.digests.update(bytes);
        Ok(())
    }

    /// The proof, if these were all the signed bytes.
    pub(crate) fn finish(&self) -> Result<VerifiedTarget, Error> {
        if self.seen != self.info.length {
            return Err(
                self.refusal(format!("it ends after {} of {} signed bytes", self.seen, self.info.length))
            );
        }
        if let Some(difference) = self.digests.differ() {
            return Err(self.refusal(difference.its()));
        }
        Ok(VerifiedTarget { info: self.info.clone() })
    }

    fn refusal(&self, reason: String) -> Error {
        Error::Tampered { name: self.info.name.clone(), reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(signed: &[u8], given: &[u8]) -> Result<VerifiedTarget, Error> {
        let digest = ring::digest::digest(&ring::digest::SHA256, signed);
        let hashes = Hashes::sha256(digest.as_ref().try_into().expect("32 bytes"));
        let mut check = Check::new(TargetInfo { name: "t".to_owned(), length: signed.len() as u64, hashes });
        for piece in given.chunks(3) {
            check.update(piece)?;
        }
        check.finish()
    }

    #[test]
    fn only_the_signed_bytes_pass() {
        assert_eq!(check(b"the image", b"the image").expect("the same").length(), 9);
        for (given, why) in [
            (&b"the imagf"[..], "SHA-256"),
            (b"the imag", "ends after 8 of 9"),
            (b"", "ends after 0 of 9"),
            (b"the image!", "goes on after"),
        ] {
            let error = check(b"the image", given).expect_err("other bytes");
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
