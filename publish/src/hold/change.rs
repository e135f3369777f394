//! A release is withheld, or is not any more. What is signed is the role for holds, and the snapshot and timestamp roles.

use std::fmt;

use chrono::{DateTime, Utc};
use semver::Version;
use serde::Serialize;
use serde_json::Map;
use update_metadata::{Hold, Holds, holds};

use super::{Refused, file};
use crate::session::{Desk, Session};
use crate::{Error, Lifetimes};

/// What was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HoldReport {
    /// The role that signed it.
    pub role: String,
    /// What it withholds now.
    pub holds: Vec<Hold>,
    /// What that does to hosts, a sentence each.
    pub effect: Vec<String>,
    /// The version of the timestamp role, which counts the changes of the repository.
    pub timestamp_version: u64,
}

/// Withholds a release, by its version and by the root hash of its root image.
///
/// # Errors
/// When the desk keeps no role for holds, the release is not known, withheld already, or the repository cannot be changed.
pub async fn add(
    desk: &Desk,
    version: &Version,
    reason: &str,
    lifetimes: Lifetimes,
    now: DateTime<Utc>,
) -> Result<HoldReport, Error> {
    if reason.trim().is_empty() {
        return Err(Refused::NoReason { version: version.clone() }.into());
    }
    let mut work = Work::open(desk).await?;
    let role = work.role.clone();
    if let Some(known) = work.holds.holds.iter().find(|hold| work.names(desk, hold, version)) {
        return Err(Refused::Already { version: version.clone(), role, since: known.since }.into());
    }
    let manifest = file::manifest_of_hosts(&work.session.editor, &work.session.layout, &desk.variant)?;
    let paused = manifest.extensions.paused.iter().map(|paused| &paused.update);
    let update = manifest.updates.iter().chain(paused).find(|update| {
        update.variant == desk.variant && update.arch == desk.arch && update.version == *version
    });
    let update = update.ok_or_else(|| Refused::Unknown { version: version.clone() })?;
    let root_hash = file::root_hash(&work.session.editor, &work.session.layout, update);
    let mut effect = vec![
        format!(
            "no host takes {version} from its next check on, nor boots into it where it waits and nobody chose it by name"
        ),
        format!("hosts that run {version} keep it"),
        "Bottlerocket's own hosts take no notice of holds: for them, \"pubrepo pause\" with the targets key"
            .to_owned(),
    ];
    if let Err(why) = &root_hash {
        effect.push(format!("it is withheld by its version alone, as its root hash is not known: {why}"));
    }
    work.holds.holds.push(Hold {
        variant: desk.variant.clone(),
        arch: desk.arch.clone(),
        version: Some(version.clone()),
        root_hash: root_hash.ok(),
        reason: reason.trim().to_owned(),
        since: now,
        other: Map::new(),
    });
    let text = work.holds.to_json();
    if text.len() > holds::MAX_LEN || Holds::parse(text.as_bytes()).is_err() {
        return Err(Refused::TooMuch { version: version.clone(), role }.into());
    }
    work.publish(effect, lifetimes, now).await
}

/// Ends the holds of a release.
///
/// # Errors
/// When the desk keeps no role for holds, that one does not withhold it, or the repository cannot be changed.
pub async fn remove(
    desk: &Desk,
    version: &Version,
    lifetimes: Lifetimes,
    now: DateTime<Utc>,
) -> Result<HoldReport, Error> {
    let mut work = Work::open(desk).await?;
    let (ended, stay): (Vec<Hold>, Vec<Hold>) =
        std::mem::take(&mut work.holds.holds).into_iter().partition(|hold| work.names(desk, hold, version));
    if ended.is_empty() {
        return Err(Refused::NotHeld { version: version.clone(), role: work.role }.into());
    }
    work.holds.holds = stay;
    let effect = vec![
        format!("hosts take {version} again where it is on offer, unless another role withholds it"),
        "its waves went on meanwhile: a host whose turn came takes it at its next check".to_owned(),
    ];
    work.publish(effect, lifetimes, now).await
}

/// A repository that is being changed by whoever keeps a role for holds.
struct Work {
    session: Session,
    role: String,
    holds: Holds,
}

impl Work {
    async fn open(desk: &Desk) -> Result<Self, Error> {
        let session = Session::open(desk).await?;
        let role = session.role().to_owned();
        if !session.editor.is_for_holds() {
            return Err(Refused::NoRole { role }.into());
        }
        let holds = file::read(&session.editor, &session.layout, &role)?;
        Ok(Self { session, role, holds })
    }

    fn names(&self, desk: &Desk, hold: &Hold, version: &Version) -> bool {
        hold.variant == desk.variant && hold.arch == desk.arch && hold.version.as_ref() == Some(version)
    }

    async fn publish(
        mut self,
        effect: Vec<String>,
        lifetimes: Lifetimes,
        now: DateTime<Utc>,
    ) -> Result<HoldReport, Error> {
        file::write(&mut self.session.editor, &self.session.layout, &self.role, &self.holds)?;
        let signed = self.session.commit(&lifetimes.from(now)).await?;
        let timestamp_version = signed.versions().timestamp;
        Ok(HoldReport { role: self.role, holds: self.holds.holds, effect, timestamp_version })
    }
}

impl fmt::Display for HoldReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "signed by {}, timestamp version {}", self.role, self.timestamp_version)?;
        self.effect.iter().try_for_each(|sentence| write!(f, "\n- {sentence}"))?;
        match &self.holds[..] {
            [] => write!(f, "\n{} withholds nothing now", self.role),
            holds => holds.iter().try_for_each(|hold| {
                write!(f, "\nwithheld: {}: {}", hold.subject(), hold.reason_in_a_line())
            }),
        }
    }
}
