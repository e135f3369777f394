//! An open repository: its targets and its manifest.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use host_io::report::chain;
use tokio::sync::OnceCell;
use tracing::{debug, info};
use update_metadata::{Manifest, safe_target_name};

use crate::Error;
use crate::cache::StagedCache;
use crate::cache::pin::Pin;
use crate::error::of_file;
use crate::memory::kept::{Kept, Slot};
use crate::metadata::now::EffectiveNow;
use crate::open::roles::{Role, Roles};
use crate::open::search::{DelegatedRole, Found, Search};
use crate::open::{manifest, older_roots};
use crate::place::mirrors::{Mirrors, Turn};
use crate::place::source::Place;
use crate::target::frame::{FrameInfo, VerifiedFrame};
use crate::target::pieces::VerifiedPieces;
use crate::target::proof::{Check, TargetInfo, VerifiedBytes};
use crate::target::reader::{self, TargetReader};
use crate::target::run::{self, FrameRun};
use crate::target::tail::TargetTail;
use crate::transport::Carrier;
use crate::transport::download::{Expected, Part, Size};

/// The longest manifest that is accepted, in bytes.
const LONGEST_MANIFEST: u64 = update_metadata::manifest::MAX_LEN as u64;

/// One of the places that an open repository is fetched from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaceNumber {
    number: usize,
    /// How often a place had been blamed until then.
    blamed: u64,
}

/// Why a place did not give what was asked for, and whether what it gave was put together from parts.
struct Wrong {
    error: Error,
    joined: bool,
}

impl Wrong {
    fn whole(error: Error) -> Self {
        Self { error, joined: false }
    }
}

/// What an opening found.
pub(crate) struct Opened {
    pub(crate) roles: Roles,
    /// Whether the published names of targets begin with their digests.
    pub(crate) has_digest_names: bool,
    pub(crate) search: Search,
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
            });
        }
        self.listed(name).await
    }

    /// [`Repository::target`] for any name, which may not be that of a file.
    pub async fn listed(&self, name: &str) -> Result<TargetInfo, Error> {
        let listed = self.opened.search.find(name).await?.listed(name)?;
        match listed.hashes.known() {
            Ok(hashes) => {
                Ok(TargetInfo { name: name.to_owned(), length: listed.length, hashes: hashes.clone() })
            }
            Err(reason) => Err(Error::MissingTarget { name: name.to_owned(), reason: reason.to_owned() }),
        }
    }

    /// From now on every request carries this pair.
    pub fn set_query(&self, name: &str, value: &str) {
        self.opened.carrier.set_query(name, value);
    }

    /// All of a small target, verified.
    ///
    /// # Errors
    /// [`Error::TooLarge`] when it is signed to be longer than `limit` bytes; else as [`Repository::open_target`] and
    /// [`TargetReader::finish`].
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

    /// [`Repository::fetch`], for a target that is decoded right away: in pieces that go while it is read.
    ///
    /// # Errors
    /// As [`Repository::fetch`].
    pub async fn fetch_pieces(&self, name: &str, limit: u64) -> Result<VerifiedPieces, Error> {
        let info = self.target(name).await?;
        if info.length > limit {
            return Err(Error::TooLarge { name: name.to_owned(), limit });
        }
        let info = &info;
        let from = async |place, part| {
            let file = self.file_of(place, info).map_err(Wrong::whole)?;
            let pieces = self.opened.carrier.pieces(place, &file, expected(info), part).await;
            let (pieces, joined) = pieces.map_err(|fault| Wrong::whole(of_file(&info.name, fault)))?;
            pieces.verify(info.clone()).map_err(|error| Wrong { error, joined })
        };
        self.any_place(from).await
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

    /// Ends the keeping of what is in a slot.
    pub fn forget(&self, slot: Slot) {
        if let Some(kept) = self.keeper() {
            kept.forget(slot);
        }
    }

    /// Files are at hand anyway.
    fn keeper(&self) -> Option<&Kept> {
        self.opened.kept.as_ref().filter(|_| self.opened.carrier.has_web())
    }

    async fn fetch_whole(&self, info: &TargetInfo) -> Result<VerifiedBytes, Error> {
        self.any_place(|place, part| self.fetch_whole_from(place, part, info)).await
    }

    async fn fetch_whole_from(
        &self,
        place: &Place,
        part: Part,
        info: &TargetInfo,
    ) -> Result<VerifiedBytes, Wrong> {
        let file = self.file_of(place, info).map_err(Wrong::whole)?;
        let bytes = self.opened.carrier.whole_as(place, &file, expected(info), part).await;
        let (bytes, joined) = bytes.map_err(|fault| Wrong::whole(of_file(&info.name, fault)))?;
        let mut check = Check::new(info.clone());
        let checked = check.update(&bytes).and_then(|()| check.finish());
        checked.map(|proof| VerifiedBytes::new(proof, bytes)).map_err(|error| Wrong { error, joined })
    }

    /// The part of a target that an index describes, verified: a run of one frame.
    ///
    /// # Errors
    /// As [`Repository::fetch_run`] and [`FrameRun::next`].
    pub async fn fetch_frame(&self, name: &str, frame: FrameInfo) -> Result<VerifiedFrame, Error> {
        let mut run = self.fetch_run(name, vec![frame]).await?;
        Ok(run.next().await?.expect("a run has as many frames as were asked for"))
    }

    /// Frames of a target that follow one another, asked for together and verified one by one.
    ///
    /// The caller vouches for `run`: its frames stand in an index that is a verified target itself. Only their bytes are
    /// asked for, where the server knows ranges. Nothing goes over the network before the first [`FrameRun::next`], and
    /// several runs may be under way at the same time.
    ///
    /// # Errors
    /// [`Error::MissingTarget`] when the target is not listed; [`Error::TooLarge`] when a frame is longer than
    /// [`LONGEST_FRAME`](crate::target::frame::LONGEST_FRAME); [`Error::Tampered`] when the frames do not follow one another or
    /// reach beyond the target.
    pub async fn fetch_run(&self, name: &str, run: Vec<FrameInfo>) -> Result<FrameRun, Error> {
        let info = self.target(name).await?;
        let mut places = Vec::new();
        for (number, place) in self.opened.targets.all() {
            places.push((number, place.clone(), self.file_of(place, &info)?));
        }
        let supply = run::Supply {
            carrier: self.opened.carrier.clone(),
            expected: expected(&info),
            mirrors: Arc::clone(&self.opened.targets),
            places,
        };
        FrameRun::new(info, run, supply)
    }

    /// What the first place gives that gives what was asked for; else why the first one of all did not. A place whose
    /// parts did not fit together is asked once more, for one piece.
    async fn any_place<'a, T, F: Future<Output = Result<T, Wrong>>>(
        &'a self,
        ask: impl Fn(&'a Place, Part) -> F,
    ) -> Result<T, Error> {
        let mut first = None;
        for (number, place) in self.opened.targets.in_order() {
            let mut got = ask(place, Part::Whole).await;
            if let Err(Wrong { error, joined: true }) = &got {
                info!("at {}: failed to {}; it is asked for in one piece", place.describe(""), chain(error));
                got = ask(place, Part::OnePiece).await;
            }
            match got {
                Ok(got) => return Ok(got),
                Err(Wrong { error, .. }) if error.is_of_its_place() => {
                    debug!("at {}: failed to {}", place.describe(""), chain(&error));
                    self.opened.targets.pass_over(number);
                    first.get_or_insert(error);
                }
                Err(Wrong { error, .. }) => return Err(error),
            }
        }
        Err(first.expect("a source has at least one place"))
    }

    /// A [target](Self::target) as a stream that is checked while it passes. It wants a running tokio runtime, and to be read on a
    /// thread that may block. When a web server fails in the middle, the next one goes on from there; one whose bytes
    /// turn out to be wrong at the end is asked last from then on.
    ///
    /// # Errors
    /// [`Error::MissingTarget`] when its file is not there. A web server is asked only by the first read.
    pub fn open_target(&self, info: &TargetInfo) -> Result<TargetReader, Error> {
        self.open_file(info.clone(), |place| self.file_of(place, info))
    }

    /// [`Repository::open_target`] with another rule for the name of the file at a place.
    pub(crate) fn open_file(
        &self,
        info: TargetInfo,
        file_at: impl Fn(&Place) -> Result<String, Error>,
    ) -> Result<TargetReader, Error> {
        let supply = self.supply(&info, 0, file_at)?;
        Ok(TargetReader::new(info, supply, Arc::clone(&self.opened.targets)))
    }

    /// The end of a [target](Self::target), from a byte on, as a stream. What comes is **not verified**: the signed
    /// digests are over all of it. For whoever holds each part against a digest of its own. It wants what
    /// [`Repository::open_target`] wants.
    ///
    /// # Errors
    /// As [`Repository::open_target`].
    pub fn open_unverified_tail(&self, info: &TargetInfo, from: u64) -> Result<TargetTail, Error> {
        let supply = self.supply(info, from, |place| self.file_of(place, info))?;
        Ok(TargetTail::new(info, from, supply, &self.opened.targets))
    }

    /// Where a target is read from.
    fn supply(
        &self,
        info: &TargetInfo,
        from: u64,
        file_at: impl Fn(&Place) -> Result<String, Error>,
    ) -> Result<reader::Supply, Error> {
        let mut first = None;
        let mut web = Vec::new();
        for (number, place) in self.opened.targets.in_order() {
            let file = file_at(place)?;
            match place {
                Place::Web(_) => web.push((number, place.clone(), file)),
                // A directory is asked before the first byte or never.
                Place::Directory(_) if !web.is_empty() => {}
                Place::Directory(dir) => match self.opened.carrier.file_at(dir, &file, from) {
                    Ok(opened) => return Ok(reader::Supply::File(number, opened)),
                    Err(fault) => {
                        first.get_or_insert(of_file(&info.name, fault));
                    }
                },
            }
        }
        match first {
            Some(error) if web.is_empty() => Err(error),
            _ => Ok(reader::Supply::Web(self.opened.carrier.clone(), expected(info), web)),
        }
    }

    /// How many places it may be fetched from.
    #[must_use]
    pub fn places(&self) -> usize {
        self.opened.targets.all().count()
    }

    /// The place that is asked first for targets.
    #[must_use]
    pub fn first_place(&self) -> PlaceNumber {
        let number = self.opened.targets.in_order().next().map_or(0, |(number, _)| number);
        PlaceNumber { number, blamed: self.opened.targets.blamed() }
    }

    /// For whoever learns, in whichever way, that what came from this place since it was [first](Self::first_place) is
    /// wrong. Says whose turn it is.
    pub fn blame(&self, place: PlaceNumber) -> Turn {
        self.opened.targets.blame_once(place.number, place.blamed)
    }

    /// Whether the published names of targets begin with their digests.
    pub(crate) fn has_digest_names(&self) -> bool {
        self.opened.has_digest_names
    }

    /// The name of a target's file below the targets base. A cached set may have it under either name.
    fn file_of(&self, place: &Place, info: &TargetInfo) -> Result<String, Error> {
        let digest_name = format!("{}.{}", info.hashes.hex(), info.name);
        match place {
            Place::Web(_) if !self.has_digest_names() => Ok(info.name.clone()),
            Place::Web(_) => Ok(digest_name),
            Place::Directory(dir) => {
                if let Some(pin) = &self.opened.pin {
                    pin.check_target(dir, info)?;
                }
                Ok(if self.opened.carrier.has(&dir.join(&digest_name)) {
                    digest_name
                } else {
                    info.name.clone()
                })
            }
        }
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

fn expected(info: &TargetInfo) -> Expected {
    Expected { what: format!("the target {}", info.name), size: Size::Exactly(info.length) }
}
