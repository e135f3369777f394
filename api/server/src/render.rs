//! Configuration files from settings.
//!
//! Rendering is a pure function of the settings; a file is replaced, new, synced, swapped, and only where its content
//! changes. `docs/compatibility.md`, "Files", has the fields of `updog.toml`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use datastore::{Key, Value};
use host_io::{Advise, Fs, Paths, swap};
use serde::Serialize;
use thiserror::Error;

/// Why a configuration file is not as the settings are.
#[derive(Debug, Error)]
#[error("write {path}")]
pub struct Error {
    /// The file.
    path: PathBuf,
    /// Why.
    source: std::io::Error,
}

impl Advise for Error {
    fn help(&self) -> Option<String> {
        Some(
            "the settings themselves are kept; make room or mend the file system, then apply again"
                .to_owned(),
        )
    }
}

/// `updog.toml` from the settings, or the names of settings that it needs and that nobody has set.
///
/// # Errors
/// The missing settings.
pub fn updog_toml(settings: &BTreeMap<Key, Value>) -> Result<String, Vec<String>> {
    let find = |name: &str| {
        settings
            .iter()
            .find_map(|(key, value)| (key.to_string() == format!("settings.{name}")).then_some(value))
    };
    let text = |name: &str| find(name).and_then(Value::as_str);
    let needed = ["updates.metadata-base-url", "updates.targets-base-url", "updates.seed"];
    let missing: Vec<String> =
        needed.iter().filter(|name| find(name).is_none()).map(|name| format!("settings.{name}")).collect();
    if !missing.is_empty() {
        return Err(missing);
    }
    let config = UpdogConfig {
        metadata_base_url: text(needed[0]).unwrap_or_default(),
        targets_base_url: text(needed[1]).unwrap_or_default(),
        seed: find(needed[2]).and_then(Value::as_i64).unwrap_or_default(),
        version_lock: text("updates.version-lock").unwrap_or("latest"),
        ignore_waves: find("updates.ignore-waves").and_then(Value::as_bool).unwrap_or_default(),
        https_proxy: text("network.https-proxy").filter(|proxy| !proxy.is_empty()),
        no_proxy: find("network.no-proxy").and_then(Value::as_array),
    };
    Ok(toml::to_string(&config).expect("texts, numbers and lists of texts are TOML"))
}

/// Brings the configuration files of this host in line with its settings.
///
/// # Errors
/// When a file cannot be replaced; it is then as it was.
pub fn apply(fs: &dyn Fs, paths: &Paths, settings: &BTreeMap<Key, Value>) -> Result<(), Error> {
    let path = paths.updog_config();
    let text = match updog_toml(settings) {
        Ok(text) => text,
        Err(missing) => {
            // A host may be kept without updates; its other settings still work.
            tracing::warn!("this host cannot look for updates: {} not set", list(&missing));
            return Ok(());
        }
    };
    if fs.read(&path).is_ok_and(|now| now == text.as_bytes()) {
        return Ok(());
    }
    swap::replace_file(fs, &path, text.as_bytes(), 0o644)
        .map_err(|source| Error { path: path.clone(), source })?;
    tracing::info!("wrote {}", path.display());
    Ok(())
}

fn list(missing: &[String]) -> String {
    format!("{} {}", missing.join(", "), if missing.len() == 1 { "is" } else { "are" })
}

/// The file as `updog` reads it.
#[derive(Serialize)]
struct UpdogConfig<'a> {
    metadata_base_url: &'a str,
    targets_base_url: &'a str,
    seed: i64,
    version_lock: &'a str,
    ignore_waves: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    https_proxy: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    no_proxy: Option<&'a Vec<Value>>,
}

#[cfg(test)]
mod tests {
    use host_io::SystemFs;
    use serde_json::json;

    use super::*;

    fn settings(pairs: &[(&str, Value)]) -> BTreeMap<Key, Value> {
        pairs
            .iter()
            .map(|(name, value)| (Key::parse(&format!("settings.{name}")).unwrap(), value.clone()))
            .collect()
    }

    fn enough() -> BTreeMap<Key, Value> {
        settings(&[
            ("updates.metadata-base-url", json!("https://u.example/\"m\"/")),
            ("updates.targets-base-url", json!("https://u.example/t/")),
            ("updates.seed", json!(7)),
        ])
    }

    #[test]
    fn a_full_file_has_every_field_and_is_valid_toml() {
        let mut all = enough();
        all.extend(settings(&[
            ("updates.version-lock", json!("v1.2.0")),
            ("updates.ignore-waves", json!(true)),
            ("network.https-proxy", json!("proxy.example:3128")),
            ("network.no-proxy", json!(["localhost", ".example"])),
            ("motd", json!("not here")),
        ]));
        let table: toml::Table = updog_toml(&all).unwrap().parse().unwrap();
        assert_eq!(table["metadata_base_url"].as_str(), Some("https://u.example/\"m\"/"));
        assert_eq!(table["seed"].as_integer(), Some(7));
        assert_eq!(table["version_lock"].as_str(), Some("v1.2.0"));
        assert_eq!(table["ignore_waves"].as_bool(), Some(true));
        assert_eq!(table["https_proxy"].as_str(), Some("proxy.example:3128"));
        assert_eq!(table["no_proxy"].as_array().map(Vec::len), Some(2));
        assert_eq!(table.len(), 7);
    }

    #[test]
    fn what_is_not_set_has_its_usual_meaning_and_an_empty_proxy_is_none() {
        let mut some = enough();
        some.extend(settings(&[("network.https-proxy", json!(""))]));
        let table: toml::Table = updog_toml(&some).unwrap().parse().unwrap();
        assert_eq!(table["version_lock"].as_str(), Some("latest"));
        assert_eq!(table["ignore_waves"].as_bool(), Some(false));
        assert_eq!(table.len(), 5);
    }

    #[test]
    fn a_host_without_a_repository_is_told_what_is_missing_and_keeps_its_file() {
        let missing = updog_toml(&settings(&[("updates.seed", json!(7))])).unwrap_err();
        assert_eq!(missing, ["settings.updates.metadata-base-url", "settings.updates.targets-base-url"]);
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path());
        apply(&SystemFs, &paths, &enough()).unwrap();
        let before = std::fs::read(paths.updog_config()).unwrap();
        apply(&SystemFs, &paths, &BTreeMap::new()).unwrap();
        assert_eq!(std::fs::read(paths.updog_config()).unwrap(), before);
    }
}
