//! Opening a cached set at boot: no network, no memory, and expiry waived, because a host that was off for a year still
//! has to start. Signatures and digests hold, and the set has to be the one that was pinned when it was staged.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use host_io::Fs;
use host_io::fs::Kind;
use tracing::warn;

use super::search::{Judged, Search, Supply};
use super::shelf::{LONGEST_TARGETS, Shelf};
use super::walk::{self, Verified};
use crate::Error;
use crate::cache::pin::Pin;
use crate::memory::roots::KnownRoot;
use crate::metadata::file_name::published;
use crate::metadata::signed::Delegate;
use crate::metadata::targets::{Delegation, Targets};
use crate::open::repository::{Opened, Repository};
use crate::open::roles::Roles;
use crate::place::mirrors::Mirrors;
use crate::place::source::Place;
use crate::transport::carrier::read_up_to;
use crate::transport::{Carrier, Fault};

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
    let (verified, given) = walk(files.clone(), trusted_root, metadata_dir).await?;
    let opened = Repository::new(Opened {
        still: None,
        roles: Roles::of(&verified),
        has_digest_names: verified.root.role.signed.consistent_snapshot,
        search: Search::new(&verified, Supply::Held { files, shown }, None),
        anew: None,
        files: given,
        carrier: Carrier::local(fs),
        metadata: Place::Directory(metadata_dir.to_owned()),
        targets: Arc::new(Mirrors::new(vec![Place::Directory(targets_dir.to_owned())], 0)),
        kept: None,
        pin,
        now: None,
    });
    opened.check_pin(targets_dir).await?;
    Ok(opened)
}

/// The specification's walk over `files`, which lie in `dir`: everything but expiry. Also gives the files that it took.
pub(crate) async fn walk(
    files: BTreeMap<String, Bytes>,
    trusted_root: &[u8],
    dir: &Path,
) -> Result<(Verified, BTreeMap<String, Bytes>), Error> {
    let shown = dir.display().to_string();
    let start = KnownRoot::parse(trusted_root).map_err(|reason| Error::Anchor { reason })?;
    let shelf = Shelf::of_files(files);
    let (_, verified) = walk::walk(&shelf, &start, None, &shown).await;
    Ok((verified?, shelf.given()))
}

/// A role to which the targets role delegates directly, from `files`, whether it has expired or not; and who signs it.
pub(crate) fn delegated(
    verified: &Verified,
    files: &BTreeMap<String, Bytes>,
    dir: &Path,
    name: &str,
) -> Result<(Delegation, Delegate, Targets), Error> {
    let place = dir.display().to_string();
    let refused = |reason: String| Error::Untrusted { place: place.clone(), reason };
    let delegation = verified.targets.delegations().find(|delegation| delegation.name == name);
    let delegation =
        delegation.ok_or_else(|| refused(format!("its targets role does not delegate to {name:?}")))?;
    let named = verified.snapshot.meta.get(&format!("{name}.json"));
    let named =
        named.ok_or_else(|| refused(format!("its snapshot does not name the delegated role {name:?}")))?;
    let file = published(name, named.version, verified.root.role.signed.consistent_snapshot);
    let bytes = files.get(&file).ok_or_else(|| Error::Metadata {
        name: file.clone(),
        place: place.clone(),
        source: Fault::Missing,
    })?;
    let delegate = verified.targets.delegate(delegation);
    let judged = Judged { role: name, by: "targets", named, delegate };
    let role = judged.judge(bytes, None, &place)?;
    Ok((delegation.clone(), judged.delegate, role))
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
