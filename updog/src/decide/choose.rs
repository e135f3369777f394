//! Which update this host takes: a rule over values, no more.
//!
//! The rule is the one of `docs/compatibility.md`, "Choice". What it adds is the answer to "why not": an update that is
//! held by its wave, or a version that is not offered, is a result of its own.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use semver::Version;
use update_metadata::barrier::{next_barrier, next_hop};
use update_metadata::offer::Obstacle;
use update_metadata::{Manifest, Readiness, Update};

use crate::decide::choice::{Choice, Held, NotOffered, Request, Wanted, Waves};
use crate::decide::machine::{Barred, Machine};

/// Chooses the update for `machine` from `manifest`, at the time `now`.
#[must_use]
pub fn choose(manifest: &Manifest, machine: &Machine, request: &Request, now: DateTime<Utc>) -> Choice {
    let published = published(manifest, machine);
    let readiness = |update: &Update| readiness(update, machine, request.waves, now);
    let wanted = towards(&request.wanted, manifest, machine);

    let mut held: Option<Held> = None;
    let mut kept: Option<(Version, NotOffered)> = None;
    for update in published.iter().filter(|update| wants(&wanted, machine, update)) {
        match (readiness(update), keeps(machine, update, now)) {
            // The newest one is what a person asks about.
            (Readiness::Ready, Some(reason)) => kept = kept.or(Some((update.version.clone(), reason))),
            // Nobody waits for a wave that leads to nothing.
            (Readiness::Waiting { .. }, Some(reason @ NotOffered::Withheld(_))) => {
                kept = kept.or(Some((update.version.clone(), reason)));
            }
            (Readiness::Waiting { .. }, Some(_)) => {}
            (Readiness::Ready, None) => return Choice::Update(Box::new((*update).clone())),
            // The first one to open is the one that this host will take next.
            (Readiness::Waiting { until }, None) if held.as_ref().is_none_or(|held| until < held.until) => {
                held = Some(Held { version: update.version.clone(), until });
            }
            (Readiness::Waiting { .. }, None) => {}
        }
    }
    if let Some((version, reason)) = kept {
        return Choice::NotOffered { version, reason };
    }
    if let Some(held) = held {
        return Choice::Held(held);
    }
    match &wanted {
        Wanted::Latest => Choice::UpToDate,
        Wanted::Locked(version) if *version == machine.version => Choice::UpToDate,
        Wanted::Locked(version) | Wanted::Image(version) => {
            Choice::NotOffered { version: version.clone(), reason: why_not(manifest, machine, version, now) }
        }
    }
}

/// Everything that is offered to `machine` at the time `now`, newest first, whatever it runs already.
#[must_use]
pub fn candidates<'a>(
    manifest: &'a Manifest,
    machine: &Machine,
    waves: Waves,
    now: DateTime<Utc>,
) -> Vec<&'a Update> {
    let mut updates = published(manifest, machine);
    updates.retain(|update| {
        matches!(readiness(update, machine, waves, now), Readiness::Ready)
            && machine.withheld.update(update).is_none()
    });
    updates
}

/// What in the manifest keeps `update`, which is of the right variant and architecture, from this machine.
#[must_use]
pub fn obstacle(manifest: &Manifest, machine: &Machine, update: &Update) -> Option<Obstacle> {
    obstacles(manifest, machine)(update)
}

/// Whether `update` is a step that `wanted` asks of this machine. The schedule is not looked at.
#[must_use]
pub fn is_wanted(manifest: &Manifest, machine: &Machine, wanted: &Wanted, update: &Update) -> bool {
    wants(&towards(wanted, manifest, machine), machine, update)
}

/// What keeps `update` from this machine for what became of it here.
#[must_use]
pub fn bar<'a>(machine: &'a Machine, update: &Update, now: DateTime<Utc>) -> Option<&'a Barred> {
    machine.barred.iter().find(|barred| {
        barred.version == update.version
            && barred.variant == update.variant
            && barred.arch == update.arch
            && barred.until.is_none_or(|until| now < until)
    })
}

/// What keeps an update that is offered from this machine.
fn keeps(machine: &Machine, update: &Update, now: DateTime<Utc>) -> Option<NotOffered> {
    let withheld = machine.withheld.update(update).map(|by| NotOffered::Withheld(Box::new(by.clone())));
    withheld.or_else(|| bar(machine, update, now).map(|barred| NotOffered::Failed(Box::new(barred.clone()))))
}

/// What may run on this machine, newest first; the schedule is not looked at.
fn published<'a>(manifest: &'a Manifest, machine: &Machine) -> Vec<&'a Update> {
    let obstacle = obstacles(manifest, machine);
    let mut updates: Vec<&Update> = manifest
        .updates
        .iter()
        .filter(|update| is_for(update, machine) && obstacle(update).is_none())
        .collect();
    updates.sort_by_key(|update| Reverse(&update.version));
    updates
}

fn is_for(update: &Update, machine: &Machine) -> bool {
    update.variant == machine.variant && update.arch == machine.arch
}

/// What keeps an update of the right variant and architecture from this machine.
fn obstacles(manifest: &Manifest, machine: &Machine) -> impl Fn(&Update) -> Option<Obstacle> {
    let updater = env!("CARGO_PKG_VERSION").parse::<Version>().expect("cargo takes no other");
    let barrier = next_barrier(manifest, &machine.variant, &machine.arch, &machine.version);
    move |update| update.obstacle(&updater, barrier)
}

/// A version lock leads through the barriers on the way to it. A version that a person names is that one or none.
fn towards(wanted: &Wanted, manifest: &Manifest, machine: &Machine) -> Wanted {
    match wanted {
        Wanted::Locked(version) => {
            let Machine { variant, arch, version: running, .. } = machine;
            Wanted::Locked(next_hop(manifest, variant, arch, running, version).clone())
        }
        Wanted::Latest | Wanted::Image(_) => wanted.clone(),
    }
}

fn readiness(update: &Update, machine: &Machine, waves: Waves, now: DateTime<Utc>) -> Readiness {
    match waves {
        Waves::Respect => update.readiness(machine.seed, now),
        Waves::Ignore => Readiness::Ready,
    }
}

fn wants(wanted: &Wanted, machine: &Machine, update: &Update) -> bool {
    match wanted {
        Wanted::Image(version) => update.version == *version,
        Wanted::Locked(version) => machine.version != *version && update.version == *version,
        // A running version above the greatest one was taken back: going down is then the update.
        Wanted::Latest => machine.version < update.version || machine.version > update.max_version,
    }
}

fn why_not(manifest: &Manifest, machine: &Machine, version: &Version, now: DateTime<Utc>) -> NotOffered {
    let found = manifest.updates.iter().find(|update| is_for(update, machine) && update.version == *version);
    let obstacle = |update| obstacle(manifest, machine, update).map(NotOffered::Kept);
    let reason = found.and_then(|update| obstacle(update).or_else(|| keeps(machine, update, now)));
    reason.unwrap_or(NotOffered::Unknown)
}

#[cfg(test)]
mod laws;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::{Duration, TimeZone as _};

    use super::*;
    use crate::decide::withheld::tests::withheld;
    use crate::testing::{machine, update, v};

    pub(super) fn t(hours: i64) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2024, 6, 1, 0, 0, 0).unwrap() + Duration::hours(hours)
    }

    pub(super) fn manifest(updates: Vec<Update>) -> Manifest {
        Manifest { updates, ..Manifest::default() }
    }

    pub(super) fn ask(wanted: Wanted) -> Request {
        Request { wanted, waves: Waves::Respect }
    }

    /// The choice in short: a version, "-", "held VERSION" or "not offered".
    fn short(choice: &Choice) -> String {
        match choice {
            Choice::Update(update) => update.version.to_string(),
            Choice::UpToDate => "-".to_owned(),
            Choice::Held(held) => format!("held {}", held.version),
            Choice::NotOffered { .. } => "not offered".to_owned(),
        }
    }

    #[test]
    fn the_table_of_choices() {
        let image = |text| Wanted::Image(v(text));
        let locked = |text| Wanted::Locked(v(text));
        // (offered as "version/max_version", running, request, chosen)
        let rows: &[(&[&str], &str, Wanted, &str)] = &[
            (&[], "1.0.0", Wanted::Latest, "-"),
            (&["1.1.0/1.1.0"], "1.0.0", Wanted::Latest, "1.1.0"),
            (&["1.1.0/1.1.0"], "1.1.0", Wanted::Latest, "-"),
            (&["1.0.0/1.1.0"], "1.1.0", Wanted::Latest, "-"),
            // The newest wins, in whatever order they are written, and by version order, not as text.
            (&["1.2.0/1.10.0", "1.10.0/1.10.0", "1.1.0/1.10.0"], "1.0.0", Wanted::Latest, "1.10.0"),
            // A pre-release is older than its release.
            (&["1.1.0-rc.1/1.1.0", "1.1.0/1.1.0"], "1.0.0", Wanted::Latest, "1.1.0"),
            (&["1.1.0-rc.1/1.1.0"], "1.1.0", Wanted::Latest, "-"),
            // A release that was taken back is left downwards, to the newest one that may run.
            (&["1.0.0/1.1.0", "1.1.0/1.1.0"], "1.2.0", Wanted::Latest, "1.1.0"),
            (&["1.0.0/1.1.0", "1.2.0/1.1.0"], "1.2.0", Wanted::Latest, "1.0.0"),
            (&["1.2.0/1.1.0"], "1.0.0", Wanted::Latest, "-"),
            // By name: also the running one, also an older one, never one that was taken back.
            (&["1.0.0/1.1.0", "1.1.0/1.1.0"], "1.1.0", image("1.0.0"), "1.0.0"),
            (&["1.1.0/1.1.0"], "1.1.0", image("1.1.0"), "1.1.0"),
            (&["1.2.0/1.1.0"], "1.0.0", image("1.2.0"), "not offered"),
            (&["1.1.0/1.1.0"], "1.0.0", image("1.2.0"), "not offered"),
            (&["1.1.0/1.1.0"], "1.0.0", image("1.1.0+build"), "not offered"),
            // Locked: that version and no other, also downwards; nothing when it runs already.
            (&["1.1.0/1.2.0", "1.2.0/1.2.0"], "1.0.0", locked("1.1.0"), "1.1.0"),
            (&["1.1.0/1.2.0", "1.2.0/1.2.0"], "1.2.0", locked("1.1.0"), "1.1.0"),
            (&["1.1.0/1.2.0", "1.2.0/1.2.0"], "1.1.0", locked("1.1.0"), "-"),
            (&["1.2.0/1.2.0"], "1.0.0", locked("1.1.0"), "not offered"),
        ];
        for (offered, running, wanted, expected) in rows {
            let updates =
                offered.iter().map(|text| text.split_once('/').map(|(a, b)| update(a, b)).unwrap()).collect();
            let choice = choose(&manifest(updates), &machine(running), &ask(wanted.clone()), t(0));
            assert_eq!(&short(&choice), expected, "{offered:?} on {running}, asking for {wanted:?}");
        }
    }

    #[test]
    fn another_variant_or_architecture_is_never_chosen() {
        let mut other_variant = update("1.1.0", "1.1.0");
        other_variant.variant = "cloud".to_owned();
        let mut other_arch = update("1.1.0", "1.1.0");
        other_arch.arch = "aarch64".to_owned();
        let manifest = manifest(vec![other_variant, other_arch]);
        assert_eq!(choose(&manifest, &machine("1.0.0"), &ask(Wanted::Latest), t(0)), Choice::UpToDate);
        let mut cloud = machine("1.0.0");
        cloud.variant = "cloud".to_owned();
        assert_eq!(short(&choose(&manifest, &cloud, &ask(Wanted::Latest), t(0))), "1.1.0");
    }

    #[test]
    fn a_wave_holds_an_update_and_says_until_when() {
        let mut newer = update("1.1.0", "1.1.0");
        newer.waves = BTreeMap::from([(0, t(1)), (2048, t(2049))]);
        let manifest = manifest(vec![newer, update("1.0.0", "1.1.0")]);
        let Choice::Held(held) = choose(&manifest, &machine("1.0.0"), &ask(Wanted::Latest), t(0)) else {
            panic!("its wave opens later");
        };
        assert_eq!(held, Held { version: v("1.1.0"), until: t(1001) });
        assert_eq!(short(&choose(&manifest, &machine("1.0.0"), &ask(Wanted::Latest), held.until)), "1.1.0");
        // The schedule counts for a version asked for by name, too.
        assert_eq!(
            short(&choose(&manifest, &machine("1.0.0"), &ask(Wanted::Image(v("1.1.0"))), t(0))),
            "held 1.1.0"
        );
        let now = Request { wanted: Wanted::Latest, waves: Waves::Ignore };
        assert_eq!(short(&choose(&manifest, &machine("1.0.0"), &now, t(0))), "1.1.0");
    }

    #[test]
    fn an_older_update_that_is_ready_is_taken_while_a_newer_one_is_held() {
        let mut newest = update("1.2.0", "1.2.0");
        newest.waves = BTreeMap::from([(0, t(10))]);
        let manifest = manifest(vec![newest, update("1.1.0", "1.2.0")]);
        assert_eq!(short(&choose(&manifest, &machine("1.0.0"), &ask(Wanted::Latest), t(0))), "1.1.0");
    }

    #[test]
    fn of_two_held_updates_the_one_that_opens_first_is_named() {
        let mut newest = update("1.2.0", "1.2.0");
        newest.waves = BTreeMap::from([(0, t(10))]);
        let mut older = update("1.1.0", "1.2.0");
        older.waves = BTreeMap::from([(0, t(5))]);
        let manifest = manifest(vec![older, newest]);
        assert_eq!(
            choose(&manifest, &machine("1.0.0"), &ask(Wanted::Latest), t(0)),
            Choice::Held(Held { version: v("1.1.0"), until: t(5) })
        );
    }

    #[test]
    fn an_unsafe_target_name_is_never_a_candidate() {
        for name in ["../../etc/passwd", "a/b", "", "..", "a\nb"] {
            let mut bad = update("1.1.0", "1.1.0");
            bad.images.hash = name.to_owned();
            let manifest = manifest(vec![bad]);
            assert!(candidates(&manifest, &machine("1.0.0"), Waves::Ignore, t(0)).is_empty(), "{name:?}");
            assert_eq!(
                choose(&manifest, &machine("1.0.0"), &ask(Wanted::Image(v("1.1.0"))), t(0)),
                Choice::NotOffered {
                    version: v("1.1.0"),
                    reason: NotOffered::Kept(Obstacle::UnsafeName { name: name.to_owned() })
                }
            );
        }
    }

    #[test]
    fn what_failed_here_is_not_chosen_until_its_time() {
        let manifest = manifest(["1.1.0", "1.2.0"].map(|at| update(at, "1.9.0")).to_vec());
        let bar = |version: &str, until| Barred {
            variant: "metal".to_owned(),
            arch: "x86_64".to_owned(),
            version: v(version),
            until,
            reason: "the kernel panicked".to_owned(),
        };
        let mut host = machine("1.0.0");
        let chosen = |host: &Machine, wanted, now| short(&choose(&manifest, host, &ask(wanted), now));
        host.barred = vec![bar("1.2.0", Some(t(6)))];
        // What is open beside it is taken, and what is named is not, whoever names it.
        assert_eq!(chosen(&host, Wanted::Latest, t(5)), "1.1.0");
        assert_eq!(chosen(&host, Wanted::Latest, t(6)), "1.2.0");
        for wanted in [Wanted::Image(v("1.2.0")), Wanted::Locked(v("1.2.0"))] {
            assert_eq!(chosen(&host, wanted, t(5)), "not offered");
        }
        host.barred.push(bar("1.1.0", None));
        let Choice::NotOffered { version, reason } = choose(&manifest, &host, &ask(Wanted::Latest), t(5))
        else {
            panic!("both did not stay");
        };
        assert_eq!(version, v("1.2.0"));
        assert_eq!(reason.to_string(), "it is tried again after 2024-06-01T06:00:00Z: the kernel panicked");
        // The same version of another flavour did nothing.
        host.barred[0].variant = "cloud".to_owned();
        assert_eq!(chosen(&host, Wanted::Latest, t(5)), "1.2.0");
    }

    #[test]
    fn what_is_kept_from_this_host_is_told_before_its_wave_opens() {
        let mut newest = update("1.2.0", "1.2.0");
        newest.waves = BTreeMap::from([(0, t(10))]);
        let manifest = manifest(vec![newest, update("1.0.0", "1.2.0")]);
        let told = |host: &Machine, wanted| match choose(&manifest, host, &ask(wanted), t(0)) {
            Choice::NotOffered { version, reason } => format!("{version}: {reason}"),
            other => short(&other),
        };
        let mut host = machine("1.0.0");
        host.withheld = withheld(&serde_json::json!({ "version": "1.2.0" }));
        for wanted in [Wanted::Latest, Wanted::Image(v("1.2.0")), Wanted::Locked(v("1.2.0"))] {
            assert_eq!(told(&host, wanted), "1.2.0: guard withholds it since 2026-06-01T00:00:00Z: it hangs");
        }
        let mut host = machine("1.0.0");
        let (variant, arch, version) = ("metal".to_owned(), "x86_64".to_owned(), v("1.2.0"));
        host.barred = vec![Barred { variant, arch, version, until: None, reason: "it panicked".to_owned() }];
        for wanted in [Wanted::Image(v("1.2.0")), Wanted::Locked(v("1.2.0"))] {
            assert_eq!(told(&host, wanted), "1.2.0: it is held: it panicked");
        }
        assert_eq!(told(&host, Wanted::Latest), "-");
    }

    #[test]
    fn a_host_is_led_through_barriers() {
        let mut manifest = manifest(["1.3.0", "1.5.0", "1.9.0"].map(|at| update(at, "1.9.0")).to_vec());
        manifest.updates[1].extensions.barrier = true;
        let chosen = |manifest: &Manifest, running, wanted| {
            short(&choose(manifest, &machine(running), &ask(wanted), t(0)))
        };
        assert_eq!(chosen(&manifest, "1.2.0", Wanted::Latest), "1.5.0");
        assert_eq!(chosen(&manifest, "1.5.0", Wanted::Latest), "1.9.0");
        // A lock leads to its version step by step; a version that is named is not replaced by another one.
        assert_eq!(chosen(&manifest, "1.2.0", Wanted::Locked(v("1.9.0"))), "1.5.0");
        assert_eq!(chosen(&manifest, "1.2.0", Wanted::Locked(v("1.3.0"))), "1.3.0");
        let named = choose(&manifest, &machine("1.2.0"), &ask(Wanted::Image(v("1.9.0"))), t(0));
        let Choice::NotOffered { reason, .. } = named else { panic!("a barrier comes first: {named:?}") };
        assert_eq!(reason.to_string(), "1.5.0 has to run first");
        // What is below the barrier is open, and what is above it waits with it.
        manifest.updates[1].waves = BTreeMap::from([(0, t(5))]);
        assert_eq!(chosen(&manifest, "1.2.0", Wanted::Latest), "1.3.0");
        assert_eq!(chosen(&manifest, "1.3.0", Wanted::Latest), "held 1.5.0");
        assert_eq!(candidates(&manifest, &machine("1.2.0"), Waves::Ignore, t(0)).len(), 2);
    }

    #[test]
    fn an_update_that_needs_a_newer_updog_or_cannot_be_understood_is_not_taken() {
        let mut manifest =
            manifest(vec![update("1.1.0", "1.9.0"), update("1.2.0", "1.9.0"), update("1.3.0", "1.9.0")]);
        manifest.updates[1].extensions.min_updater = Some(v(env!("CARGO_PKG_VERSION")));
        manifest.updates[2].extensions.min_updater = Some(v("999.0.0"));
        let latest =
            |manifest: &Manifest| short(&choose(manifest, &machine("1.0.0"), &ask(Wanted::Latest), t(0)));
        assert_eq!(latest(&manifest), "1.2.0");
        manifest.updates[1].extensions = serde_json::json!({"min_updater": 5}).into();
        assert_eq!(latest(&manifest), "1.1.0");
    }

    #[test]
    fn the_list_is_newest_first_and_follows_the_schedule() {
        let mut held = update("1.3.0", "1.3.0");
        held.waves = BTreeMap::from([(0, t(10))]);
        let manifest = manifest(vec![update("1.0.0", "1.3.0"), held, update("1.2.0", "1.3.0")]);
        let list = |waves| -> Vec<String> {
            candidates(&manifest, &machine("1.1.0"), waves, t(0))
                .iter()
                .map(|update| update.version.to_string())
                .collect()
        };
        assert_eq!(list(Waves::Respect), ["1.2.0", "1.0.0"]);
        assert_eq!(list(Waves::Ignore), ["1.3.0", "1.2.0", "1.0.0"]);
    }
}
