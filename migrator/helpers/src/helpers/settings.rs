//! Settings that come or go.

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

/// The newer release no longer knows some settings. Forward removes them; backward does nothing, since the older
/// release gives them their defaults.
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
    fn nothing_changes_nothing() {
        assert_eq!(NoOp.forward(data(&["x"])).unwrap(), data(&["x"]));
        assert_eq!(NoOp.backward(data(&["x"])).unwrap(), data(&["x"]));
    }
}
