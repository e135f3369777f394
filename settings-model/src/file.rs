//! The model's files: one `[[setting]]` per setting, one `[[service]]` per service.
//!
//! ```toml
//! [[setting]]
//! key = "settings.ntp.mode"
//! type = "string"              # string, integer, boolean, strings
//! default = "burst"            # optional
//! values = ["burst", "iburst"] # optional, for texts; as are format, pattern and empty
//! ```
//!
//! `settings.toml` comes first, then the files of `settings.d` in the order of their names; so a service brings its
//! settings as one file. They are part of the signed image, so anything that is not as it must be is a mistake of its
//! maker. It is told, and costs the settings and services that it is about; the others go on.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use datastore::Value;
use host_io::Fs;
use serde::Deserialize;
use thiserror::Error;

use crate::entry::RawSetting;
use crate::model::{Exec, Model};
use crate::service::Service;

/// Why an image's model cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A file cannot be read.
    #[error("read the settings model {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not a list of settings and services.
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
        /// The entry's key or name as it is written.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    setting: Vec<RawSetting>,
    #[serde(default)]
    default: Vec<RawDefault>,
    #[serde(default)]
    service: Vec<Service>,
    exec: Option<Exec>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDefault {
    key: String,
    value: Value,
}

impl Model {
    /// Loads the model of an image: `path`, and the files of the directory beside it whose name ends in `.d` instead
    /// of `.toml`.
    ///
    /// # Errors
    /// When neither is there, or one is not as it must be.
    pub fn load(fs: &dyn Fs, path: &Path) -> Result<Self, ModelError> {
        match Self::load_usable(fs, path)? {
            (model, errors) if errors.is_empty() => Ok(model),
            (_, mut errors) => Err(errors.swap_remove(0)),
        }
    }

    /// Loads what can be used of the model of an image, and says what cannot: a service whose file is broken takes
    /// nothing from the others.
    ///
    /// # Errors
    /// When there is no setting that can be used.
    pub fn load_usable(fs: &dyn Fs, path: &Path) -> Result<(Self, Vec<ModelError>), ModelError> {
        let read = |path: &Path| fs.read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let failed = |path: &Path, source| ModelError::Read { path: path.to_owned(), source };
        let dir = path.with_extension("d");
        let mut parts: Vec<PathBuf> = match fs.list(&dir) {
            Ok(entries) => entries.into_iter().map(|entry| dir.join(entry.name)).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed(&dir, error)),
        };
        parts.retain(|part| part.extension() == Some(OsStr::new("toml")));
        parts.sort();
        let mut texts = Vec::new();
        let mut errors = Vec::new();
        match read(path) {
            Ok(text) => texts.push((path.to_owned(), text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !parts.is_empty() => {}
            Err(error) => errors.push(failed(path, error)),
        }
        for part in parts {
            match read(&part) {
                Ok(text) => texts.push((part, text)),
                Err(error) => errors.push(failed(&part, error)),
            }
        }
        let files = texts.iter().map(|(path, text)| (path.as_path(), text.as_str()));
        let model = Self::collect(files, &mut errors);
        if model.settings().next().is_none() && !errors.is_empty() {
            return Err(errors.swap_remove(0));
        }
        Ok((model, errors))
    }

    /// Parses a model of one file; `path` is for the error only.
    ///
    /// # Errors
    /// As [`Model::parse_all`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, ModelError> {
        Self::parse_all([(path, text)])
    }

    /// Parses a model from the texts of its files.
    ///
    /// # Errors
    /// When an entry has an unknown field or type, a key that is none or is there twice, a default that its setting
    /// does not take, or lies below another setting; and when a service follows or needs what is no setting.
    pub fn parse_all<'a>(files: impl IntoIterator<Item = (&'a Path, &'a str)>) -> Result<Self, ModelError> {
        let mut errors = Vec::new();
        let model = Self::collect(files, &mut errors);
        if errors.is_empty() { Ok(model) } else { Err(errors.swap_remove(0)) }
    }

    /// The model of all that is as it must be; the rest is added to `errors`, in the order in which it is met.
    fn collect<'a>(
        files: impl IntoIterator<Item = (&'a Path, &'a str)>,
        errors: &mut Vec<ModelError>,
    ) -> Self {
        let mut model = Self::default();
        let bad = |path: &Path, key: &str, reason: String| ModelError::Setting {
            path: path.to_owned(),
            key: key.to_owned(),
            reason,
        };
        // What names settings is looked at when all of them are known.
        let (mut defaults, mut services) = (Vec::new(), Vec::new());
        for (path, text) in files {
            let raw: RawFile = match toml::from_str(text) {
                Ok(raw) => raw,
                Err(source) => {
                    errors.push(ModelError::Parse { path: path.to_owned(), source: Box::new(source) });
                    continue;
                }
            };
            for entry in raw.setting {
                let text = entry.key.clone();
                let default = entry.default.clone();
                if let Err(reason) = entry.checked().and_then(|setting| model.add(setting)) {
                    errors.push(bad(path, &text, reason));
                } else if let Some(value) = default {
                    defaults.push((path, RawDefault { key: text, value }));
                }
            }
            defaults.extend(raw.default.into_iter().map(|default| (path, default)));
            services.extend(raw.service.into_iter().map(|service| (path, service)));
            match raw.exec {
                Some(exec) if exec.command.is_empty() || exec.tty.is_empty() => {
                    errors.push(bad(path, "exec", "a command has no words".to_owned()));
                }
                Some(exec) => model.exec = Some(exec),
                None => {}
            }
        }
        for (path, RawDefault { key: text, value }) in defaults {
            match model.default_for(&text, &value) {
                // A later file wins: that is how the maker of an image puts its own word over a service's.
                Ok(key) => drop(model.defaults.insert(key, value)),
                Err(reason) => errors.push(bad(path, &text, reason)),
            }
        }
        let mut names = BTreeSet::new();
        for (path, service) in services {
            if let Err(reason) = service.check(&model) {
                errors.push(bad(path, &service.name, reason));
            } else if !names.insert(service.name.clone()) {
                errors.push(bad(path, &service.name, "the service is there twice".to_owned()));
            } else {
                model.services.push(service);
            }
        }
        model
    }
}

#[cfg(test)]
mod tests {
    use datastore::Key;
    use host_io::SystemFs;
    use serde_json::json;

    use super::*;
    use crate::Kind;

    const GOOD: &str = r#"
[[setting]]
key = "settings.motd"
type = "string"
default = "Welcome"

[[setting]]
key = "settings.updates.seed"
type = "integer"
min = 0
max = 2048

[[setting]]
key = "settings.ntp.mode"
type = "string"
default = "burst"
values = ["burst", "iburst"]

[[setting]]
key = "settings.network.no-proxy"
type = "strings"
default = ["localhost"]

[[setting]]
key = "settings.host-containers.<id>.enabled"
type = "boolean"

[[default]]
key = "settings.host-containers.admin.enabled"
value = false

[[service]]
name = "ntp"
settings = ["settings.ntp"]
restart = [["systemctl", "try-restart", "ntp.service"]]

[[service.file]]
path = "/etc/ntp.conf"
template = "ntp.conf"
needs = ["settings.ntp.mode"]
"#;

    fn parsed(text: &str) -> Result<Model, String> {
        Model::parse(text, Path::new("settings.toml")).map_err(|error| host_io::report::chain(&error))
    }

    fn key(text: &str) -> Key {
        Key::parse(text).unwrap()
    }

    #[test]
    fn a_model_gives_types_defaults_and_services() {
        let model = parsed(GOOD).unwrap();
        assert_eq!(
            model.get(&key("settings.updates.seed")).unwrap().kind,
            Kind::Integer { min: 0, max: 2048 }
        );
        assert_eq!(model.names().count(), 5);
        let defaults = model.defaults();
        assert_eq!(defaults.len(), 4);
        assert_eq!(defaults[&key("settings.network.no-proxy")], json!(["localhost"]));
        assert_eq!(defaults[&key("settings.host-containers.admin.enabled")], json!(false));
        assert!(!model.has(&key("settings.ntp")) && model.has_below(&key("settings.ntp")));
        assert!(model.has(&key("settings.host-containers.other.enabled")));
        assert!(model.services()[0].follows(&key("settings.ntp.mode")));
        assert!(!model.services()[0].follows(&key("settings.ntpx.mode")));
        assert_eq!(model.services()[0].files[0].mode(), 0o644);
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
            ("key = \"<id>.a\"\ntype = \"string\"", "begin with"),
            ("key = \"settings..a\"\ntype = \"string\"", "empty"),
            ("key = \"settings.a\"\ntype = \"integer\"\ndefault = \"1\"", "it takes a whole number"),
            ("key = \"settings.a\"\ntype = \"integer\"\nvalues = [\"1\"]", "only texts"),
            ("key = \"settings.a\"\ntype = \"string\"\nmin = 1", "only an integer"),
            ("key = \"settings.a\"\ntype = \"string\"\nformat = \"colour\"", "colour"),
            ("key = \"settings.a\"\ntype = \"string\"\npattern = \"(\"", "no regular expression"),
            ("key = \"settings.a\"\ntype = \"string\"\ndefault = \"c\"\nvalues = [\"b\"]", "one of b"),
            ("key = \"settings.a\"\ntype = \"integer\"\nmax = 2048\ndefault = 4096", "to 2048"),
            ("key = \"settings.<id>.a\"\ntype = \"string\"\ndefault = \"\"", "not every id"),
            ("type = \"string\"", "key"),
        ];
        for (entry, reason) in cases {
            let error = parsed(&format!("[[setting]]\n{entry}")).unwrap_err();
            assert!(error.contains(reason), "{entry}: {error}");
        }
    }

    #[test]
    fn every_mistake_in_a_service_names_it() {
        let cases = [
            ("settings.ntp.mode", "settings.motds", "follows settings.motds, which is no setting"),
            ("/etc/ntp.conf", "etc/ntp.conf", "does not begin at the root"),
            ("/etc/ntp.conf", "/etc/../ntp.conf", "does not begin at the root"),
            ("/etc/ntp.conf", "/etc/{id}.conf", "{id}"),
            ("\"ntp.conf\"", "\"../ntp.conf\"", "not the name of a template"),
            ("needs = [\"settings.ntp.mode\"]", "needs = [\"settings.ntp.x\"]", "needs settings.ntp.x"),
            ("needs = [\"settings.ntp.mode\"]", "mode = \"rw\"", "octal"),
            ("[[\"systemctl\", \"try-restart\", \"ntp.service\"]]", "[[]]", "no words"),
            ("name = \"ntp\"", "name = \"a b\"", "its name"),
            ("name = \"ntp\"", "name = \"ntp\"\nstop = [[\"x\"]]", "instances"),
        ];
        for (good, bad, reason) in cases {
            let text = if reason.starts_with("follows") {
                GOOD.replace("settings = [\"settings.ntp\"]", "settings = [\"settings.motds\"]")
            } else {
                GOOD.replace(good, bad)
            };
            let error = parsed(&text).unwrap_err();
            assert!(error.contains(reason), "{bad}: {error}");
        }
        assert!(
            parsed(&format!("{GOOD}\n[[service]]\nname = \"ntp\"\nsettings = []\n"))
                .unwrap_err()
                .contains("twice")
        );
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
        assert!(two("settings.ntp.<id>").unwrap_err().contains("clashes"));
        assert!(two("settings.ntp.modes").is_ok());
    }

    #[test]
    fn files_beside_the_first_one_add_to_it_and_a_later_default_wins() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("settings.toml");
        let write = |name: &str, text: &str| {
            std::fs::create_dir_all(dir.path().join("settings.d")).unwrap();
            std::fs::write(dir.path().join("settings.d").join(name), text).unwrap();
        };
        assert!(matches!(Model::load(&SystemFs, &path), Err(ModelError::Read { .. })));
        write("50-image.toml", "[[default]]\nkey = \"settings.motd\"\nvalue = \"Ours\"\n");
        write("10-motd.toml", GOOD);
        write("README", "not a model");
        let model = Model::load(&SystemFs, &path).unwrap();
        assert_eq!(model.defaults()[&key("settings.motd")], json!("Ours"));
        std::fs::write(&path, "[[setting]]\nkey = \"settings.x\"\ntype = \"boolean\"\n").unwrap();
        assert_eq!(Model::load(&SystemFs, &path).unwrap().names().count(), 6);
        write("90-bad.toml", "[[setting]]\nkey = \"settings.motd\"\ntype = \"string\"\n");
        let error = Model::load(&SystemFs, &path).unwrap_err().to_string();
        assert!(error.contains("90-bad.toml") && error.contains("twice"), "{error}");
        write("80-worse.toml", "[[service]]\nname = \"ntp2\"\n");
        let (usable, errors) = Model::load_usable(&SystemFs, &path).unwrap();
        assert_eq!(usable.names().count(), 6, "the others go on");
        let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert!(told[0].contains("80-worse.toml") && told[1].contains("90-bad.toml"), "{told:?}");
    }

    #[test]
    fn a_template_may_look_into_a_group_in_which_nothing_is_set() {
        let groups = parsed(GOOD).unwrap().with_all_groups(json!({"motd": "x"}));
        let expected = json!({"motd": "x", "ntp": {}, "network": {}, "updates": {}, "host-containers": {}});
        assert_eq!(groups, expected);
    }

    #[test]
    fn a_failure_is_told_in_these_words() {
        assert_eq!(
            ModelError::Setting {
                path: "/data/file".into(),
                key: "settings.motd".into(),
                reason: "it is torn".into(),
            }
            .to_string(),
            "use settings.motd of the settings model /data/file: it is torn"
        );
    }
}
