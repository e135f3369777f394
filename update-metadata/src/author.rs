//! Changes to a manifest, each a function from manifest to manifest.
//!
//! Writing is strict where reading is lenient: what is refused here can still be read. A change that is refused leaves
//! nothing half changed, for the new manifest is never made.
//!
//! - `withdraw`: taking an update from the list, for a while or for good

mod withdraw;

use std::fmt;

use chrono::{DateTime, Utc};
use semver::Version;
use thiserror::Error;

pub use self::withdraw::{goes_back_to, pause, recall, resume};
use crate::edge::Edge;
use crate::pace::Pace;
use crate::policy::BeyondTheCalendar;
use crate::{Manifest, ReleaseConfig, Update, WavePolicy, safe_target_name};

/// Which updates of a manifest are meant. All three must be equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    /// The variant.
    pub variant: String,
    /// The architecture.
    pub arch: String,
    /// The version, build metadata included.
    pub version: Version,
}

/// Why a change to a manifest was refused.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthorError {
    /// No update is meant.
    #[error("find {0} in the manifest")]
    NoMatch(Selector),
    /// No update that is meant is paused.
    #[error("find {0} among the paused updates")]
    NotPaused(Selector),
    /// The same update is on offer already.
    #[error("offer {0}: the manifest has it already")]
    Twice(Selector),
    /// The manifest has no update at all.
    #[error("find any update in the manifest")]
    Empty,
    /// The waves of an update would not open one after another.
    #[error("set the waves: those of {update} would not start one after another, wave {bound} is too early")]
    Unordered {
        /// The update; not necessarily one that was to be changed.
        update: Selector,
        /// The bound of the wave that does not start after the one before it.
        bound: u32,
    },
    /// A wave would start beyond the calendar.
    #[error("set the waves")]
    Date(#[from] BeyondTheCalendar),
    /// A step that does not lead to a newer version is never followed.
    #[error("add the migration step {0}: it does not lead to a newer version")]
    NotUpward(Edge),
    /// A step is there already, with other migrations.
    #[error("add the migration step {0}: the manifest has it with other migrations")]
    Conflict(Edge),
    /// A name that hosts refuse to use.
    #[error("add the migration step {edge}: {name:?} is not a safe target name")]
    UnsafeName {
        /// The step.
        edge: Edge,
        /// The name.
        name: String,
    },
}

impl Selector {
    /// Whether `update` is meant.
    #[must_use]
    pub fn matches(&self, update: &Update) -> bool {
        self.variant == update.variant && self.arch == update.arch && self.version == update.version
    }

    /// How many updates of `manifest` are meant. More than one is a mistake in the manifest.
    #[must_use]
    pub fn count(&self, manifest: &Manifest) -> usize {
        manifest.updates.iter().filter(|update| self.matches(update)).count()
    }

    /// Whether an update is meant that is on offer or paused.
    #[must_use]
    pub fn is_known(&self, manifest: &Manifest) -> bool {
        let paused = manifest.extensions.paused.iter().map(|paused| &paused.update);
        manifest.updates.iter().chain(paused).any(|update| self.matches(update))
    }

    /// What selects `update`.
    #[must_use]
    pub fn of(update: &Update) -> Self {
        Self { variant: update.variant.clone(), arch: update.arch.clone(), version: update.version.clone() }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.variant, self.arch, self.version)
    }
}

/// The `max_version` of a new update where none is given: the highest that its own variant and architecture have, and
/// at least its own version.
#[must_use]
pub fn default_max_version(manifest: &Manifest, variant: &str, arch: &str, version: &Version) -> Version {
    let siblings = manifest.updates.iter().filter(|update| update.variant == variant && update.arch == arch);
    siblings.map(|update| &update.max_version).chain([version]).max().unwrap_or(version).clone()
}

/// Adds `update` at the end. Its `max_version` becomes that of all updates of its variant and architecture, also where
/// that lowers it.
#[must_use]
pub fn add_update(mut manifest: Manifest, update: Update) -> Manifest {
    for sibling in &mut manifest.updates {
        if sibling.variant == update.variant && sibling.arch == update.arch {
            sibling.max_version.clone_from(&update.max_version);
        }
    }
    manifest.updates.push(update);
    manifest
}

/// Removes the updates that are meant, paused or not. The `max_version` of the others stays as it is.
///
/// # Errors
/// [`AuthorError::NoMatch`] when there is none.
pub fn remove_update(mut manifest: Manifest, selector: &Selector) -> Result<Manifest, AuthorError> {
    if !selector.is_known(&manifest) {
        return Err(AuthorError::NoMatch(selector.clone()));
    }
    manifest.updates.retain(|update| !selector.matches(update));
    manifest.extensions.paused.retain(|paused| !selector.matches(&paused.update));
    Ok(manifest)
}

/// Gives the updates that are meant the waves of `policy`, counted from `start`, as they stand in the policy; their old
/// ones go away.
///
/// # Errors
/// As [`set_paced_waves`].
pub fn set_waves(
    manifest: Manifest,
    selector: &Selector,
    policy: &WavePolicy,
    start: DateTime<Utc>,
) -> Result<Manifest, AuthorError> {
    set_paced_waves(manifest, selector, policy, Pace::PLAIN, start)
}

/// Gives the updates that are meant the waves of `policy`, counted from `start` and written as `pace` says; their old
/// ones go away.
///
/// # Errors
/// When no update is meant, when a wave would lie beyond the calendar, and when any update of the manifest would have
/// waves that do not start one after another.
pub fn set_paced_waves(
    mut manifest: Manifest,
    selector: &Selector,
    policy: &WavePolicy,
    pace: Pace,
    start: DateTime<Utc>,
) -> Result<Manifest, AuthorError> {
    if selector.count(&manifest) == 0 {
        return Err(AuthorError::NoMatch(selector.clone()));
    }
    let schedule = pace.apply(&policy.schedule(start)?)?;
    for update in manifest.updates.iter_mut().filter(|update| selector.matches(update)) {
        update.waves.clone_from(&schedule);
    }
    for update in &manifest.updates {
        if let Some(bound) = first_unordered(update) {
            return Err(AuthorError::Unordered { update: Selector::of(update), bound });
        }
    }
    Ok(manifest)
}

/// The first wave of `update` that does not start after the one before it.
pub(crate) fn first_unordered(update: &Update) -> Option<u32> {
    let mut pairs = update.waves.iter().zip(update.waves.iter().skip(1));
    pairs.find(|((_, date), (_, next))| date >= next).map(|(_, (bound, _))| *bound)
}

/// Sets the `max_version` of all updates, whatever their variant and architecture.
///
/// # Errors
/// [`AuthorError::Empty`] when there is none.
pub fn set_max_version(mut manifest: Manifest, max_version: &Version) -> Result<Manifest, AuthorError> {
    if manifest.updates.is_empty() {
        return Err(AuthorError::Empty);
    }
    for update in &mut manifest.updates {
        update.max_version.clone_from(max_version);
    }
    Ok(manifest)
}

/// Adds the migrations of a release. Steps that the manifest has and the release has not are kept.
///
/// # Errors
/// When a step of the release does not lead to a newer version, names something unsafe, or is in the manifest with
/// other migrations.
pub fn merge_migrations(mut manifest: Manifest, release: &ReleaseConfig) -> Result<Manifest, AuthorError> {
    check_steps(release)?;
    for ((from, to), names) in &release.migrations {
        let step = manifest.migrations.entry((from.clone(), to.clone())).or_insert_with(|| names.clone());
        if step != names {
            return Err(AuthorError::Conflict(Edge { from: from.clone(), to: to.clone() }));
        }
    }
    Ok(manifest)
}

/// Replaces all migrations by those of a release. Hosts that need a step which the release no longer has cannot update
/// any more; see [`dropped_steps`].
///
/// # Errors
/// When a step of the release does not lead to a newer version or names something unsafe.
pub fn replace_migrations(mut manifest: Manifest, release: &ReleaseConfig) -> Result<Manifest, AuthorError> {
    check_steps(release)?;
    manifest.migrations.clone_from(&release.migrations);
    Ok(manifest)
}

/// The steps that `manifest` has and `release` has not.
#[must_use]
pub fn dropped_steps(manifest: &Manifest, release: &ReleaseConfig) -> Vec<Edge> {
    let steps = manifest.migrations.keys().filter(|step| !release.migrations.contains_key(step));
    steps.map(|(from, to)| Edge { from: from.clone(), to: to.clone() }).collect()
}

fn check_steps(release: &ReleaseConfig) -> Result<(), AuthorError> {
    for ((from, to), names) in &release.migrations {
        let edge = Edge { from: from.clone(), to: to.clone() };
        if !edge.is_upward() {
            return Err(AuthorError::NotUpward(edge));
        }
        if let Some(name) = names.iter().find(|name| !safe_target_name(name)) {
            return Err(AuthorError::UnsafeName { edge, name: name.clone() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::testing::update_of;

    fn manifest() -> Manifest {
        [update_of("a", "1.0.0", "1.1.0"), update_of("b", "3.0.0", "9.0.0"), update_of("a", "1.1.0", "1.1.0")]
            .into_iter()
            .fold(Manifest::default(), add_update)
    }

    fn selector(variant: &str, version: &str) -> Selector {
        Selector::of(&update_of(variant, version, version))
    }

    fn max_versions(manifest: &Manifest) -> Vec<String> {
        manifest.updates.iter().map(|update| update.max_version.to_string()).collect()
    }

    fn policy(text: &str) -> WavePolicy {
        WavePolicy::parse(text).unwrap()
    }

    fn release(text: &str) -> ReleaseConfig {
        ReleaseConfig::parse(&format!("version = '1.2.0'\n[migrations]\n{text}")).unwrap()
    }

    fn noon() -> DateTime<Utc> {
        "2020-01-01T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn an_added_update_sets_the_maximum_of_its_own_kind_only() {
        let manifest = add_update(manifest(), update_of("a", "1.2.0", "1.2.0"));
        assert_eq!(max_versions(&manifest), ["1.2.0", "9.0.0", "1.2.0", "1.2.0"]);
        let lowered = add_update(manifest, update_of("a", "1.3.0", "1.0.0"));
        assert_eq!(max_versions(&lowered), ["1.0.0", "9.0.0", "1.0.0", "1.0.0", "1.0.0"]);
    }

    #[test]
    fn the_default_maximum_does_not_come_from_another_variant() {
        let default = |variant, version: &str| {
            default_max_version(&manifest(), variant, "x86_64", &version.parse().unwrap()).to_string()
        };
        assert_eq!(default("a", "1.0.5"), "1.1.0");
        assert_eq!(default("a", "1.2.0"), "1.2.0");
        assert_eq!(default("c", "0.1.0"), "0.1.0");
    }

    #[test]
    fn a_removed_update_is_gone_and_nothing_to_remove_is_an_error() {
        let removed = remove_update(manifest(), &selector("a", "1.0.0")).unwrap();
        assert_eq!(removed.updates.len(), 2);
        assert_eq!(selector("a", "1.0.0").count(&removed), 0);
        let again = remove_update(removed, &selector("a", "1.0.0"));
        assert_eq!(again, Err(AuthorError::NoMatch(selector("a", "1.0.0"))));
    }

    #[test]
    fn the_maximum_of_all_updates_is_set() {
        let manifest = set_max_version(manifest(), &Version::new(1, 0, 0)).unwrap();
        assert_eq!(max_versions(&manifest), ["1.0.0"; 3]);
        assert_eq!(set_max_version(Manifest::default(), &Version::new(1, 0, 0)), Err(AuthorError::Empty));
    }

    #[test]
    fn waves_are_set_replaced_and_cleared() {
        let plan = policy(
            "waves = [{start_after = '1 hour', fleet_percentage = 5}, {start_after = '1 day', fleet_percentage = 100}]",
        );
        let at = |manifest: &Manifest| manifest.updates[2].waves.keys().copied().collect::<Vec<_>>();
        let set = set_waves(manifest(), &selector("a", "1.1.0"), &plan, noon()).unwrap();
        assert_eq!(at(&set), [0, 102]);
        assert!(set.updates[0].waves.is_empty() && set.updates[1].waves.is_empty());
        let one = policy("waves = [{start_after = '1 hour', fleet_percentage = 100}]");
        let replaced = set_waves(set, &selector("a", "1.1.0"), &one, noon()).unwrap();
        assert_eq!(at(&replaced), [0]);
        let cleared = set_waves(replaced, &selector("a", "1.1.0"), &WavePolicy::default(), noon()).unwrap();
        assert_eq!(cleared, manifest());
    }

    #[test]
    fn waves_that_do_not_start_one_after_another_are_refused() {
        for text in [
            "waves = [{start_after='1 hour', fleet_percentage=50}, {start_after='2 hours', fleet_percentage=10}, \
             {start_after='3 hours', fleet_percentage=100}]",
            "waves = [{start_after='1 hour', fleet_percentage=5}, {start_after='1 hour', fleet_percentage=100}]",
        ] {
            let refused = set_waves(manifest(), &selector("a", "1.1.0"), &policy(text), noon());
            assert!(matches!(refused, Err(AuthorError::Unordered { .. })), "{refused:?}");
        }
    }

    #[test]
    fn waves_of_another_update_that_are_out_of_order_are_seen_too() {
        let mut manifest = manifest();
        manifest.updates[1].waves = BTreeMap::from([(0, noon()), (5, noon())]);
        let refused = set_waves(manifest, &selector("a", "1.1.0"), &WavePolicy::default(), noon());
        assert_eq!(refused, Err(AuthorError::Unordered { update: selector("b", "3.0.0"), bound: 5 }));
    }

    #[test]
    fn waves_for_nobody_and_waves_beyond_the_calendar_are_refused() {
        let refused = set_waves(manifest(), &selector("a", "9.9.9"), &WavePolicy::default(), noon());
        assert_eq!(refused, Err(AuthorError::NoMatch(selector("a", "9.9.9"))));
        let never = policy("waves = [{start_after = '4294967295 weeks', fleet_percentage = 1}]");
        let refused = set_waves(manifest(), &selector("a", "1.1.0"), &never, noon());
        assert!(matches!(refused, Err(AuthorError::Date(_))));
    }

    #[test]
    fn merged_migrations_keep_what_the_release_does_not_know() {
        let first = merge_migrations(manifest(), &release("'(1.0.0, 1.1.0)' = ['a']")).unwrap();
        let both = merge_migrations(first.clone(), &release("'(1.1.0, 1.2.0)' = ['b']")).unwrap();
        assert_eq!(both.migrations.len(), 2);
        assert_eq!(merge_migrations(both.clone(), &release("'(1.0.0, 1.1.0)' = ['a']")), Ok(both.clone()));
        let conflict = merge_migrations(both, &release("'(1.0.0, 1.1.0)' = ['other']"));
        assert!(matches!(conflict, Err(AuthorError::Conflict(_))));
        assert_eq!(dropped_steps(&first, &release("'(1.1.0, 1.2.0)' = ['b']")).len(), 1);
        let replaced = replace_migrations(first, &release("'(1.1.0, 1.2.0)' = ['b']")).unwrap();
        assert_eq!(replaced.migrations.len(), 1);
    }

    #[test]
    fn steps_that_nobody_would_follow_are_not_added() {
        for text in ["'(1.1.0, 1.0.0)' = []", "'(1.0.0, 1.0.0)' = []"] {
            for change in [merge_migrations, replace_migrations] {
                let refused = change(manifest(), &release(text));
                assert!(matches!(refused, Err(AuthorError::NotUpward(_))), "{text}");
            }
        }
        let refused = merge_migrations(manifest(), &release("'(1.0.0, 1.1.0)' = ['../a']"));
        assert!(matches!(refused, Err(AuthorError::UnsafeName { .. })));
    }
}
