//! What the updates and migrations of a manifest say together.

use std::collections::BTreeMap;

use super::findings::Findings;
use super::shape::KnownUpdate;
use super::whole::Known;
use crate::migration_path;

/// Looks at the updates of each variant and architecture.
pub(super) fn check(known: &Known, findings: &mut Findings) {
    let mut siblings: BTreeMap<(&str, &str), Vec<&KnownUpdate>> = BTreeMap::new();
    for update in &known.updates {
        siblings.entry((&update.variant, &update.arch)).or_default().push(update);
    }
    for updates in siblings.into_values() {
        check_offers(&updates, findings);
        check_paused(known, &updates, findings);
        check_ways(known, &updates, findings);
    }
}

/// Each update is there once, can be offered, and agrees with its siblings on the newest version.
fn check_offers(updates: &[&KnownUpdate], findings: &mut Findings) {
    let mut seen = BTreeMap::new();
    for update in updates {
        let KnownUpdate { path, version, max_version, variant, arch, barrier: _ } = update;
        if let Some(first) = seen.get(version) {
            findings.unwise(path, format!("is the same update as {first}"));
        }
        seen.entry(version).or_insert(path);
        if version > max_version {
            let what = format!("is above its max_version, {max_version}: no host is offered it");
            findings.unwise(format!("{path}.version"), what);
        }
        if *max_version != updates[0].max_version {
            let other = &updates[0].max_version;
            let what = format!("is {max_version}, and {other} at another update of {variant} {arch}");
            findings.unwise(format!("{path}.max_version"), what);
        }
    }
}

/// What is paused is not on offer as well.
fn check_paused(known: &Known, updates: &[&KnownUpdate], findings: &mut Findings) {
    let of_this_kind = |paused: &&KnownUpdate| {
        updates.first().is_some_and(|one| one.variant == paused.variant && one.arch == paused.arch)
    };
    for paused in known.paused.iter().filter(of_this_kind) {
        if let Some(offered) = updates.iter().find(|update| update.version == paused.version) {
            findings
                .unwise(&paused.path, format!("is the same update as {}, which is offered", offered.path));
        }
    }
}

/// Settings get from each version to where its hosts go next, the newest one on offer or a barrier before it, and back.
fn check_ways(known: &Known, updates: &[&KnownUpdate], findings: &mut Findings) {
    let on_offer = updates.iter().map(|update| (&update.version, &update.max_version));
    let Some((newest, _)) = on_offer.filter(|(version, max_version)| version <= max_version).max() else {
        return;
    };
    for update in updates {
        let barriers = updates.iter().filter(|barrier| barrier.barrier && barrier.version > update.version);
        let first = barriers.map(|barrier| &barrier.version).min().filter(|first| *first < newest);
        let next = first.unwrap_or(newest);
        if let Err(no_path) = migration_path(&known.migrations, &update.version, next) {
            let lower = (&no_path.from).min(&no_path.to);
            let role = if first.is_some() { "the next barrier" } else { "the newest on offer" };
            let what = format!(
                "is {}, and no migrations join it with {next}, {role}: from {lower} they lead no further than {}",
                update.version, no_path.reached
            );
            findings.unwise(format!("{}.version", update.path), what);
        }
    }
}
