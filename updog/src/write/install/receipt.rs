//! Which signed targets were decoded to what, as noted when that was done here.
//!
//! The signature is over compressed bytes, so what lies in a partition cannot be compared with it. A receipt joins the
//! two: whoever finds bytes with the digest in it need not fetch them again. It is as good as the remembered trust that lies
//! beside it, and what does not agree with it is simply fetched (`docs/design.md`, "Images").

use std::path::PathBuf;

use host_io::{Fs, Paths, swap};
use serde::{Deserialize, Serialize};
use trusted_repo::TargetInfo;

use super::sum::RawSum;

/// How many receipts are kept: those of a few releases.
const MOST: usize = 8;

/// What one signed target holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Receipt {
    target: String,
    /// The signed SHA-256.
    sha256: String,
    raw_len: u64,
    raw_sha256: String,
}

/// The receipts of a host, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipts {
    #[serde(default)]
    images: Vec<Receipt>,
}

impl Receipts {
    /// Loads what was noted. Nothing that can be read is nothing that is known.
    #[must_use]
    pub fn load(fs: &dyn Fs, paths: &Paths) -> Self {
        let parsed = fs.read(&file(paths)).map(|bytes| serde_json::from_slice(&bytes));
        match parsed {
            Ok(Ok(receipts)) => receipts,
            Ok(Err(error)) => {
                tracing::warn!("failed to read which images are known here, so they are fetched: {error}");
                Self::default()
            }
            Err(_) => Self::default(),
        }
    }

    /// What `target` holds, if it was decoded here.
    #[must_use]
    pub fn find(&self, target: &TargetInfo) -> Option<RawSum> {
        let named = target.hashes.hex();
        let receipt = self.images.iter().find(|image| image.sha256 == named)?;
        let raw: [u8; 32] = hex::decode(&receipt.raw_sha256).ok()?.try_into().ok()?;
        Some(RawSum { len: receipt.raw_len, sha256: raw })
    }

    /// Notes that `target` was found to hold `sum`. That it cannot be noted is no reason to stop.
    pub fn note(&mut self, target: &TargetInfo, sum: RawSum, fs: &dyn Fs, paths: &Paths) {
        if self.find(target) == Some(sum) {
            return;
        }
        let receipt = Receipt {
            target: target.name.clone(),
            sha256: target.hashes.hex(),
            raw_len: sum.len,
            raw_sha256: hex::encode(sum.sha256),
        };
        self.images.retain(|image| image.sha256 != receipt.sha256);
        self.images.insert(0, receipt);
        self.images.truncate(MOST);
        let path = file(paths);
        let text = serde_json::to_vec_pretty(self).expect("receipts are plain text and numbers");
        if let Err(error) = swap::replace_file(fs, &path, &text, 0o644) {
            tracing::warn!("failed to write {}, so an image may be fetched twice: {error}", path.display());
        }
    }
}

fn file(paths: &Paths) -> PathBuf {
    paths.record().join("images.json")
}

#[cfg(test)]
mod tests {
    use trusted_repo::Hashes;

    use host_io::SystemFs;

    use super::*;

    fn target(number: u8) -> TargetInfo {
        TargetInfo { name: "hash.lz4".to_owned(), length: 10, hashes: Hashes::sha256([number; 32]) }
    }

    #[test]
    fn a_receipt_is_for_one_signed_digest_and_the_newest_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path());
        let mut receipts = Receipts::load(&SystemFs, &paths);
        assert_eq!(receipts.find(&target(0)), None);
        let sum = |number: u8| RawSum { len: u64::from(number), sha256: [number; 32] };
        for number in 0..10 {
            receipts.note(&target(number), sum(number), &SystemFs, &paths);
        }
        assert_eq!(Receipts::load(&SystemFs, &paths), receipts);
        assert_eq!(receipts.find(&target(9)), Some(sum(9)));
        assert_eq!(receipts.find(&target(1)), None, "too long ago");
        receipts.note(&target(9), sum(3), &SystemFs, &paths);
        assert_eq!(receipts.find(&target(9)), Some(sum(3)));
        assert_eq!(receipts.images.len(), MOST);
        std::fs::write(file(&paths), "{").unwrap();
        assert_eq!(Receipts::load(&SystemFs, &paths), Receipts::default());
    }
}
