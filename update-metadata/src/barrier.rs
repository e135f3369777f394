//! Barriers: versions that no host jumps over on its way up (`docs/compatibility.md`, "Manifest").
//!
//! A release that has to run once before newer ones can be installed is a barrier: with one at 1.5, a host on 1.2 takes
//! 1.5 before it takes 1.9. A barrier counts for as long as the manifest knows it, also while it is paused, waits for
//! its wave, or cannot be taken for another reason: the host then waits as well. A recalled one is forgotten. On the
//! way down barriers do not count.

use semver::Version;

use crate::{Manifest, Update};

/// The lowest barrier above `running` among the updates of `variant` and `arch`: updates above it are not for a host
/// that runs `running`.
#[must_use]
pub fn next_barrier<'a>(
    manifest: &'a Manifest,
    variant: &str,
    arch: &str,
    running: &Version,
) -> Option<&'a Version> {
    let paused = manifest.extensions.paused.iter().map(|paused| &paused.update);
    let bars = |update: &&Update| {
        update.extensions.bars()
            && update.version > *running
            && update.variant == variant
            && update.arch == arch
    };
    manifest.updates.iter().chain(paused).filter(bars).map(|update| &update.version).min()
}

/// Where a host that runs `running` goes next on its way to `target`: to the first barrier between the two, if there is
/// one.
#[must_use]
pub fn next_hop<'a>(
    manifest: &'a Manifest,
    variant: &str,
    arch: &str,
    running: &Version,
    target: &'a Version,
) -> &'a Version {
    next_barrier(manifest, variant, arch, running).filter(|barrier| *barrier < target).unwrap_or(target)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::update_of;
    use crate::{ManifestExtensions, Paused};

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    fn update(variant: &str, at: &Version, barrier: bool) -> Update {
        let mut update = update_of(variant, &at.to_string(), "9.0.0");
        update.extensions.barrier = barrier;
        update
    }

    fn manifest(updates: &[(&str, bool)]) -> Manifest {
        let update = |(at, barrier): &(&str, bool)| update("demo", &version(at), *barrier);
        Manifest { updates: updates.iter().map(update).collect(), ..Manifest::default() }
    }

    fn hop(manifest: &Manifest, running: &str, target: &str) -> String {
        next_hop(manifest, "demo", "x86_64", &version(running), &version(target)).to_string()
    }

    #[test]
    fn a_host_is_led_through_the_barriers_one_after_another() {
        let manifest = manifest(&[("1.9.0", false), ("1.7.0", true), ("1.5.0", true), ("1.3.0", false)]);
        for (running, target, next) in [
            ("1.2.0", "1.9.0", "1.5.0"),
            ("1.5.0", "1.9.0", "1.7.0"),
            ("1.6.0", "1.9.0", "1.7.0"),
            ("1.7.0", "1.9.0", "1.9.0"),
            // To a barrier and to what lies below it the way is free.
            ("1.2.0", "1.5.0", "1.5.0"),
            ("1.2.0", "1.3.0", "1.3.0"),
            // So it is on the way down.
            ("1.9.0", "1.2.0", "1.2.0"),
            ("1.5.0-rc.1", "1.9.0", "1.5.0"),
        ] {
            assert_eq!(hop(&manifest, running, target), next, "{running} to {target}");
        }
    }

    #[test]
    fn another_kind_of_host_has_other_barriers() {
        let mut manifest = manifest(&[("1.9.0", false)]);
        manifest.updates.push(update("cloud", &version("1.5.0"), true));
        assert_eq!(hop(&manifest, "1.2.0", "1.9.0"), "1.9.0");
        let (running, target) = (version("1.2.0"), version("1.9.0"));
        assert_eq!(next_hop(&manifest, "cloud", "x86_64", &running, &target), &version("1.5.0"));
        assert_eq!(next_hop(&manifest, "cloud", "aarch64", &running, &target), &target);
    }

    #[test]
    fn a_barrier_that_is_paused_or_misread_is_still_one() {
        let mut manifest = manifest(&[("1.9.0", false), ("1.5.0", false)]);
        manifest.updates[1].extensions = serde_json::json!({"barrier": "yes"}).into();
        assert_eq!(hop(&manifest, "1.2.0", "1.9.0"), "1.5.0");
        let paused = Paused {
            since: "2026-02-01T00:00:00Z".parse().unwrap(),
            update: update("demo", &version("1.4.0"), true),
        };
        manifest.extensions = ManifestExtensions { paused: vec![paused], ..ManifestExtensions::default() };
        assert_eq!(hop(&manifest, "1.2.0", "1.9.0"), "1.4.0");
    }

    proptest! {
        #[test]
        fn whoever_follows_the_hops_meets_every_barrier_and_arrives(
            updates in proptest::collection::btree_map(0_u64..20, any::<bool>(), 0..12),
            from in 0_u64..20,
            to in 0_u64..20,
        ) {
            let at = |minor: u64| Version::new(1, minor, 0);
            let manifest = Manifest {
                updates: updates.iter().map(|(minor, barrier)| update("demo", &at(*minor), *barrier)).collect(),
                ..Manifest::default()
            };
            let (mut running, target) = (at(from), at(to));
            let mut met = Vec::new();
            while running != target {
                prop_assert!(met.len() < 21, "{met:?}");
                running = next_hop(&manifest, "demo", "x86_64", &running, &target).clone();
                met.push(running.minor);
            }
            let mut expected: Vec<_> =
                updates.iter().filter(|(minor, barrier)| **barrier && (from + 1..to).contains(minor))
                    .map(|(minor, _)| *minor).collect();
            expected.extend((from != to).then_some(to));
            prop_assert_eq!(met, expected);
        }
    }
}
