//! Settings that come or go.

use std::collections::BTreeMap;

use datastore::Key;

use crate::error::Error;
use crate::migration::{Migration, MigrationData};

/// The newer release has new settings. Forward does nothing, since their defaults come from the settings model;
/// backward removes them.
#[derive(Debug, Clone, Copy)]
pub struct AddSettings(
    /// The names of the new settings.
    pub &'static [&'static str],
);

impl Migration for AddSettings {
    fn forward(&mut self, input: MigrationData) -> Result<MigrationData, Error> {
        Ok(input)
    }

    fn backward(&mut self, input: MigrationData) -> Result<MigrationData, Error> {
        Ok(without(input, |name| self.0.contains(&name)))
    }
}

/// The newer release has new settings whose names are not all known. Backward removes every setting whose name starts
/// with one of these texts.
#[derive(Debug, Clone, Copy)]
pub struct AddPrefixes(
    /// Beginnings of names, compared as text: `settings.mot` means `settings.motd` too.
    pub &'static [&'static str],
);

impl Migration for AddPrefixes {
    fn forward(&mut self, input: MigrationData) -> Result<MigrationData, Error> {
        Ok(input)
    }

    fn backward(&mut self, input: MigrationData) -> Result<MigrationData, Error> {
        Ok(without(input, |name| self.0.iter().any(|prefix| name.starts_with(prefix))))
    }
}

/// The newer release no longer knows some settings. Forward removes them. Backward does nothing: `migrator` gives back
/// what the older release's store still has of them, and where none is kept that release gives them their defaults.
#[derive(Debug, Clone, Copy)]
pub struct RemoveSettings(
    /// The names of the settings that go.
    pub &'static [&'static str],
);

impl Migration for RemoveSettings {
    fn forward(&mut self, input: MigrationData) -> Result<MigrationData, Error> {
        Ok(without(input, |name| self.0.contains(&name)))
    }

    fn backward(&mut self, input: MigrationData) -> Result<MigrationData, Error> {
        Ok(input)
    }
}

/// Settings that have other names in the newer release: each pair is the older and the newer name, of a setting or of a
/// group with all that lies below it. What is noted of them comes along. A setting never takes another one's place: that
/// fails.
#[derive(Debug, Clone, Copy)]
pub struct RenameSettings(
    /// The older and the newer name.
    pub &'static [(&'static str, &'static str)],
);

impl Migration for RenameSettings {
    fn forward(&mut self, mut input: MigrationData) -> Result<MigrationData, Error> {
        for (old, new) in self.0 {
            rename(&mut input.data, old, new)?;
            rename(&mut input.metadata, old, new)?;
        }
        Ok(input)
    }

    fn backward(&mut self, mut input: MigrationData) -> Result<MigrationData, Error> {
        for (old, new) in self.0.iter().rev() {
            rename(&mut input.data, new, old)?;
            rename(&mut input.metadata, new, old)?;
        }
        Ok(input)
    }
}

fn rename<T>(map: &mut BTreeMap<String, T>, from: &str, to: &str) -> Result<(), Error> {
    let rest = |name: &str| {
        let rest = name.strip_prefix(from)?;
        (rest.is_empty() || rest.starts_with('.')).then(|| rest.to_owned())
    };
    let old: Vec<(String, String)> =
        map.keys().filter_map(|name| Some((name.clone(), format!("{to}{}", rest(name)?)))).collect();
    for (old, new) in old {
        if map.contains_key(&new) {
            return Err(Error::Occupied { from: Key::parse(&old)?, to: Key::parse(&new)? });
        }
        let value = map.remove(&old).expect("it was listed");
        map.insert(new, value);
    }
    Ok(())
}

/// Nothing changes. For a migration that concerns other variants than this one.
#[derive(Debug, Clone, Copy)]
pub struct NoOp;

impl Migration for NoOp {
    fn forward(&mut self, input: MigrationData) -> Result<MigrationData, Error> {
        Ok(input)
    }

    fn backward(&mut self, input: MigrationData) -> Result<MigrationData, Error> {
        Ok(input)
    }
}

fn without(mut input: MigrationData, gone: impl Fn(&str) -> bool) -> MigrationData {
    input.data.retain(|name, _| !gone(name));
    // In a transaction, that it takes such a setting away. What else is noted of one has helpers of its own.
    for (_, entries) in input.metadata.iter_mut().filter(|(name, _)| gone(name)) {
        entries.remove("unset");
    }
    input.metadata.retain(|_, entries| !entries.is_empty());
    input
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn data(names: &[&str]) -> MigrationData {
        let data = names.iter().map(|name| ((*name).to_owned(), json!(1))).collect();
        MigrationData { data, ..MigrationData::default() }
    }

    #[test]
    fn new_settings_go_on_the_way_back() {
        let mut add = AddSettings(&["settings.new", "settings.absent"]);
        let both = data(&["settings.new", "settings.new.not", "settings.old"]);
        assert_eq!(add.forward(both.clone()).unwrap(), both);
        assert_eq!(add.backward(both).unwrap(), data(&["settings.new.not", "settings.old"]));
        // A transaction without the setting does not get it.
        assert_eq!(add.forward(data(&[])).unwrap(), data(&[]));
    }

    #[test]
    fn new_prefixes_go_on_the_way_back() {
        let mut add = AddPrefixes(&["settings.new."]);
        let all = data(&["settings.new.a", "settings.new.b.c", "settings.newer"]);
        assert_eq!(add.forward(all.clone()).unwrap(), all);
        assert_eq!(add.backward(all).unwrap(), data(&["settings.newer"]));
    }

    #[test]
    fn removed_settings_go_on_the_way_forward() {
        let mut remove = RemoveSettings(&["settings.old"]);
        assert_eq!(remove.forward(data(&["settings.old", "x"])).unwrap(), data(&["x"]));
        assert_eq!(remove.backward(data(&["x"])).unwrap(), data(&["x"]));
    }

    #[test]
    fn settings_and_groups_get_other_names_and_come_back() {
        let mut rename =
            RenameSettings(&[("settings.old", "settings.new.group"), ("settings.x", "settings.y")]);
        let before = data(&["settings.old.a", "settings.older", "settings.x"]);
        let after = rename.forward(before.clone()).unwrap();
        assert_eq!(after, data(&["settings.new.group.a", "settings.older", "settings.y"]));
        assert_eq!(rename.backward(after).unwrap(), before);
        let error = rename.forward(data(&["settings.x", "settings.y"])).unwrap_err().to_string();
        assert!(error.contains("settings.y is there already"), "{error}");
    }

    #[test]
    fn nothing_changes_nothing() {
        assert_eq!(NoOp.forward(data(&["x"])).unwrap(), data(&["x"]));
        assert_eq!(NoOp.backward(data(&["x"])).unwrap(), data(&["x"]));
    }
}
