//! What each field of a manifest is, one by one.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SecondsFormat, Utc};
use semver::Version;
use serde_json::{Map, Value};

use super::{Findings, extensions};
use crate::edge::Edge;
use crate::manifest::{MAX_UPDATES, MAX_WAVES};
use crate::safe_target_name;
use crate::seed::LAST;

/// What of a manifest could be understood, for a look at it as a whole.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) updates: Vec<KnownUpdate>,
    pub(super) paused: Vec<KnownUpdate>,
    pub(super) migrations: BTreeMap<(Version, Version), Vec<String>>,
}

/// An update whose fields could be read.
#[derive(Debug)]
pub(super) struct KnownUpdate {
    pub(super) path: String,
    pub(super) variant: String,
    pub(super) arch: String,
    pub(super) version: Version,
    pub(super) max_version: Version,
    pub(super) barrier: bool,
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
        known.paused = extensions::read_manifest(extensions, "$.extensions", findings);
    }
    known
}

pub(super) fn read_update(json: &Value, path: String, findings: &mut Findings) -> Option<KnownUpdate> {
    let update = object(json, &path, findings)?;
    let variant = filled(update, &path, "variant", findings);
    let arch = filled(update, &path, "arch", findings);
    let version = version(update, &path, "version", findings);
    let max_version = self::version(update, &path, "max_version", findings);
    if let Some(waves) = field(update, &path, "waves", findings) {
        read_waves(waves, &format!("{path}.waves"), findings);
    }
    let images = field(update, &path, "images", findings);
    let path_of_images = format!("{path}.images");
    if let Some(images) = images.and_then(|images| object(images, &path_of_images, findings)) {
        for role in ["boot", "root", "hash"] {
            if let Some(name) = field(images, &path_of_images, role, findings) {
                read_name(name, &format!("{path_of_images}.{role}"), findings);
            }
        }
    }
    let of_ours = update.get("extensions");
    let barrier =
        of_ours.is_some_and(|json| extensions::read_update(json, &format!("{path}.extensions"), findings));
    let (variant, arch) = (variant?, arch?);
    Some(KnownUpdate { variant, arch, version: version?, max_version: max_version?, barrier, path })
}

fn read_waves(json: &Value, path: &str, findings: &mut Findings) {
    let Some(waves) = object(json, path, findings) else { return };
    too_many(path, waves.len(), MAX_WAVES, findings);
    let mut dates = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for (key, date) in waves {
        let path = format!("{path}[{key:?}]");
        let bound = key.parse::<u32>();
        match &bound {
            Err(_) => findings.unreadable(&path, "is not the number of a seed"),
            Ok(bound) if !seen.insert(*bound) => {
                findings.unreadable(&path, format!("is wave {bound}, which is there already"));
            }
            Ok(bound) if *bound > LAST => findings.unwise(&path, format!("is above the last seed, {LAST}")),
            Ok(_) => {}
        }
        let date = read_date(date, &path, findings);
        if let Ok(bound) = bound {
            if bound.to_string() != *key {
                findings.unwise(&path, format!("is read as wave {bound}; write it so"));
            }
            dates.extend(date.map(|date| (bound, (date, path))));
        }
    }
    for ((_, (date, _)), (_, (next, path))) in dates.iter().zip(dates.iter().skip(1)) {
        if date >= next {
            findings.unwise(path, "does not start after the wave before it");
        }
    }
    if let Some(first) = seen.first().filter(|first| **first > 0) {
        findings.unwise(path, format!("begins at {first}, so that seeds up to there wait for nothing"));
    }
}

pub(super) fn read_date(json: &Value, path: &str, findings: &mut Findings) -> Option<DateTime<Utc>> {
    let text = text(json, path, findings)?;
    match text.parse::<DateTime<Utc>>() {
        Err(_) => {
            findings.unreadable(path, format!("is {text:?}, and a date like 2026-01-31T09:00:00Z is needed"));
            None
        }
        Ok(date) => {
            if DateTime::parse_from_rfc3339(text).is_err() {
                let standard = date.to_rfc3339_opts(SecondsFormat::AutoSi, true);
                findings.unwise(
                    path,
                    format!("is read as {standard} but not by the standard (RFC 3339); write it so"),
                );
            }
            Some(date)
        }
    }
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

fn read_name(json: &Value, path: &str, findings: &mut Findings) -> Option<String> {
    let name = text(json, path, findings)?;
    if !safe_target_name(name) {
        findings.unwise(path, format!("is {name:?}, which is not a safe target name"));
    }
    Some(name.to_owned())
}

fn version(of: &Map<String, Value>, path: &str, name: &str, findings: &mut Findings) -> Option<Version> {
    let path_of = format!("{path}.{name}");
    let text = text(field(of, path, name, findings)?, &path_of, findings)?;
    let parsed = text.parse().ok();
    if parsed.is_none() {
        findings.unreadable(path_of, format!("is {text:?}, and a version like 1.2.3 is needed"));
    }
    parsed
}

fn filled(of: &Map<String, Value>, path: &str, name: &str, findings: &mut Findings) -> Option<String> {
    let path_of = format!("{path}.{name}");
    let text = text(field(of, path, name, findings)?, &path_of, findings)?;
    if text.is_empty() {
        findings.unwise(path_of, "is empty");
    }
    Some(text.to_owned())
}

fn field<'a>(
    of: &'a Map<String, Value>,
    path: &str,
    name: &str,
    findings: &mut Findings,
) -> Option<&'a Value> {
    let value = of.get(name);
    if value.is_none() {
        findings.unreadable(format!("{path}.{name}"), "is missing");
    }
    value
}

fn object<'a>(json: &'a Value, path: &str, findings: &mut Findings) -> Option<&'a Map<String, Value>> {
    let object = json.as_object();
    if object.is_none() {
        findings.unreadable(path, format!("is {}, and an object is needed", kind(json)));
    }
    object
}

fn list<'a>(json: &'a Value, path: &str, findings: &mut Findings) -> &'a [Value] {
    json.as_array().map_or_else(
        || {
            findings.unreadable(path, format!("is {}, and a list is needed", kind(json)));
            &[][..]
        },
        Vec::as_slice,
    )
}

fn list_len(json: &Value) -> usize {
    json.as_array().map_or(0, Vec::len)
}

fn text<'a>(json: &'a Value, path: &str, findings: &mut Findings) -> Option<&'a str> {
    let text = json.as_str();
    if text.is_none() {
        findings.unreadable(path, format!("is {}, and text is needed", kind(json)));
    }
    text
}

fn too_many(path: &str, count: usize, limit: usize, findings: &mut Findings) {
    if count > limit {
        findings.unreadable(path, format!("has {count} entries, and {limit} are the most"));
    }
}

pub(super) fn kind(json: &Value) -> &'static str {
    match json {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
