//! The specification's walk from a trusted root to the targets role (section 5), over the files of a shelf.
//!
//! Each role is verified before anything that it says is believed, and the walk ends at the first one that is not what
//! it should be. What passed all its checks until then is told all the same: the memory keeps it.

use std::sync::Arc;

use bytes::Bytes;
use tough::schema;

use super::shelf::{LONGEST_SMALL_ROLE, LONGEST_TARGETS, Past, Shelf, TIMESTAMP};
use crate::Error;
use crate::memory::extract::{Anew, Extract};
use crate::memory::roots::{Chain, KnownRoot, forgets};
use crate::memory::start::MOST_ROOTS;
use crate::metadata::file_name::{plain, published};
use crate::metadata::named::{Named, Snapshot, Timestamp};
use crate::metadata::now::{EffectiveNow, from_jiff};
use crate::metadata::quorum;
use crate::metadata::signed::Claim;
use crate::metadata::targets::Targets;
use crate::transport::Fault;
use crate::transport::validator::Validator;

/// Everything that was verified.
pub(crate) struct Verified {
    pub(crate) root: KnownRoot,
    pub(crate) timestamp: Timestamp,
    pub(crate) snapshot: Snapshot,
    pub(crate) targets: Arc<Targets>,
    /// The file of the targets role, where only its extract was verified.
    pub(crate) anew: Option<Anew>,
}

/// How far a walk came.
#[derive(Default)]
pub(super) struct Progress {
    /// The roots after the one that it began with.
    pub(super) roots: Chain,
    /// Whether what was remembered of timestamp and snapshot is void.
    pub(super) forgets: bool,
    /// The roles below root that passed all their checks, under their plain names, in the order of the walk.
    pub(super) accepted: Vec<(String, Bytes)>,
    /// By what the server recognises the timestamp.
    pub(super) validator: Option<Validator>,
    /// What is signed of the targets role, where that was worked out.
    pub(super) extract: Option<Extract>,
}

/// Walks from `start` on. `now` is the time by which roles expire; without it none does. `place` is for people.
pub(super) async fn walk(
    shelf: &Shelf,
    start: &KnownRoot,
    now: Option<EffectiveNow>,
    place: &str,
) -> (Progress, Result<Verified, Error>) {
    let mut walk = Walk { shelf, place, now, progress: Progress::default() };
    let verified = walk.all(start).await;
    (walk.progress, verified)
}

struct Walk<'a> {
    shelf: &'a Shelf,
    place: &'a str,
    now: Option<EffectiveNow>,
    progress: Progress,
}

impl Walk<'_> {
    async fn all(&mut self, start: &KnownRoot) -> Result<Verified, Error> {
        let root = self.roots(start).await?;
        let timestamp = self.timestamp(&root).await?;
        let snapshot = self.snapshot(&root, &timestamp).await?;
        let (targets, anew) = match self.extracted(&root, &snapshot)? {
            Some((targets, anew)) => (targets, Some(anew)),
            None => (self.targets(&root, &snapshot).await?, None),
        };
        Ok(Verified { root, timestamp, snapshot, targets: Arc::new(targets), anew })
    }

    /// Section 5.3: every root between the trusted one and the newest, each vouched for by the one before.
    async fn roots(&mut self, start: &KnownRoot) -> Result<KnownRoot, Error> {
        let mut trusted = start.clone();
        loop {
            if trusted.version() >= start.version() + MOST_ROOTS {
                return Err(self.untrusted(format!(
                    "it has more than {MOST_ROOTS} new root roles; the first of them are kept, and the next run goes on from there"
                )));
            }
            let version = trusted.version() + 1;
            let file = format!("{version}.root.json");
            let found = self.shelf.root(version).await.map_err(|fault| self.unfetched(&file, fault))?;
            let Some(bytes) = found else { break };
            trusted = self.next_root(&trusted, &bytes)?;
            self.progress.roots.insert(version, bytes);
            self.progress.forgets = forgets(&start.role.signed, &trusted.role.signed);
        }
        self.in_force("root", from_jiff(trusted.role.signed.expires))?;
        Ok(trusted)
    }

    fn next_root(&self, trusted: &KnownRoot, bytes: &Bytes) -> Result<KnownRoot, Error> {
        let next = serde_json::from_slice(bytes).map_err(|error| self.malformed("root", error))?;
        let next = KnownRoot { role: next, bytes: bytes.clone() };
        for authority in [trusted, &next] {
            quorum::verify(&authority.role.signed, &next.role).map_err(|why| self.unsigned("root", &why))?;
        }
        let (before, version) = (trusted.version(), next.version());
        if version != before + 1 {
            return Err(self.rolled_back(format!(
                "it offers version {version} of the root role, and version {before} was verified here before"
            )));
        }
        Ok(next)
    }

    /// Section 5.4.
    async fn timestamp(&mut self, root: &KnownRoot) -> Result<Timestamp, Error> {
        let past = if self.progress.forgets { Past::IsVoid } else { Past::Counts };
        let fetched = self.shelf.timestamp(past).await;
        let (bytes, validator) = fetched.map_err(|fault| self.unfetched(TIMESTAMP, fault))?;
        let claim =
            Claim::<schema::Timestamp>::parse(&bytes).map_err(|error| self.malformed("timestamp", error))?;
        claim.check_signatures(&root.role.signed).map_err(|why| self.unsigned("timestamp", &why))?;
        let timestamp: Timestamp =
            claim.into_content().map_err(|error| self.malformed("timestamp", error))?;
        let named = self.snapshot_of(&timestamp)?;
        if let Some(before) = self.before::<schema::Timestamp, Timestamp>("timestamp", &bytes, root) {
            self.not_older("timestamp", before.version.get(), timestamp.version.get())?;
            let (new, old) = (named.version, self.snapshot_of(&before)?.version);
            if new < old {
                return Err(self.rolled_back(format!(
                    "its timestamp names version {new} of the snapshot role, and version {old} was named before"
                )));
            }
        }
        self.in_force("timestamp", timestamp.expires)?;
        self.accept("timestamp", bytes);
        self.progress.validator = validator;
        Ok(timestamp)
    }

    fn snapshot_of<'a>(&self, timestamp: &'a Timestamp) -> Result<&'a Named, Error> {
        match (timestamp.meta.get("snapshot.json"), timestamp.meta.len()) {
            (Some(named), 1) => Ok(named),
            _ => Err(self.untrusted(format!(
                "version {} of its timestamp names something else than one snapshot role",
                timestamp.version
            ))),
        }
    }

    /// Section 5.5.
    async fn snapshot(&mut self, root: &KnownRoot, timestamp: &Timestamp) -> Result<Snapshot, Error> {
        let named = self.snapshot_of(timestamp)?;
        let (claim, bytes) =
            self.named::<schema::Snapshot>("snapshot", named, LONGEST_SMALL_ROLE, root).await?;
        let snapshot: Snapshot = claim.into_content().map_err(|error| self.malformed("snapshot", error))?;
        self.of_version("snapshot", snapshot.version.get(), named)?;
        if !snapshot.meta.contains_key("targets.json") {
            return Err(self.untrusted("its snapshot names no targets role".to_owned()));
        }
        if let Some(before) = self.before::<schema::Snapshot, Snapshot>("snapshot", &bytes, root) {
            self.not_older("snapshot", before.version.get(), snapshot.version.get())?;
            for (role, old) in &before.meta {
                let Some(new) = snapshot.meta.get(role) else {
                    return Err(self.rolled_back(format!("its snapshot no longer names {role}")));
                };
                if new.version < old.version {
                    let (new, old) = (new.version, old.version);
                    return Err(self.rolled_back(format!(
                        "its snapshot names version {new} of {role}, and version {old} was named before"
                    )));
                }
            }
        }
        self.in_force("snapshot", snapshot.expires)?;
        self.accept("snapshot", bytes);
        Ok(snapshot)
    }

    /// Section 5.6 where the snapshot names the very file that is remembered: its signatures and expiry as ever, but over
    /// what was kept of it.
    fn extracted(&mut self, root: &KnownRoot, snapshot: &Snapshot) -> Result<Option<(Targets, Anew)>, Error> {
        let named = &snapshot.meta["targets.json"];
        let known = || {
            let (extract, kept) = (self.shelf.extract()?, self.kept("targets")?);
            let bytes = kept.clone();
            let sha256 = named.sha256().filter(|_| named.fits(kept))?;
            let targets = extract.content(sha256, &root.role.signed)?;
            (targets.version == named.version).then_some((targets, bytes))
        };
        let Some((targets, bytes)) = known() else { return Ok(None) };
        self.in_force("targets", targets.expires)?;
        let file = published("targets", named.version, root.role.signed.consistent_snapshot);
        self.shelf.hand_out(&file, &bytes);
        self.accept("targets", bytes.clone());
        Ok(Some((targets, Anew::new(bytes, root.role.signed.clone()))))
    }

    /// Section 5.6, up to the delegations: these are searched when a target is asked for.
    async fn targets(&mut self, root: &KnownRoot, snapshot: &Snapshot) -> Result<Targets, Error> {
        let named = &snapshot.meta["targets.json"];
        let (claim, bytes) = self.named::<schema::Targets>("targets", named, LONGEST_TARGETS, root).await?;
        let sha256 = named.sha256().filter(|_| self.shelf.remembers());
        let extract = sha256.and_then(|sha256| Extract::of(&claim, sha256));
        let targets: Targets = claim.into_content().map_err(|error| self.malformed("targets", error))?;
        self.of_version("targets", targets.version.get(), named)?;
        self.in_force("targets", targets.expires)?;
        self.accept("targets", bytes);
        self.progress.extract = extract.filter(|extract| extract.is_sound(&targets, &root.role.signed));
        Ok(targets)
    }

    /// A role that another one names: the named bytes, signed by those who may.
    async fn named<K: schema::Role>(
        &self,
        role: &str,
        named: &Named,
        limit: u64,
        root: &KnownRoot,
    ) -> Result<(Claim<K>, Bytes), Error> {
        let file = published(role, named.version, root.role.signed.consistent_snapshot);
        let is_signed = |bytes: &Bytes| {
            Claim::<K>::parse(bytes).is_ok_and(|claim| claim.check_signatures(&root.role.signed).is_ok())
        };
        let kept = self.kept(role);
        let fetched = self.shelf.role(&file, named, limit, kept, is_signed).await;
        let bytes = fetched.map_err(|fault| self.unfetched(&file, fault))?;
        if let Some(difference) = named.differ(&bytes, &file) {
            return Err(self.untrusted(difference));
        }
        let claim = Claim::<K>::parse(&bytes).map_err(|error| self.malformed(role, error))?;
        claim.check_signatures(&root.role.signed).map_err(|why| self.unsigned(role, &why))?;
        Ok((claim, bytes))
    }

    /// What is remembered of a role, if the keys that count now have signed it, and it is not `now` itself.
    fn before<K: schema::Role, T: serde::de::DeserializeOwned>(
        &self,
        role: &str,
        now: &Bytes,
        root: &KnownRoot,
    ) -> Option<T> {
        let claim = Claim::<K>::parse(self.kept(role).filter(|kept| *kept != now)?).ok()?;
        claim.check_signatures(&root.role.signed).ok()?;
        claim.into_content().ok()
    }

    fn kept(&self, role: &str) -> Option<&Bytes> {
        let void = self.progress.forgets && is_forgotten_with_keys(&plain(role));
        self.shelf.remembered(&plain(role)).filter(|_| !void)
    }

    fn accept(&mut self, role: &str, bytes: Bytes) {
        self.progress.accepted.push((plain(role), bytes));
    }

    fn of_version(&self, role: &str, found: u64, named: &Named) -> Result<(), Error> {
        if found == named.version.get() {
            return Ok(());
        }
        Err(self.untrusted(format!(
            "its {role} role has version {found}, and version {} is signed",
            named.version
        )))
    }

    fn not_older(&self, role: &str, before: u64, now: u64) -> Result<(), Error> {
        if before <= now {
            return Ok(());
        }
        Err(self.rolled_back(format!(
            "it offers version {now} of the {role} role, and version {before} was verified here before"
        )))
    }

    fn in_force(&self, role: &str, expires: chrono::DateTime<chrono::Utc>) -> Result<(), Error> {
        match self.now {
            Some(now) if now.is_after(expires) => Err(Error::Expired {
                role: role.to_owned(),
                place: self.place.to_owned(),
                expired: expires,
                now,
            }),
            _ => Ok(()),
        }
    }

    fn unfetched(&self, name: &str, source: Fault) -> Error {
        Error::Metadata { name: name.to_owned(), place: self.place.to_owned(), source }
    }

    fn malformed(&self, role: &str, source: serde_json::Error) -> Error {
        Error::Malformed { role: role.to_owned(), place: self.place.to_owned(), source: Arc::new(source) }
    }

    fn unsigned(&self, role: &str, why: &str) -> Error {
        self.untrusted(format!(
            "the {role} role is not signed as the trusted root asks for ({})",
            lower_first(why)
        ))
    }

    fn untrusted(&self, reason: String) -> Error {
        Error::Untrusted { place: self.place.to_owned(), reason }
    }

    fn rolled_back(&self, reason: String) -> Error {
        Error::RolledBack { place: self.place.to_owned(), reason }
    }
}

/// Whether a role's file is void once the keys of timestamp or snapshot have changed.
pub(super) fn is_forgotten_with_keys(plain: &str) -> bool {
    matches!(plain, "timestamp.json" | "snapshot.json")
}

pub(super) fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
