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
    /// What was signed of the targets role.
    Targets,
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
            Self::Targets => "targets.signed".into(),
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

    /// Gives the room back. What a power cut brought back would lie there until the next update, so it is gone for good.
    pub(crate) fn forget(&self, slots: &[Slot]) {
        let gone = |slot: &&Slot| {
            let path = self.path(**slot);
            match self.fs.remove_file(&path) {
                Ok(()) => true,
                Err(error) if error.kind() == io::ErrorKind::NotFound => false,
                Err(error) => {
                    warn!("{} stays there, and is of no use any more: {error}", path.display());
                    false
                }
            }
        };
        if slots.iter().filter(gone).count() == 0 {
            return;
        }
        if let Some(dir) = self.store.dir().parent()
            && let Err(error) = self.fs.sync_dir(dir)
        {
            warn!("what is of no use any more in {} may come back: {error}", dir.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use host_io::explore::CutFs;

    use super::*;

    #[test]
    fn what_is_forgotten_is_gone_for_good_and_nothing_is_synced_where_nothing_was_kept() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let fs = CutFs::counting();
        let kept = Kept::new(Arc::new(fs.clone()), Store::new(dir.path(), b"anchor", "https://here/"));
        let there = [Slot::RootIndex, Slot::RootPack].map(|slot| kept.path(slot));
        for path in &there {
            std::fs::write(path, "served").expect("written");
        }
        kept.forget(&[Slot::BootIndex, Slot::RootIndex, Slot::RootPack]);
        assert!(there.iter().all(|path| !path.exists()));
        assert_eq!(fs.syncs(), 1, "of the directory that had them");
        kept.forget(&[Slot::BootIndex, Slot::RootIndex, Slot::RootPack]);
        assert_eq!(fs.syncs(), 1);
    }
}
