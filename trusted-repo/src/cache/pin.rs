//! What a cached set was when it was staged: the digests of its metadata and of its targets.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use bytes::Bytes;
use host_io::Fs;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::metadata::hashes::Hashes;
use crate::target::proof::{TargetInfo, VerifiedBytes};
use crate::transport::carrier::read_up_to;

/// The pin's file, beside the directories of metadata and targets.
pub(crate) const PIN: &str = "pin.json";

/// The content of `pin.json`. Fields are only ever added, and those are optional.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pin {
    metadata: BTreeMap<String, Pinned>,
    targets: BTreeMap<String, Pinned>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Pinned {
    length: u64,
    sha256: String,
    /// Of a target that is signed with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha512: Option<String>,
}

impl Pinned {
    fn of(bytes: &[u8]) -> Self {
        Self { length: bytes.len() as u64, sha256: hex::encode(digest(&SHA256, bytes)), sha512: None }
    }

    fn of_target(target: &VerifiedBytes) -> Self {
        let sha512 = target.target().hashes().get_sha512().map(hex::encode);
        Self { sha512, ..Self::of(target.bytes()) }
    }

    /// Whether it has every digest that is signed now.
    fn is(&self, hashes: &Hashes) -> bool {
        hashes.get_sha256().is_none_or(|digest| self.sha256 == hex::encode(digest))
            && hashes.get_sha512().is_none_or(|digest| self.sha512 == Some(hex::encode(digest)))
    }
}

impl Pin {
    /// The pin of these files; metadata by file name, targets by target name.
    pub(crate) fn new(metadata: &BTreeMap<String, Bytes>, targets: &[VerifiedBytes]) -> Self {
        Self {
            metadata: metadata.iter().map(|(name, bytes)| (name.clone(), Pinned::of(bytes))).collect(),
            targets: targets
                .iter()
                .map(|target| (target.name().to_owned(), Pinned::of_target(target)))
                .collect(),
        }
    }

    pub(crate) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("a pin is plain data")
    }

    /// The pin of the set in these two directories; `None` when it has none. Half a pin, or two that differ, refuse:
    /// somebody put two sets together.
    pub(crate) fn find(fs: &dyn Fs, metadata_dir: &Path, targets_dir: &Path) -> Result<Option<Self>, Error> {
        let refused = |reason: String| Error::Pin { path: metadata_dir.to_owned(), reason };
        let (beside_metadata, beside_targets) = (read(fs, metadata_dir)?, read(fs, targets_dir)?);
        match (beside_metadata, beside_targets) {
            (None, None) => Ok(None),
            (Some(one), Some(other)) if one == other => serde_json::from_slice(&one)
                .map(Some)
                .map_err(|error| refused(format!("{PIN} is damaged: {error}"))),
            _ => Err(refused(format!(
                "its metadata and the targets in {} are not pinned together",
                targets_dir.display()
            ))),
        }
    }

    /// The pinned metadata files, as they are on disk; other files there do not exist for the caller.
    pub(crate) fn read_metadata(
        &self,
        fs: &dyn Fs,
        metadata_dir: &Path,
    ) -> Result<BTreeMap<String, Bytes>, Error> {
        let refused = |reason: String| Error::Pin { path: metadata_dir.to_owned(), reason };
        let mut files = BTreeMap::new();
        for (name, pinned) in &self.metadata {
            if name.contains('/') {
                return Err(refused(format!("{PIN} is damaged: it names {name:?}")));
            }
            let file = fs.open(&metadata_dir.join(name));
            let bytes = file
                .and_then(|file| read_up_to(file, pinned.length))
                .map_err(|error| refused(format!("{name} cannot be read: {error}")))?;
            match bytes {
                Some(bytes) if Pinned::of(&bytes) == *pinned => {
                    files.insert(name.clone(), bytes);
                }
                _ => return Err(refused(format!("{name} is not the file that was pinned"))),
            }
        }
        Ok(files)
    }

    pub(crate) fn target_names(&self) -> impl Iterator<Item = &str> {
        self.targets.keys().map(String::as_str)
    }

    /// Refuses a target that is not in the set, or that was signed with other bytes when the set was staged.
    pub(crate) fn check_target(&self, targets_dir: &Path, info: &TargetInfo) -> Result<(), Error> {
        let Some(pinned) = self.targets.get(&info.name) else {
            return Err(Error::MissingTarget {
                name: info.name.clone(),
                reason: format!("it is not in the pinned set in {}", targets_dir.display()),
                dir: None,
            });
        };
        if pinned.length == info.length && pinned.is(&info.hashes) {
            return Ok(());
        }
        Err(Error::Pin {
            path: targets_dir.to_owned(),
            reason: format!("its metadata signs another {} than the pinned one", info.name),
        })
    }
}

/// The pin beside a directory. The directory may be reached through links: `..` then is where it really lies.
fn read(fs: &dyn Fs, dir: &Path) -> Result<Option<Vec<u8>>, Error> {
    let path = dir.join("..").join(PIN);
    match fs.read(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(Error::Pin { path: dir.to_owned(), reason: format!("{PIN} cannot be read: {error}") })
        }
    }
}
