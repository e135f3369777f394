//! What each field of a manifest is, one by one.

use std::collections::BTreeMap;

use semver::Version;
use serde_json::Value;

use super::extensions;
use super::field::{field, kind, list, list_len, object, read_date, read_name, too_many};
use super::findings::Findings;
use super::shape::{KnownUpdate, read_update};
use crate::edge::Edge;
use crate::limits::MAX_UPDATES;

/// What of a manifest could be understood, for a look at it as a whole.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) updates: Vec<KnownUpdate>,
    pub(super) paused: Vec<KnownUpdate>,
    pub(super) migrations: BTreeMap<(Version, Version), Vec<String>>,
}

/// Looks at every field, and gives back what is understood.
pub(super) fn read(json: &Value, findings: &mut Findings) -> Known {
    let Some(manifest) = object(json, "$", findings) else { return Known::default() };
    let mut known = Known::default();
    if let Some(updates) = field(manifest, "$", "updates", findings) {
        let path = "$.updates";
        for (number, update) in list(updates, path, findings).iter().enumerate() {
            known.updates.extend(read_update(update, format!("{path}[{number}]"), findings));
        }
        too_many(path, list_len(updates), MAX_UPDATES, findings);
    }
    if let Some(migrations) = field(manifest, "$", "migrations", findings) {
        for (key, names) in object(migrations, "$.migrations", findings).into_iter().flatten() {
            let path = format!("$.migrations[{key:?}]");
            if let Some((edge, names)) = read_step(key, names, &path, findings) {
                let before = known.migrations.insert((edge.from.clone(), edge.to.clone()), names);
                if before.is_some() {
                    findings.unreadable(path, format!("is the step {edge}, which is there already"));
                }
            }
        }
    }
    if let Some(extensions) = manifest.get("extensions") {
        known.paused = read_paused(extensions, "$.extensions", findings);
    }
    known
}

fn read_step(key: &str, names: &Value, path: &str, findings: &mut Findings) -> Option<(Edge, Vec<String>)> {
    let edge = key.parse::<Edge>();
    match &edge {
        Err(_) => findings.unreadable(path, "is not a pair of versions like \"(1.0.0, 1.1.0)\""),
        Ok(edge) => {
            if edge.to_string() != key {
                findings.unwise(path, format!("is read as {edge}; write it so"));
            }
            if !edge.is_upward() {
                findings.unwise(path, "does not lead to a newer version: no host follows it");
            }
        }
    }
    let names = list(names, path, findings).iter().enumerate();
    let names =
        names.filter_map(|(number, name)| read_name(name, &format!("{path}[{number}]"), findings)).collect();
    Some((edge.ok()?, names))
}

/// Looks at the extensions of a manifest; gives back the paused updates.
fn read_paused(json: &Value, path: &str, findings: &mut Findings) -> Vec<KnownUpdate> {
    let Some(paused) = extensions::object(json, path, findings).and_then(|fields| fields.get("paused"))
    else {
        return Vec::new();
    };
    let path = format!("{path}.paused");
    let Some(list) = paused.as_array() else {
        findings.unwise(path, format!("is {}, and a list is needed: it is not read", kind(paused)));
        return Vec::new();
    };
    if list.len() > MAX_UPDATES {
        let what = format!("has {} entries, and {MAX_UPDATES} are the most: it is not read", list.len());
        findings.unwise(&path, what);
    }
    let mut known = Vec::new();
    for (number, entry) in list.iter().enumerate() {
        let path = format!("{path}[{number}]");
        let readable = std::mem::replace(&mut findings.unreadable, false);
        let missing = |name: &str, findings: &mut Findings| {
            findings.unwise(format!("{path}.{name}"), "is missing: no paused update is read");
        };
        match entry.get("since") {
            Some(since) => drop(read_date(since, &format!("{path}.since"), findings)),
            None => missing("since", findings),
        }
        match entry.get("update") {
            Some(update) => known.extend(read_update(update, format!("{path}.update"), findings)),
            None => missing("update", findings),
        }
        // What is wrong with a paused update is no obstacle to readers of the manifest.
        findings.unreadable = readable;
    }
    known
}
