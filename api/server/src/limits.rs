//! How much a host may be told.
//!
//! Whoever may use the socket can fill memory and the partition that the sets share. These bounds are far above what a
//! host needs and far below what would hurt it; what is beyond is refused, and nothing changes.

use std::collections::{BTreeMap, BTreeSet};

use datastore::{Key, Value};
use settings_model::{Model, tree};

/// The most settings in force.
pub const SETTINGS: usize = 16_384;
/// The most bytes that all settings in force take as JSON.
pub const BYTES: usize = 16 << 20;
/// The most entries of one group of ids.
pub const IDS: usize = 8_192;
/// The most entries of a group whose every entry is an instance of a service, with files and a unit of its own.
pub const INSTANCES: usize = 2_048;
/// The most transactions that are open at one time.
pub const TRANSACTIONS: usize = 64;

/// What is too much of these settings, of which those in `changed` are new or other than before, if anything; to be read
/// after "that would be".
#[must_use]
pub fn exceeded(
    model: &Model,
    settings: &BTreeMap<Key, Value>,
    changed: &BTreeMap<Key, Value>,
) -> Option<String> {
    if settings.len() > SETTINGS {
        return Some(format!("{} settings, and {SETTINGS} are possible", settings.len()));
    }
    let name = |key: &Key| key.segments().iter().map(|segment| segment.len() + 1).sum::<usize>();
    let bytes: usize = settings.iter().map(|(key, value)| name(key) + size(value)).sum();
    if bytes > BYTES {
        return Some(format!("{bytes} bytes of settings, and {BYTES} are possible"));
    }
    let groups: BTreeSet<Key> =
        changed.keys().filter_map(|key| Some(model.get(key)?.name.group_of(key)?.0)).collect();
    groups.into_iter().find_map(|group| {
        let depth = group.segments().len();
        let below = tree::at_or_below(settings, &group).map(|(key, _)| key);
        let ids: BTreeSet<&str> = below.filter_map(|key| Some(key.segments().get(depth)?.as_str())).collect();
        let instances = model.services().iter().any(|service| service.each.as_ref() == Some(&group));
        let most = if instances { INSTANCES } else { IDS };
        (ids.len() > most).then(|| format!("{} entries of {group}, and {most} are possible", ids.len()))
    })
}

fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(|item| size(item) + 1).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => 8,
    }
}
