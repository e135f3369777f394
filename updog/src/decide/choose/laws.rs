//! What holds of every choice, whatever is published.

use proptest::prelude::*;
use update_metadata::Seed;
use update_metadata::explain::{Host, Reader, explain};

use super::tests::{ask, manifest, t};
use super::*;
use crate::testing::{machine, update, v};

fn any_update() -> impl Strategy<Value = Update> {
    (0u64..4, 0u64..4, any::<bool>(), prop::collection::btree_map(0u32..2100, -5i64..5, 0..3)).prop_map(
        |(version, max, ours, waves)| {
            let mut update = update(&format!("1.{version}.0"), &format!("1.{max}.0"));
            if !ours {
                update.variant = "cloud".to_owned();
            }
            update.waves = waves.into_iter().map(|(bound, hour)| (bound, t(hour))).collect();
            update
        },
    )
}

proptest! {
    #[test]
    fn whatever_is_chosen_may_run_here_and_nothing_better_is_ready(
        updates in prop::collection::vec(any_update(), 0..6), running in 0u64..4, seed in 0u32..=2048,
    ) {
        let manifest = manifest(updates);
        let machine =
            Machine { seed: Seed::new(seed).unwrap(), ..machine(&format!("1.{running}.0")) };
        let offered = candidates(&manifest, &machine, Waves::Respect, t(0));
        match choose(&manifest, &machine, &ask(Wanted::Latest), t(0)) {
            Choice::Update(chosen) => {
                prop_assert!(offered.contains(&chosen.as_ref()));
                prop_assert!(chosen.version > machine.version || machine.version > chosen.max_version);
                for other in &offered {
                    prop_assert!(other.version <= chosen.version
                        || !(other.version > machine.version || machine.version > other.max_version));
                }
            }
            Choice::UpToDate | Choice::Held(_) => {
                prop_assert!(offered.iter().all(|update| update.version <= machine.version
                    && machine.version <= update.max_version));
            }
            Choice::NotOffered { .. } => prop_assert!(false, "nothing was asked for by name"),
        }
    }

    #[test]
    fn what_is_chosen_is_what_publishers_are_told(
        updates in prop::collection::vec((any_update(), any::<bool>()), 0..6),
        running in 0u64..4,
        seed in 0u32..=2048,
    ) {
        let updates = updates.into_iter().map(|(mut update, barrier)| {
            update.extensions.barrier = barrier;
            update
        });
        let manifest = manifest(updates.collect());
        let machine =
            Machine { seed: Seed::new(seed).unwrap(), ..machine(&format!("1.{running}.0")) };
        let Machine { variant, arch, version, seed, .. } = machine.clone();
        let reader = Reader::Ours { updater: v(env!("CARGO_PKG_VERSION")) };
        let told = explain(&manifest, &Host { variant, arch, version, seed, reader }, t(0));
        match choose(&manifest, &machine, &ask(Wanted::Latest), t(0)) {
            Choice::Update(chosen) => prop_assert_eq!(told.takes, Some(&chosen.version)),
            Choice::Held(held) => prop_assert_eq!(told.next, Some((&held.version, held.until))),
            none => prop_assert!(told.takes.is_none() && told.next.is_none(), "{none:?} {told:?}"),
        }
    }

    #[test]
    fn what_is_held_is_taken_at_the_time_that_was_named(
        updates in prop::collection::vec(any_update(), 0..6), running in 0u64..4, seed in 0u32..=2048,
    ) {
        let manifest = manifest(updates);
        let machine =
            Machine { seed: Seed::new(seed).unwrap(), ..machine(&format!("1.{running}.0")) };
        if let Choice::Held(held) = choose(&manifest, &machine, &ask(Wanted::Latest), t(0)) {
            prop_assert!(held.until > t(0));
            let later = choose(&manifest, &machine, &ask(Wanted::Latest), held.until);
            prop_assert!(matches!(later, Choice::Update(_)), "{later:?}");
        }
    }
}
