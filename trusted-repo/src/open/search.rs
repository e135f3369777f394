//! A target, looked for among the roles that may have it: the specification's pre-order depth-first search (section 5.6.7).
//!
//! A role is asked for only when the search comes to it: its delegator has paths that match the target, and so have all
//! delegators above. Whatever is wrong with any other role is nobody's business. A role that the search needs and that
//! cannot be had or trusted ends the search: a later role must not answer in its place.
//!
//! - [`holds`]: roles that are not searched, because each of them counts

pub(crate) mod holds;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use host_io::report::chain;
use tough::schema;
use tracing::debug;

use super::shelf::{LONGEST_TARGETS, expected};
use super::walk::{Verified, lower_first};
use crate::Error;
use crate::memory::delegated::Memory;
use crate::metadata::file_name::{TOP_LEVEL, plain, published};
use crate::metadata::hashes::Hashes;
use crate::metadata::named::Named;
use crate::metadata::now::EffectiveNow;
use crate::metadata::pattern::Asked;
use crate::metadata::signed::{Claim, Delegate};
use crate::metadata::targets::{Delegation, Listed, Targets};
use crate::open::roles;
use crate::place::source::Place;
use crate::transport::{Carrier, Fault};

/// So many delegated roles are visited in one search at most. A delegator may list thousands: those whose paths do not
/// match are not visited.
const MOST_VISITED: usize = 32;
/// So many delegated roles are held at once, over all searches of one opening.
const MOST_ROLES: usize = 1024;
/// So many bytes of them.
const MOST_BYTES: u64 = 32 << 20;
/// The name of the role that every search begins with.
const TARGETS: &str = "targets";

/// Where the files of delegated roles come from.
pub(crate) enum Supply {
    /// The places of a repository, the one first that gave the roles above; and what is remembered of it.
    Places { carrier: Carrier, places: Vec<Place>, memory: Box<Memory> },
    /// A set of files that was read beforehand, and where.
    Held { files: BTreeMap<String, Bytes>, shown: String },
}

/// The searches of one opening.
pub(crate) struct Search {
    targets: Arc<Targets>,
    snapshot: BTreeMap<String, Named>,
    consistent: bool,
    now: Option<EffectiveNow>,
    supply: Supply,
    /// One search at a time: two of them would fetch the same role twice.
    loaded: tokio::sync::Mutex<Loaded>,
    seen: Mutex<Seen>,
}

/// Delegated roles that were verified, by name.
#[derive(Default)]
struct Loaded {
    roles: BTreeMap<String, Role>,
    bytes: u64,
}

struct Role {
    bytes: Bytes,
    /// Whose keys it was verified with.
    delegate: Delegate,
    targets: Arc<Targets>,
}

/// What was found.
#[derive(Default)]
struct Seen {
    /// The files of all delegated roles that were needed, under their names in the repository.
    files: BTreeMap<String, Bytes>,
    /// The files that led to each target.
    ways: BTreeMap<String, Vec<String>>,
}

/// What came of a search.
pub(crate) enum Found {
    Listed(Listed),
    /// No role lists the target that may: all of them were asked, or one of them ends the search.
    Nowhere {
        ended_by: Option<String>,
    },
}

impl Found {
    /// What is said of the target that was looked for.
    ///
    /// # Errors
    /// [`Error::MissingTarget`] when nothing is.
    pub(crate) fn listed(self, name: &str) -> Result<Listed, Error> {
        let ended_by = match self {
            Self::Listed(listed) => return Ok(listed),
            Self::Nowhere { ended_by } => ended_by,
        };
        let ended = ended_by.map_or_else(String::new, |role| format!(", and {role:?} ends the search"));
        let reason = format!("the signed metadata does not list it{ended}");
        Err(Error::MissingTarget { name: name.to_owned(), reason, dir: None })
    }
}

/// The names of targets, each with its digests where one is of a kind that is known here.
pub type Lists = Vec<(String, Option<Hashes>)>;

/// A delegated role, as whoever checks a repository sees it.
#[derive(Debug)]
pub struct DelegatedRole {
    /// Its name.
    pub name: String,
    /// The name of its delegator.
    pub by: String,
    /// Whether the top-level role delegates holds to it and nothing else.
    pub is_for_holds: bool,
    /// The role and what it lists; or why it cannot be had or trusted.
    pub listed: Result<(roles::Role, Lists), Error>,
}

/// A role that is still to be visited.
struct Step {
    delegator: Arc<Targets>,
    /// The delegator's name.
    by: Arc<str>,
    number: usize,
}

impl Search {
    pub(crate) fn new(verified: &Verified, supply: Supply, now: Option<EffectiveNow>) -> Self {
        Self {
            targets: Arc::clone(&verified.targets),
            snapshot: verified.snapshot.meta.clone(),
            consistent: verified.root.role.signed.consistent_snapshot,
            now,
            supply,
            loaded: tokio::sync::Mutex::default(),
            seen: Mutex::default(),
        }
    }

    /// The top-level role.
    pub(crate) fn top_level(&self) -> &Targets {
        &self.targets
    }

    /// Whether a target may be listed by a role below the top-level one.
    pub(crate) fn delegates(&self, name: &str) -> bool {
        self.targets.delegates_of(&Asked::new(name)).next().is_some()
    }

    /// Every delegated role that can be reached, whatever for, each under the first delegator that names it.
    pub(crate) async fn all(&self) -> Vec<DelegatedRole> {
        let mut loaded = self.loaded.lock().await;
        let mut found = Vec::new();
        let mut met = BTreeSet::from([TARGETS.to_owned()]);
        let mut delegators = vec![(Arc::clone(&self.targets), TARGETS.to_owned())];
        while let Some((delegator, by)) = delegators.pop() {
            for delegation in delegator.delegations() {
                let name = &delegation.name;
                if !met.insert(name.clone()) {
                    continue;
                }
                let role = self.load(&mut loaded, &mut Vec::new(), &delegator, delegation, &by).await;
                let listed = role.map(|(targets, _)| {
                    delegators.push((Arc::clone(&targets), name.clone()));
                    let hashes = |listed: &Listed| listed.hashes.known().ok().cloned();
                    let listed = targets.targets.iter().map(|(name, listed)| (name.clone(), hashes(listed)));
                    (told(&targets), listed.collect())
                });
                let is_for_holds = by == TARGETS && delegation.is_for_holds();
                found.push(DelegatedRole { name: name.clone(), by: by.clone(), is_for_holds, listed });
            }
        }
        found
    }

    /// The delegated roles that were needed so far.
    pub(crate) async fn needed(&self) -> Vec<(String, roles::Role)> {
        let loaded = self.loaded.lock().await;
        loaded.roles.iter().map(|(name, role)| (name.clone(), told(&role.targets))).collect()
    }

    /// What the roles that may have it say of a target.
    ///
    /// # Errors
    /// [`Error::MissingTarget`] when there are too many of them; any other error when one of them cannot be had or trusted.
    pub(crate) async fn find(&self, name: &str) -> Result<Found, Error> {
        if let Some(listed) = self.targets.targets.get(name) {
            return Ok(Found::Listed(listed.clone()));
        }
        let asked = Asked::new(name);
        let mut steps = Vec::new();
        let mut ended_by = push(&mut steps, &self.targets, TARGETS, &asked);
        if steps.is_empty() {
            return Ok(Found::Nowhere { ended_by });
        }
        let mut loaded = self.loaded.lock().await;
        let mut fresh = Vec::new();
        let found = self.visit(&mut loaded, &mut fresh, steps, &mut ended_by, &asked).await;
        self.remember(fresh, &loaded);
        Ok(found?.map_or(Found::Nowhere { ended_by }, Found::Listed))
    }

    /// Keeps what was verified on the way, however it ended.
    fn remember(&self, fresh: Vec<(String, Bytes)>, loaded: &Loaded) {
        if let Supply::Places { memory, .. } = &self.supply
            && !fresh.is_empty()
        {
            memory.keep(fresh, &loaded.roles.keys().map(|role| plain(role)).collect());
        }
    }

    async fn visit(
        &self,
        loaded: &mut Loaded,
        fresh: &mut Vec<(String, Bytes)>,
        mut steps: Vec<Step>,
        ended_by: &mut Option<String>,
        asked: &Asked<'_>,
    ) -> Result<Option<Listed>, Error> {
        let mut visited = BTreeSet::from([TARGETS.to_owned()]);
        let mut way = Vec::new();
        while let Some(Step { delegator, by, number }) = steps.pop() {
            let delegation = delegator.delegations().nth(number).expect("a step leads to a delegation");
            let role = &delegation.name;
            if !visited.insert(role.clone()) {
                continue;
            }
            if visited.len() > MOST_VISITED + 1 {
                let reason = format!(
                    "{MOST_VISITED} delegated roles may have it and do not list it; the search ends before {role:?}"
                );
                return Err(Error::MissingTarget { name: asked.name.to_owned(), reason, dir: None });
            }
            let (targets, file) = self.load(loaded, fresh, &delegator, delegation, &by).await?;
            way.push(file);
            if let Some(listed) = targets.targets.get(asked.name) {
                self.seen.lock().expect("no panic while held").ways.insert(asked.name.to_owned(), way);
                return Ok(Some(listed.clone()));
            }
            *ended_by = push(&mut steps, &targets, role, asked).or(ended_by.take());
        }
        Ok(None)
    }

    /// A delegated role, verified under the delegator through which the search came to it; and the name of its file.
    async fn load(
        &self,
        loaded: &mut Loaded,
        fresh: &mut Vec<(String, Bytes)>,
        delegator: &Targets,
        delegation: &Delegation,
        by: &str,
    ) -> Result<(Arc<Targets>, String), Error> {
        let role = &delegation.name;
        if role.is_empty() || TOP_LEVEL.contains(&role.as_str()) {
            return Err(self.untrusted(format!("a delegated role calls itself {role:?}")));
        }
        let Some(named) = self.snapshot.get(&format!("{role}.json")) else {
            return Err(self.untrusted(format!(
                "its snapshot does not name the delegated role {role:?}, to which {by} delegates"
            )));
        };
        let file = published(role, named.version, self.consistent);
        let judged = Judged { role, by, named, delegate: delegator.delegate(delegation) };
        match loaded.roles.get_mut(role) {
            Some(there) if there.delegate == judged.delegate => {
                return Ok((Arc::clone(&there.targets), file));
            }
            Some(there) => {
                there.targets = Arc::new(self.judge(&judged, &there.bytes)?);
                there.delegate = judged.delegate;
                return Ok((Arc::clone(&there.targets), file));
            }
            None => {}
        }
        let room = self.room(loaded, &judged)?;
        let (bytes, targets) = match self.kept(&judged)? {
            Some(kept) => kept,
            None => {
                let fetched = self.fetch(&judged, &file, room).await?;
                fresh.push((plain(role), fetched.0.clone()));
                fetched
            }
        };
        loaded.bytes += bytes.len() as u64;
        self.seen.lock().expect("no panic while held").files.insert(file.clone(), bytes.clone());
        let targets = Arc::new(targets);
        let held = Role { bytes, delegate: judged.delegate, targets: Arc::clone(&targets) };
        loaded.roles.insert(role.clone(), held);
        Ok((targets, file))
    }

    /// How long one more role may be.
    fn room(&self, loaded: &Loaded, judged: &Judged<'_>) -> Result<u64, Error> {
        let room = MOST_BYTES.saturating_sub(loaded.bytes);
        if loaded.roles.len() >= MOST_ROLES || room == 0 || judged.named.at_least() > room {
            let role = judged.role;
            return Err(self.untrusted(format!(
                "with the delegated role {role:?} it would be more than {MOST_ROLES} of them, or more than {MOST_BYTES} bytes"
            )));
        }
        Ok(judged.named.at_most(LONGEST_TARGETS).min(room))
    }

    /// The role as it is remembered, if that is the one that the snapshot names, and its delegator has not changed its
    /// mind.
    fn kept(&self, judged: &Judged<'_>) -> Result<Option<(Bytes, Targets)>, Error> {
        let Supply::Places { memory, .. } = &self.supply else { return Ok(None) };
        let Some(bytes) = memory.kept(&plain(judged.role)) else { return Ok(None) };
        match self.judge(judged, &bytes) {
            Ok(targets) => {
                debug!(role = judged.role, "unchanged, taken from memory");
                Ok(Some((bytes, targets)))
            }
            // It is the named one, and no younger by being fetched again.
            Err(error @ Error::Expired { .. }) => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// The role from the first place that has it as the snapshot names it.
    async fn fetch(&self, judged: &Judged<'_>, file: &str, room: u64) -> Result<(Bytes, Targets), Error> {
        let failed =
            |place: &str, source| Error::Metadata { name: file.to_owned(), place: place.to_owned(), source };
        match &self.supply {
            Supply::Held { files, shown } => {
                let bytes = files.get(file).cloned().ok_or_else(|| failed(shown, Fault::Missing))?;
                let targets = self.judge(judged, &bytes)?;
                Ok((bytes, targets))
            }
            Supply::Places { carrier, places, .. } => {
                let mut first = None;
                for place in places {
                    let shown = place.describe("");
                    let error = match carrier.whole(place, file, expected(room)).await {
                        Ok(bytes) => match self.judge(judged, &bytes) {
                            Ok(targets) => return Ok((bytes, targets)),
                            // Every place has the same bytes under this digest.
                            Err(error) if judged.named.determines(&bytes) => return Err(error),
                            Err(error) => error,
                        },
                        Err(fault) => failed(&shown, fault),
                    };
                    if !error.is_of_its_place() {
                        return Err(error);
                    }
                    debug!("at {shown}: failed to {}", chain(&error));
                    first.get_or_insert(error);
                }
                Err(first.expect("a source has at least one place"))
            }
        }
    }

    fn judge(&self, judged: &Judged<'_>, bytes: &[u8]) -> Result<Targets, Error> {
        judged.judge(bytes, self.now, &self.shown())
    }

    /// The files of all delegated roles that were needed so far, under their names in the repository.
    pub(crate) fn files(&self) -> BTreeMap<String, Bytes> {
        self.seen.lock().expect("no panic while held").files.clone()
    }

    /// Those of them that lead to these targets.
    pub(crate) fn files_for<'a>(&self, targets: impl Iterator<Item = &'a str>) -> BTreeMap<String, Bytes> {
        let seen = self.seen.lock().expect("no panic while held");
        let ways = targets.filter_map(|target| seen.ways.get(target)).flatten();
        ways.map(|file| (file.clone(), seen.files[file].clone())).collect()
    }

    fn shown(&self) -> String {
        match &self.supply {
            Supply::Places { places, .. } => places[0].describe(""),
            Supply::Held { shown, .. } => shown.clone(),
        }
    }

    fn untrusted(&self, reason: String) -> Error {
        Error::Untrusted { place: self.shown(), reason }
    }
}

/// What a file has to be that is said to be a delegated role.
pub(crate) struct Judged<'a> {
    pub(crate) role: &'a str,
    /// The name of its delegator.
    pub(crate) by: &'a str,
    pub(crate) named: &'a Named,
    pub(crate) delegate: Delegate,
}

impl Judged<'_> {
    /// The role, if it is what the snapshot names, signed by those whom its delegator names, and in force at `now`.
    pub(crate) fn judge(
        &self,
        bytes: &[u8],
        now: Option<EffectiveNow>,
        place: &str,
    ) -> Result<Targets, Error> {
        let Self { role, by, named, delegate } = self;
        let untrusted = |reason| Error::Untrusted { place: place.to_owned(), reason };
        if let Some(difference) = named.differ(bytes, &format!("the delegated role {role:?}")) {
            return Err(untrusted(difference));
        }
        let malformed = |source| Error::Malformed {
            role: (*role).to_owned(),
            place: place.to_owned(),
            source: Arc::new(source),
        };
        let claim = Claim::<schema::Targets>::parse(bytes).map_err(malformed)?;
        claim.check_signatures(delegate.authority()).map_err(|why| {
            let why = lower_first(&why);
            untrusted(format!("the delegated role {role:?} is not signed as {by} asks for ({why})"))
        })?;
        let targets: Targets = claim.into_content().map_err(malformed)?;
        if targets.version != named.version {
            return Err(untrusted(format!(
                "the delegated role {role:?} has version {}, and version {} is signed",
                targets.version, named.version
            )));
        }
        match now {
            Some(now) if now.is_after(targets.expires) => Err(Error::Expired {
                role: (*role).to_owned(),
                place: place.to_owned(),
                expired: targets.expires,
                now,
            }),
            _ => Ok(targets),
        }
    }
}

/// What there is to say of a role.
fn told(targets: &Targets) -> roles::Role {
    roles::Role { version: targets.version.get(), expires: targets.expires }
}

/// Puts the roles on top to which `targets` delegates what is asked for, the first one uppermost. Where one of them ends
/// the search nothing below counts any more, and its name is given.
fn push(steps: &mut Vec<Step>, targets: &Arc<Targets>, name: &str, asked: &Asked<'_>) -> Option<String> {
    let by: Arc<str> = name.into();
    let matching: Vec<(usize, &Delegation)> = targets.delegates_of(asked).collect();
    let ends = matching.last().filter(|(_, last)| last.terminating).map(|(_, last)| last.name.clone());
    if ends.is_some() {
        steps.clear();
    }
    let step = |(number, _): &(usize, _)| Step {
        delegator: Arc::clone(targets),
        by: Arc::clone(&by),
        number: *number,
    };
    steps.extend(matching.iter().rev().map(step));
    ends
}
