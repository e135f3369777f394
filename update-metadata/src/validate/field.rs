//! One field, whatever it belongs to.

use chrono::{DateTime, SecondsFormat, Utc};
use semver::Version;
use serde_json::{Map, Value};

use super::findings::Findings;
use crate::safe_target_name;

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

pub(super) fn read_name(json: &Value, path: &str, findings: &mut Findings) -> Option<String> {
    let name = text(json, path, findings)?;
    if !safe_target_name(name) {
        findings.unwise(path, format!("is {name:?}, which is not a safe target name"));
    }
    Some(name.to_owned())
}

pub(super) fn version(
    of: &Map<String, Value>,
    path: &str,
    name: &str,
    findings: &mut Findings,
) -> Option<Version> {
    let path_of = format!("{path}.{name}");
    let text = text(field(of, path, name, findings)?, &path_of, findings)?;
    let parsed = text.parse().ok();
    if parsed.is_none() {
        findings.unreadable(path_of, format!("is {text:?}, and a version like 1.2.3 is needed"));
    }
    parsed
}

pub(super) fn filled(
    of: &Map<String, Value>,
    path: &str,
    name: &str,
    findings: &mut Findings,
) -> Option<String> {
    let path_of = format!("{path}.{name}");
    let text = text(field(of, path, name, findings)?, &path_of, findings)?;
    if text.is_empty() {
        findings.unwise(path_of, "is empty");
    }
    Some(text.to_owned())
}

pub(super) fn field<'a>(
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

pub(super) fn object<'a>(
    json: &'a Value,
    path: &str,
    findings: &mut Findings,
) -> Option<&'a Map<String, Value>> {
    let object = json.as_object();
    if object.is_none() {
        findings.unreadable(path, format!("is {}, and an object is needed", kind(json)));
    }
    object
}

pub(super) fn list<'a>(json: &'a Value, path: &str, findings: &mut Findings) -> &'a [Value] {
    json.as_array().map_or_else(
        || {
            findings.unreadable(path, format!("is {}, and a list is needed", kind(json)));
            &[][..]
        },
        Vec::as_slice,
    )
}

pub(super) fn list_len(json: &Value) -> usize {
    json.as_array().map_or(0, Vec::len)
}

pub(super) fn text<'a>(json: &'a Value, path: &str, findings: &mut Findings) -> Option<&'a str> {
    let text = json.as_str();
    if text.is_none() {
        findings.unreadable(path, format!("is {}, and text is needed", kind(json)));
    }
    text
}

pub(super) fn too_many(path: &str, count: usize, limit: usize, findings: &mut Findings) {
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
