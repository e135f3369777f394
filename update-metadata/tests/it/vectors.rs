//! What other tools are known to answer, measured with them, and what ours does: the same, or knowingly something else.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use semver::Version;
use update_metadata::author::{self, AuthorError, Selector};
use update_metadata::waves::Rule;
use update_metadata::{Manifest, ReleaseConfig, Seed, WavePolicy, migration_path};

fn minute(minutes: i64) -> DateTime<Utc> {
    "2020-01-01T00:00:00Z".parse::<DateTime<Utc>>().expect("a date") + TimeDelta::minutes(minutes)
}

/// The first whole minute at which an update is offered, looked for from two hours before the start.
fn first_minute(rule: Rule, waves: &BTreeMap<u32, DateTime<Utc>>, seed: u32) -> Option<i64> {
    let opens = rule.opens_at(waves, Seed::new(seed).expect("a seed"));
    (-120..3000).find(|at| opens.is_none_or(|opens| minute(*at) >= opens))
}

#[test]
fn when_an_update_is_offered_by_either_rule() {
    let waves = BTreeMap::from([(0, minute(60)), (102, minute(240)), (1024, minute(1440))]);
    // (seed, older rule, ours)
    let mut rows = vec![
        (0, -120, 60),
        (1, 62, 62),
        (51, 150, 150),
        (102, 240, 240),
        (103, 375, 242),
        (500, 891, 759),
        (922, 1440, 1308),
        (1024, 1440, 1440),
    ];
    rows.extend((1025..=2048).map(|seed| (seed, 1440, 1440)));
    for (seed, older, ours) in rows {
        assert_eq!(first_minute(Rule::Older, &waves, seed), Some(older), "seed {seed}, older rule");
        assert_eq!(first_minute(Rule::Ours, &waves, seed), Some(ours), "seed {seed}, our rule");
    }
    assert!(Seed::new(2049).is_err());
}

/// The bounds and hours that a plan of `(percentage, hours)` becomes in a manifest.
fn set_waves(plan: &[(u32, u32)]) -> Result<Vec<(u32, i64)>, AuthorError> {
    let waves = plan.iter().map(|(percentage, hours)| {
        format!("{{start_after = '{hours} hours', fleet_percentage = {percentage}}}")
    });
    let text = format!("waves = [{}]", waves.collect::<Vec<_>>().join(", "));
    let policy = WavePolicy::parse(&text).expect("a policy");
    let manifest = Manifest::parse(
        br#"{"updates": [{"variant": "v", "arch": "a", "version": "1.0.0", "max_version": "1.0.0", "waves": {},
             "images": {"boot": "b", "root": "r", "hash": "h"}}], "migrations": {}}"#,
    )
    .expect("a manifest");
    let selector = Selector::of(&manifest.updates[0]);
    let manifest = author::set_waves(manifest, &selector, &policy, minute(0))?;
    let hours = |date: DateTime<Utc>| (date - minute(0)).num_hours();
    Ok(manifest.updates[0].waves.iter().map(|(bound, date)| (*bound, hours(*date))).collect())
}

#[test]
fn what_plans_become() {
    assert_eq!(set_waves(&[(5, 1), (5, 2), (100, 3)]), Ok(vec![(0, 1), (102, 3)]));
    assert_eq!(set_waves(&[(5, 1)]), Ok(vec![(0, 1)]));
    assert_eq!(set_waves(&[(100, 1), (100, 2)]), Ok(vec![(0, 1), (2048, 2)]));
    for unordered in [&[(50, 1), (10, 2), (100, 3)][..], &[(5, 1), (100, 1)]] {
        assert!(matches!(set_waves(unordered), Err(AuthorError::Unordered { .. })), "{unordered:?}");
    }
}

/// The way from one version to another through steps written as in a release description.
fn way(steps: &str, from: &str, to: &str) -> Result<Vec<String>, Version> {
    let release =
        ReleaseConfig::parse(&format!("version = '1.0.0'\n[migrations]\n{steps}")).expect("a release");
    let version = |text: &str| text.parse::<Version>().expect("a version");
    migration_path(&release.migrations, &version(from), &version(to)).map_err(|no_path| no_path.reached)
}

#[test]
fn which_migrations_lead_from_one_version_to_another() {
    let forked = "'(1.0.0, 1.1.0)' = ['a']\n'(1.0.0, 1.2.0)' = ['dead']\n'(1.1.0, 1.3.0)' = ['b']";
    // Older tools take the longest step, get stuck at 1.2.0, and give up; ours go back for the next one.
    assert_eq!(way(forked, "1.0.0", "1.3.0"), Ok(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(way(forked, "1.3.0", "1.0.0"), Ok(vec!["b".to_owned(), "a".to_owned()]));
    assert_eq!(way(forked, "1.0.0", "1.0.0"), Ok(vec![]));
    let empty = "'(1.0.0, 1.1.0)' = []\n'(1.1.0, 1.2.0)' = []";
    assert_eq!(way(empty, "1.0.0", "1.2.0"), Ok(vec![]));
    assert_eq!(way(empty, "1.0.0", "1.2.1"), Err(Version::new(1, 2, 0)));
    // Older tools never come back from this one.
    let circle = "'(1.0.0, 1.1.0)' = []\n'(1.1.0, 1.0.0)' = []";
    assert_eq!(way(circle, "1.0.0", "1.2.0"), Err(Version::new(1, 1, 0)));
}
