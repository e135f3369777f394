//! The manifest that was verified last, kept beside the memory so that an unchanged repository need not send it again.
//!
//! Nothing is believed because it lies here: length and SHA-256 have to be those that the signed metadata names now. A
//! file that is gone, damaged or another one costs a download and nothing else.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use host_io::{Fs, swap};
use tracing::{debug, warn};

use super::store::{Store, lock};
use crate::target::{Check, TargetInfo, VerifiedBytes};
use crate::transport::carrier::read_up_to;

/// Where the manifest of one memory's repository is kept.
pub(crate) struct Kept {
    fs: Arc<dyn Fs>,
    store: Store,
}

impl Kept {
    pub(crate) fn new(fs: Arc<dyn Fs>, store: Store) -> Self {
        Self { fs, store }
    }

    /// Beside the memory's directory and not inside of it, which is replaced as a whole.
    fn path(&self) -> PathBuf {
        self.store.dir().with_extension("manifest.json")
    }

    /// The kept bytes, if they are the signed ones.
    pub(crate) fn load(&self, info: &TargetInfo) -> Option<VerifiedBytes> {
        let file = self.fs.open(&self.path()).ok()?;
        let bytes: Bytes = read_up_to(file, info.length).ok()??;
        let mut check = Check::new(info.clone());
        check.update(&bytes).ok()?;
        let target = check.finish().ok()?;
        debug!("the manifest is unchanged, taken from memory");
        Some(VerifiedBytes::new(target, bytes))
    }

    /// Keeps what was verified. It is a convenience: a disk that refuses is not an error.
    pub(crate) fn save(&self, manifest: &VerifiedBytes) {
        let kept = lock(self.store.dir()).map_err(|error| error.to_string()).and_then(|_alone| {
            swap::replace_file(&*self.fs, &self.path(), manifest.bytes(), 0o644)
                .map_err(|error| error.to_string())
        });
        if let Err(reason) = kept {
            warn!(reason, "the manifest is not kept, and will be fetched again");
        }
    }
}
