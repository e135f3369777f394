//! Small targets that were verified here, kept beside the memory so that they need not be sent again: the manifest and the
//! holds, as long as the repository is unchanged, and the indexes of frames of an update that was cut short.
//!
//! Nothing is believed because it lies here: length and SHA-256 have to be those that the signed metadata names now. A
//! file that is gone, damaged or another one costs a download and nothing else, so none of it is synced.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use host_io::{Fs, swap};
use tracing::{debug, warn};

use super::store::{Store, lock};
use crate::target::proof::{Check, TargetInfo, VerifiedBytes};
use crate::transport::carrier::read_up_to;

/// What is kept: at most one file of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Slot {
    /// The update manifest.
    Manifest,
    /// What is withheld from hosts, by the number of the file.
    Holds(u8),
    /// The index of a boot image's frames.
    BootIndex,
    /// The index of a root image's frames.
    RootIndex,
    /// What a pack of a boot image says of itself.
    BootPack,
    /// What a pack of a root image says of itself.
    RootPack,
}

impl Slot {
    fn file_name(self) -> Cow<'static, str> {
        match self {
            Self::Manifest => "manifest.json".into(),
            Self::Holds(number) => format!("holds-{number}.json").into(),
            Self::BootIndex => "boot.idx".into(),
            Self::RootIndex => "root.idx".into(),
            Self::BootPack => "boot.pack".into(),
            Self::RootPack => "root.pack".into(),
        }
    }
}

/// Where the small targets of one memory's repository are kept.
pub(crate) struct Kept {
    fs: Arc<dyn Fs>,
    store: Store,
}

impl Kept {
    pub(crate) fn new(fs: Arc<dyn Fs>, store: Store) -> Self {
        Self { fs, store }
    }

    /// Beside the memory's directory and not inside of it, which is replaced as a whole.
    fn path(&self, slot: Slot) -> PathBuf {
        self.store.dir().with_extension(&*slot.file_name())
    }

    /// The kept bytes, if they are the signed ones.
    pub(crate) fn load(&self, slot: Slot, info: &TargetInfo) -> Option<VerifiedBytes> {
        let file = self.fs.open(&self.path(slot)).ok()?;
        let bytes: Bytes = read_up_to(file, info.length).ok()??;
        let mut check = Check::new(info.clone());
        check.update(&bytes).ok()?;
        let target = check.finish().ok()?;
        debug!("{} was kept, and is not fetched again", info.name);
        Some(VerifiedBytes::new(target, bytes))
    }

    /// Keeps what was verified. It is a convenience: a disk that refuses is not an error.
    pub(crate) fn save(&self, slot: Slot, target: &VerifiedBytes) {
        let kept = lock(self.store.dir()).map_err(|error| error.to_string()).and_then(|_alone| {
            swap::replace_volatile(&*self.fs, &self.path(slot), target.bytes(), 0o644)
                .map_err(|error| error.to_string())
        });
        if let Err(reason) = kept {
            warn!(reason, "{} is not kept, and will be fetched again", target.name());
        }
    }

    /// Gives the room back.
    pub(crate) fn forget(&self, slot: Slot) {
        let path = self.path(slot);
        match self.fs.remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                warn!("{} stays there, and is of no use any more: {error}", path.display());
            }
            _ => {}
        }
    }
}
