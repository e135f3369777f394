//! Taking an update from the list: for a while, or for good.
//!
//! [`pause`] moves it aside, so that every reader stops taking it; hosts that have it keep it. [`resume`] puts it back
//! and lets the rollout go on where it stood, as if the time between had not passed. [`recall`] takes it out for good
//! and lowers the newest version that may run, so that hosts which have it go back.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use semver::Version;

use super::{AuthorError, Selector};
use crate::moment::nanoseconds;
use crate::policy::BeyondTheCalendar;
use crate::seed::LAST;
use crate::{Manifest, Paused, Update};

/// Moves the updates that are meant to the paused ones.
///
/// # Errors
/// [`AuthorError::NoMatch`] when there is none.
pub fn pause(
    mut manifest: Manifest,
    selector: &Selector,
    now: DateTime<Utc>,
) -> Result<Manifest, AuthorError> {
    let (meant, others): (Vec<_>, Vec<_>) =
        manifest.updates.into_iter().partition(|update| selector.matches(update));
    if meant.is_empty() {
        return Err(AuthorError::NoMatch(selector.clone()));
    }
    manifest.updates = others;
    manifest.extensions.paused.extend(meant.into_iter().map(|update| Paused { since: now, update }));
    Ok(manifest)
}

/// Puts the paused updates that are meant back at the end of the list. Whoever could take one when it was paused can
/// take it at once; for all others the schedule is as much later as it was paused. The newest version that may run
/// becomes that of its variant and architecture, or its own if that is higher.
///
/// # Errors
/// [`AuthorError::NotPaused`] when there is none, [`AuthorError::Twice`] when the list has the same one again by now,
/// and when a date would lie beyond the calendar.
pub fn resume(
    mut manifest: Manifest,
    selector: &Selector,
    now: DateTime<Utc>,
) -> Result<Manifest, AuthorError> {
    let (meant, others): (Vec<_>, Vec<_>) =
        manifest.extensions.paused.into_iter().partition(|paused| selector.matches(&paused.update));
    manifest.extensions.paused = others;
    if meant.is_empty() {
        return Err(AuthorError::NotPaused(selector.clone()));
    }
    if selector.count(&manifest) > 0 {
        return Err(AuthorError::Twice(selector.clone()));
    }
    for Paused { since, mut update } in meant {
        update.waves = postpone(&update.waves, since, now).ok_or(BeyondTheCalendar::Tail)?;
        let newest = newest_allowed(&manifest, selector).max(Some(&update.version)).cloned();
        update.max_version = newest.expect("at least its own");
        manifest = super::add_update(manifest, update);
    }
    Ok(manifest)
}

/// Removes the updates that are meant, paused or not. If hosts that have one have no newer one to go to, the newest
/// version that may run becomes the newest one that is left, and they go back to that.
///
/// # Errors
/// [`AuthorError::NoMatch`] when there is none.
pub fn recall(manifest: Manifest, selector: &Selector) -> Result<Manifest, AuthorError> {
    let back_to = goes_back_to(&manifest, selector);
    let mut manifest = super::remove_update(manifest, selector)?;
    if let Some(version) = back_to {
        for update in manifest.updates.iter_mut().filter(|update| is_sibling(update, selector)) {
            update.max_version.clone_from(&version);
        }
    }
    Ok(manifest)
}

/// The version that hosts go back to when the update that is meant is recalled; `None` when they stay as they are,
/// because a newer one is offered or paused, or nothing is left.
#[must_use]
pub fn goes_back_to(manifest: &Manifest, selector: &Selector) -> Option<Version> {
    let paused = manifest.extensions.paused.iter().map(|paused| &paused.update);
    let left = |update: &&Update| {
        is_sibling(update, selector) && !selector.matches(update) && update.version <= update.max_version
    };
    let newer = |update: &Update| update.version > selector.version;
    if manifest.updates.iter().chain(paused).filter(left).any(newer) {
        return None;
    }
    manifest.updates.iter().filter(left).map(|update| &update.version).max().cloned()
}

/// The newest version that may run, as the variant and architecture of `selector` have it.
fn newest_allowed<'a>(manifest: &'a Manifest, selector: &Selector) -> Option<&'a Version> {
    let siblings = manifest.updates.iter().filter(|update| is_sibling(update, selector));
    siblings.map(|update| &update.max_version).max()
}

fn is_sibling(update: &Update, selector: &Selector) -> bool {
    update.variant == selector.variant && update.arch == selector.arch
}

/// `waves` for a rollout that stood still from `since` to `until`: seeds whose turn had come are open at `until`, the
/// others keep their distance from each other. `None` beyond the calendar.
fn postpone(
    waves: &BTreeMap<u32, DateTime<Utc>>,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Option<BTreeMap<u32, DateTime<Utc>>> {
    let stood = (until - since).max(TimeDelta::zero());
    let mut postponed = BTreeMap::new();
    for (bound, date) in waves {
        let date = if *date > since { date.checked_add_signed(stood)? } else { *date };
        postponed.insert(*bound, date);
    }
    // The wave that was under way is cut in two at the seed whose turn was the last, or the pause would count as a part
    // of it and let a bunch of seeds in at its end.
    if let Some(bound) = reached(waves, since).filter(|_| !stood.is_zero()) {
        postponed.insert(bound, until.max(since));
    }
    Some(postponed)
}

/// The last seed of the wave that is under way at `at` whose turn has come; the wave's own bound when that is nobody's.
fn reached(waves: &BTreeMap<u32, DateTime<Utc>>, at: DateTime<Utc>) -> Option<u32> {
    let in_reach = || waves.range(..=LAST);
    let mut under_way = in_reach().zip(in_reach().skip(1));
    let ((from, start), (to, end)) = under_way.find(|((_, start), (_, end))| **start <= at && at < **end)?;
    let (gone, whole) = (nanoseconds(at) - nanoseconds(*start), nanoseconds(*end) - nanoseconds(*start));
    let places = u32::try_from(i128::from(to - from) * gone / whole.max(1)).ok()?;
    Some(from + places.min(to - from - 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::author::{add_update, first_unordered};
    use crate::testing::{update, update_of};
    use crate::waves::opens_at;
    use crate::{Pace, Seed};

    fn hour(hours: i64) -> DateTime<Utc> {
        "2026-02-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::hours(hours)
    }

    fn manifest(versions: &[&str]) -> Manifest {
        let others = [update_of("other", "7.0.0", "7.0.0")];
        let updates = versions.iter().map(|version| update(version, version));
        others.into_iter().chain(updates).fold(Manifest::default(), add_update)
    }

    fn meant(version: &str) -> Selector {
        Selector::of(&update(version, version))
    }

    /// The list in short, `VERSION/MAX_VERSION`, without the other variant.
    fn list(manifest: &Manifest) -> Vec<String> {
        let updates = manifest.updates.iter().filter(|update| update.variant == "demo");
        updates.map(|update| format!("{}/{}", update.version, update.max_version)).collect()
    }

    #[test]
    fn a_paused_update_is_on_no_list_that_others_read_and_comes_back_whole() {
        let before = manifest(&["1.0.0", "1.1.0"]);
        let paused = pause(before.clone(), &meant("1.1.0"), hour(5)).unwrap();
        assert_eq!(list(&paused), ["1.0.0/1.1.0"], "hosts on 1.1.0 stay");
        assert_eq!(paused.extensions.paused[0].since, hour(5));
        let json = paused.to_json();
        assert_eq!(Manifest::parse(json.as_bytes()).unwrap(), paused);
        assert_eq!(resume(paused, &meant("1.1.0"), hour(9)).unwrap(), before);
    }

    #[test]
    fn what_is_not_there_is_neither_paused_nor_resumed_nor_recalled() {
        let manifest = manifest(&["1.0.0"]);
        let meant = meant("1.1.0");
        assert_eq!(pause(manifest.clone(), &meant, hour(0)), Err(AuthorError::NoMatch(meant.clone())));
        assert_eq!(resume(manifest.clone(), &meant, hour(0)), Err(AuthorError::NotPaused(meant.clone())));
        assert_eq!(recall(manifest, &meant), Err(AuthorError::NoMatch(meant.clone())));
    }

    #[test]
    fn a_rollout_goes_on_where_it_stood() {
        let mut manifest = manifest(&["1.0.0", "1.1.0"]);
        manifest.updates[2].waves = BTreeMap::from([(0, hour(0)), (100, hour(10)), (200, hour(20))]);
        let paused = pause(manifest, &meant("1.1.0"), hour(5)).unwrap();
        let resumed = resume(paused, &meant("1.1.0"), hour(29)).unwrap();
        let waves = &resumed.updates[2].waves;
        assert_eq!(*waves, BTreeMap::from([(0, hour(0)), (50, hour(29)), (100, hour(34)), (200, hour(44))]));
    }

    #[test]
    fn a_pause_before_the_start_or_after_the_end_only_moves_what_is_still_to_come() {
        let waves = BTreeMap::from([(0, hour(0)), (100, hour(10))]);
        let later = BTreeMap::from([(0, hour(3)), (100, hour(13))]);
        assert_eq!(postpone(&waves, hour(-1), hour(2)), Some(later));
        assert_eq!(postpone(&waves, hour(10), hour(99)), Some(waves.clone()));
        assert_eq!(postpone(&waves, hour(5), hour(5)), Some(waves.clone()));
        assert_eq!(postpone(&waves, hour(5), hour(4)), Some(waves.clone()), "a clock that was set back");
        assert_eq!(postpone(&waves, hour(5), DateTime::<Utc>::MAX_UTC), None);
        let at_the_start = BTreeMap::from([(0, hour(1)), (100, hour(11))]);
        assert_eq!(postpone(&waves, hour(0), hour(1)), Some(at_the_start));
    }

    #[test]
    fn a_resumed_update_is_offered_whatever_happened_meanwhile() {
        let paused = pause(manifest(&["1.0.0", "1.1.0"]), &meant("1.1.0"), hour(0)).unwrap();
        let newer = add_update(paused.clone(), update("1.2.0", "1.2.0"));
        assert_eq!(
            list(&resume(newer, &meant("1.1.0"), hour(1)).unwrap()),
            ["1.0.0/1.2.0", "1.2.0/1.2.0", "1.1.0/1.2.0"]
        );
        let mut lowered = paused.clone();
        lowered.updates[1].max_version = "1.0.0".parse().unwrap();
        assert_eq!(list(&resume(lowered, &meant("1.1.0"), hour(1)).unwrap()), ["1.0.0/1.1.0", "1.1.0/1.1.0"]);
        let again = add_update(paused, update("1.1.0", "1.1.0"));
        assert_eq!(resume(again, &meant("1.1.0"), hour(1)), Err(AuthorError::Twice(meant("1.1.0"))));
    }

    #[test]
    fn hosts_go_back_from_a_recalled_newest_version() {
        let recalled = recall(manifest(&["1.0.0", "1.1.0", "1.2.0"]), &meant("1.2.0")).unwrap();
        assert_eq!(list(&recalled), ["1.0.0/1.1.0", "1.1.0/1.1.0"]);
        assert_eq!(recalled.updates[0].max_version, Version::new(7, 0, 0), "another variant is left alone");
    }

    #[test]
    fn hosts_stay_on_a_recalled_version_when_a_newer_one_is_there() {
        let three = manifest(&["1.0.0", "1.1.0", "1.2.0"]);
        assert_eq!(list(&recall(three.clone(), &meant("1.1.0")).unwrap()), ["1.0.0/1.2.0", "1.2.0/1.2.0"]);
        let paused = pause(three, &meant("1.2.0"), hour(0)).unwrap();
        assert_eq!(list(&recall(paused, &meant("1.1.0")).unwrap()), ["1.0.0/1.2.0"]);
        let last = recall(manifest(&["1.0.0"]), &meant("1.0.0")).unwrap();
        assert!(list(&last).is_empty());
    }

    #[test]
    fn a_paused_update_may_be_recalled() {
        let paused = pause(manifest(&["1.0.0", "1.1.0"]), &meant("1.1.0"), hour(0)).unwrap();
        let recalled = recall(paused, &meant("1.1.0")).unwrap();
        assert!(recalled.extensions.is_empty());
        assert_eq!(list(&recalled), ["1.0.0/1.0.0"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn after_a_pause_everybody_is_as_much_later_as_it_lasted(
            steps in proptest::collection::btree_map(1_u32..=2048, 1_i64..5000, 1..10),
            dense in any::<bool>(),
            paused in -100_i64..20_000,
            lasted in 1_i64..20_000,
        ) {
            let minute = |minutes| hour(0) + TimeDelta::minutes(minutes);
            let mut at = 0;
            let mut waves = BTreeMap::from([(0, minute(0))]);
            for (bound, step) in steps {
                at += step;
                waves.insert(bound, minute(at));
            }
            let pace = if dense { Pace::default() } else { Pace::PLAIN };
            let waves = pace.apply(&waves).unwrap();
            let (since, until) = (minute(paused), minute(paused + lasted));
            let postponed = postpone(&waves, since, until).unwrap();
            let check = Update { waves: postponed.clone(), ..update("1.0.0", "1.0.0") };
            prop_assert_eq!(first_unordered(&check), None);
            for seed in (0..=2048).map(|seed| Seed::new(seed).unwrap()) {
                let (before, after) = (opens_at(&waves, seed).unwrap(), opens_at(&postponed, seed).unwrap());
                if before <= since {
                    prop_assert!(after <= until, "seed {seed}: {before} then {after}");
                } else {
                    // A cut between the turns of two seeds delays the next ones, by less than one place.
                    let stood = until - since;
                    let next = Seed::new((seed.get() + 1).min(2048)).unwrap();
                    let earliest = before + stood - TimeDelta::nanoseconds(1);
                    let latest = opens_at(&waves, next).unwrap() + stood + TimeDelta::nanoseconds(1);
                    prop_assert!(after > until, "seed {seed}: {before} then {after}");
                    prop_assert!((earliest..=latest).contains(&after), "seed {seed}: {before} then {after}");
                }
            }
        }
    }
}
