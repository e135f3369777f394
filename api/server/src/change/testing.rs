//! Values for the tests of changes.

use std::collections::BTreeMap;
use std::path::Path;

use datastore::{Key, Value};
use settings_model::Model;

use super::asked::{Nulls, from_json};

pub(super) fn model() -> Model {
    let entries = [
        ("settings.motd", "string"),
        ("settings.updates.seed", "integer"),
        ("settings.updates.ignore-waves", "boolean"),
        ("settings.network.no-proxy", "strings"),
    ];
    let text: String = entries
        .iter()
        .map(|(key, kind)| format!("[[setting]]\nkey = \"{key}\"\ntype = \"{kind}\"\n"))
        .map(|entry| if entry.contains("integer") { entry + "min = 0\nmax = 2048\n" } else { entry })
        .collect();
    Model::parse(&text, Path::new("settings.toml")).unwrap()
}

pub(super) fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

/// What plain JSON sets, or why not.
pub(super) fn json_change(body: &str) -> Result<BTreeMap<Key, Value>, String> {
    let asked = from_json(&model(), body.as_bytes(), Nulls::Say);
    asked.map(|asked| asked.set).map_err(|error| host_io::report::chain(&error))
}
