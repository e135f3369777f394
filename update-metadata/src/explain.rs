//! What a host would make of a manifest, update by update, and why (`docs/compatibility.md`, "Choice").
//!
//! This is the rule for a host that wants the newest version and respects the schedule: nobody asked for a version by
//! name, and none is locked.

use std::cmp::Reverse;
use std::fmt;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use semver::Version;
use serde::Serialize;

use crate::barrier::next_barrier;
use crate::offer::Obstacle;
use crate::waves::Rule;
use crate::{Manifest, Seed, Update};

/// What the rule needs to know of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its variant.
    pub variant: String,
    /// Its architecture.
    pub arch: String,
    /// The version that it runs.
    pub version: Version,
    /// Its place in the fleet.
    pub seed: Seed,
    /// How it reads a manifest.
    pub reader: Reader,
}

/// How a host reads a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reader {
    /// As ours do.
    Ours {
        /// The version of its `updog`.
        updater: Version,
    },
    /// As hosts do that have the older rule for waves and know nothing of barriers and the like.
    Older,
}

/// What a host makes of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation<'a> {
    /// Each update, in the order of the manifest, then those that are paused.
    pub updates: Vec<Explained<'a>>,
    /// The version that the host takes now.
    pub takes: Option<&'a Version>,
    /// Where it takes nothing now, and only the schedule is in the way: what it takes first, and when.
    pub next: Option<(&'a Version, DateTime<Utc>)>,
}

/// What a host makes of an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained<'a> {
    /// The update.
    pub update: &'a Update,
    /// What becomes of it.
    pub verdict: Verdict,
}

/// What becomes of an update. `Display` gives the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// The host takes it.
    Taken,
    /// It could be taken, and a better one is.
    PassedOver {
        /// The better one.
        taken: Version,
    },
    /// The host's turn comes later.
    Held {
        /// When.
        until: DateTime<Utc>,
    },
    /// The host runs it.
    Running,
    /// The host runs a newer one.
    Outdated,
    /// It is for another variant or architecture.
    OtherKind,
    /// It is paused.
    Paused {
        /// Since when.
        since: DateTime<Utc>,
    },
    /// It is not for this host.
    #[serde(untagged)]
    Kept(Obstacle),
}

/// Says of each update of `manifest` what `host` makes of it at the time `now`.
#[must_use]
pub fn explain<'a>(manifest: &'a Manifest, host: &Host, now: DateTime<Utc>) -> Explanation<'a> {
    let barrier = match host.reader {
        Reader::Ours { .. } => next_barrier(manifest, &host.variant, &host.arch, &host.version),
        Reader::Older => None,
    };
    // An update whose turn has come is taken for now; which of them really is can only be said when all are known.
    let judge = |update: &'a Update| Explained { update, verdict: judge(update, host, barrier, now) };
    let mut updates: Vec<_> = manifest.updates.iter().map(judge).collect();
    let is_open = |explained: &&mut Explained<'_>| explained.verdict == Verdict::Taken;
    let mut open: Vec<_> = updates.iter_mut().filter(is_open).collect();
    open.sort_by_key(|explained| Reverse(&explained.update.version));
    let takes = open.first().map(|explained| &explained.update.version);
    if let Some(taken) = takes {
        for explained in &mut open[1..] {
            explained.verdict = Verdict::PassedOver { taken: taken.clone() };
        }
    }
    let next = if takes.is_some() { None } else { first_to_open(&updates) };
    let paused = manifest.extensions.paused.iter();
    updates.extend(paused.filter(|_| matches!(host.reader, Reader::Ours { .. })).map(|paused| {
        let verdict = if is_of_kind(&paused.update, host) {
            Verdict::Paused { since: paused.since }
        } else {
            Verdict::OtherKind
        };
        Explained { update: &paused.update, verdict }
    }));
    Explanation { updates, takes, next }
}

fn judge(update: &Update, host: &Host, barrier: Option<&Version>, now: DateTime<Utc>) -> Verdict {
    if !is_of_kind(update, host) {
        return Verdict::OtherKind;
    }
    let goes_back = host.version > update.max_version;
    if update.version == host.version && !goes_back {
        return Verdict::Running;
    }
    let (obstacle, rule) = match &host.reader {
        Reader::Ours { updater } => (update.obstacle(updater, barrier), Rule::Ours),
        Reader::Older => {
            let max_version = Some(&update.max_version).filter(|max_version| update.version > **max_version);
            (
                max_version.map(|max_version| Obstacle::TakenBack { max_version: max_version.clone() }),
                Rule::Older,
            )
        }
    };
    if let Some(obstacle) = obstacle {
        return Verdict::Kept(obstacle);
    }
    if update.version < host.version && !goes_back {
        return Verdict::Outdated;
    }
    match rule.opens_at(&update.waves, host.seed).filter(|until| now < *until) {
        Some(until) => Verdict::Held { until },
        None => Verdict::Taken,
    }
}

fn is_of_kind(update: &Update, host: &Host) -> bool {
    update.variant == host.variant && update.arch == host.arch
}

/// Of those that wait for their turn the first one, the newest one of several at the same time.
fn first_to_open<'a>(updates: &[Explained<'a>]) -> Option<(&'a Version, DateTime<Utc>)> {
    let held = updates.iter().filter_map(|explained| match explained.verdict {
        Verdict::Held { until } => Some((&explained.update.version, until)),
        _ => None,
    });
    held.min_by_key(|(version, until)| (*until, Reverse(*version)))
}

impl Verdict {
    /// The word for it, the same as in JSON.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::PassedOver { .. } => "passed_over",
            Self::Held { .. } => "held",
            Self::Running => "running",
            Self::Outdated => "outdated",
            Self::OtherKind => "other_kind",
            Self::Paused { .. } => "paused",
            Self::Kept(Obstacle::TakenBack { .. }) => "taken_back",
            Self::Kept(Obstacle::UnsafeName { .. }) => "unsafe_name",
            Self::Kept(Obstacle::Misread { .. }) => "misread",
            Self::Kept(Obstacle::Updater { .. }) => "updater",
            Self::Kept(Obstacle::Barrier { .. }) => "barrier",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken => f.write_str("the newest that is open for this host"),
            Self::PassedOver { taken } => write!(f, "open as well, and {taken} is newer"),
            Self::Held { until } => write!(f, "its turn comes at {}", instant(*until)),
            Self::Running => f.write_str("it runs here"),
            Self::Outdated => f.write_str("a newer one runs here"),
            Self::OtherKind => f.write_str("it is for another variant or architecture"),
            Self::Paused { since } => write!(f, "paused since {}", instant(*since)),
            Self::Kept(obstacle) => obstacle.fmt(f),
        }
    }
}

/// A time in whole seconds, rounded up: at the time that is said, it is so.
#[must_use]
pub fn instant(at: DateTime<Utc>) -> String {
    let up = at.checked_add_signed(TimeDelta::nanoseconds(999_999_999)).unwrap_or(at);
    up.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::{Paused, testing};

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    fn hour(hours: i64) -> DateTime<Utc> {
        "2026-02-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::hours(hours)
    }

    fn update(version: &str) -> Update {
        testing::update(version, "1.9.0")
    }

    fn host(running: &str, reader: Reader) -> Host {
        Host {
            variant: "demo".to_owned(),
            arch: "x86_64".to_owned(),
            version: version(running),
            seed: Seed::new(1500).unwrap(),
            reader,
        }
    }

    fn ours(running: &str) -> Host {
        host(running, Reader::Ours { updater: version("0.3.0") })
    }

    /// The verdicts in short, `VERSION word`.
    fn words(manifest: &Manifest, host: &Host) -> Vec<String> {
        let explained = explain(manifest, host, hour(0)).updates;
        explained.iter().map(|one| format!("{} {}", one.update.version, one.verdict.word())).collect()
    }

    fn manifest(updates: Vec<Update>) -> Manifest {
        Manifest { updates, ..Manifest::default() }
    }

    /// An update for each verdict that a host on 1.2.0 can come to.
    fn of_every_kind() -> Manifest {
        let mut manifest = manifest(
            [
                "1.1.0", "1.2.0", "1.3.0", "1.4.0", "1.5.0", "1.6.0", "1.7.0", "1.8.0", "1.9.0", "2.0.0",
                "3.0.0",
            ]
            .map(update)
            .to_vec(),
        );
        let updates = &mut manifest.updates;
        updates[4].waves = BTreeMap::from([(0, hour(1)), (2048, hour(2049))]);
        updates[5].images.root = "../r".to_owned();
        updates[6].extensions.min_updater = Some(version("0.4.0"));
        updates[7].extensions.barrier = true;
        updates[10].arch = "aarch64".to_owned();
        updates[3].extensions = json!({"min_updater": 4}).into();
        let paused = Paused { since: hour(-5), update: update("1.8.5") };
        manifest.extensions.paused.push(paused);
        manifest
    }

    #[test]
    fn every_update_has_a_verdict_and_a_reason() {
        let manifest = of_every_kind();
        let explanation = explain(&manifest, &ours("1.2.0"), hour(0));
        let told: Vec<_> = explanation
            .updates
            .iter()
            .map(|one| format!("{} {}: {}", one.update.version, one.verdict.word(), one.verdict))
            .collect();
        assert_eq!(
            told,
            [
                "1.1.0 outdated: a newer one runs here",
                "1.2.0 running: it runs here",
                "1.3.0 passed_over: open as well, and 1.8.0 is newer",
                "1.4.0 misread: its field \"min_updater\" cannot be read",
                "1.5.0 held: its turn comes at 2026-04-04T13:00:00Z",
                "1.6.0 unsafe_name: it names the target \"../r\", with characters that no target name may have",
                "1.7.0 updater: it needs updog 0.4.0 or newer",
                "1.8.0 taken: the newest that is open for this host",
                "1.9.0 barrier: 1.8.0 has to run first",
                "2.0.0 taken_back: it was taken back: nothing above 1.9.0 may run",
                "3.0.0 other_kind: it is for another variant or architecture",
                "1.8.5 paused: paused since 2026-01-31T19:00:00Z",
            ]
        );
        assert_eq!((explanation.takes, explanation.next), (Some(&version("1.8.0")), None));
    }

    #[test]
    fn older_hosts_know_neither_barriers_nor_our_other_fields() {
        let manifest = of_every_kind();
        let explanation = explain(&manifest, &host("1.2.0", Reader::Older), hour(0));
        assert_eq!(explanation.takes, Some(&version("1.9.0")));
        assert_eq!(explanation.updates.len(), 11);
        let mut late = manifest.clone();
        late.updates = vec![update("1.5.0")];
        late.updates[0].waves = BTreeMap::from([(0, hour(1)), (1024, hour(11)), (2048, hour(21))]);
        let next = |reader| explain(&late, &host("1.2.0", reader), hour(0)).next.map(|(_, at)| at);
        assert_eq!(next(Reader::Older), Some(hour(21)));
        assert!(next(Reader::Ours { updater: version("1.0.0") }) < Some(hour(16)));
    }

    #[test]
    fn a_host_that_runs_a_release_which_was_taken_back_goes_back() {
        let manifest = manifest(vec![update("1.7.0"), update("1.8.0"), update("2.0.0")]);
        let explained = words(&manifest, &ours("2.0.0"));
        assert_eq!(explained, ["1.7.0 passed_over", "1.8.0 taken", "2.0.0 taken_back"]);
    }

    #[test]
    fn where_only_the_schedule_is_in_the_way_the_first_turn_is_named() {
        let mut manifest = manifest(vec![update("1.3.0"), update("1.4.0"), update("1.5.0")]);
        for (update, at) in manifest.updates.iter_mut().zip([9, 5, 5]) {
            update.waves = BTreeMap::from([(0, hour(at))]);
        }
        let explanation = explain(&manifest, &ours("1.2.0"), hour(0));
        assert_eq!((explanation.takes, explanation.next), (None, Some((&version("1.5.0"), hour(5)))));
        assert_eq!(explain(&manifest, &ours("1.2.0"), hour(5)).takes, Some(&version("1.5.0")));
    }

    #[test]
    fn a_barrier_that_waits_for_its_turn_holds_what_is_above_it() {
        let mut manifest = manifest(vec![update("1.5.0"), update("1.9.0")]);
        manifest.updates[0].extensions.barrier = true;
        manifest.updates[0].waves = BTreeMap::from([(0, hour(1))]);
        assert_eq!(words(&manifest, &ours("1.2.0")), ["1.5.0 held", "1.9.0 barrier"]);
        assert_eq!(words(&manifest, &ours("1.5.0")), ["1.5.0 running", "1.9.0 taken"]);
    }

    #[test]
    fn the_word_is_the_one_of_json() {
        let manifest = of_every_kind();
        for one in explain(&manifest, &ours("1.2.0"), hour(0)).updates {
            let json = serde_json::to_value(&one.verdict).unwrap();
            assert_eq!(json["verdict"], one.verdict.word());
        }
    }
}
