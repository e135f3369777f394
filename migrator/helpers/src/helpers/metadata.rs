//! What is noted about settings: it comes, goes and is replaced as settings are.

use super::values::{oriented, replace_list, replace_text};
use crate::args::Direction;
use crate::error::Error;
use crate::migration::{Migration, MigrationData};

/// Metadata entries of one setting.
#[derive(Debug, Clone, Copy)]
pub struct SettingMetadata {
    /// The name of the setting.
    pub setting: &'static str,
    /// The names of its metadata entries.
    pub metadata: &'static [&'static str],
}

/// The newer release notes more about settings. Forward does nothing, since the newer image brings the entries;
/// backward removes them.
#[derive(Debug, Clone, Copy)]
pub struct AddMetadata(
    /// The entries that are new.
    pub &'static [SettingMetadata],
);

impl Migration for AddMetadata {
    fn forward(&mut self, input: MigrationData) -> Result<MigrationData, Error> {
        Ok(input)
    }

    fn backward(&mut self, input: MigrationData) -> Result<MigrationData, Error> {
        Ok(without(input, self.0))
    }
}

/// The newer release no longer notes something about settings. Forward removes it; backward does nothing.
#[derive(Debug, Clone, Copy)]
pub struct RemoveMetadata(
    /// The entries that go.
    pub &'static [SettingMetadata],
);

impl Migration for RemoveMetadata {
    fn forward(&mut self, input: MigrationData) -> Result<MigrationData, Error> {
        Ok(without(input, self.0))
    }

    fn backward(&mut self, input: MigrationData) -> Result<MigrationData, Error> {
        Ok(input)
    }
}

/// Text entries that are replaced; backward the other way round. Other text, and what is no text, stays.
#[derive(Debug, Clone, Copy)]
pub struct ReplaceMetadata(
    /// The entries.
    pub &'static [MetadataReplacement],
);

/// One entry of [`ReplaceMetadata`].
#[derive(Debug, Clone, Copy)]
pub struct MetadataReplacement {
    /// The name of the setting.
    pub setting: &'static str,
    /// The name of the entry.
    pub metadata: &'static str,
    /// The older release's text.
    pub old: &'static str,
    /// The newer release's text.
    pub new: &'static str,
}

impl ReplaceMetadata {
    fn replace(self, mut input: MigrationData, direction: Direction) -> MigrationData {
        for entry in self.0 {
            let (from, to) = oriented(direction, entry.old, entry.new);
            if let Some(value) = entry_of(&mut input, entry.setting, entry.metadata) {
                replace_text(value, from, to);
            }
        }
        input
    }
}

impl Migration for ReplaceMetadata {
    fn forward(&mut self, input: MigrationData) -> Result<MigrationData, Error> {
        Ok(self.replace(input, Direction::Forward))
    }

    fn backward(&mut self, input: MigrationData) -> Result<MigrationData, Error> {
        Ok(self.replace(input, Direction::Backward))
    }
}

/// List entries of which each is replaced as a whole; backward the other way round.
#[derive(Debug, Clone, Copy)]
pub struct ReplaceMetadataLists(
    /// The entries.
    pub &'static [MetadataListReplacement],
);

/// One entry of [`ReplaceMetadataLists`].
#[derive(Debug, Clone, Copy)]
pub struct MetadataListReplacement {
    /// The name of the setting.
    pub setting: &'static str,
    /// The name of the entry.
    pub metadata: &'static str,
    /// The older release's list.
    pub old: &'static [&'static str],
    /// The newer release's list.
    pub new: &'static [&'static str],
}

impl ReplaceMetadataLists {
    fn replace(self, mut input: MigrationData, direction: Direction) -> Result<MigrationData, Error> {
        for entry in self.0 {
            let (from, to) = oriented(direction, entry.old, entry.new);
            if let Some(value) = entry_of(&mut input, entry.setting, entry.metadata) {
                replace_list(&format!("{} of {}", entry.metadata, entry.setting), value, from, to)?;
            }
        }
        Ok(input)
    }
}

impl Migration for ReplaceMetadataLists {
    fn forward(&mut self, input: MigrationData) -> Result<MigrationData, Error> {
        self.replace(input, Direction::Forward)
    }

    fn backward(&mut self, input: MigrationData) -> Result<MigrationData, Error> {
        self.replace(input, Direction::Backward)
    }
}

fn entry_of<'a>(
    input: &'a mut MigrationData,
    setting: &str,
    metadata: &str,
) -> Option<&'a mut datastore::Value> {
    input.metadata.get_mut(setting)?.get_mut(metadata)
}

fn without(mut input: MigrationData, gone: &[SettingMetadata]) -> MigrationData {
    for of_setting in gone {
        if let Some(entries) = input.metadata.get_mut(of_setting.setting) {
            entries.retain(|name, _| !of_setting.metadata.contains(&name.as_str()));
        }
    }
    input.metadata.retain(|_, entries| !entries.is_empty());
    input
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn data(entries: &[(&str, Value)]) -> MigrationData {
        let entries = entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        MigrationData { metadata: [("settings.x".to_owned(), entries)].into(), ..MigrationData::default() }
    }

    #[test]
    fn entries_come_and_go() {
        const ENTRIES: &[SettingMetadata] = &[
            SettingMetadata { setting: "settings.x", metadata: &["a", "b"] },
            SettingMetadata { setting: "y", metadata: &["c"] },
        ];
        let full = data(&[("a", json!(1)), ("c", json!(2))]);
        let less = data(&[("c", json!(2))]);
        assert_eq!(AddMetadata(ENTRIES).forward(full.clone()).unwrap(), full);
        assert_eq!(AddMetadata(ENTRIES).backward(full.clone()).unwrap(), less);
        assert_eq!(RemoveMetadata(ENTRIES).forward(full.clone()).unwrap(), less);
        assert_eq!(RemoveMetadata(ENTRIES).backward(less.clone()).unwrap(), less);
        // The last entry takes the setting's place with it.
        assert!(RemoveMetadata(ENTRIES).forward(data(&[("a", json!(1))])).unwrap().metadata.is_empty());
    }

    #[test]
    fn text_entries_are_replaced_and_come_back() {
        let mut replace = ReplaceMetadata(&[MetadataReplacement {
            setting: "settings.x",
            metadata: "m",
            old: "one",
            new: "two",
        }]);
        assert_eq!(replace.forward(data(&[("m", json!("one"))])).unwrap(), data(&[("m", json!("two"))]));
        assert_eq!(replace.backward(data(&[("m", json!("two"))])).unwrap(), data(&[("m", json!("one"))]));
        for own in [data(&[("m", json!("own"))]), data(&[("n", json!("one"))]), MigrationData::default()] {
            assert_eq!(replace.forward(own.clone()).unwrap(), own);
        }
    }

    #[test]
    fn list_entries_are_replaced_and_come_back() {
        let mut replace = ReplaceMetadataLists(&[MetadataListReplacement {
            setting: "settings.x",
            metadata: "affected-services",
            old: &["a"],
            new: &["a", "b"],
        }]);
        let (old, new) =
            (data(&[("affected-services", json!(["a"]))]), data(&[("affected-services", json!(["a", "b"]))]));
        assert_eq!(replace.forward(old.clone()).unwrap(), new);
        assert_eq!(replace.backward(new).unwrap(), old);
        let error = replace.forward(data(&[("affected-services", json!([null]))])).unwrap_err().to_string();
        assert!(error.contains("affected-services of settings.x"), "{error}");
    }
}
