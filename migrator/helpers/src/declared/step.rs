//! One step, and what it does to settings, their metadata and every pending transaction.

use std::collections::BTreeMap;

use datastore::store_dir::{Contents, Metadata, Settings};
use datastore::{Key, Value};
use serde::Deserialize;

use crate::args::Direction;
use crate::error::Error;

/// One step. A setting's name stands for all that lies below it as well.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// The newer release has new settings; their defaults come from its model. Going back they are removed.
    Add {
        /// Which ones.
        settings: Vec<Key>,
    },
    /// The newer release does not know these settings any more. Going forward they are removed.
    Remove {
        /// Which ones.
        settings: Vec<Key>,
    },
    /// A setting, or all settings of a group, have another name.
    Rename {
        /// In the older release.
        from: Key,
        /// In the newer one.
        to: Key,
    },
    /// A value that is this one becomes that one. Others stay.
    Replace {
        /// Of which setting.
        setting: Key,
        /// In the older release.
        old: Value,
        /// In the newer one.
        new: Value,
    },
    /// The newer release notes more about a setting. Going back that is removed.
    AddMetadata {
        /// Which setting.
        setting: Key,
        /// The names of the entries.
        metadata: Vec<String>,
    },
    /// The newer release does not note that any more. Going forward it is removed.
    RemoveMetadata {
        /// Which setting.
        setting: Key,
        /// The names of the entries.
        metadata: Vec<String>,
    },
    /// An entry that is this one becomes that one. Others stay.
    ReplaceMetadata {
        /// Of which setting.
        setting: Key,
        /// The entry's name.
        metadata: String,
        /// In the older release.
        old: Value,
        /// In the newer one.
        new: Value,
    },
}

impl Step {
    pub(super) fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Add { settings } | Self::Remove { settings } if settings.is_empty() => {
                Err("it names no setting")
            }
            Self::Rename { from, to } if from == to => Err("both names are the same"),
            Self::Rename { from, to } if from.is_below(to) || to.is_below(from) => {
                Err("one name lies below the other")
            }
            Self::Replace { old, new, .. } | Self::ReplaceMetadata { old, new, .. } if old == new => {
                Err("both values are the same")
            }
            Self::AddMetadata { metadata, .. } | Self::RemoveMetadata { metadata, .. }
                if metadata.is_empty() =>
            {
                Err("it names no entry")
            }
            _ => Ok(()),
        }
    }

    pub(super) fn take(&self, contents: &mut Contents, direction: Direction) -> Result<(), Error> {
        use Direction::{Backward, Forward};
        match (self, direction) {
            (Self::Add { settings }, Backward) | (Self::Remove { settings }, Forward) => {
                settings.iter().for_each(|name| remove(contents, name));
            }
            (Self::Add { .. }, Forward)
            | (Self::Remove { .. }, Backward)
            | (Self::AddMetadata { .. }, Forward)
            | (Self::RemoveMetadata { .. }, Backward) => {}
            (Self::Rename { from, to }, Forward) => rename(contents, from, to)?,
            (Self::Rename { from, to }, Backward) => rename(contents, to, from)?,
            (Self::Replace { setting, old, new }, Forward) => replace(contents, setting, old, new),
            (Self::Replace { setting, old, new }, Backward) => replace(contents, setting, new, old),
            (Self::AddMetadata { setting, metadata }, Backward)
            | (Self::RemoveMetadata { setting, metadata }, Forward) => {
                if let Some(entries) = contents.metadata.get_mut(setting) {
                    entries.retain(|name, _| !metadata.contains(name));
                    if entries.is_empty() {
                        contents.metadata.remove(setting);
                    }
                }
            }
            (Self::ReplaceMetadata { setting, metadata, old, new }, direction) => {
                let (old, new) = if direction == Forward { (old, new) } else { (new, old) };
                let entry = contents.metadata.get_mut(setting).and_then(|entries| entries.get_mut(metadata));
                if let Some(value) = entry.filter(|value| *value == old) {
                    *value = new.clone();
                }
            }
        }
        Ok(())
    }

    pub(super) fn loss(&self) -> Option<String> {
        let list = |keys: &[Key]| keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match self {
            Self::Add { settings } => {
                Some(format!("what is set of {} is gone after going back", list(settings)))
            }
            Self::Remove { settings } => Some(format!(
                "{} does not come back by itself, only from the settings that are kept",
                list(settings)
            )),
            Self::Replace { setting, old, new } => {
                Some(format!("{setting} that was {new} already is {old} after going there and back"))
            }
            Self::Rename { .. } => None,
            Self::AddMetadata { setting, metadata } | Self::RemoveMetadata { setting, metadata } => {
                Some(format!("{} of {setting} is gone after going there and back", metadata.join(", ")))
            }
            Self::ReplaceMetadata { setting, metadata, old, new } => Some(format!(
                "{metadata} of {setting} that was {new} already is {old} after going there and back"
            )),
        }
    }
}

/// The kind and the names, for a person.
impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Add { settings } => {
                write!(f, "add {}", settings.iter().map(Key::to_string).collect::<Vec<_>>().join(", "))
            }
            Self::Remove { settings } => {
                write!(f, "remove {}", settings.iter().map(Key::to_string).collect::<Vec<_>>().join(", "))
            }
            Self::Rename { from, to } => write!(f, "rename {from} to {to}"),
            Self::Replace { setting, .. } => write!(f, "replace {setting}"),
            Self::AddMetadata { setting, .. } => write!(f, "add metadata of {setting}"),
            Self::RemoveMetadata { setting, .. } => write!(f, "remove metadata of {setting}"),
            Self::ReplaceMetadata { setting, metadata, .. } => write!(f, "replace {metadata} of {setting}"),
        }
    }
}

/// The keys of `map` that are `name` or lie below it.
fn below<T>(map: &BTreeMap<Key, T>, name: &Key) -> Vec<Key> {
    // A key and all that lies below it stand together.
    map.range(name..)
        .map(|(key, _)| key)
        .take_while(|key| *key == name || key.is_below(name))
        .cloned()
        .collect()
}

fn trees(contents: &mut Contents) -> impl Iterator<Item = &mut Settings> {
    std::iter::once(&mut contents.live).chain(contents.pending.values_mut())
}

fn remove(contents: &mut Contents, name: &Key) {
    for tree in trees(contents) {
        for key in below(tree, name) {
            tree.remove(&key);
        }
    }
    for key in below(&contents.metadata, name) {
        contents.metadata.remove(&key);
    }
    for keys in contents.unset.values_mut() {
        keys.retain(|key| key != name && !key.is_below(name));
    }
}

fn rename(contents: &mut Contents, from: &Key, to: &Key) -> Result<(), Error> {
    for tree in trees(contents) {
        rename_in(tree, from, to)?;
    }
    let metadata: &mut Metadata = &mut contents.metadata;
    rename_in(metadata, from, to)?;
    for keys in contents.unset.values_mut() {
        let mut named: BTreeMap<Key, ()> = std::mem::take(keys).into_iter().map(|key| (key, ())).collect();
        rename_in(&mut named, from, to)?;
        keys.extend(named.into_keys());
    }
    Ok(())
}

fn rename_in<T>(map: &mut BTreeMap<Key, T>, from: &Key, to: &Key) -> Result<(), Error> {
    let old = below(map, from);
    if let Some(there) = below(map, to).first().filter(|_| !old.is_empty()) {
        return Err(Error::Occupied { from: from.clone(), to: there.clone() });
    }
    for key in old {
        let rest = &key.segments()[from.segments().len()..];
        let new = Key::from_segments(to.segments().iter().chain(rest).cloned())?;
        let value = map.remove(&key).expect("it was listed");
        map.insert(new, value);
    }
    Ok(())
}

fn replace(contents: &mut Contents, setting: &Key, old: &Value, new: &Value) {
    for tree in trees(contents) {
        if let Some(value) = tree.get_mut(setting).filter(|value| *value == old) {
            *value = new.clone();
        }
    }
}
