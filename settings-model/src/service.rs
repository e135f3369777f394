//! The services of an image: which settings they follow, which files are made for them, what restarts them.
//!
//! ```toml
//! [[service]]
//! name = "chrony"
//! settings = ["settings.ntp"]
//! restart = [["systemctl", "try-reload-or-restart", "chronyd.service"]]
//!
//! [[service.file]]
//! path = "/etc/chrony.conf"
//! template = "chrony.conf"
//! ```

use std::path::PathBuf;

use datastore::{Key, Value};
use serde::Deserialize;

use crate::tree;

/// A command and its arguments. In each word `{id}` stands for the instance.
pub type Words = Vec<String>;

/// One service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Service {
    /// Its name.
    pub name: String,
    /// The settings and groups of settings that it follows.
    pub settings: Vec<Key>,
    /// A group of settings whose every entry is an instance of this service.
    #[serde(default)]
    pub each: Option<Key>,
    /// For `each`: the setting of an entry that says whether its instance runs.
    #[serde(default)]
    pub when: Option<String>,
    /// For `each`: settings of an entry without which its instance cannot run.
    #[serde(default)]
    pub needs: Vec<String>,
    /// The files that are made for it.
    #[serde(default, rename = "file")]
    pub files: Vec<ConfigFile>,
    /// What is run, in turn, when it is to follow new settings.
    #[serde(default)]
    pub restart: Vec<Words>,
    /// What is run when an instance is not to run.
    #[serde(default)]
    pub stop: Vec<Words>,
    /// What is run after `stop` when the entry of an instance is gone, so that nothing is left of it.
    #[serde(default)]
    pub clean: Vec<Words>,
    /// The unit of the service manager that does its work. A start that is not waited for is told by its state.
    #[serde(default)]
    pub unit: Option<String>,
}

/// A file that is made from settings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ConfigFile {
    /// Where it lies on the host.
    pub path: String,
    /// The template's name in the image's directory of templates.
    pub template: String,
    /// Its permissions, in octal.
    #[serde(default = "usual_mode")]
    pub mode: String,
    /// The permissions of directories that are made for it, in octal.
    #[serde(default = "usual_dir_mode")]
    pub dir_mode: String,
    /// Settings without which it is not written: full names, or for an instance names within its entry.
    #[serde(default)]
    pub needs: Vec<String>,
    /// How the rendered text becomes the file's content.
    #[serde(default)]
    pub decode: Decode,
}

/// How a rendered text becomes a file's content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decode {
    /// It is the content.
    #[default]
    Plain,
    /// It is the content in base64.
    Base64,
}

fn usual_mode() -> String {
    "0644".to_owned()
}

fn usual_dir_mode() -> String {
    "0755".to_owned()
}

impl ConfigFile {
    /// The permissions of the file.
    #[must_use]
    pub fn mode(&self) -> u32 {
        octal(&self.mode).expect("checked when the model was read")
    }

    /// The permissions of its directories.
    #[must_use]
    pub fn dir_mode(&self) -> u32 {
        octal(&self.dir_mode).expect("checked when the model was read")
    }

    /// Where the file of the instance `id` lies.
    #[must_use]
    pub fn path_for(&self, id: Option<&str>) -> PathBuf {
        PathBuf::from(with_id(&self.path, id))
    }
}

impl Service {
    /// Whether it follows this setting.
    #[must_use]
    pub fn follows(&self, key: &Key) -> bool {
        self.settings.iter().any(|one| key == one || key.is_below(one))
    }

    /// The id of the instance in whose entry this setting lies.
    #[must_use]
    pub fn entry<'a>(&self, key: &'a Key) -> Option<&'a str> {
        let each = self.each.as_ref()?;
        key.is_below(each).then(|| key.segments()[each.segments().len()].as_str())
    }

    /// Whether a change of `key` is a change of the instance `id`, or of the service where there is none. What lies in
    /// the entry of another instance is none.
    #[must_use]
    pub fn is_concerned(&self, id: Option<&str>, key: &Key) -> bool {
        let other = id.is_some_and(|id| self.entry(key).is_some_and(|entry| entry != id));
        self.follows(key) && !other
    }

    /// The ids of its instances by the nested `settings` (without the outer `settings`), each with its entry; one
    /// without an id for a service that has none.
    #[must_use]
    pub fn instances<'a>(&self, settings: &'a Value) -> Vec<(Option<&'a str>, &'a Value)> {
        let Some(each) = &self.each else { return vec![(None, settings)] };
        let entries = tree::at(settings, &each.segments()[1..]).and_then(Value::as_object);
        entries.into_iter().flatten().map(|(id, entry)| (Some(id.as_str()), entry)).collect()
    }
}

/// `text` with the instance's id in its place.
#[must_use]
pub fn with_id(text: &str, id: Option<&str>) -> String {
    match id {
        Some(id) => text.replace("{id}", id),
        None => text.to_owned(),
    }
}

pub(crate) fn octal(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777)
}
