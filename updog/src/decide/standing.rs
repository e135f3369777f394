//! Whether a release that was chosen once still stands: rules over values.
//!
//! Days may pass between being installed, being activated and being booted, and in them a release may be taken back or
//! paused, and the settings of the host may change. What the rule chose stands as long as the rule would let it; what a
//! person chose by name loses only to a recall and to the minimum version; and who insists after being told has the last
//! word (`docs/compatibility.md`, "Update states").

mod against;

pub use against::{Against, ChosenBy, Kind};

use semver::Version;
use serde::{Deserialize, Serialize};
use update_metadata::explain::instant;
use update_metadata::offer::Obstacle;
use update_metadata::{Manifest, Update};

use crate::config::VersionLock;
use crate::decide::choice::Wanted;
use crate::decide::choose;
use crate::decide::machine::{Barred, Machine};
use crate::flip::record::Entry;

/// How this host takes updates, as far as it concerns what was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// The version lock.
    pub locked_to: Option<Version>,
    /// The minimum version.
    pub minimum: Option<Version>,
}

impl Rules {
    /// What a configuration says.
    #[must_use]
    pub fn of(version_lock: &VersionLock, minimum: Option<&Version>) -> Self {
        let locked_to = match version_lock {
            VersionLock::Latest => None,
            VersionLock::At(version) => Some(version.clone()),
        };
        Self { locked_to, minimum: minimum.cloned() }
    }
}

/// What speaks against `entry`, from this host alone. `running` is the running version, `barred` what it does not take.
/// Which barriers lie on the way to a locked version is not known here; all that lies on the way is let pass.
#[must_use]
pub fn here(entry: &Entry, running: &Version, rules: &Rules, barred: &[Barred]) -> Option<Against> {
    // What follows from this host is looked at as it is now.
    let of_the_repository = |told: &Against| match told.kind {
        Kind::Recalled
        | Kind::Removed
        | Kind::Paused
        | Kind::Withheld
        | Kind::NotForThisHost
        | Kind::Other => true,
        // And what was not known is asked for once more.
        Kind::BelowMinimum | Kind::Held | Kind::Locked | Kind::HoldsUnknown => false,
    };
    let told = || entry.against.clone().filter(of_the_repository);
    let locked = |lock: &&Version| {
        let on_the_way = running < &entry.version && entry.version <= **lock;
        entry.version != **lock && !on_the_way
    };
    let all = [
        below_minimum(entry, rules),
        told(),
        held(entry, barred),
        rules.locked_to.as_ref().filter(locked).map(locked_to),
    ];
    all.into_iter().flatten().find(|against| counts(entry, against.kind))
}

/// What speaks against `entry`, now that the repository was asked.
#[must_use]
pub fn offered(entry: &Entry, manifest: &Manifest, machine: &Machine, rules: &Rules) -> Option<Against> {
    let all = [
        below_minimum(entry, rules),
        by_manifest(entry, manifest, machine),
        withheld(entry, machine),
        held(entry, &machine.barred),
        unwanted(entry, manifest, machine, rules),
    ];
    all.into_iter().flatten().find(|against| counts(entry, against.kind))
}

/// Whether a reason counts against what was chosen as `entry` was.
fn counts(entry: &Entry, kind: Kind) -> bool {
    let may = match entry.chosen_by {
        ChosenBy::Rule => true,
        // A recall where hosts have a newer release to go to leaves no trace but that the release is gone.
        ChosenBy::Person => matches!(kind, Kind::Recalled | Kind::Removed | Kind::BelowMinimum),
    };
    // A recall turns into a removal when a newer release appears.
    let gone = |kind: Kind| matches!(kind, Kind::Recalled | Kind::Removed);
    may && !entry.insisted.iter().any(|insisted| *insisted == kind || (gone(*insisted) && gone(kind)))
}

fn below_minimum(entry: &Entry, rules: &Rules) -> Option<Against> {
    let minimum = rules.minimum.as_ref().filter(|minimum| entry.version < **minimum)?;
    Some(Against { kind: Kind::BelowMinimum, why: format!("it is below the minimum version {minimum}") })
}

fn held(entry: &Entry, barred: &[Barred]) -> Option<Against> {
    let same = |barred: &&Barred| {
        barred.version == entry.version && barred.variant == entry.variant && barred.arch == entry.arch
    };
    Some(Against { kind: Kind::Held, why: barred.iter().find(same)?.to_string() })
}

/// A hold that was told stays as long as it may be among what cannot be read now.
fn withheld(entry: &Entry, machine: &Machine) -> Option<Against> {
    let known = machine.withheld.entry(entry);
    let told =
        || entry.against.clone().filter(|told| machine.withheld.in_part && told.kind == Kind::Withheld);
    known.map(|by| Against { kind: Kind::Withheld, why: by.to_string() }).or_else(told)
}

/// What speaks against `entry`, where nothing that is known does and a role for holds cannot be read. `why` completes
/// "failed to".
#[must_use]
pub fn unknown(entry: &Entry, why: &str) -> Option<Against> {
    let why = format!("nobody knows whether it is withheld: failed to {why}");
    Some(Against { kind: Kind::HoldsUnknown, why }).filter(|against| counts(entry, against.kind))
}

fn locked_to(lock: &Version) -> Against {
    Against { kind: Kind::Locked, why: format!("the version lock of this host is {lock}") }
}

fn find<'a>(entry: &Entry, mut updates: impl Iterator<Item = &'a Update>) -> Option<&'a Update> {
    updates.find(|update| {
        update.variant == entry.variant && update.arch == entry.arch && update.version == entry.version
    })
}

fn by_manifest(entry: &Entry, manifest: &Manifest, machine: &Machine) -> Option<Against> {
    let against = |kind, why: String| Some(Against { kind, why });
    let Some(update) = find(entry, manifest.updates.iter()) else {
        let paused = &manifest.extensions.paused;
        return match paused.iter().find(|paused| find(entry, std::iter::once(&paused.update)).is_some()) {
            Some(paused) => against(Kind::Paused, format!("it is paused since {}", instant(paused.since))),
            None => match recalled(entry, manifest) {
                Some(max_version) => against(Kind::Recalled, taken_back(max_version)),
                None => against(Kind::Removed, "the repository does not have it any more".to_owned()),
            },
        };
    };
    match choose::obstacle(manifest, machine, update)? {
        Obstacle::TakenBack { max_version } => against(Kind::Recalled, taken_back(&max_version)),
        other => against(Kind::NotForThisHost, other.to_string()),
    }
}

fn taken_back(max_version: &Version) -> String {
    format!("it was taken back, and nothing above {max_version} may run")
}

/// The newest version that may run, where that is below what is gone.
fn recalled<'a>(entry: &Entry, manifest: &'a Manifest) -> Option<&'a Version> {
    let siblings = manifest.updates.iter();
    let siblings = siblings.filter(|update| update.variant == entry.variant && update.arch == entry.arch);
    siblings.map(|update| &update.max_version).max().filter(|newest| **newest < entry.version)
}

fn unwanted(entry: &Entry, manifest: &Manifest, machine: &Machine, rules: &Rules) -> Option<Against> {
    let update = find(entry, manifest.updates.iter())?;
    let wanted = rules.locked_to.clone().map_or(Wanted::Latest, Wanted::Locked);
    if choose::is_wanted(manifest, machine, &wanted, update) {
        return None;
    }
    Some(match &rules.locked_to {
        Some(lock) => locked_to(lock),
        None => Against {
            kind: Kind::NotForThisHost,
            why: format!("{} runs here, and it is no newer", machine.version),
        },
    })
}

/// Whether `kind` of `entry` may be insisted on: it was told before.
#[must_use]
pub fn was_told(entry: &Entry, kind: Kind) -> bool {
    entry.against.as_ref().is_some_and(|told| told.kind == kind)
}

/// A moment at which a release was judged: what would have to change for another judgement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// The digest of the manifest.
    pub manifest_sha256: String,
    /// The settings.
    pub rules: Rules,
    /// The releases that were held.
    pub held: Vec<Version>,
    /// The digests of the files of holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<String>,
    /// Whether there may have been more of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub holds_in_part: bool,
}

impl Judged {
    /// The moment of now.
    #[must_use]
    pub fn new(manifest_sha256: String, rules: Rules, machine: &Machine) -> Self {
        let held = machine.barred.iter().map(|barred| barred.version.clone()).collect();
        let (holds, holds_in_part) = (machine.withheld.files().to_vec(), machine.withheld.in_part);
        Self { manifest_sha256, rules, held, holds, holds_in_part }
    }
}

#[cfg(test)]
mod tests {
    use update_metadata::Paused;

    use super::*;
    use crate::testing::{self, entry, hash, update, v};

    fn machine(barred: Vec<Barred>) -> Machine {
        Machine { barred, ..testing::machine("1.0.0") }
    }

    fn rules(locked_to: Option<&str>, minimum: Option<&str>) -> Rules {
        Rules { locked_to: locked_to.map(v), minimum: minimum.map(v) }
    }

    fn barred() -> Vec<Barred> {
        vec![Barred {
            variant: "metal".to_owned(),
            arch: "x86_64".to_owned(),
            version: v("1.1.0"),
            until: None,
            reason: "why".to_owned(),
        }]
    }

    #[test]
    fn the_table_of_what_speaks_against_what_was_chosen() {
        let offered_now = Manifest { updates: vec![update("1.1.0", "1.2.0")], ..Manifest::default() };
        let recalled = Manifest { updates: vec![update("1.1.0", "1.0.0")], ..Manifest::default() };
        let gone = Manifest { updates: vec![update("1.0.0", "1.0.0")], ..Manifest::default() };
        let mut paused = Manifest::default();
        let since = "2024-06-01T00:00:00Z".parse().unwrap();
        paused.extensions.paused.push(Paused { since, update: update("1.1.0", "1.1.0") });
        let open = || rules(None, None);
        // (what is offered, rules, what is held; against the rule's choice, against a person's)
        let rows = [
            (&offered_now, open(), vec![], None, None),
            (&recalled, open(), vec![], Some(Kind::Recalled), Some(Kind::Recalled)),
            (&paused, open(), vec![], Some(Kind::Paused), None),
            (&Manifest::default(), open(), vec![], Some(Kind::Removed), Some(Kind::Removed)),
            (&gone, open(), vec![], Some(Kind::Recalled), Some(Kind::Recalled)),
            (&offered_now, rules(Some("1.0.0"), None), vec![], Some(Kind::Locked), None),
            (&offered_now, rules(Some("1.2.0"), None), vec![], Some(Kind::Locked), None),
            (&offered_now, rules(Some("1.1.0"), None), vec![], None, None),
            (
                &offered_now,
                rules(None, Some("1.1.1")),
                vec![],
                Some(Kind::BelowMinimum),
                Some(Kind::BelowMinimum),
            ),
            (&offered_now, open(), barred(), Some(Kind::Held), None),
        ];
        for (manifest, rules, barred, rule, person) in rows {
            let staged = entry("1.1.0", hash('1'));
            let kind = |entry: &Entry| {
                offered(entry, manifest, &machine(barred.clone()), &rules).map(|against| against.kind)
            };
            assert_eq!(kind(&staged), rule, "{rules:?}");
            let by_name = Entry { chosen_by: ChosenBy::Person, ..staged.clone() };
            assert_eq!(kind(&by_name), person, "{rules:?}");
            let insisted = Entry { insisted: rule.into_iter().collect(), ..staged };
            assert_eq!(kind(&insisted), None, "{rules:?}");
        }
    }

    #[test]
    fn without_a_repository_only_what_is_certain_speaks_against_it() {
        let staged = entry("1.1.0", hash('1'));
        let kind = |lock, entry: &Entry| {
            here(entry, &v("1.0.0"), &rules(lock, None), &[]).map(|against| against.kind)
        };
        assert_eq!(kind(None, &staged), None);
        assert_eq!(kind(Some("1.0.0"), &staged), Some(Kind::Locked));
        assert_eq!(kind(Some("0.9.0"), &staged), Some(Kind::Locked));
        assert_eq!(kind(Some("1.2.0"), &staged), None, "it may be a barrier on the way");
        let down = entry("0.9.0", hash('1'));
        assert_eq!(kind(Some("0.9.0"), &down), None);
        assert_eq!(kind(Some("0.8.0"), &down), Some(Kind::Locked));
        // What the repository said once is not forgotten when it is gone.
        let against = Some(Against { kind: Kind::Recalled, why: "why".to_owned() });
        assert_eq!(kind(None, &Entry { against, ..staged }), Some(Kind::Recalled));
    }

    #[test]
    fn records_of_older_and_newer_programs_are_read() {
        let older = serde_json::json!({
            "variant": "metal", "arch": "x86_64", "version": "1.1.0", "root_hash": hash('1').to_string(),
            "recorded": "2024-06-01T00:00:00Z",
        });
        let read: Entry = serde_json::from_value(older.clone()).unwrap();
        assert_eq!(read, entry("1.1.0", hash('1')));
        assert_eq!(serde_json::to_value(&read).unwrap(), older, "and written as they know it");
        let mut newer = older;
        newer["chosen_by"] = "oracle".into();
        newer["against"] = serde_json::json!({"kind": "omen", "why": "the stars"});
        let read: Entry = serde_json::from_value(newer).unwrap();
        assert_eq!((read.chosen_by, read.against.unwrap().kind), (ChosenBy::Rule, Kind::Other));
    }
}
