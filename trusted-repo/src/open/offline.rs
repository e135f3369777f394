//! Opening a cached set at boot: no network, no memory, and expiry waived, because a host that was off for a year still
//! has to start. Signatures and digests hold, and the set has to be the one that was pinned when it was staged.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use host_io::Fs;
use host_io::fs::Kind;
use tough::{ExpirationEnforcement, RepositoryLoader};
use tracing::warn;
use url::Url;

use super::mirrors::Mirrors;
use super::online::limits;
use super::scratch;
use super::shelf::{LONGEST_TARGETS, Shelf};
use super::verdict;
use crate::Error;
use crate::cache::pin::Pin;
use crate::repository::{Opened, Repository};
use crate::source::Place;
use crate::transport::Carrier;
use crate::transport::carrier::read_up_to;

/// Opens the set in `metadata_dir` and `targets_dir`, starting from the root role that the image ships.
///
/// Targets are found there under their plain name or as `SHA256.NAME`. The set's `pin.json` lies beside both
/// directories; a set without one has the older layout, which is accepted and logged.
///
/// # Errors
/// With the codes `not_a_repository`, `untrusted`, `tampered` (the set is not the pinned one) and `failed`.
pub async fn open_offline(
    fs: Arc<dyn Fs>,
    trusted_root: &[u8],
    metadata_dir: &Path,
    targets_dir: &Path,
) -> Result<Repository, Error> {
    let shown = metadata_dir.display().to_string();
    let pin = Pin::find(&*fs, metadata_dir, targets_dir)?;
    let files = match &pin {
        Some(pin) => pin.read_metadata(&*fs, metadata_dir)?,
        None => {
            warn!(cache = shown, "the cached set has no pin: it has the older layout");
            read_all(&*fs, metadata_dir)?
        }
    };
    let (repository, files) = walk(files, trusted_root, metadata_dir).await?;
    let opened = Repository::new(Opened {
        still: None,
        files,
        repository,
        carrier: Carrier::local(fs),
        metadata: Place::Directory(metadata_dir.to_owned()),
        targets: Arc::new(Mirrors::new(vec![Place::Directory(targets_dir.to_owned())], 0)),
        kept: None,
        pin,
        now: None,
    });
    opened.check_pin(targets_dir)?;
    Ok(opened)
}

/// The specification's walk over `files`, which lie in `dir`: everything but expiry. Also gives the files that it took.
pub(crate) async fn walk(
    files: BTreeMap<String, Bytes>,
    trusted_root: &[u8],
    dir: &Path,
) -> Result<(tough::Repository, BTreeMap<String, Bytes>), Error> {
    let shown = dir.display().to_string();
    let failed = |reason: String| Error::Failed { place: shown.clone(), reason };
    let absolute = std::path::absolute(dir).map_err(|error| failed(error.to_string()))?;
    // Only for its names: the shelf answers from memory.
    let url =
        Url::from_directory_path(&absolute).map_err(|()| failed("its path is not absolute".to_owned()))?;
    let shelf = Shelf::of_files(files);
    // Without one tough makes its own, and only in /tmp.
    let scratch = scratch::directory()
        .map_err(|error| failed(format!("no directory to work in can be made: {error}")))?;
    let repository = RepositoryLoader::new(&trusted_root, url.clone(), url)
        .datastore(scratch.path())
        .transport(shelf.clone())
        .limits(limits())
        .expiration_enforcement(ExpirationEnforcement::Unsafe)
        .load()
        .await
        .map_err(|error| verdict::of(error, &shown))?;
    Ok((repository, shelf.given()))
}

/// The metadata files of a directory.
pub(crate) fn read_all(fs: &dyn Fs, dir: &Path) -> Result<BTreeMap<String, Bytes>, Error> {
    let failed = |error| Error::cache("read the cached metadata in", dir, error);
    let mut files = BTreeMap::new();
    for entry in fs.list(dir).map_err(failed)? {
        if entry.kind != Kind::File || !entry.name.ends_with(".json") {
            continue;
        }
        let file = fs.open(&dir.join(&entry.name)).map_err(failed)?;
        if let Some(bytes) = read_up_to(file, LONGEST_TARGETS).map_err(failed)? {
            files.insert(entry.name, bytes);
        }
    }
    Ok(files)
}
