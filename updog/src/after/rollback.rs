//! Going back by hand to the release in the other set: whether that is possible, and what it changes.
//!
//! Everything is looked at before anything changes, and none of it needs a network: the bits, the set's hash tree, the
//! cached migrations for the way back, the settings that were kept (`docs/design.md`, "Boot").

use host_io::Advise;
use semver::Version;
use serde_json::{Value, json};
use signpost::{Set, SetName, Status};
use thiserror::Error;
use verity::RootHash;

use crate::decide::attempts::Release;
use crate::flip::record::{Entry, Record};

/// What the settings are to be after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Those of today, carried back.
    Carried,
    /// Those that were kept when the other release was left.
    AsKept,
}

/// What becomes of the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settings {
    /// They fit as they are.
    Same,
    /// These migrations carry them, in this order.
    Migrate(Vec<String>),
    /// They are those of the time when the other release was left.
    Snapshot,
}

/// How many settings that differ are named.
const NAMED: usize = 12;

/// A way back that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What runs.
    pub from: Release,
    /// What will run.
    pub to: Entry,
    /// The set that it lies in.
    pub set: SetName,
    /// What becomes of the settings.
    pub settings: Settings,
    /// The settings that are then different from today; `None` where that is not known.
    pub different: Option<Vec<String>>,
    /// What a person should know, a sentence each.
    pub warnings: Vec<String>,
}

/// Why there is no way back. Nothing was changed.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// The disk has one set only.
    #[error("go back: this disk has only one partition set")]
    OneSet,
    /// The other set boots next anyway.
    #[error("go back to set {set}: it boots next already")]
    BootsNext {
        /// The other set.
        set: SetName,
    },
    /// The other set holds no system that would boot.
    #[error("go back to set {set}: it holds no system that would boot")]
    NotBootable {
        /// The other set.
        set: SetName,
    },
    /// The other set holds an update.
    #[error("go back to set {set}: it holds an update that never ran here")]
    NeverRan {
        /// The other set.
        set: SetName,
    },
    /// What the other set holds is not known, so neither is whether the settings fit it.
    #[error(
        "go back to set {set}: which release it holds is not known, as its hash tree is not a recorded one"
    )]
    Unknown {
        /// The other set.
        set: SetName,
    },
    /// The settings cannot be carried back.
    #[error("carry the settings from {from} to {to}: {why}")]
    NoWay {
        /// The running version.
        from: Version,
        /// The version in the other set.
        to: Version,
        /// Why not.
        why: String,
        /// What is kept of the settings of `to`.
        kept: Kept,
    },
    /// Nothing is kept of the other release's settings.
    #[error("bring back the settings that {to} had: none are kept")]
    NoSnapshot {
        /// The version in the other set.
        to: Version,
    },
}

/// Whether settings were kept when a release was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// They were.
    Yes,
    /// They were not, or are gone.
    No,
}

impl Advise for Refused {
    fn help(&self) -> Option<String> {
        Some(
            match self {
                Self::OneSet => "updates in place need two sets of boot, root and hash partitions",
                Self::BootsNext { .. } => "reboot to start it, or take it back with \"updog update-revert\"",
                Self::NotBootable { .. } => "\"updog update --image VERSION\" installs an earlier release, where one is offered",
                Self::NeverRan { .. } => "to start it run \"updog update-apply\"",
                Self::Unknown { .. } => "\"signpost rollback-to-inactive\" goes there all the same, if you know what it holds",
                Self::NoWay { kept: Kept::Yes, .. } => {
                    "\"updog rollback --restore-snapshot\" brings the settings back that were kept; changes made since are not in them"
                }
                Self::NoWay { kept: Kept::No, .. } => {
                    "nothing was changed; \"updog update --image VERSION\" fetches what the way back needs, where it is offered"
                }
                Self::NoSnapshot { .. } => "without --restore-snapshot the settings of today are carried back",
            }
            .to_owned(),
        )
    }

    fn code(&self) -> &'static str {
        match self {
            Self::OneSet
            | Self::BootsNext { .. }
            | Self::NotBootable { .. }
            | Self::NeverRan { .. }
            | Self::Unknown { .. }
            | Self::NoSnapshot { .. } => "disallowed",
            Self::NoWay { .. } => "missing_migration",
        }
    }
}

/// The set and the release that one can go back to, by the boot bits and the record. `root_hash` is the one computed
/// from the other set's HASH partition.
///
/// # Errors
/// When there is none that boots and is known.
pub fn target(
    status: &Status,
    record: &Record,
    root_hash: Option<RootHash>,
) -> Result<(SetName, Entry), Refused> {
    let Set { name: set, bits, .. } = *status.inactive().ok_or(Refused::OneSet)?;
    if status.next == Some(set) {
        return Err(Refused::BootsNext { set });
    }
    if !bits.successful {
        return Err(if bits.tries > 0 { Refused::NeverRan { set } } else { Refused::NotBootable { set } });
    }
    let entry = record.holds(set, root_hash).ok_or(Refused::Unknown { set })?;
    Ok((set, entry.clone()))
}

/// What becomes of the settings. `way` are the migrations from the running version to the other one, or why there are
/// none; `kept` says whether the other release's own settings are there. An unproven boot is given up by going back:
/// what it did to the settings is dropped, as when the host falls back by itself.
///
/// # Errors
/// When the settings can be had neither as wanted nor, for an unproven boot, as they were.
pub fn settings(
    from: &Release,
    to: &Entry,
    proven: Proven,
    wanted: Wanted,
    way: Result<Vec<String>, String>,
    kept: Kept,
) -> Result<Settings, Refused> {
    if from.version == to.version {
        return Ok(Settings::Same);
    }
    match (wanted, proven, kept) {
        (Wanted::AsKept, _, Kept::No) => Err(Refused::NoSnapshot { to: to.version.clone() }),
        (Wanted::AsKept, _, Kept::Yes) | (Wanted::Carried, Proven::No, Kept::Yes) => Ok(Settings::Snapshot),
        (Wanted::Carried, Proven::Yes, _) | (Wanted::Carried, Proven::No, Kept::No) => match way {
            Ok(names) => Ok(Settings::Migrate(names)),
            Err(why) => {
                let (from, to) = (from.version.clone(), to.version.clone());
                Err(Refused::NoWay { from, to, why, kept })
            }
        },
    }
}

/// Whether the running set was ever marked good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proven {
    /// It was.
    Yes,
    /// It was not.
    No,
}

impl Plan {
    /// The plan in fields.
    #[must_use]
    pub fn fields(&self) -> serde_json::Map<String, Value> {
        let (way, migrations) = match &self.settings {
            Settings::Same => ("same", &[][..]),
            Settings::Migrate(names) => ("migrate", names.as_slice()),
            Settings::Snapshot => ("snapshot", &[][..]),
        };
        let Value::Object(fields) = json!({
            "from": { "variant": self.from.variant, "arch": self.from.arch, "version": self.from.version },
            "to": { "variant": self.to.variant, "arch": self.to.arch, "version": self.to.version },
            "settings": { "way": way, "migrations": migrations, "different": self.different },
            "warnings": self.warnings,
        }) else {
            unreachable!("it is written as an object");
        };
        fields
    }

    /// The plan for people.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let Self { from, to, set, settings, different, warnings } = self;
        let mut lines = vec![format!(
            "Boots next: set {set}, {} {}, instead of {}",
            to.variant, to.version, from.version
        )];
        lines.push(match settings {
            Settings::Same => "Settings:   they stay as they are".to_owned(),
            Settings::Snapshot => {
                format!("Settings:   those that {} had when it was left; {}", to.version, told(different))
            }
            Settings::Migrate(names) if names.is_empty() => "Settings:   they stay as they are".to_owned(),
            Settings::Migrate(names) => {
                // The other set may hold the newer release: whoever went back comes forward again.
                let way = if to.version < from.version { "back" } else { "forward" };
                format!("Settings:   carried {way} to {} by {}", to.version, names.join(", then "))
            }
        });
        lines.extend(warnings.iter().map(|warning| format!("Mind:       {warning}")));
        lines
    }
}

/// In what kept settings differ from those of today.
fn told(different: &Option<Vec<String>>) -> String {
    let Some(names) = different else { return "changes made since are not in them".to_owned() };
    let more = names.len().saturating_sub(NAMED);
    let mut named = names[..names.len() - more].join(", ");
    if more > 0 {
        named.push_str(&format!(", and {more} more"));
    }
    match names.len() {
        0 => "they are as today".to_owned(),
        1 => format!("one is different from today: {named}"),
        count => format!("{count} are different from today: {named}"),
    }
}

#[cfg(test)]
mod tests {
    use signpost::BootBits;

    use super::*;
    use crate::testing::{entry, hash, status};

    const RUNS: BootBits = BootBits { priority: 2, tries: 0, successful: true };
    const PROVEN: BootBits = BootBits { priority: 1, tries: 0, successful: true };

    #[test]
    fn only_a_proven_release_that_is_known_can_be_gone_back_to() {
        let record = Record::default().with(SetName::B, entry("1.0.0", hash('1')));
        let to = |inactive, found| {
            target(&status(RUNS, inactive), &record, found).map(|(_, entry)| entry.version.to_string())
        };
        let set = SetName::B;
        assert_eq!(to(Some(PROVEN), Some(hash('1'))), Ok("1.0.0".to_owned()));
        assert_eq!(to(Some(PROVEN), Some(hash('2'))), Err(Refused::Unknown { set }));
        assert_eq!(to(Some(PROVEN), None), Err(Refused::Unknown { set }));
        assert_eq!(to(None, None), Err(Refused::OneSet));
        let bits = |priority, tries| Some(BootBits { priority, tries, successful: false });
        assert_eq!(to(bits(0, 0), Some(hash('1'))), Err(Refused::NotBootable { set }));
        assert_eq!(to(bits(1, 0), Some(hash('1'))), Err(Refused::NotBootable { set }));
        assert_eq!(to(bits(0, 1), Some(hash('1'))), Err(Refused::NeverRan { set }));
        let next = Some(BootBits { priority: 3, ..PROVEN });
        assert_eq!(to(next, Some(hash('1'))), Err(Refused::BootsNext { set }));
    }

    #[test]
    fn a_plan_names_the_direction_and_what_is_different() {
        let told = |from: &str, to: &str, settings, different: Option<&[&str]>| {
            let different = different.map(|names| names.iter().map(ToString::to_string).collect());
            let (from, to) = (Release::from(&entry(from, hash('2'))), entry(to, hash('1')));
            let plan = Plan { from, to, set: SetName::A, settings, different, warnings: Vec::new() };
            plan.lines()[1].clone()
        };
        let carried = || Settings::Migrate(vec!["b".to_owned(), "a".to_owned()]);
        let line = told("1.1.0", "1.0.0", carried(), None);
        assert_eq!(line, "Settings:   carried back to 1.0.0 by b, then a");
        let line = told("1.0.0", "1.1.0", carried(), None);
        assert_eq!(line, "Settings:   carried forward to 1.1.0 by b, then a");
        let kept = |different| told("1.1.0", "1.0.0", Settings::Snapshot, different);
        assert!(kept(None).ends_with("had when it was left; changes made since are not in them"));
        assert!(kept(Some(&[])).ends_with("; they are as today"));
        assert!(kept(Some(&["settings.a"])).ends_with("; one is different from today: settings.a"));
        let many = kept(Some(&["s"; NAMED + 3]));
        assert!(
            many.contains("; 15 are different from today: s, s,") && many.ends_with(", and 3 more"),
            "{many}"
        );
    }

    #[test]
    fn settings_go_back_by_migrations_or_as_they_were_kept() {
        let from = Release::from(&entry("1.1.0", hash('2')));
        let to = entry("1.0.0", hash('1'));
        let ways = || Ok(vec!["b".to_owned(), "a".to_owned()]);
        let judge = |proven, wanted, way, kept| settings(&from, &to, proven, wanted, way, kept);
        let migrate = Ok(Settings::Migrate(vec!["b".to_owned(), "a".to_owned()]));
        assert_eq!(judge(Proven::Yes, Wanted::Carried, ways(), Kept::Yes), migrate);
        assert_eq!(judge(Proven::No, Wanted::Carried, ways(), Kept::No), migrate);
        // What an unproven boot did is dropped.
        assert_eq!(judge(Proven::No, Wanted::Carried, ways(), Kept::Yes), Ok(Settings::Snapshot));
        assert_eq!(judge(Proven::Yes, Wanted::AsKept, Err(String::new()), Kept::Yes), Ok(Settings::Snapshot));
        let none = judge(Proven::Yes, Wanted::AsKept, ways(), Kept::No).unwrap_err();
        assert_eq!(none, Refused::NoSnapshot { to: Version::new(1, 0, 0) });
        let no_way =
            |kept| judge(Proven::Yes, Wanted::Carried, Err("it is gone".to_owned()), kept).unwrap_err();
        assert!(no_way(Kept::Yes).help().unwrap().contains("--restore-snapshot"));
        assert!(!no_way(Kept::No).help().unwrap().contains("--restore-snapshot"));
        assert_eq!(no_way(Kept::No).code(), "missing_migration");
    }

    #[test]
    fn a_failure_is_told_in_these_words() {
        assert_eq!(
            Refused::NoWay {
                from: "1.0.0".parse().unwrap(),
                to: "1.1.0".parse().unwrap(),
                why: "it was recalled".into(),
                kept: Kept::Yes,
            }
            .to_string(),
            "carry the settings from 1.0.0 to 1.1.0: it was recalled"
        );
    }
}
