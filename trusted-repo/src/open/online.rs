//! Opening a repository over its transport: everything verified, expiry enforced, memory kept.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use host_io::Fs;
use host_io::report::chain;
use tracing::warn;

use super::search::{Search, Supply};
use super::shelf::{Shelf, TIMESTAMP};
use super::walk::{Progress, is_forgotten_with_keys, walk};
use crate::Error;
use crate::memory::delegated::Memory;
use crate::memory::extract::Extract;
use crate::memory::kept::Kept;
use crate::memory::start::{Start, find};
use crate::memory::store::Remembered;
use crate::metadata::file_name::split_version;
use crate::metadata::now::EffectiveNow;
use crate::metadata::still;
use crate::open::repository::{Opened, Repository};
use crate::open::roles::Roles;
use crate::place::mirrors::{Mirrors, Places};
use crate::place::source::{Place, Source};
use crate::transport::{Carrier, Pacing};

/// Opens the repository at `source`, starting from the root role that the image ships.
///
/// `trust_dir` holds the memory of every repository; `now` is what the clock says. On success the memory has moved on.
/// On failure it holds no unverified and no older role: what passed all its own checks is kept, the rest is not.
///
/// # Errors
/// With the codes `unreachable`, `not_a_repository`, `expired`, `untrusted`, `memory` and `failed`.
pub async fn open_online(
    fs: Arc<dyn Fs>,
    source: Source,
    trusted_root: &[u8],
    trust_dir: &Path,
    now: DateTime<Utc>,
) -> Result<Repository, Error> {
    open_online_paced(fs, source, trusted_root, trust_dir, now, Pacing::default()).await
}

/// [`open_online`] with another patience.
///
/// # Errors
/// As [`open_online`].
pub async fn open_online_paced(
    fs: Arc<dyn Fs>,
    source: Source,
    trusted_root: &[u8],
    trust_dir: &Path,
    now: DateTime<Utc>,
    pacing: Pacing,
) -> Result<Repository, Error> {
    let name = source.metadata_base_url.to_string();
    open_online_as(fs, source, trusted_root, trust_dir, &name, now, pacing).await
}

/// [`open_online_paced`] with a memory that belongs to `name` instead of the metadata base address.
pub(crate) async fn open_online_as(
    fs: Arc<dyn Fs>,
    source: Source,
    trusted_root: &[u8],
    trust_dir: &Path,
    name: &str,
    now: DateTime<Utc>,
    pacing: Pacing,
) -> Result<Repository, Error> {
    let places = Places::of(&source);
    let all: Vec<&Place> = places.metadata.iter().chain(&places.targets).collect();
    let carrier = Carrier::new(Arc::clone(&fs), &source, &all, pacing).map_err(|fault| Error::Metadata {
        name: "anything".to_owned(),
        place: places.metadata[0].describe(""),
        source: fault,
    })?;
    let opening = Opening { fs, carrier, name, anchor: trusted_root, trust_dir, clock: now };
    let mut first = None;
    for number in 0..places.metadata.len() {
        let mirrors = Mirrors::new(places.targets.clone(), number);
        let error = match opening.at(number, &places.metadata, mirrors).await {
            Ok(repository) => return Ok(repository),
            Err(error) => error,
        };
        if !error.is_of_its_place() {
            return Err(error);
        }
        if let Some(next) = places.metadata.get(number + 1) {
            warn!("failed to {}; {} is tried instead", chain(&error), next.describe(""));
        }
        first.get_or_insert(error);
    }
    Err(first.expect("a source has at least one place"))
}

/// What every place of one repository is opened with.
struct Opening<'a> {
    fs: Arc<dyn Fs>,
    carrier: Carrier,
    /// What the memory belongs to, whichever place answers.
    name: &'a str,
    anchor: &'a [u8],
    trust_dir: &'a Path,
    clock: DateTime<Utc>,
}

impl Opening<'_> {
    /// Opens it at one of the places of its metadata.
    async fn at(&self, number: usize, places: &[Place], targets: Mirrors) -> Result<Repository, Error> {
        let Self { fs, carrier, .. } = self;
        let metadata = &places[number];
        let shown = metadata.describe("");
        let start = find(&**fs, carrier, metadata, self.anchor, self.trust_dir, self.name).await?;
        let now = EffectiveNow::new(self.clock, start.remembered.floor);
        if now.clock_is_behind() {
            warn!("{now}; waves wait until it is right");
        }

        // Files of a directory are at hand anyway.
        let keeps_extracts = carrier.has_web();
        let extract = keeps_extracts.then(|| Extract::load(&**fs, &start.store)).flatten();
        let shelf = Shelf::of_repository(carrier.clone(), metadata.clone(), &start.remembered, extract);
        let (mut progress, walked) = walk(&shelf, &start.root, Some(now), &shown).await;
        let extract = progress.extract.take();
        let mut next = accepted(&start.remembered, progress);
        let verified = walked.inspect(|verified| {
            next.floor = Some(now.next_floor(verified.timestamp.expires));
            let timestamp = |of: &Remembered| of.roles.get(TIMESTAMP).cloned();
            let same = timestamp(&next) == timestamp(&start.remembered);
            next.moved = Some(still::since(start.remembered.moved.filter(|_| same), now));
        });
        // A failure that taught nothing leaves no trace, not even of a first contact.
        let before = start.before.as_ref().map(|found| &found.remembered);
        let learnt = next != start.remembered || (verified.is_ok() && before != Some(&next));
        let committed =
            if learnt { start.store.commit(&**fs, start.before.as_ref(), next.clone()) } else { Ok(()) };
        let verified = match (verified, committed) {
            (Ok(verified), Ok(())) => verified,
            (Ok(_), Err(error)) => return Err(error),
            (Err(error), committed) => {
                if let Err(unsaved) = committed {
                    warn!("what was verified before the failure is not remembered: failed to {unsaved}");
                }
                return Err(error);
            }
        };

        if let Some(extract) = extract.filter(|_| keeps_extracts) {
            extract.save(&**fs, &start.store);
        }

        let still = still::for_days(next.moved, now);
        if let Some(days) = still {
            warn!(
                "the repository {shown} has not moved for {days} days: ask its owner whether it is looked after, and try another mirror"
            );
        }
        let Start { store, before, .. } = start;
        let roles = Roles::of(&verified);
        let files = published_files(&next, &shelf.given());
        let others = (1..places.len()).map(|step| (number + step) % places.len());
        let supply = Supply::Places {
            carrier: carrier.clone(),
            places: std::iter::once(number).chain(others).map(|at| places[at].clone()).collect(),
            memory: Box::new(Memory::new(Arc::clone(fs), store.clone(), before, next)),
        };
        Ok(Repository::new(Opened {
            roles,
            has_digest_names: verified.root.role.signed.consistent_snapshot,
            search: Search::new(&verified, supply, Some(now)),
            anew: verified.anew,
            files,
            carrier: carrier.clone(),
            metadata: metadata.clone(),
            targets: Arc::new(targets),
            kept: Some(Kept::new(Arc::clone(fs), store)),
            pin: None,
            now: Some(now),
            still,
        }))
    }
}

/// What is to be remembered after a walk came so far: the root chain up to the newest one that was accepted, and each
/// role below that passed. A role is never remembered without the one above it, for a walk ends at the first that fails.
fn accepted(before: &Remembered, progress: Progress) -> Remembered {
    let mut next = before.clone();
    next.roots.extend(progress.roots);
    if progress.forgets {
        next.roles.retain(|name, _| !is_forgotten_with_keys(name));
    }
    let has_timestamp = progress.accepted.iter().any(|(name, _)| name == TIMESTAMP);
    next.roles.extend(progress.accepted);
    if has_timestamp {
        next.validator = progress.validator;
    } else if !next.roles.contains_key(TIMESTAMP) {
        next.validator = None;
    }
    next
}

/// Every metadata file under the name that a repository has it: the root chain, and what was handed out.
fn published_files(memory: &Remembered, given: &BTreeMap<String, Bytes>) -> BTreeMap<String, Bytes> {
    let roots = memory.roots.iter().map(|(version, bytes)| (format!("{version}.root.json"), bytes.clone()));
    let others = given
        .iter()
        .filter(|(name, _)| split_version(name).is_none_or(|(_, plain)| plain != "root.json"))
        .map(|(name, bytes)| (name.clone(), bytes.clone()));
    roots.chain(others).collect()
}
