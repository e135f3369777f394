//! Opening a repository over its transport: everything verified, expiry enforced, memory kept.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use host_io::Fs;
use tough::{ExpirationEnforcement, Limits, RepositoryLoader};
use tracing::{debug, warn};

use super::shelf::{LONGEST_SMALL_ROLE, LONGEST_TARGETS, Shelf, plain_name, split_version};
use super::verdict;
use crate::Error;
use crate::memory::roots::KnownRoot;
use crate::memory::start::{LONGEST_ROOT, MOST_ROOTS, Start, find};
use crate::memory::store::Remembered;
use crate::now::EffectiveNow;
use crate::repository::{Opened, Repository, Roles};
use crate::source::{Place, Source, as_directory};
use crate::transport::{Carrier, Fault, Pacing};

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
    let url = as_directory(&source.metadata_base_url);
    let metadata = place(&source.metadata_base_url)?;
    let targets = place(&source.targets_base_url)?;
    let carrier = Carrier::new(Arc::clone(&fs), &source, [&metadata, &targets], pacing).map_err(|fault| {
        Error::Metadata { name: "anything".to_owned(), place: url.to_string(), source: fault }
    })?;

    let start = find(&*fs, &carrier, &metadata, trusted_root, trust_dir, url.as_str()).await?;
    let now = EffectiveNow::new(now, start.remembered.floor);
    if now.clock_is_behind() {
        warn!("{now}; waves wait until it is right");
    }

    let failed = |error: std::io::Error| Error::Failed { place: url.to_string(), reason: error.to_string() };
    let scratch = Scratch::new(&start.remembered.roles).map_err(failed)?;
    let shelf = Shelf::of_repository(
        carrier.clone(),
        metadata.clone(),
        start.root.clone(),
        start.remembered.roles.clone(),
    );
    let loaded =
        RepositoryLoader::new(&start.root.bytes, url.clone(), as_directory(&source.targets_base_url))
            .transport(shelf.clone())
            .limits(limits())
            .datastore(scratch.path())
            // Expiry is ours to enforce: tough would ask the system clock.
            .expiration_enforcement(ExpirationEnforcement::Unsafe)
            .load()
            .await;

    let given = shelf.given();
    let mut next = accepted_roots(&start, &given, &scratch);
    next.roles = accepted_roles(&start.remembered, &given, &scratch, now);
    let verified = loaded.map_err(|error| verdict::of(error, url.as_str())).and_then(|repository| {
        let roles = Roles::of(&repository);
        roles.in_force_at(now, url.as_str())?;
        next.floor = Some(now.next_floor(roles.timestamp.expires));
        Ok(repository)
    });
    // A failure that taught nothing leaves no trace, not even of a first contact.
    let learnt = next != start.remembered || (verified.is_ok() && start.before.as_ref() != Some(&next));
    let committed =
        if learnt { start.store.commit(&*fs, start.before.as_ref(), next.clone()) } else { Ok(()) };
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

    Ok(Repository::new(Opened {
        files: published_files(&next, &given),
        repository,
        carrier,
        metadata,
        targets,
        pin: None,
        now: Some(now),
    }))
}

fn place(url: &url::Url) -> Result<Place, Error> {
    Place::from_url(url).map_err(|scheme| Error::Metadata {
        name: "anything".to_owned(),
        place: url.to_string(),
        source: Fault::Scheme { scheme },
    })
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
        let dir = tempfile::tempdir()?;
        for (name, bytes) in roles {
            std::fs::write(dir.path().join(name), bytes)?;
        }
        Ok(Self { dir })
    }

    fn path(&self) -> &Path {
        self.dir.path()
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
    given: &BTreeMap<String, Bytes>,
    scratch: &Scratch,
    now: EffectiveNow,
) -> BTreeMap<String, Bytes> {
    let by_plain_name: BTreeMap<&str, &Bytes> =
        given.iter().map(|(name, bytes)| (plain_name(name), bytes)).collect();
    // tough removes timestamp and snapshot when their keys changed; they are forgotten here as well.
    let mut roles: BTreeMap<String, Bytes> = before
        .roles
        .iter()
        .filter(|(name, _)| scratch.role(name).is_some())
        .map(|(name, bytes)| (name.clone(), bytes.clone()))
        .collect();
    for name in ["timestamp.json", "snapshot.json", "targets.json"] {
        let Some(bytes) = by_plain_name.get(name) else { break };
        // The whole role is compared, signatures too: under the version of the one that was there before, a role may
        // have been refused.
        let accepted = serde_json::from_slice(bytes)
            .is_ok_and(|role: serde_json::Value| scratch.role(name) == Some(role));
        if !accepted || expires(bytes).is_none_or(|at| now.is_after(at)) {
            debug!(name, "not remembered");
            return roles;
        }
        roles.insert(name.to_owned(), (*bytes).clone());
    }
    roles
}

fn expires(role: &[u8]) -> Option<DateTime<Utc>> {
    let role: serde_json::Value = serde_json::from_slice(role).ok()?;
    role.get("signed")?.get("expires")?.as_str()?.parse().ok()
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
