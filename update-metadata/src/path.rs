//! Which migrations lead from one version to another (`docs/compatibility.md`, "Migration paths").
//!
//! Only steps to a newer version are followed, so a manifest with loops cannot hold a host up. At each version the
//! longest step that does not overshoot is tried first, which is the order that hosts in the field use; where that leads
//! into a dead end, the next shorter one is tried. The way back is the way there, reversed. Each version is looked at
//! once, so the work is bounded by the number of steps in the manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Included};

use semver::Version;
use thiserror::Error;

/// A manifest has no way between two versions.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("find migrations from {from} to {to}: from {} they lead no further than {reached}", from.min(to))]
pub struct NoPath {
    /// Where the way should start.
    pub from: Version,
    /// Where it should lead.
    pub to: Version,
    /// The newest version that can be reached from the older of the two without passing the newer one.
    pub reached: Version,
}

/// The names of the migration targets that lead from `from` to `to`, in the order in which they run. Between equal
/// versions (build metadata counts) there is nothing to run.
///
/// # Errors
/// [`NoPath`] when no chain of steps joins the two.
pub fn migration_path(
    migrations: &BTreeMap<(Version, Version), Vec<String>>,
    from: &Version,
    to: &Version,
) -> Result<Vec<String>, NoPath> {
    let chain = upward(migrations, from.min(to), from.max(to)).map_err(|reached| NoPath {
        from: from.clone(),
        to: to.clone(),
        reached: reached.clone(),
    })?;
    let names = chain.into_iter().flatten().cloned();
    Ok(if from <= to { names.collect() } else { names.rev().collect() })
}

/// The chain from `lower` up to `upper`, or the newest version that can be reached.
fn upward<'a>(
    migrations: &'a BTreeMap<(Version, Version), Vec<String>>,
    lower: &'a Version,
    upper: &Version,
) -> Result<Vec<&'a Vec<String>>, &'a Version> {
    if lower == upper {
        return Ok(Vec::new());
    }
    // From `at`, the steps that lead up and not past `upper`, the longest first.
    let steps = |at: &Version| {
        let (start, end) = ((at.clone(), at.clone()), (at.clone(), upper.clone()));
        migrations.range((Excluded(start), Included(end))).rev()
    };
    let mut seen = BTreeSet::from([lower]);
    let mut chain = Vec::new();
    let mut open = vec![steps(lower)];
    while let Some(next) = open.last_mut() {
        match next.next() {
            Some(((_, to), names)) if to == upper => {
                chain.push(names);
                return Ok(chain);
            }
            // What was seen before leads nowhere: with steps that only go up, nobody comes back to a version on the way.
            Some(((_, to), names)) if seen.insert(to) => {
                chain.push(names);
                open.push(steps(to));
            }
            Some(_) => {}
            None => {
                open.pop();
                chain.pop();
            }
        }
    }
    Err(seen.last().copied().unwrap_or(lower))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Migrations = BTreeMap<(Version, Version), Vec<String>>;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    fn migrations(edges: &[(&str, &str, &[&str])]) -> Migrations {
        let edge = |(from, to, names): &(&str, &str, &[&str])| {
            ((version(from), version(to)), names.iter().map(ToString::to_string).collect())
        };
        edges.iter().map(edge).collect()
    }

    fn path(migrations: &Migrations, from: &str, to: &str) -> Result<Vec<String>, NoPath> {
        migration_path(migrations, &version(from), &version(to))
    }

    #[test]
    fn equal_versions_need_no_migration() {
        assert_eq!(path(&Migrations::new(), "1.0.0", "1.0.0"), Ok(vec![]));
    }

    #[test]
    fn a_dead_end_of_the_longest_step_is_left_for_a_shorter_one() {
        let edges: [(&str, &str, &[&str]); 3] =
            [("1.0.0", "1.1.0", &["a"]), ("1.0.0", "1.2.0", &["dead"]), ("1.1.0", "1.3.0", &["b"])];
        let migrations = migrations(&edges);
        assert_eq!(path(&migrations, "1.0.0", "1.3.0").unwrap(), ["a", "b"]);
        assert_eq!(path(&migrations, "1.3.0", "1.0.0").unwrap(), ["b", "a"]);
        assert_eq!(path(&migrations, "1.0.0", "1.0.0").unwrap(), [""; 0]);
    }

    #[test]
    fn the_longest_step_is_preferred() {
        let edges: [(&str, &str, &[&str]); 4] = [
            ("1.0.0", "1.1.0", &["short"]),
            ("1.1.0", "1.2.0", &["short too"]),
            ("1.0.0", "1.2.0", &["long", "long too"]),
            ("1.2.0", "1.3.0", &["last"]),
        ];
        let migrations = migrations(&edges);
        assert_eq!(path(&migrations, "1.0.0", "1.3.0").unwrap(), ["long", "long too", "last"]);
        assert_eq!(path(&migrations, "1.3.0", "1.0.0").unwrap(), ["last", "long too", "long"]);
        assert_eq!(path(&migrations, "1.0.0", "1.1.0").unwrap(), ["short"]);
    }

    #[test]
    fn steps_without_migrations_are_steps() {
        let migrations = migrations(&[("1.0.0", "1.1.0", &[]), ("1.1.0", "1.2.0", &[])]);
        assert_eq!(path(&migrations, "1.0.0", "1.2.0"), Ok(vec![]));
        let error = path(&migrations, "1.0.0", "1.2.1").unwrap_err();
        assert_eq!(
            error.to_string(),
            "find migrations from 1.0.0 to 1.2.1: from 1.0.0 they lead no further than 1.2.0"
        );
        assert_eq!(path(&migrations, "1.2.1", "1.0.0").unwrap_err().reached, version("1.2.0"));
    }

    #[test]
    fn loops_and_steps_to_oneself_do_not_hold_anybody_up() {
        let migrations = migrations(&[
            ("1.0.0", "1.1.0", &["a"]),
            ("1.1.0", "1.0.0", &["back"]),
            ("1.1.0", "1.1.0", &["self"]),
        ]);
        assert_eq!(path(&migrations, "1.0.0", "1.2.0").unwrap_err().reached, version("1.1.0"));
        assert_eq!(path(&migrations, "1.0.0", "1.1.0").unwrap(), ["a"]);
        assert_eq!(path(&migrations, "1.1.0", "1.0.0").unwrap(), ["a"]);
    }

    #[test]
    fn pre_releases_and_build_metadata_are_versions_of_their_own() {
        let migrations = migrations(&[("1.0.0-rc.1", "1.0.0", &["a"]), ("1.0.0", "1.0.0+b", &["c"])]);
        assert_eq!(path(&migrations, "1.0.0-rc.1", "1.0.0+b").unwrap(), ["a", "c"]);
        assert!(path(&migrations, "1.0.0-rc.2", "1.0.0").is_err());
    }

    #[test]
    fn a_very_long_chain_is_walked() {
        let edge =
            |patch| ((Version::new(1, 0, patch), Version::new(1, 0, patch + 1)), vec![patch.to_string()]);
        let migrations: Migrations = (0..50_000).map(edge).collect();
        let names = migration_path(&migrations, &Version::new(1, 0, 0), &Version::new(1, 0, 50_000)).unwrap();
        assert_eq!(names.len(), 50_000);
    }

    #[test]
    fn a_graph_with_exponentially_many_dead_ends_is_walked_once() {
        let versions: Vec<_> = (0..60).map(|minor| Version::new(1, minor, 0)).collect();
        let mut migrations = Migrations::new();
        for (at, from) in versions.iter().enumerate() {
            for to in &versions[at + 1..] {
                migrations.insert((from.clone(), to.clone()), vec!["m".to_owned()]);
            }
        }
        let error = migration_path(&migrations, &versions[0], &Version::new(2, 0, 0)).unwrap_err();
        assert_eq!(error.reached, versions[59]);
    }

    /// What hosts in the field do: always the longest step, never back; `None` where they get stuck or would loop.
    fn greedy(migrations: &Migrations, from: &Version, to: &Version) -> Option<Vec<String>> {
        let (lower, upper) = (from.min(to), from.max(to));
        let mut at = lower;
        let mut names = Vec::new();
        while at != upper {
            let ((_, next), list) =
                migrations.iter().filter(|((f, t), _)| f == at && t <= upper).max_by_key(|((_, t), _)| t)?;
            if next <= at {
                return None;
            }
            names.extend(list.iter().cloned());
            at = next;
        }
        if to < from {
            names.reverse();
        }
        Some(names)
    }

    /// The first way in the order of preference, by plain recursion.
    fn first_way(migrations: &Migrations, at: &Version, upper: &Version) -> Option<Vec<String>> {
        if at == upper {
            return Some(Vec::new());
        }
        let mut steps: Vec<_> =
            migrations.iter().filter(|((f, t), _)| f == at && t > at && t <= upper).collect();
        steps.sort_by_key(|((_, to), _)| std::cmp::Reverse(to));
        steps
            .into_iter()
            .find_map(|((_, to), names)| Some([names.clone(), first_way(migrations, to, upper)?].concat()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_way_equals_the_model_and_the_old_rule_where_that_succeeds(
            edges in proptest::collection::btree_map((0_u64..8, 0_u64..8), 0_usize..3, 0..16),
            from in 0_u64..8,
            to in 0_u64..8,
        ) {
            let version = |minor| Version::new(1, minor, 0);
            let migrations: Migrations = edges
                .iter()
                .map(|((f, t), count)| {
                    let names = (0..*count).map(|number| format!("{f}-{t}-{number}")).collect();
                    ((version(*f), version(*t)), names)
                })
                .collect();
            let (from, to) = (version(from), version(to));
            let found = migration_path(&migrations, &from, &to);
            let model = first_way(&migrations, (&from).min(&to), (&from).max(&to))
                .map(|mut names| {
                    if to < from {
                        names.reverse();
                    }
                    names
                });
            prop_assert_eq!(found.as_ref().ok(), model.as_ref());
            if let Some(old) = greedy(&migrations, &from, &to) {
                prop_assert_eq!(found, Ok(old));
            }
        }
    }
}
