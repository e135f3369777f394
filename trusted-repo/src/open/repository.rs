//! An open repository: its targets and its manifest.
//!
//! - [`from_places`]: what targets hold, from whichever place has it
//! - [`withheld`]: what it withholds from hosts

pub mod from_places;
pub mod withheld;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::OnceCell;
use update_metadata::{Manifest, safe_target_name};

use crate::Error;
use crate::cache::StagedCache;
use crate::cache::pin::Pin;
use crate::memory::extract::Anew;
use crate::memory::kept::{Kept, Slot};
use crate::metadata::now::EffectiveNow;
use crate::open::roles::{Role, Roles};
use crate::open::search::{DelegatedRole, Found, Search};
use crate::open::{manifest, older_roots};
use crate::place::mirrors::Mirrors;
use crate::place::source::Place;
use crate::target::proof::{TargetInfo, VerifiedBytes};
use crate::transport::Carrier;
use crate::transport::download::{Expected, Size};

/// The longest manifest that is accepted, in bytes.
const LONGEST_MANIFEST: u64 = update_metadata::manifest::MAX_LEN as u64;

/// What an opening found.
pub(crate) struct Opened {
    pub(crate) roles: Roles,
    /// Whether the published names of targets begin with their digests.
    pub(crate) has_digest_names: bool,
    pub(crate) search: Search,
    /// The file of the targets role, where it was not looked at yet.
    pub(crate) anew: Option<Anew>,
    /// Every metadata file but those of delegated roles under its published name, as exact bytes.
    pub(crate) files: BTreeMap<String, Bytes>,
    pub(crate) carrier: Carrier,
    pub(crate) metadata: Place,
    pub(crate) targets: Arc<Mirrors>,
    pub(crate) kept: Option<Kept>,
    pub(crate) pin: Option<Pin>,
    pub(crate) now: Option<EffectiveNow>,
    pub(crate) still: Option<u64>,
}

/// A repository whose metadata was verified. It stays with that one set of metadata for as long as it is open.
pub struct Repository {
    opened: Opened,
    manifest: tokio::sync::Mutex<Option<VerifiedBytes>>,
    /// The root roles before the first one that was needed here.
    older_roots: OnceCell<BTreeMap<String, Bytes>>,
}

impl Repository {
    pub(crate) fn new(opened: Opened) -> Self {
        Self { opened, manifest: tokio::sync::Mutex::default(), older_roots: OnceCell::new() }
    }

    /// The update manifest; of a set for the next boot the one that it was staged with.
    ///
    /// # Errors
    /// When it is missing, does not come, is not the signed one, or is no manifest.
    pub async fn manifest(&self) -> Result<Manifest, Error> {
        let staged = self.opened.pin.iter().flat_map(Pin::target_names).find(|name| manifest::is_one(name));
        self.manifest_of(staged.unwrap_or(manifest::OF_ALL)).await
    }

    /// The manifest that hosts of `variant` go by, and what is signed of it. Where the top-level role delegates a manifest
    /// of that variant to a team, it is the team's, and of it only the updates of that variant; as long as the team has
    /// none, and everywhere else, it is the one of all.
    ///
    /// # Errors
    /// As [`Repository::manifest`] and [`Repository::target`].
    pub async fn manifest_for(&self, variant: &str) -> Result<(Manifest, TargetInfo), Error> {
        let name = manifest::of_variant(variant);
        let search = &self.opened.search;
        let is_listed = safe_target_name(&name)
            && search.delegates(&name)
            && matches!(search.find(&name).await?, Found::Listed(_));
        if is_listed {
            let (manifest, signed) = (self.manifest_of(&name).await?, self.target(&name).await?);
            return Ok((manifest::only_of(manifest, variant), signed));
        }
        Ok((self.manifest().await?, self.target(manifest::OF_ALL).await?))
    }

    async fn manifest_of(&self, name: &str) -> Result<Manifest, Error> {
        let bytes = self.fetch(name, LONGEST_MANIFEST).await?;
        Manifest::parse(bytes.bytes()).map_err(|source| Error::Manifest {
            name: name.to_owned(),
            place: self.opened.metadata.describe(""),
            source: Arc::new(source),
        })
    }

    /// What the signed metadata says of a target. One that the top-level role does not list is looked for among the roles
    /// that it is delegated to, which may have to be fetched.
    ///
    /// # Errors
    /// [`Error::MissingTarget`] when it is not listed, or has a name that cannot be that of a file; any other error when
    /// a role that may list it cannot be had or trusted.
    pub async fn target(&self, name: &str) -> Result<TargetInfo, Error> {
        if !safe_target_name(name) {
            return Err(Error::MissingTarget {
                name: name.to_owned(),
                reason: "a name may only have letters, digits and ._+-".to_owned(),
                dir: None,
            });
        }
        self.listed(name).await
    }

    /// [`Repository::target`] for any name, which may not be that of a file.
    pub async fn listed(&self, name: &str) -> Result<TargetInfo, Error> {
        if !manifest::is_one(name) {
            self.verify_anew()?;
        }
        let listed = self.opened.search.find(name).await?.listed(name)?;
        match listed.hashes.known() {
            Ok(hashes) => {
                Ok(TargetInfo { name: name.to_owned(), length: listed.length, hashes: hashes.clone() })
            }
            Err(reason) => {
                Err(Error::MissingTarget { name: name.to_owned(), reason: reason.to_owned(), dir: None })
            }
        }
    }

    /// Verifies the targets role by its file, where an extract of it was enough so far. Whoever finds something to do asks
    /// for this before it is told; a target that is no manifest is not told of without it.
    ///
    /// # Errors
    /// [`Error::Untrusted`] when the file does not say what its extract does.
    pub fn verify_anew(&self) -> Result<(), Error> {
        let Some(anew) = &self.opened.anew else { return Ok(()) };
        anew.verify(self.opened.search.top_level()).map_err(|why| {
            // The next run goes by the file.
            self.forget(&[Slot::Targets]);
            Error::Untrusted {
                place: self.opened.metadata.describe(""),
                reason: format!("its targets role is not what was kept of it ({why})"),
            }
        })
    }

    /// From now on every request carries this pair.
    pub fn set_query(&self, name: &str, value: &str) {
        self.opened.carrier.set_query(name, value);
    }

    /// All of a small target, verified.
    ///
    /// # Errors
    /// [`Error::TooLarge`] when it is signed to be longer than `limit` bytes; else as [`Repository::open_target`] and
    /// [`TargetReader::finish`](crate::TargetReader::finish).
    pub async fn fetch(&self, name: &str, limit: u64) -> Result<VerifiedBytes, Error> {
        let info = self.target(name).await?;
        if info.length > limit {
            return Err(Error::TooLarge { name: name.to_owned(), limit });
        }
        if manifest::is_one(name) {
            return self.fetch_manifest(&info).await;
        }
        self.fetch_whole(&info).await
    }

    async fn fetch_manifest(&self, info: &TargetInfo) -> Result<VerifiedBytes, Error> {
        let mut here = self.manifest.lock().await;
        if let Some(known) = here.as_ref().filter(|known| known.target().is(info)) {
            return Ok(known.clone());
        }
        let fetched = match self.kept(Slot::Manifest, info) {
            Some(known) => known,
            None => {
                let fetched = self.fetch_whole(info).await?;
                self.keep(Slot::Manifest, &fetched);
                fetched
            }
        };
        Ok(here.insert(fetched).clone())
    }

    /// What was [kept](Self::keep) earlier, if it is what `info` says: verified like something that was fetched.
    #[must_use]
    pub fn kept(&self, slot: Slot, info: &TargetInfo) -> Option<VerifiedBytes> {
        self.keeper()?.load(slot, info)
    }

    /// Keeps a small target, so that a later run need not fetch it again. What was in the slot before goes away.
    pub fn keep(&self, slot: Slot, target: &VerifiedBytes) {
        if let Some(kept) = self.keeper() {
            kept.save(slot, target);
        }
    }

    /// Ends the keeping of what is in these slots.
    pub fn forget(&self, slots: &[Slot]) {
        if let Some(kept) = self.keeper() {
            kept.forget(slots);
        }
    }

    /// Files are at hand anyway.
    fn keeper(&self) -> Option<&Kept> {
        self.opened.kept.as_ref().filter(|_| self.opened.carrier.has_web())
    }

    /// Whether the published names of targets begin with their digests.
    pub(crate) fn has_digest_names(&self) -> bool {
        self.opened.has_digest_names
    }

    /// Every delegated role that can be reached, whatever for, each under the first delegator that names it: for whoever
    /// checks a repository. No host asks for all of them.
    pub async fn delegated_roles(&self) -> Vec<DelegatedRole> {
        self.opened.search.all().await
    }

    /// The delegated roles that were needed for the targets that were asked for so far, by name.
    pub async fn needed_roles(&self) -> Vec<(String, Role)> {
        self.opened.search.needed().await
    }

    /// The names of all targets that the top-level role lists, also of those that no host would ask for.
    #[must_use]
    pub fn target_names(&self) -> Vec<String> {
        self.opened.search.top_level().targets.keys().cloned().collect()
    }

    /// The verified metadata under the names that a repository has it, as exact bytes. The root chain begins with the
    /// root that was shipped, or with an older one that is remembered; of delegated roles it has those that were needed
    /// for the targets that were asked for so far.
    #[must_use]
    pub fn metadata_files(&self) -> BTreeMap<String, Bytes> {
        let mut files = self.opened.files.clone();
        files.extend(self.opened.search.files());
        files
    }

    /// A file beside the metadata, as it lies there: its bytes are **not verified**. Looks after older root roles,
    /// which a host with an older image will ask for.
    ///
    /// # Errors
    /// [`Error::Metadata`] when it does not come, with [`Fault::Missing`](crate::Fault::Missing) when it is not there.
    pub async fn unverified_file(&self, name: &str) -> Result<Bytes, Error> {
        let expected = Expected { what: "TUF metadata".to_owned(), size: Size::AtMost(LONGEST_MANIFEST) };
        self.opened.carrier.whole(&self.opened.metadata, name, expected).await.map_err(|source| {
            Error::Metadata { name: name.to_owned(), place: self.opened.metadata.describe(""), source }
        })
    }

    /// Versions and expiry of the four roles.
    #[must_use]
    pub fn roles(&self) -> Roles {
        self.opened.roles.clone()
    }

    /// The time that counted when the repository was opened online.
    #[must_use]
    pub fn now(&self) -> Option<EffectiveNow> {
        self.opened.now
    }

    /// For how many days the repository has not moved, where that is so long that somebody should look after it.
    #[must_use]
    pub fn still_for_days(&self) -> Option<u64> {
        self.opened.still
    }

    /// Everything that was received over the network so far, in bytes, also what came twice. Files do not count.
    #[must_use]
    pub fn bytes_fetched(&self) -> u64 {
        self.opened.carrier.fetched()
    }

    /// Looks for the root roles before the first one that was needed here, so that they are among what is
    /// [staged](Self::staged): the release for the next boot may be an older one, and begins with the root that it
    /// ships itself. One that the repository does not have any more, or that does not lead here, ends the search.
    pub async fn find_older_roots(&self) {
        let Opened { files, carrier, metadata, .. } = &self.opened;
        self.older_roots.get_or_init(|| older_roots::before(files, carrier, metadata)).await;
    }

    /// The set for the next boot: these targets and the metadata that leads to them, root chain included.
    #[must_use]
    pub fn staged(&self, targets: Vec<VerifiedBytes>) -> StagedCache {
        let mut files = self.older_roots.get().cloned().unwrap_or_default();
        files.extend(self.opened.files.clone());
        files.extend(self.opened.search.files_for(targets.iter().map(VerifiedBytes::name)));
        StagedCache::new(files, targets)
    }

    /// Refuses a pinned set whose targets are not those of its signed metadata.
    pub(crate) async fn check_pin(&self, targets_dir: &Path) -> Result<(), Error> {
        let Some(pin) = &self.opened.pin else { return Ok(()) };
        for name in pin.target_names() {
            pin.check_target(targets_dir, &self.target(name).await?)?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Repository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repository")
            .field("metadata", &self.opened.metadata)
            .field("roles", &self.roles())
            .finish_non_exhaustive()
    }
}
