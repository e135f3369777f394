//! A rollout under way: pause it, go on, take it back. What that does to hosts is told before it is done.

use std::fmt;
use std::io;

use chrono::{DateTime, Utc};
use semver::Version;
use serde::Serialize;
use update_metadata::Manifest;
use update_metadata::author::{self, Selector};

use crate::session::{Desk, Session};
use crate::{Error, Lifetimes};

/// What is to become of a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Nobody takes it for now.
    Pause,
    /// It goes on where it stood.
    Resume,
    /// Hosts that have it go back.
    Recall,
    /// Nobody takes it any more, and hosts that have it keep it.
    Remove,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RolloutReport {
    /// What was asked for.
    pub action: Action,
    /// The variant.
    pub variant: String,
    /// The architecture.
    pub arch: String,
    /// The version.
    pub version: Version,
    /// What this does to hosts, a sentence each.
    pub effect: Vec<String>,
    /// The version of the timestamp role; `None` when nothing was published.
    pub timestamp_version: Option<u64>,
}

/// Changes a rollout. `agree` hears the effect first; when it says no, nothing is published.
///
/// # Errors
/// When there is no such update, the repository cannot be changed, or nobody agreed.
pub async fn rollout(
    desk: &Desk,
    action: Action,
    version: &Version,
    lifetimes: Lifetimes,
    now: DateTime<Utc>,
    agree: impl FnOnce(&[String]) -> io::Result<bool>,
) -> Result<RolloutReport, Error> {
    let mut session = Session::open(desk).await?;
    let before = session.manifest()?;
    let selector =
        Selector { variant: desk.variant.clone(), arch: desk.arch.clone(), version: version.clone() };
    let paused = before.extensions.paused.iter().find(|paused| selector.matches(&paused.update));
    if let (Action::Pause, Some(paused)) = (action, paused) {
        return Err(Error::PausedAlready { version: version.clone(), since: paused.since });
    }
    if paused.is_none() {
        let is_offered = before.updates.iter().any(|update| selector.matches(update));
        if action == Action::Resume && is_offered {
            return Err(Error::NotPaused { version: version.clone() });
        }
        if !is_offered {
            let Selector { variant, arch, version } = selector;
            return Err(Error::NoSuchRelease { action: action.name(), version, variant, arch });
        }
    }
    let after = action.apply(before.clone(), &selector, now)?;
    let effect = action.effect(&before, &selector, now);
    if !agree(&effect).map_err(|error| Error::file("ask", "the terminal", error))? {
        return Err(Error::NotAgreed { action: action.name() });
    }
    session.put_manifest(&after)?;
    let signed = session.commit(&lifetimes.from(now)).await?;
    Ok(RolloutReport {
        action,
        variant: desk.variant.clone(),
        arch: desk.arch.clone(),
        version: version.clone(),
        effect,
        timestamp_version: Some(signed.versions().timestamp),
    })
}

impl Action {
    fn apply(self, manifest: Manifest, selector: &Selector, now: DateTime<Utc>) -> Result<Manifest, Error> {
        let changed = match self {
            Self::Pause => author::pause(manifest, selector, now),
            Self::Resume => author::resume(manifest, selector, now),
            Self::Recall => author::recall(manifest, selector),
            Self::Remove => author::remove_update(manifest, selector),
        };
        changed
            .map_err(|source| Error::Rollout { version: selector.version.clone(), source: Box::new(source) })
    }

    /// What this does to hosts.
    #[must_use]
    pub fn effect(self, before: &Manifest, selector: &Selector, now: DateTime<Utc>) -> Vec<String> {
        let version = &selector.version;
        match self {
            Self::Pause => vec![
                format!("no host takes {version} from its next check on"),
                format!("hosts that run {version} keep it, and an update that is under way is finished"),
                "the clock of its waves stands still until \"pubrepo resume\"".to_owned(),
            ],
            Self::Resume => {
                let paused = before.extensions.paused.iter().find(|paused| selector.matches(&paused.update));
                let minutes = paused.map_or(0, |paused| (now - paused.since).num_minutes().max(0));
                vec![
                    format!("hosts take {version} again, those first whose turn had come when it was paused"),
                    format!(
                        "all waves that were still to come are {minutes} minutes later, as long as it was paused"
                    ),
                ]
            }
            Self::Recall => {
                let hosts = match author::goes_back_to(before, selector) {
                    Some(back) => format!("hosts that run {version} go back to {back} at their next check"),
                    None => format!("hosts that run {version} keep it until they take a newer version"),
                };
                vec![
                    format!("no host takes {version} any more"),
                    hosts,
                    "this is for good: publish the next version instead".to_owned(),
                ]
            }
            Self::Remove => vec![
                format!("no host takes {version} any more"),
                format!("hosts that run {version} keep it"),
                "its targets stay signed, so that the same name never gets other bytes".to_owned(),
            ],
        }
    }

    /// The command's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Recall => "recall",
            Self::Remove => "remove",
        }
    }
}

impl fmt::Display for RolloutReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { action, variant, arch, version, .. } = self;
        write!(f, "{} of {variant} {arch} {version}: ", action.name())?;
        match self.timestamp_version {
            Some(timestamp) => write!(f, "published with timestamp version {timestamp}"),
            None => write!(f, "not published"),
        }
    }
}
