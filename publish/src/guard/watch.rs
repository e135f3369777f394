//! One look at a rollout: find the release, ask, judge, stop.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use host_io::report::chain;
use semver::Version;
use serde::Serialize;
use update_metadata::Update;

use super::journal::{Entry, Journal};
use super::judge::{Counts, Judgement, Limits, judge};
use super::prometheus::Prometheus;
use super::questions::{Questions, Subject};
use crate::place::Place;
use crate::rollout::{Action, rollout};
use crate::session::{Desk, Session};
use crate::{Error, Lifetimes, hold};

/// Who watches over the rollouts of one variant and architecture.
#[derive(Debug)]
pub struct Guard {
    /// The repository, and the keys that stop a rollout.
    pub desk: Desk,
    /// How long what is signed then holds.
    pub lifetimes: Lifetimes,
    /// Who knows how hosts do.
    pub prometheus: Prometheus,
    /// More label matchers for every series.
    pub matching: String,
    /// What is still all right.
    pub limits: Limits,
    /// Alerts that stop a rollout.
    pub alerts: Vec<String>,
    /// How long a host may be silent before it is missed.
    pub grace: TimeDelta,
    /// How far before that it was heard of, to be missed now.
    pub lookback: TimeDelta,
    /// Where decisions are kept.
    pub journal: Journal,
    /// Whether a rollout is stopped, or only talked about.
    pub dry_run: bool,
}

/// What the keys of a guard let it do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    /// It changes the manifest, signed by the targets role or that of a team.
    Pause {
        /// The role.
        role: String,
    },
    /// It withholds releases, and can do nothing else.
    Hold {
        /// The role.
        role: String,
    },
}

/// What one look found and did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The release; `None` when none is on offer.
    pub version: Option<Version>,
    /// What all looks at it so far have seen.
    pub counts: Counts,
    /// What is still all right.
    pub limits: Limits,
    /// What is made of it.
    pub judgement: Option<Judgement>,
    /// What was done.
    pub done: Done,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// Nothing had to be.
    Nothing,
    /// It would have been stopped.
    DryRun,
    /// It was paused.
    Paused,
    /// It was withheld.
    Withheld,
}

impl Guard {
    /// What this guard may do. It finds out before there is need: keys that cannot be opened are told at the start.
    ///
    /// # Errors
    /// When the repository or the keys cannot be used.
    pub async fn power(&self) -> Result<Power, Error> {
        let session = Session::open(&self.desk).await?;
        let role = session.role().to_owned();
        Ok(if session.editor.is_for_holds() { Power::Hold { role } } else { Power::Pause { role } })
    }

    /// Looks once, and stops the newest release that is on offer if it does badly. `version` names another one instead.
    ///
    /// # Errors
    /// When nobody knows how it does, or it cannot be stopped. The rollout then goes on.
    pub async fn look(&self, version: Option<&Version>, now: DateTime<Utc>) -> Result<Report, Error> {
        let newest = match version {
            Some(version) => Some(version.clone()),
            None => self.newest().await?,
        };
        let nothing = |version| Report {
            version,
            counts: Counts::default(),
            limits: self.limits,
            judgement: None,
            done: Done::Nothing,
        };
        let Some(version) = newest else { return Ok(nothing(None)) };
        let subject = Subject {
            variant: self.desk.variant.clone(),
            arch: self.desk.arch.clone(),
            version: version.clone(),
            matching: self.matching.clone(),
            grace: self.grace,
            lookback: self.lookback,
        };
        let seen = self.prometheus.counts(&Questions::about(&subject)).await?;
        let firing = self.prometheus.firing(&self.alerts).await?;
        let counts = seen.after(&self.journal.earlier(&subject.variant, &subject.arch, &version)?);
        let judgement = judge(&self.limits, &counts, &firing);
        let done = if judgement.stop.is_empty() {
            Ok(Done::Nothing)
        } else if self.dry_run {
            Ok(Done::DryRun)
        } else {
            self.stop(&version, &judgement, now).await
        };
        let written = self.journal.add(&self.entry(&version, counts, &judgement, &done, now));
        // That it was not stopped says more than that this was not written down.
        let done = done?;
        written?;
        Ok(Report { counts, judgement: Some(judgement), done, ..nothing(Some(version)) })
    }

    /// The newest release that hosts take now.
    async fn newest(&self) -> Result<Option<Version>, Error> {
        let place = Place {
            base: self.desk.repo.display().to_string(),
            variant: self.desk.variant.clone(),
            arch: self.desk.arch.clone(),
            trusted_root: self.desk.keys.layout().root_role(),
            targets: None,
        };
        let opened = place.open_expired().await?;
        let (manifest, _) = opened.repository.manifest_for(&place.variant).await?;
        let holds = opened.repository.holds().await.unwrap_or_default();
        let held = |update: &Update| {
            holds.iter().any(|signed| signed.holds.holds.iter().any(|hold| hold.withholds(update)))
        };
        let offered = manifest.updates.iter().filter(|update| {
            update.variant == place.variant
                && update.arch == place.arch
                && update.version <= update.max_version
                && !held(update)
        });
        Ok(offered.map(|update| update.version.clone()).max())
    }

    async fn stop(
        &self,
        version: &Version,
        judgement: &Judgement,
        now: DateTime<Utc>,
    ) -> Result<Done, Error> {
        match self.power().await? {
            Power::Hold { .. } => {
                let reason = judgement.why();
                hold::add(&self.desk, version, &reason, self.lifetimes, now).await?;
                Ok(Done::Withheld)
            }
            Power::Pause { .. } => {
                // Nobody is asked: that is what a guard is for.
                let agree = |_: &[String]| Ok(true);
                rollout(&self.desk, Action::Pause, version, self.lifetimes, now, agree).await?;
                Ok(Done::Paused)
            }
        }
    }

    fn entry(
        &self,
        version: &Version,
        counts: Counts,
        judgement: &Judgement,
        done: &Result<Done, Error>,
        now: DateTime<Utc>,
    ) -> Entry {
        let mut why: Vec<String> = judgement.stop.iter().map(ToString::to_string).collect();
        why.extend(judgement.blind.iter().cloned());
        let done = match done {
            Ok(done) => done.name(),
            Err(error) => {
                why.push(format!("failed to {}", chain(error)));
                "failed"
            }
        };
        Entry {
            time: now,
            variant: self.desk.variant.clone(),
            arch: self.desk.arch.clone(),
            version: version.clone(),
            counts,
            evidence: (judgement.failing_evidence, judgement.silent_evidence),
            verdict: if judgement.stop.is_empty() { "goes_on" } else { "stop" }.to_owned(),
            why,
            done: done.to_owned(),
        }
    }
}

impl Done {
    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::DryRun => "dry_run",
            Self::Paused => "paused",
            Self::Withheld => "withheld",
        }
    }
}

impl Judgement {
    /// Why it is stopped, in one line.
    fn why(&self) -> String {
        let causes: Vec<String> = self.stop.iter().map(ToString::to_string).collect();
        causes.join("; ")
    }
}

impl Report {
    /// Whether nothing speaks for stopping a release.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        self.done == Done::Nothing
    }
}

impl fmt::Display for Power {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pause { role } => write!(f, "a bad release is paused, signed by {role}: for all hosts"),
            Self::Hold { role } => write!(
                f,
                "a bad release is withheld, signed by {role}; Bottlerocket's own hosts take no notice of that: for them a guard needs the targets key"
            ),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(version), Some(judgement)) = (&self.version, &self.judgement) else {
            return write!(f, "nothing is on offer");
        };
        let Counts { failed, wordless, lost, running, proven, no_room, .. } = self.counts;
        write!(
            f,
            "{version}: {} hosts have tried it; {running} run it, {proven} proven",
            self.counts.tried()
        )?;
        write!(f, "; {failed} failed, {wordless} went back without a word, {lost} are not heard of since")?;
        if no_room > 0 {
            write!(f, "; {no_room} more had no room for its settings")?;
        }
        let told = |f: &mut fmt::Formatter<'_>, what: &str, evidence: Option<f64>, limit| match evidence {
            Some(evidence) => {
                write!(
                    f,
                    "\nmore than {limit} {what}: evidence {evidence:.3}, {} is enough",
                    judgement.enough
                )
            }
            None => write!(f, "\nmore than {limit} {what}: cannot be judged"),
        };
        told(f, "fail", Some(judgement.failing_evidence), self.limits.failing)?;
        told(f, "do not report back", judgement.silent_evidence, self.limits.silent)?;
        judgement.blind.iter().try_for_each(|why| write!(f, "\nblind: {why}"))?;
        match self.done {
            Done::Nothing => write!(f, "\nit goes on"),
            Done::DryRun => write!(f, "\nwould be stopped: {}; without --dry-run it is", judgement.why()),
            Done::Paused => write!(f, "\npaused: {}", judgement.why()),
            Done::Withheld => write!(f, "\nwithheld: {}", judgement.why()),
        }
    }
}
