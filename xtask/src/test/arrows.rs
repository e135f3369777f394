//! Which crate may use which: the table of `docs/design.md`, "Crates", against what cargo says.
//!
//! Normal and build dependencies count. Test code may use anything.

use std::collections::{BTreeMap, BTreeSet};

use crate::cargo::metadata;

/// Every crate of ours with the ones that it may use.
const ARROWS: &[(&str, &[&str])] = &[
    ("host-io", &[]),
    ("verity", &[]),
    ("blocks", &["verity"]),
    ("update-metadata", &["host-io"]),
    ("signpost", &["host-io"]),
    ("datastore", &["host-io"]),
    ("trusted-repo", &["host-io", "update-metadata"]),
    ("migration-helpers", &["datastore", "host-io"]),
    ("settings-model", &["api-model", "datastore", "host-io"]),
    ("updog", &["blocks", "host-io", "signpost", "trusted-repo", "update-metadata", "verity"]),
    (
        "migrator",
        &[
            "datastore",
            "host-io",
            "migration-helpers",
            "settings-model",
            "signpost",
            "trusted-repo",
            "update-metadata",
        ],
    ),
    (
        "publish",
        &[
            "blocks",
            "datastore",
            "host-io",
            "migration-helpers",
            "settings-model",
            "trusted-repo",
            "update-metadata",
            "verity",
        ],
    ),
    ("api-model", &["update-metadata"]),
    ("apiserver", &["api-model", "datastore", "host-io", "settings-model"]),
    ("apiclient", &["api-model", "host-io"]),
];

/// Crates for developers, which may use any other.
const DEVELOPERS: &[&str] = &["testdata", "xtask"];

/// What is wrong with the arrows, one sentence each.
pub(crate) fn check() -> Vec<String> {
    match metadata() {
        Ok(metadata) => findings(&uses(&metadata)),
        Err(error) => vec![error.to_string()],
    }
}

/// Each crate of the workspace with the crates of the workspace that it uses, developer dependencies left out.
fn uses(metadata: &serde_json::Value) -> BTreeMap<String, BTreeSet<String>> {
    let empty = Vec::new();
    let packages = metadata["packages"].as_array().unwrap_or(&empty);
    let name = |value: &serde_json::Value| value["name"].as_str().unwrap_or_default().to_owned();
    let ours: BTreeSet<String> = packages.iter().map(name).collect();
    packages
        .iter()
        .map(|package| {
            let used = package["dependencies"]
                .as_array()
                .unwrap_or(&empty)
                .iter()
                .filter(|dependency| dependency["kind"] != "dev")
                .map(name)
                .filter(|used| ours.contains(used))
                .collect();
            (name(package), used)
        })
        .collect()
}

fn findings(uses: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut findings = Vec::new();
    for (package, used) in uses {
        if DEVELOPERS.contains(&package.as_str()) {
            continue;
        }
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| name == package) else {
            findings.push(format!("{package} has no row in the table of arrows"));
            continue;
        };
        for other in used.iter().filter(|other| !allowed.contains(&other.as_str())) {
            findings.push(format!("{package} must not use {other}"));
        }
    }
    for (name, _) in ARROWS.iter().filter(|(name, _)| !uses.contains_key(*name)) {
        findings.push(format!("{name} has a row in the table of arrows but is not in the workspace"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> BTreeMap<String, BTreeSet<String>> {
        ARROWS
            .iter()
            .map(|(name, uses)| ((*name).to_owned(), uses.iter().map(|used| (*used).to_owned()).collect()))
            .collect()
    }

    #[test]
    fn the_table_itself_has_no_finding_and_no_circle() {
        assert_eq!(findings(&table()), Vec::<String>::new());
        let mut rest = table();
        while !rest.is_empty() {
            let free: Vec<String> = rest
                .iter()
                .filter(|(_, uses)| uses.iter().all(|used| !rest.contains_key(used)))
                .map(|(name, _)| name.clone())
                .collect();
            assert!(!free.is_empty(), "these use each other in a circle: {:?}", rest.keys());
            rest.retain(|name, _| !free.contains(name));
        }
    }

    #[test]
    fn an_arrow_that_is_not_in_the_table_is_found() {
        let mut uses = table();
        uses.entry("host-io".to_owned()).or_default().insert("updog".to_owned());
        uses.insert("newcomer".to_owned(), BTreeSet::new());
        assert_eq!(
            findings(&uses),
            ["host-io must not use updog", "newcomer has no row in the table of arrows"]
        );
    }

    #[test]
    fn only_what_a_crate_needs_to_run_counts() {
        let metadata = serde_json::json!({"packages": [
            {"name": "a", "dependencies": [{"name": "b", "kind": "dev"}, {"name": "c", "kind": null}, {"name": "serde", "kind": null}]},
            {"name": "b", "dependencies": []},
            {"name": "c", "dependencies": []},
        ]});
        assert_eq!(uses(&metadata)["a"], BTreeSet::from(["c".to_owned()]));
    }
}
