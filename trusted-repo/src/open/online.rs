//! Opening a repository over its transport: everything verified, expiry enforced, memory kept.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use host_io::Fs;
use host_io::report::chain;
use tough::{ExpirationEnforcement, Limits, RepositoryLoader};
use tracing::{debug, warn};
use url::Url;

use super::mirrors::{Mirrors, Places};
use super::scratch;
use super::shelf::{LONGEST_SMALL_ROLE, LONGEST_TARGETS, Shelf, plain_name, split_version};
use super::verdict;
use crate::Error;
use crate::memory::kept::Kept;
use crate::memory::roots::KnownRoot;
use crate::memory::start::{LONGEST_ROOT, MOST_ROOTS, Start, find};
use crate::memory::store::{Remembered, expiry_of};
use crate::now::EffectiveNow;
use crate::repository::{Opened, Repository};
use crate::roles::Roles;
use crate::source::{Place, Source};
use crate::still;
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
    let url = source.metadata_base_url.bare().clone();
    let opening = Opening { fs, carrier, url, name, anchor: trusted_root, trust_dir, clock: now };
    let mut first = None;
    for (number, place) in places.metadata.iter().enumerate() {
        let mirrors = Mirrors::new(places.targets.clone(), number);
        let error = match opening.at(place, mirrors).await {
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
    /// Only for the names that tough makes of it.
    url: Url,
    /// What the memory belongs to, whichever place answers.
    name: &'a str,
    anchor: &'a [u8],
    trust_dir: &'a Path,
    clock: DateTime<Utc>,
}

impl Opening<'_> {
    async fn at(&self, metadata: &Place, targets: Mirrors) -> Result<Repository, Error> {
        let Self { fs, carrier, url, .. } = self;
        let shown = metadata.describe("");
        let start = find(&**fs, carrier, metadata, self.anchor, self.trust_dir, self.name).await?;
        let now = EffectiveNow::new(self.clock, start.remembered.floor);
        if now.clock_is_behind() {
            warn!("{now}; waves wait until it is right");
        }

        let failed =
            |error: std::io::Error| Error::Failed { place: shown.clone(), reason: error.to_string() };
        let scratch = Scratch::new(&start.remembered.roles).map_err(failed)?;
        let shelf = Shelf::of_repository(
            carrier.clone(),
            metadata.clone(),
            start.root.clone(),
            &start.remembered,
            now,
        );
        let loaded = RepositoryLoader::new(&start.root.bytes, url.clone(), url.clone())
            .transport(shelf.clone())
            .limits(limits())
            .datastore(scratch.path())
            // Expiry is ours to enforce: tough would ask the system clock.
            .expiration_enforcement(ExpirationEnforcement::Unsafe)
            .load()
            .await;

        let given = shelf.given();
        let mut next = accepted_roots(&start, &given, &scratch);
        next.roles = accepted_roles(&start.remembered, &next, &given, &scratch, now);
        next.validator = match next.roles.get("timestamp.json") {
            Some(kept) if given.get("timestamp.json") == Some(kept) => shelf.validator(),
            Some(_) => start.remembered.validator.clone(),
            None => None,
        };
        let refused = |error| shelf.refusal().unwrap_or_else(|| verdict::of(error, &shown));
        let verified = loaded.map_err(refused).and_then(|repository| {
            let roles = Roles::of(&repository);
            roles.in_force_at(now, &shown)?;
            next.floor = Some(now.next_floor(roles.timestamp.expires));
            let timestamp = |of: &Remembered| of.roles.get("timestamp.json").cloned();
            let same = timestamp(&next) == timestamp(&start.remembered);
            next.moved = Some(still::since(start.remembered.moved.filter(|_| same), now));
            Ok(repository)
        });
        // A failure that taught nothing leaves no trace, not even of a first contact.
        let before = start.before.as_ref().map(|found| &found.remembered);
        let learnt = next != start.remembered || (verified.is_ok() && before != Some(&next));
        let committed =
            if learnt { start.store.commit(&**fs, start.before.as_ref(), next.clone()) } else { Ok(()) };
        let repository = match (verified, committed) {
            (Ok(repository), Ok(())) => repository,
            (Ok(_), Err(error)) => return Err(error),
            (Err(error), committed) => {
                if let Err(unsaved) = committed {
                    warn!("what was verified before the failure is not remembered: failed to {unsaved}");
                }
                return Err(error);
            }
        };

        let still = still::for_days(next.moved, now);
        if let Some(days) = still {
            warn!(
                "the repository {shown} has not moved for {days} days: ask its owner whether it is looked after, and try another mirror"
            );
        }
        Ok(Repository::new(Opened {
            still,
            files: published_files(&next, &given),
            repository,
            carrier: carrier.clone(),
            metadata: metadata.clone(),
            targets: Arc::new(targets),
            kept: Some(Kept::new(Arc::clone(fs), start.store)),
            pin: None,
            now: Some(now),
        }))
    }
}

pub(super) fn limits() -> Limits {
    Limits {
        max_root_size: LONGEST_ROOT,
        max_targets_size: LONGEST_TARGETS,
        max_timestamp_size: LONGEST_SMALL_ROLE,
        max_snapshot_size: LONGEST_SMALL_ROLE,
        max_root_updates: MOST_ROOTS,
    }
}

/// The copy of the memory that tough works on. It is also where tough says how far it got: a role lies there only after
/// all its own checks but expiry.
struct Scratch {
    dir: tempfile::TempDir,
}

impl Scratch {
    fn new(roles: &BTreeMap<String, Bytes>) -> std::io::Result<Self> {
        let dir = scratch::directory()?;
        // Of the roles below root, tough looks at these two as they were before.
        for (name, bytes) in roles.iter().filter(|(name, _)| is_forgotten_with_keys(name)) {
            std::fs::write(dir.path().join(name), bytes)?;
        }
        Ok(Self { dir })
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn has(&self, name: &str) -> bool {
        self.path().join(name).exists()
    }

    /// What lies there under `name` now.
    fn role(&self, name: &str) -> Option<serde_json::Value> {
        serde_json::from_slice(&std::fs::read(self.path().join(name)).ok()?).ok()
    }
}

/// The memory's root chain, and what followed it up to the newest root that was accepted.
fn accepted_roots(start: &Start, given: &BTreeMap<String, Bytes>, scratch: &Scratch) -> Remembered {
    let mut next = Remembered {
        roots: start.remembered.roots.clone(),
        floor: start.remembered.floor,
        moved: start.remembered.moved,
        ..Remembered::default()
    };
    let newest =
        scratch.role("root.json").and_then(|role| role["signed"]["version"].as_u64()).unwrap_or_default();
    let mut trusted = start.root.clone();
    for version in start.root.version() + 1..=newest {
        let Some(bytes) = given.get(&format!("{version}.root.json")) else { break };
        // tough has checked this already; the memory takes no one's word for a root.
        match KnownRoot::parse(bytes) {
            Ok(root) if trusted.vouches_for(&root) => trusted = root,
            _ => break,
        }
        next.roots.insert(version, bytes.clone());
    }
    next
}

/// The roles below root as they are to be remembered: what lies in the scratch directory, as exact bytes. The walk
/// stops at the first role that was not renewed or has expired: a role is never remembered without the one above it.
fn accepted_roles(
    before: &Remembered,
    next: &Remembered,
    given: &BTreeMap<String, Bytes>,
    scratch: &Scratch,
    now: EffectiveNow,
) -> BTreeMap<String, Bytes> {
    let by_plain_name: BTreeMap<&str, (&str, &Bytes)> =
        given.iter().map(|(name, bytes)| (plain_name(name), (name.as_str(), bytes))).collect();
    // tough removes timestamp and snapshot when their keys changed; they are forgotten here as well.
    let mut roles: BTreeMap<String, Bytes> = before
        .roles
        .iter()
        .filter(|(name, _)| !is_forgotten_with_keys(name) || scratch.has(name))
        .map(|(name, bytes)| (name.clone(), bytes.clone()))
        .collect();
    let kept = roles.clone();
    let in_force = |bytes: &Bytes| expiry_of(bytes).is_some_and(|at| !now.is_after(at));
    // The whole role is compared, signatures too: under the version of the one that was there before, a role may have
    // been refused.
    let accepted = |name: &str, bytes: &Bytes| {
        // What was remembered before and was handed out again has passed already.
        kept.get(name) == Some(bytes)
            || serde_json::from_slice(bytes)
                .is_ok_and(|role: serde_json::Value| scratch.role(name) == Some(role))
    };
    if !next.newest_root().is_some_and(in_force) {
        return roles;
    }
    for name in TOP_LEVEL {
        let Some((_, bytes)) = by_plain_name.get(name) else { return roles };
        if !accepted(name, bytes) || !in_force(bytes) {
            debug!(name, "not remembered");
            return roles;
        }
        roles.insert(name.to_owned(), (*bytes).clone());
    }
    for (plain, (name, bytes)) in by_plain_name {
        if is_keepable(plain) && accepted(name, bytes) && in_force(bytes) {
            roles.insert(plain.to_owned(), bytes.clone());
        }
    }
    roles
}

/// The roles below root that every repository has, in the order of the walk.
const TOP_LEVEL: [&str; 3] = ["timestamp.json", "snapshot.json", "targets.json"];

/// Whether a role is void once the keys of timestamp or snapshot have changed.
fn is_forgotten_with_keys(name: &str) -> bool {
    matches!(name, "timestamp.json" | "snapshot.json")
}

fn is_top_level(name: &str) -> bool {
    TOP_LEVEL.contains(&name)
}

/// Whether a delegated role's file can stand in the memory beside the others. One that cannot is fetched every time.
fn is_keepable(plain: &str) -> bool {
    let other = plain == "root.json" || plain == "memory.json" || is_top_level(plain);
    !other && split_version(plain).is_none() && plain.len() <= 200
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
