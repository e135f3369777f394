//! The model's file: one `[[setting]]` per setting.
//!
//! ```toml
//! [[setting]]
//! key = "settings.ntp.mode"
//! type = "string"              # string, integer, boolean, strings
//! default = "burst"            # optional
//! values = ["burst", "iburst"] # optional, for strings: the allowed ones
//! ```
//!
//! The file is part of the signed image, so anything that is not as it must be is a mistake of its maker and stops the
//! server, and with it the boot.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use datastore::{Key, Value};
use host_io::Fs;
use serde::Deserialize;
use thiserror::Error;

use super::{Kind, known};

/// The first segment of every setting.
const ROOT: &str = "settings";

/// One setting of this image.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The type of its value.
    pub kind: Kind,
    /// What it is when nobody set it.
    pub default: Option<Value>,
}

/// The settings that this image knows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Model {
    settings: BTreeMap<Key, Setting>,
}

/// Why an image's model cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The file cannot be read.
    #[error("read the settings model {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a list of settings.
    #[error("understand the settings model {path}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Why, with the line.
        source: Box<toml::de::Error>,
    },
    /// One entry makes no sense.
    #[error("use {key} of the settings model {path}: {reason}")]
    Setting {
        /// The file.
        path: PathBuf,
        /// The entry's key as it is written.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    setting: Vec<RawSetting>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSetting {
    key: String,
    #[serde(rename = "type")]
    kind: RawKind,
    default: Option<Value>,
    #[serde(default)]
    values: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawKind {
    String,
    Integer,
    Boolean,
    Strings,
}

impl Model {
    /// Loads the model of an image.
    ///
    /// # Errors
    /// When the file is missing or not as it must be.
    pub fn load(fs: &dyn Fs, path: &Path) -> Result<Self, ModelError> {
        let bytes = fs.read(path).map_err(|source| ModelError::Read { path: path.to_owned(), source })?;
        Self::parse(&String::from_utf8_lossy(&bytes), path)
    }

    /// Parses a model; `path` is for the error only.
    ///
    /// # Errors
    /// When an entry has an unknown field or type, a key that is none or is there twice, a default that it does not
    /// take itself, or lies below another setting.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ModelError> {
        let raw: RawFile = toml::from_str(text)
            .map_err(|source| ModelError::Parse { path: path.to_owned(), source: Box::new(source) })?;
        let mut settings = BTreeMap::new();
        for entry in raw.setting {
            let text = entry.key.clone();
            let bad =
                |reason: String| ModelError::Setting { path: path.to_owned(), key: text.clone(), reason };
            let (key, setting) = setting(entry).map_err(bad)?;
            if let Some(other) = settings
                .keys()
                .find(|other: &&Key| key == **other || key.is_below(other) || other.is_below(&key))
            {
                let reason = if key == *other {
                    "it is there twice".to_owned()
                } else {
                    format!("it clashes with {other}")
                };
                return Err(bad(reason));
            }
            settings.insert(key, setting);
        }
        Ok(Self { settings })
    }

    /// The setting of that name.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&Setting> {
        self.settings.get(key)
    }

    /// All names, in order.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.settings.keys()
    }

    /// What the settings are when nobody set them.
    #[must_use]
    pub fn defaults(&self) -> BTreeMap<Key, Value> {
        self.settings
            .iter()
            .filter_map(|(key, setting)| Some((key.clone(), setting.default.clone()?)))
            .collect()
    }
}

fn setting(raw: RawSetting) -> Result<(Key, Setting), String> {
    let key = Key::parse(&raw.key).map_err(|error| error.to_string())?;
    if key.segments().first().is_none_or(|first| first != ROOT) || key.segments().len() < 2 {
        return Err(format!("its name must begin with \"{ROOT}.\""));
    }
    if raw.kind != RawKind::String && !raw.values.is_empty() {
        return Err("only a string can have \"values\"".to_owned());
    }
    let kind = match raw.kind {
        RawKind::String => Kind::String { values: raw.values },
        RawKind::Integer => Kind::Integer,
        RawKind::Boolean => Kind::Boolean,
        RawKind::Strings => Kind::Strings,
    };
    if let Some(default) = &raw.default {
        if !kind.takes(default) {
            return Err(format!("its default is {default}, and it takes {kind}"));
        }
        known::check(&key, default)
            .map_err(|takes| format!("its default is {default}, and it takes {takes}"))?;
    }
    Ok((key, Setting { kind, default: raw.default }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const GOOD: &str = r#"
[[setting]]
key = "settings.motd"
type = "string"
default = "Welcome"

[[setting]]
key = "settings.updates.seed"
type = "integer"

[[setting]]
key = "settings.ntp.mode"
type = "string"
default = "burst"
values = ["burst", "iburst"]

[[setting]]
key = "settings.network.no-proxy"
type = "strings"
default = ["localhost"]
"#;

    fn parsed(text: &str) -> Result<Model, String> {
        Model::parse(text, Path::new("settings.toml")).map_err(|error| host_io::report::chain(&error))
    }

    #[test]
    fn a_model_gives_types_and_defaults() {
        let model = parsed(GOOD).unwrap();
        let key = |text| Key::parse(text).unwrap();
        assert_eq!(model.get(&key("settings.updates.seed")).unwrap().kind, Kind::Integer);
        assert_eq!(model.keys().count(), 4);
        let defaults = model.defaults();
        assert_eq!(defaults.len(), 3);
        assert_eq!(defaults[&key("settings.network.no-proxy")], json!(["localhost"]));
        assert!(model.get(&key("settings.ntp")).is_none());
    }

    #[test]
    fn an_empty_model_is_a_model() {
        assert_eq!(parsed("").unwrap(), Model::default());
    }

    #[test]
    fn every_mistake_in_a_model_names_its_entry() {
        let cases = [
            ("key = \"settings.motd\"\ntype = \"text\"", "text"),
            ("key = \"settings.motd\"\ntype = \"string\"\ncolour = 1", "colour"),
            ("key = \"motd\"\ntype = \"string\"", "begin with"),
            ("key = \"settings\"\ntype = \"string\"", "begin with"),
            ("key = \"settings..a\"\ntype = \"string\"", "empty"),
            ("key = \"settings.a\"\ntype = \"integer\"\ndefault = \"1\"", "it takes a whole number"),
            ("key = \"settings.a\"\ntype = \"integer\"\nvalues = [\"1\"]", "only a string"),
            ("key = \"settings.a\"\ntype = \"string\"\ndefault = \"c\"\nvalues = [\"b\"]", "one of b"),
            ("key = \"settings.updates.seed\"\ntype = \"integer\"\ndefault = 4096", "0 to 2048"),
            ("type = \"string\"", "key"),
        ];
        for (entry, reason) in cases {
            let error = parsed(&format!("[[setting]]\n{entry}")).unwrap_err();
            assert!(error.contains(reason), "{entry}: {error}");
        }
    }

    #[test]
    fn a_setting_cannot_be_there_twice_or_be_a_group_as_well() {
        let two = |other: &str| {
            parsed(&format!(
                "[[setting]]\nkey = \"settings.ntp.mode\"\ntype = \"string\"\n[[setting]]\nkey = \"{other}\"\ntype = \"string\""
            ))
        };
        assert!(two("settings.ntp.mode").unwrap_err().contains("twice"));
        assert!(two("settings.ntp").unwrap_err().contains("clashes with settings.ntp.mode"));
        assert!(two("settings.ntp.mode.x").unwrap_err().contains("clashes"));
        assert!(two("settings.ntp.modes").is_ok());
    }
}
