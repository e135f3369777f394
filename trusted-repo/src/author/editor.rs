//! The roles below root: load, change, sign, write.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use host_io::{Fs, swap};
use serde_json::{Map, Value};
use tough::schema;
use update_metadata::safe_target_name;

use super::sign::{at_once, sealed, sign_with};
use super::source::{self, KeySource, Sign};
use super::written::{date, described, meta, naming, targets_role};
use super::{Error, KeyPair, SignedRoot};

use crate::metadata;
use crate::metadata::file_name::published;
use crate::metadata::pattern::Asked;
use crate::metadata::quorum;
use crate::metadata::signed::{Delegate, Raw};
use crate::open::offline;
use crate::open::walk::Verified;
use crate::target::proof::TargetInfo;

/// When the roles expire that are about to be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiries {
    /// The targets role.
    pub targets: DateTime<Utc>,
    /// The snapshot role.
    pub snapshot: DateTime<Utc>,
    /// The timestamp role.
    pub timestamp: DateTime<Utc>,
}

/// Who signs them.
#[derive(Debug)]
pub struct Signers {
    /// The targets role.
    pub targets: KeyPair,
    /// The snapshot role.
    pub snapshot: KeyPair,
    /// The timestamp role.
    pub timestamp: KeyPair,
}

/// Who signs the three roles below root, wherever the keys lie.
#[derive(Debug)]
pub struct KeySources {
    /// The targets role.
    pub targets: Box<dyn KeySource>,
    /// The snapshot role.
    pub snapshot: Box<dyn KeySource>,
    /// The timestamp role.
    pub timestamp: Box<dyn KeySource>,
}

impl From<Signers> for KeySources {
    fn from(signers: Signers) -> Self {
        let Signers { targets, snapshot, timestamp } = signers;
        Self { targets: Box::new(targets), snapshot: Box::new(snapshot), timestamp: Box::new(timestamp) }
    }
}

/// The versions of the three roles as they are published; 0 where nothing is yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Versions {
    /// The targets role.
    pub targets: u64,
    /// The snapshot role.
    pub snapshot: u64,
    /// The timestamp role.
    pub timestamp: u64,
}

/// A repository's metadata while it is being changed: by whoever holds the key of the targets role, or by a team that this
/// one has delegated to, whose own role is then changed and signed in its place.
#[derive(Debug, Clone)]
pub struct Editor {
    roots: Vec<SignedRoot>,
    /// What the role lists that is changed.
    targets: BTreeMap<String, TargetInfo>,
    /// What the targets role lists, where it is not the one that is changed: hosts ask it first.
    above: BTreeMap<String, TargetInfo>,
    /// What hosts find with other delegated roles where the one that is changed does not have it.
    beside: BTreeMap<String, Beside>,
    versions: Versions,
    pub(super) team: Option<Team>,
    /// To whom the role that is changed delegates, as it says it.
    pub(super) delegations: Value,
    /// What the snapshot names beside the role that is changed.
    pub(super) others: Map<String, Value>,
    /// Files of delegated roles that are new.
    pub(super) first: Vec<(String, Vec<u8>)>,
}

/// A target of another delegated role.
#[derive(Debug, Clone)]
struct Beside {
    role: String,
    /// Whether hosts ask that role before the one that is changed.
    is_first: bool,
    target: TargetInfo,
}

/// The delegated role that is changed.
#[derive(Debug, Clone)]
pub(super) struct Team {
    name: String,
    version: u64,
    delegate: Delegate,
    delegation: metadata::targets::Delegation,
}

impl Editor {
    /// An empty repository below a first root.
    #[must_use]
    pub fn new(root: SignedRoot) -> Self {
        Self {
            roots: vec![root],
            targets: BTreeMap::new(),
            above: BTreeMap::new(),
            beside: BTreeMap::new(),
            versions: Versions::default(),
            team: None,
            delegations: Value::Null,
            others: Map::new(),
            first: Vec::new(),
        }
    }

    /// The repository in `metadata_dir`, verified from `anchor` on. Whether it has expired does not matter: it is about
    /// to be signed again.
    ///
    /// # Errors
    /// When it cannot be read or does not verify.
    pub async fn load(fs: &dyn Fs, metadata_dir: &Path, anchor: &SignedRoot) -> Result<Self, Error> {
        Self::load_as(fs, metadata_dir, anchor, None).await
    }

    /// [`Editor::load`] for a team: its role, to which the targets role delegates, is the one that is changed.
    ///
    /// # Errors
    /// As [`Editor::load`], and when there is no such role.
    pub async fn load_as(
        fs: &dyn Fs,
        metadata_dir: &Path,
        anchor: &SignedRoot,
        team: Option<&str>,
    ) -> Result<Self, Error> {
        let files = offline::read_all(fs, metadata_dir).map_err(Error::Load)?;
        let (verified, _) =
            offline::walk(files.clone(), anchor.bytes(), metadata_dir).await.map_err(Error::Load)?;
        let newest = verified.root.version();
        let mut roots = vec![anchor.clone()];
        for version in anchor.version() + 1..=newest {
            let bytes = files.get(&format!("{version}.root.json")).expect("the walk went over it");
            roots.push(SignedRoot::parse(bytes)?);
        }
        let versions = Versions {
            targets: verified.targets.version.get(),
            snapshot: verified.snapshot.version.get(),
            timestamp: verified.timestamp.version.get(),
        };
        // What stands beside the signed part was not looked at before.
        let content = |name: &str| -> Result<Value, Error> {
            let bytes = files.get(name).expect("the walk went over it");
            let mut whole: Value = serde_json::from_slice(bytes).map_err(|error| {
                let place = metadata_dir.display().to_string();
                Error::Load(crate::Error::Untrusted {
                    place,
                    reason: format!("{name} cannot be read ({error})"),
                })
            })?;
            Ok(whole["signed"].take())
        };
        let consistent = verified.root.role.signed.consistent_snapshot;
        let file = |role: &str, version| published(role, version, consistent);
        let mut snapshot = content(&file("snapshot", verified.snapshot.version))?;
        let mut others = snapshot["meta"].as_object_mut().map(std::mem::take).unwrap_or_default();
        let (team, role, file) = match team {
            None => (None, Arc::clone(&verified.targets), file("targets", verified.targets.version)),
            Some(name) => {
                let found = offline::delegated(&verified, &files, metadata_dir, name);
                let (delegation, delegate, role) = found.map_err(Error::Load)?;
                let file = file(name, role.version);
                let team = Team { name: name.to_owned(), version: role.version.get(), delegate, delegation };
                (Some(team), Arc::new(role), file)
            }
        };
        others.remove(&format!("{}.json", team.as_ref().map_or("targets", |team| &team.name)));
        let above = team.as_ref().map(|_| listed(&verified.targets)).unwrap_or_default();
        let beside = beside(&verified, &files, metadata_dir, team.as_ref().map(|team| &*team.name));
        Ok(Self {
            roots,
            targets: listed(&role),
            above,
            beside,
            versions,
            team,
            delegations: content(&file)?["delegations"].take(),
            others,
            first: Vec::new(),
        })
    }

    /// Adds the next root of the chain; it is published with the next [`SignedMetadata`].
    ///
    /// # Errors
    /// When it does not follow the newest one, and for a team: the targets role has to be signed again under a new root.
    pub fn add_root(&mut self, root: SignedRoot) -> Result<(), Error> {
        if let Some(team) = &self.team {
            return Err(Error::Delegation {
                name: team.name.clone(),
                reason: "a team publishes no root role: the targets role is signed again with it".to_owned(),
            });
        }
        let newest = self.newest_root();
        if root.version() != newest.version() + 1 || quorum::verify(&newest.role(), &root.signed()).is_err() {
            return Err(Error::Root {
                version: root.version(),
                reason: format!("it does not follow version {}", newest.version()),
            });
        }
        self.roots.push(root);
        Ok(())
    }

    /// The root role that counts.
    ///
    /// # Panics
    /// Never: an editor has a root.
    #[must_use]
    pub fn newest_root(&self) -> &SignedRoot {
        self.roots.last().expect("an editor has a root")
    }

    /// The versions that are published now.
    #[must_use]
    pub fn versions(&self) -> Versions {
        self.versions
    }

    /// Counts on from other versions than the published ones. Only tests of rollback and fast-forward want this.
    pub fn set_versions(&mut self, versions: Versions) {
        self.versions = versions;
    }

    /// What is listed under `name`, by the role that is changed or by the targets role above it.
    #[must_use]
    pub fn target(&self, name: &str) -> Option<&TargetInfo> {
        self.above.get(name).or_else(|| self.targets.get(name))
    }

    /// What hosts take under `name`, from whichever role: that one's word counts, also where another one is changed.
    #[must_use]
    pub fn taken(&self, name: &str) -> Option<&TargetInfo> {
        let beside = self.beside.get(name);
        let first = beside.filter(|other| other.is_first).map(|other| &other.target);
        let above = self.above.get(name).or(first);
        above.or_else(|| self.targets.get(name)).or_else(|| beside.map(|other| &other.target))
    }

    /// Whether the role that is changed is for holds and nothing else.
    #[must_use]
    pub fn is_for_holds(&self) -> bool {
        self.team.as_ref().is_some_and(|team| team.delegation.is_for_holds())
    }

    /// Everything that the role lists that is changed.
    pub fn targets(&self) -> impl Iterator<Item = &TargetInfo> {
        self.targets.values()
    }

    /// Lists a target. Listing the same bytes again changes nothing.
    ///
    /// # Errors
    /// When no host would take the name, or the name was listed with other bytes: a host may have fetched half of them.
    pub fn add_target(&mut self, target: TargetInfo) -> Result<(), Error> {
        let other = self.beside.get(&target.name).filter(|other| other.target != target);
        if other.is_some() {
            return Err(Error::Republished { name: target.name });
        }
        match self.target(&target.name) {
            Some(known) if *known != target => Err(Error::Republished { name: target.name }),
            // It stays where it is: a team lists nothing that is there anyway.
            Some(_) => Ok(()),
            None => self.replace_target(target),
        }
    }

    /// Lists a target whose bytes may change from one snapshot to the next: the manifest.
    ///
    /// # Errors
    /// When no host would take the name.
    pub fn replace_target(&mut self, target: TargetInfo) -> Result<(), Error> {
        self.may_list(&target.name)?;
        self.targets.insert(target.name.clone(), target);
        Ok(())
    }

    /// Whether hosts would take a target of this name from the role that is changed.
    ///
    /// # Errors
    /// When no host would.
    pub fn may_list(&self, target: &str) -> Result<(), Error> {
        if !safe_target_name(target) {
            return Err(Error::Name { name: target.to_owned() });
        }
        let Some(Team { name, delegation, .. }) = &self.team else { return Ok(()) };
        let refused = |reason| Err(Error::Delegation { name: name.clone(), reason });
        if !delegation.has(&Asked::new(target)) {
            return refused(format!("{target} is none of the targets that are delegated to it"));
        }
        if self.above.contains_key(target) {
            return refused(format!("the targets role lists {target} itself, and is asked first"));
        }
        match self.beside.get(target) {
            Some(Beside { role, is_first: true, .. }) => {
                refused(format!("{role} lists {target} as well, and is asked before it"))
            }
            _ => Ok(()),
        }
    }

    /// Takes a target off the list. Its file stays where it is.
    pub fn remove_target(&mut self, name: &str) -> Option<TargetInfo> {
        self.targets.remove(name)
    }

    /// Signs the next version of all three roles, and verifies them against the newest root.
    ///
    /// # Errors
    /// When a key is not one that the root names for its role, or a date is out of range.
    pub fn sign(&self, signers: &Signers, expiries: &Expiries) -> Result<SignedMetadata, Error> {
        let Signers { targets, snapshot, timestamp } = signers;
        at_once(self.sign_roles([targets, snapshot, timestamp], expiries))
    }

    /// [`Editor::sign`] with keys that may lie anywhere.
    ///
    /// # Errors
    /// As [`Editor::sign`], and when a key cannot be reached or does not sign.
    pub async fn sign_from(
        &self,
        sources: &KeySources,
        expiries: &Expiries,
    ) -> Result<SignedMetadata, Error> {
        let targets = source::open(&*sources.targets).await?;
        let snapshot = source::open(&*sources.snapshot).await?;
        let timestamp = source::open(&*sources.timestamp).await?;
        self.sign_roles([&*targets, &*snapshot, &*timestamp], expiries).await
    }

    /// Signs the three roles, each with its key. For a team its own role takes the place of the targets role, which stays
    /// as it is.
    async fn sign_roles(
        &self,
        [for_targets, for_snapshot, for_timestamp]: [&dyn Sign; 3],
        expiries: &Expiries,
    ) -> Result<SignedMetadata, Error> {
        let root = self.newest_root().role();
        let mut files: Vec<(String, Vec<u8>)> =
            self.roots.iter().map(|root| (root.file_name(), root.bytes().to_vec())).collect();
        files.extend(self.first.clone());

        let (name, version, authority) = match &self.team {
            None => ("targets", self.versions.targets, &root),
            Some(team) => (team.name.as_str(), team.version, team.delegate.authority()),
        };
        let version = next(version);
        let _in_range = date(expiries.targets)?;
        let listed = self.targets.values().map(|info| (info.name.clone(), described(info)));
        let mut role = targets_role(version, expiries.targets, listed.collect());
        if !self.delegations.is_null() {
            role["delegations"] = self.delegations.clone();
        }
        let role: Raw<schema::Targets> = Raw::new(role);
        let role = sealed(&sign_with(role, &[for_targets]).await?, authority);
        let role = role.map_err(|error| match &self.team {
            Some(team) => Error::Delegation {
                name: team.name.clone(),
                reason: "the key at hand is none that the targets role names for it".to_owned(),
            },
            None => error,
        })?;
        let mut named = self.others.clone();
        named.insert(format!("{name}.json"), meta(version, &role));
        files.push((published(name, version, true), role));

        let snapshot_version = next(self.versions.snapshot);
        let _in_range = date(expiries.snapshot)?;
        let snapshot: Raw<schema::Snapshot> =
            Raw::new(naming("snapshot", snapshot_version, expiries.snapshot, named));
        let snapshot = sealed(&sign_with(snapshot, &[for_snapshot]).await?, &root)?;
        let named = Map::from_iter([("snapshot.json".to_owned(), meta(snapshot_version, &snapshot))]);
        files.push((format!("{snapshot_version}.snapshot.json"), snapshot));

        let timestamp_version = next(self.versions.timestamp);
        let _in_range = date(expiries.timestamp)?;
        let timestamp: Raw<schema::Timestamp> =
            Raw::new(naming("timestamp", timestamp_version, expiries.timestamp, named));
        let timestamp = sealed(&sign_with(timestamp, &[for_timestamp]).await?, &root)?;
        let targets = if self.team.is_none() { version.get() } else { self.versions.targets };
        let versions =
            Versions { targets, snapshot: snapshot_version.get(), timestamp: timestamp_version.get() };
        files.push(("timestamp.json".to_owned(), timestamp));
        Ok(SignedMetadata { files, versions })
    }
}

/// Metadata that hosts accept, in the order in which it is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedMetadata {
    files: Vec<(String, Vec<u8>)>,
    versions: Versions,
}

impl SignedMetadata {
    /// Names and exact bytes, the timestamp last.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
    }

    /// The versions of the three roles.
    #[must_use]
    pub fn versions(&self) -> Versions {
        self.versions
    }

    /// Writes all files below `dir`; their targets have to be there already. Until the last file a reader sees the
    /// snapshot before, from then on this one. Older files stay for readers that are under way.
    ///
    /// # Errors
    /// When the file system refuses; the snapshot before is then still the published one.
    pub fn write(&self, fs: &dyn Fs, dir: &Path) -> Result<(), Error> {
        for (name, bytes) in self.files() {
            let path = dir.join(name);
            if fs.read(&path).is_ok_and(|there| there == bytes) {
                continue;
            }
            swap::replace_file(fs, &path, bytes, 0o644)
                .map_err(|error| Error::file("write the metadata", &path, error))?;
        }
        Ok(())
    }
}

fn next(version: u64) -> NonZeroU64 {
    NonZeroU64::MIN.saturating_add(version)
}

/// What hosts find with the roles to which the targets role delegates, but for `own`. A role that cannot be had or trusted is
/// passed over: it is for whoever checks the repository.
fn beside(
    verified: &Verified,
    files: &BTreeMap<String, Bytes>,
    dir: &Path,
    own: Option<&str>,
) -> BTreeMap<String, Beside> {
    let mut found = BTreeMap::new();
    let mut is_first = own.is_some();
    for delegation in verified.targets.delegations() {
        if Some(&*delegation.name) == own {
            is_first = false;
            continue;
        }
        let Ok((_, _, role)) = offline::delegated(verified, files, dir, &delegation.name) else { continue };
        for (name, target) in listed(&role).into_iter().filter(|(name, _)| delegation.has(&Asked::new(name)))
        {
            let role = delegation.name.clone();
            found.entry(name).or_insert(Beside { role, is_first, target });
        }
    }
    found
}

/// The targets that hosts take from a role.
fn listed(role: &metadata::targets::Targets) -> BTreeMap<String, TargetInfo> {
    let known = role.targets.iter().filter_map(|(name, listed)| {
        let hashes = listed.hashes.known().ok()?.clone();
        Some((name.clone(), TargetInfo { name: name.clone(), length: listed.length, hashes }))
    });
    known.collect()
}
