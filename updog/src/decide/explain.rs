//! What this host makes of everything that the repository knows, and why: a rule over values.
//!
//! The choice itself is [`crate::decide::choose`]'s; here every other version gets the reason why it is not the chosen one. So
//! the two cannot disagree on what is taken.

use chrono::{DateTime, Utc};
use semver::Version;
use serde::Serialize;
use update_metadata::barrier::next_barrier;
use update_metadata::explain::instant;
use update_metadata::waves::Rule;
use update_metadata::{Manifest, Readiness, Update};

use crate::decide::choice::{Choice, Request, Wanted, Waves};
use crate::decide::choose::{self, choose};
use crate::decide::machine::Machine;

/// What a host makes of one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// Its flavour.
    pub variant: String,
    /// Its architecture.
    pub arch: String,
    /// Its version.
    pub version: Version,
    /// The newest version that may run beside it.
    pub max_version: Version,
    /// What becomes of it.
    pub verdict: Verdict,
    /// Why, as a sentence without a final stop.
    pub reason: String,
    /// When its wave opens for this host's seed, or did; null where it has no waves. Told in whole seconds, as in the reason.
    #[serde(serialize_with = "whole_seconds")]
    pub wave_opens: Option<DateTime<Utc>>,
}

/// What becomes of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The host takes it.
    Chosen,
    /// It could be taken, and another one is.
    Candidate,
    /// Its wave opens later.
    Waiting,
    /// A role for holds withholds it.
    Withheld,
    /// It did not stay when it ran here.
    Held,
    /// The host runs it.
    Running,
    /// The host runs a newer one.
    Outdated,
    /// It is paused.
    Paused,
    /// The version lock names another one.
    Locked,
    /// The minimum version forbids it.
    BelowMinimum,
    /// It is for another variant or architecture.
    OtherKind,
    /// The manifest keeps it from this host.
    NotOffered,
}

impl Verdict {
    /// The word for it, the same as in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chosen => "chosen",
            Self::Candidate => "candidate",
            Self::Waiting => "waiting",
            Self::Withheld => "withheld",
            Self::Held => "held",
            Self::Running => "running",
            Self::Outdated => "outdated",
            Self::Paused => "paused",
            Self::Locked => "locked",
            Self::BelowMinimum => "below-minimum",
            Self::OtherKind => "other-kind",
            Self::NotOffered => "not-offered",
        }
    }
}

/// Says of each version in `manifest` what `machine` makes of it at the time `now`, newest first. `minimum` is the lowest
/// version that may be installed.
#[must_use]
pub fn explain(
    manifest: &Manifest,
    machine: &Machine,
    request: &Request,
    minimum: Option<&Version>,
    now: DateTime<Utc>,
) -> Vec<Explained> {
    let chosen = match choose(manifest, machine, request, now) {
        Choice::Update(update) => Some(*update),
        Choice::UpToDate | Choice::Held(_) | Choice::NotOffered { .. } => None,
    };
    let judge = Judge { manifest, machine, request, minimum, now, chosen: chosen.as_ref() };
    let row = |update: &Update, (verdict, reason): (Verdict, String)| Explained {
        variant: update.variant.clone(),
        arch: update.arch.clone(),
        version: update.version.clone(),
        max_version: update.max_version.clone(),
        verdict,
        reason,
        wave_opens: Rule::Ours.opens_at(&update.waves, machine.seed),
    };
    let mut rows: Vec<_> = manifest.updates.iter().map(|update| row(update, judge.verdict(update))).collect();
    rows.extend(manifest.extensions.paused.iter().map(|paused| {
        let verdict = match judge.is_of_kind(&paused.update) {
            true => (Verdict::Paused, format!("paused since {}", instant(paused.since))),
            false => other_kind(),
        };
        row(&paused.update, verdict)
    }));
    rows.sort_by(|one, other| {
        other
            .version
            .cmp(&one.version)
            .then_with(|| (&one.variant, &one.arch).cmp(&(&other.variant, &other.arch)))
    });
    rows
}

/// What waits in the other set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// Its flavour.
    pub variant: String,
    /// Its architecture.
    pub arch: String,
    /// Its version.
    pub version: Version,
    /// Whether the next boot starts it.
    pub boots_next: bool,
}

/// Adds to the reasons that a version is installed already: whoever reads "chosen" would install it once more. One that
/// nobody offers any more has a row as well: the next boot may start it.
pub fn note_installed(rows: &mut Vec<Explained>, installed: &Installed) {
    let Installed { variant, arch, version, boots_next } = installed;
    let held = |row: &&mut Explained| (&row.variant, &row.arch, &row.version) == (variant, arch, version);
    if let Some(row) = rows.iter_mut().find(held) {
        row.reason.push_str(match boots_next {
            true => "; it is installed, and the next boot starts it",
            false => "; it is installed, and starts once it is applied",
        });
        return;
    }
    let reason = match boots_next {
        true => {
            "the repository does not offer it any more; it is installed, and the next boot starts it unless \
             `updog update-revert` takes that back"
        }
        false => "the repository does not offer it any more; it is installed, and is not applied",
    };
    let at = rows.partition_point(|row| row.version >= *version);
    let row = Explained {
        variant: variant.clone(),
        arch: arch.clone(),
        version: version.clone(),
        max_version: version.clone(),
        verdict: Verdict::NotOffered,
        reason: reason.to_owned(),
        wave_opens: None,
    };
    rows.insert(at, row);
}

struct Judge<'a> {
    manifest: &'a Manifest,
    machine: &'a Machine,
    request: &'a Request,
    minimum: Option<&'a Version>,
    now: DateTime<Utc>,
    chosen: Option<&'a Update>,
}

impl Judge<'_> {
    fn is_of_kind(&self, update: &Update) -> bool {
        update.variant == self.machine.variant && update.arch == self.machine.arch
    }

    fn verdict(&self, update: &Update) -> (Verdict, String) {
        let Self { machine, now, .. } = *self;
        if !self.is_of_kind(update) {
            return other_kind();
        }
        let minimum = self.minimum.filter(|minimum| update.version < **minimum);
        let below = minimum.map(|minimum| {
            (
                Verdict::BelowMinimum,
                format!("nothing below {minimum} may be installed, by the setting updates.minimum-version"),
            )
        });
        if self.chosen == Some(update) {
            return below.unwrap_or_else(|| (Verdict::Chosen, "this host takes it".to_owned()));
        }
        let goes_back = machine.version > update.max_version;
        if update.version == machine.version && !goes_back {
            return (Verdict::Running, "it runs here".to_owned());
        }
        let updater = env!("CARGO_PKG_VERSION").parse::<Version>().expect("cargo takes no other");
        let Machine { variant, arch, version, .. } = machine;
        let barrier = next_barrier(self.manifest, variant, arch, version);
        if let Some(obstacle) = update.obstacle(&updater, barrier) {
            return (Verdict::NotOffered, obstacle.to_string());
        }
        if let Some(below) = below {
            return below;
        }
        if let Some(by) = machine.withheld.update(update) {
            return (Verdict::Withheld, by.to_string());
        }
        if let Some(barred) = choose::bar(machine, update, now) {
            return (Verdict::Held, barred.to_string());
        }
        match &self.request.wanted {
            Wanted::Locked(lock) | Wanted::Image(lock) if *lock != update.version => {
                return (Verdict::Locked, format!("{lock} is asked for, and no other"));
            }
            Wanted::Latest if update.version < machine.version && !goes_back => {
                return (Verdict::Outdated, "a newer one runs here".to_owned());
            }
            Wanted::Latest | Wanted::Locked(_) | Wanted::Image(_) => {}
        }
        match (self.request.waves, update.readiness(machine.seed, now)) {
            (Waves::Respect, Readiness::Waiting { until }) => {
                (Verdict::Waiting, format!("its turn comes at {}", instant(until)))
            }
            (Waves::Ignore, _) | (Waves::Respect, Readiness::Ready) => match self.chosen {
                Some(chosen) => {
                    (Verdict::Candidate, format!("it is open as well, and {} is taken", chosen.version))
                }
                None => (Verdict::Candidate, "it could be taken".to_owned()),
            },
        }
    }
}

#[expect(clippy::ref_option, reason = "the signature that serde asks for")]
fn whole_seconds<S: serde::Serializer>(at: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
    at.map(instant).serialize(serializer)
}

fn other_kind() -> (Verdict, String) {
    (Verdict::OtherKind, "it is for another variant or architecture".to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::TimeDelta;
    use update_metadata::{Paused, Seed};

    use super::*;
    use crate::decide::machine::Barred;
    use crate::testing::{self, v};

    fn hour(hours: i64) -> DateTime<Utc> {
        "2024-06-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::hours(hours)
    }

    fn update(version: &str) -> Update {
        testing::update(version, "1.9.0")
    }

    fn machine() -> Machine {
        Machine {
            seed: Seed::new(0).unwrap(),
            barred: vec![Barred {
                variant: "metal".to_owned(),
                arch: "x86_64".to_owned(),
                version: v("1.5.0"),
                until: None,
                reason: "the kernel panicked".to_owned(),
            }],
            ..testing::machine("1.2.0")
        }
    }

    fn manifest() -> Manifest {
        let versions = ["1.1.0", "1.2.0", "1.3.0", "1.4.0", "1.5.0", "1.6.0", "2.0.0", "3.0.0"];
        let mut manifest = Manifest { updates: versions.map(update).to_vec(), ..Manifest::default() };
        manifest.updates[5].waves = BTreeMap::from([(0, hour(1)), (2048, hour(9))]);
        manifest.updates[7].arch = "aarch64".to_owned();
        manifest.extensions.paused.push(Paused { since: hour(-5), update: update("1.7.0") });
        manifest
    }

    fn told(request: &Request, minimum: Option<&Version>) -> Vec<String> {
        explain(&manifest(), &machine(), request, minimum, hour(0))
            .iter()
            .map(|one| format!("{} {}: {}", one.version, one.verdict.as_str(), one.reason))
            .collect()
    }

    #[test]
    fn every_version_has_a_verdict_and_a_reason() {
        let request = Request { wanted: Wanted::Latest, waves: Waves::Respect };
        assert_eq!(
            told(&request, None),
            [
                "3.0.0 other-kind: it is for another variant or architecture",
                "2.0.0 not-offered: it was taken back: nothing above 1.9.0 may run",
                "1.7.0 paused: paused since 2024-05-31T19:00:00Z",
                "1.6.0 waiting: its turn comes at 2024-06-01T01:00:00Z",
                "1.5.0 held: it is held: the kernel panicked",
                "1.4.0 chosen: this host takes it",
                "1.3.0 candidate: it is open as well, and 1.4.0 is taken",
                "1.2.0 running: it runs here",
                "1.1.0 outdated: a newer one runs here",
            ]
        );
        let rows = explain(&manifest(), &machine(), &request, None, hour(0));
        assert_eq!((rows[3].wave_opens, rows[5].wave_opens), (Some(hour(1)), None));
        for row in rows {
            assert_eq!(serde_json::to_value(row.verdict).unwrap(), row.verdict.as_str());
        }
    }

    #[test]
    fn what_is_installed_already_is_said_of_its_version_alone() {
        let request = Request { wanted: Wanted::Latest, waves: Waves::Respect };
        let mut rows = explain(&manifest(), &machine(), &request, None, hour(0));
        let before = rows.clone();
        let mut installed = Installed {
            variant: "metal".to_owned(),
            arch: "x86_64".to_owned(),
            version: v("1.4.0"),
            boots_next: false,
        };
        note_installed(&mut rows, &installed);
        assert_eq!(rows[5].reason, "this host takes it; it is installed, and starts once it is applied");
        assert!((0..rows.len()).all(|at| at == 5 || rows[at] == before[at]));
        installed.boots_next = true;
        let mut rows = before.clone();
        note_installed(&mut rows, &installed);
        assert_eq!(rows[5].reason, "this host takes it; it is installed, and the next boot starts it");
        // A build of the same version for another variant is another release.
        installed.variant = "cloud".to_owned();
        let mut rows = before.clone();
        note_installed(&mut rows, &installed);
        let new: Vec<&Explained> = rows.iter().filter(|row| !before.contains(row)).collect();
        assert_eq!((rows.len(), new.len()), (before.len() + 1, 1));
        assert_eq!((new[0].variant.as_str(), new[0].verdict), ("cloud", Verdict::NotOffered));
        assert!(new[0].reason.contains("`updog update-revert` takes that back"), "{}", new[0].reason);
        assert!(rows.is_sorted_by(|one, other| one.version >= other.version), "newest first");
    }

    #[test]
    fn a_lock_and_a_minimum_are_reasons_of_their_own() {
        let request = Request { wanted: Wanted::Locked(v("1.3.0")), waves: Waves::Ignore };
        let told = told(&request, Some(&v("1.4.0")));
        assert!(told.contains(&"1.6.0 locked: 1.3.0 is asked for, and no other".to_owned()), "{told:?}");
        assert!(told.iter().any(|line| line.starts_with("1.3.0 below-minimum: ")), "{told:?}");
        assert!(told.iter().any(|line| line.starts_with("1.1.0 below-minimum: ")), "{told:?}");
    }
}
