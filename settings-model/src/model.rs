//! The settings and services that an image knows, and how they are looked up.

use std::collections::BTreeMap;

use datastore::{Key, Value};
use serde::Deserialize;
use serde_json::Map;

use crate::Name;
use crate::entry::Setting;
use crate::service::{Service, Words};

/// How a command is run in a host container: the words before those of the command. `{id}` stands for the container,
/// `{exec-id}` for a name of this run and `{socket}` for the engine's socket.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exec {
    /// Without a terminal.
    pub command: Words,
    /// With one.
    pub tty: Words,
}

/// The settings and services that this image knows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Model {
    pub(super) fixed: BTreeMap<Key, Setting>,
    pub(super) with_ids: Vec<Setting>,
    pub(super) defaults: BTreeMap<Key, Value>,
    pub(super) services: Vec<Service>,
    pub(super) exec: Option<Exec>,
}

impl Model {
    /// The setting of that name.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&Setting> {
        self.fixed.get(key).or_else(|| self.with_ids.iter().find(|setting| setting.name.is(key)))
    }

    /// Whether there is a setting of that name.
    #[must_use]
    pub fn has(&self, key: &Key) -> bool {
        self.get(key).is_some()
    }

    /// Whether `key` is a group with settings in it.
    #[must_use]
    pub fn has_below(&self, key: &Key) -> bool {
        self.names().any(|name| name.is_below(key))
    }

    /// All names: the fixed ones in order, then those with ids.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.settings().map(|setting| &setting.name)
    }

    /// All settings, in the same order.
    pub fn settings(&self) -> impl Iterator<Item = &Setting> {
        self.fixed.values().chain(&self.with_ids)
    }

    /// The value of each setting that has one from the image.
    #[must_use]
    pub fn defaults(&self) -> BTreeMap<Key, Value> {
        self.defaults.clone()
    }

    /// The image's value for a setting, where it has one.
    #[must_use]
    pub fn default_of(&self, key: &Key) -> Option<&Value> {
        self.defaults.get(key)
    }

    /// The services, in the order of the files.
    #[must_use]
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// How commands are run in host containers, where the image has an engine for them.
    #[must_use]
    pub fn exec(&self) -> Option<&Exec> {
        self.exec.as_ref()
    }

    /// `nested` (settings without the outer `settings`) with every group that the model knows, so that a template may
    /// look into a group in which nothing is set.
    #[must_use]
    pub fn with_all_groups(&self, mut nested: Value) -> Value {
        for name in self.names() {
            let mut at = &mut nested;
            for group in name.fixed_groups().into_iter().skip(1) {
                let Some(object) = at.as_object_mut() else { break };
                at = object.entry(group).or_insert_with(|| Value::Object(Map::new()));
            }
        }
        nested
    }

    /// Takes one more setting in. The error is to be read after its name.
    pub(super) fn add(&mut self, setting: Setting) -> Result<(), String> {
        if let Some(other) = self.names().find(|other| other.clashes(&setting.name)) {
            return Err(if *other == setting.name {
                "it is there twice".to_owned()
            } else {
                format!("it clashes with {other}")
            });
        }
        match setting.name.key() {
            Some(key) => {
                self.fixed.insert(key, setting);
            }
            None => self.with_ids.push(setting),
        }
        Ok(())
    }

    /// The key that a default is for, if that setting takes it.
    pub(super) fn default_for(&self, text: &str, value: &Value) -> Result<Key, String> {
        let key =
            Key::parse(text).map_err(|_| "only one setting can have a default, not every id".to_owned())?;
        let setting = self.get(&key).ok_or("it has a default and is no setting")?;
        if !setting.kind.takes(value) {
            return Err(format!("its default is {value}, and it takes {}", setting.kind));
        }
        Ok(key)
    }
}
