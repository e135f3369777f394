//! The update manifest and every rule over it: what is read is written back the same, and each rule ends.
#![no_main]

use chrono::DateTime;
use libfuzzer_sys::fuzz_target;
use semver::Version;
use update_metadata::barrier::next_hop;
use update_metadata::explain::{Host, Reader, explain};
use update_metadata::waves::Rule;
use update_metadata::{Manifest, Readiness, Seed, migration_path, validate};

fuzz_target!(|bytes: &[u8]| {
    let _any_answer = validate::problems(bytes);
    let Ok(manifest) = Manifest::parse(bytes) else { return };
    let written = manifest.to_json();
    let again = Manifest::parse(written.as_bytes()).expect("what is written reads back");
    assert_eq!(again.to_json(), written, "and is written the same");

    let moments = [0, 1_700_000_000, 4_000_000_000].map(|s| DateTime::from_timestamp(s, 0).expect("a date"));
    let running = Version::new(1, 0, 0);
    for update in manifest.updates.iter().take(8) {
        for seed in [0, 1, 512, 2047, 2048].map(|seed| Seed::new(seed).expect("a seed")) {
            for rule in Rule::ALL {
                let _any_date = rule.opens_at(&update.waves, seed);
            }
            for now in moments {
                if let Readiness::Waiting { until } = update.readiness(seed, now) {
                    assert!(until > now, "who waits, waits for a later moment");
                    assert_eq!(update.readiness(seed, until), Readiness::Ready, "and then is ready");
                }
            }
        }
        for (from, to) in [(&running, &update.version), (&update.version, &update.max_version)] {
            let hop = next_hop(&manifest, &update.variant, &update.arch, from, to);
            assert!(hop <= to, "a hop does not overshoot");
            let (up, down) = (
                migration_path(&manifest.migrations, from, to),
                migration_path(&manifest.migrations, to, from),
            );
            assert_eq!(up.is_ok(), down.is_ok(), "the way back is there when the way is");
            if let (Ok(up), Ok(down)) = (up, down) {
                assert!(up.iter().eq(down.iter().rev()), "and is the way, reversed");
            }
        }
        for reader in [Reader::Older, Reader::Ours { updater: running.clone() }] {
            let host = Host {
                variant: update.variant.clone(),
                arch: update.arch.clone(),
                version: running.clone(),
                seed: Seed::new(7).expect("a seed"),
                reader,
            };
            let explanation = explain(&manifest, &host, moments[1]);
            assert!(explanation.updates.len() >= manifest.updates.len(), "every update is explained");
        }
    }
});
