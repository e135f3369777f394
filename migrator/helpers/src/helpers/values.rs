//! A value that is replaced by another one. What a person has set to something else stays.

use datastore::Value;
use serde_json::json;

use crate::args::Direction;
use crate::error::Error;
use crate::migration::{Migration, MigrationData};

/// A setting's old text becomes another one; backward the other way round. Other text, and what is no text, stays.
#[derive(Debug, Clone, Copy)]
pub struct ReplaceString {
    /// The name of the setting.
    pub setting: &'static str,
    /// The older release's text.
    pub old: &'static str,
    /// The newer release's text.
    pub new: &'static str,
}

impl ReplaceString {
    fn replace(self, mut input: MigrationData, direction: Direction) -> MigrationData {
        let (from, to) = oriented(direction, self.old, self.new);
        if let Some(value) = input.data.get_mut(self.setting) {
            replace_text(value, from, to);
        }
        input
    }
}

impl Migration for ReplaceString {
    fn forward(&mut self, input: MigrationData) -> Result<MigrationData, Error> {
        Ok(self.replace(input, Direction::Forward))
    }

    fn backward(&mut self, input: MigrationData) -> Result<MigrationData, Error> {
        Ok(self.replace(input, Direction::Backward))
    }
}

/// Lists of text of which each is replaced as a whole; backward the other way round. Other lists, and what is no list,
/// stay.
#[derive(Debug, Clone, Copy)]
pub struct ReplaceLists(
    /// The lists.
    pub &'static [ListReplacement],
);

/// One list of [`ReplaceLists`].
#[derive(Debug, Clone, Copy)]
pub struct ListReplacement {
    /// The name of the setting.
    pub setting: &'static str,
    /// The older release's list.
    pub old: &'static [&'static str],
    /// The newer release's list.
    pub new: &'static [&'static str],
}

impl ReplaceLists {
    fn replace(self, mut input: MigrationData, direction: Direction) -> Result<MigrationData, Error> {
        for list in self.0 {
            let (from, to) = oriented(direction, list.old, list.new);
            if let Some(value) = input.data.get_mut(list.setting) {
                replace_list(list.setting, value, from, to)?;
            }
        }
        Ok(input)
    }
}

impl Migration for ReplaceLists {
    fn forward(&mut self, input: MigrationData) -> Result<MigrationData, Error> {
        self.replace(input, Direction::Forward)
    }

    fn backward(&mut self, input: MigrationData) -> Result<MigrationData, Error> {
        self.replace(input, Direction::Backward)
    }
}

/// `(from, to)` in the direction of travel.
pub(super) fn oriented<T>(direction: Direction, old: T, new: T) -> (T, T) {
    match direction {
        Direction::Forward => (old, new),
        Direction::Backward => (new, old),
    }
}

pub(super) fn replace_text(value: &mut Value, from: &str, to: &str) {
    if value.as_str() == Some(from) {
        *value = json!(to);
    }
}

/// Replaces a list that equals `from`; `name` is for the error when an item is not text.
pub(super) fn replace_list(name: &str, value: &mut Value, from: &[&str], to: &[&str]) -> Result<(), Error> {
    let Value::Array(items) = value else { return Ok(()) };
    let not_text = |item: &Value| Error::NotText { setting: name.to_owned(), item: item.to_string() };
    let texts: Vec<&str> =
        items.iter().map(|item| item.as_str().ok_or_else(|| not_text(item))).collect::<Result<_, _>>()?;
    if texts == from {
        *value = json!(to);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(value: Value) -> MigrationData {
        MigrationData { data: [("settings.x".to_owned(), value)].into(), ..MigrationData::default() }
    }

    #[test]
    fn text_is_replaced_and_comes_back() {
        let mut replace = ReplaceString { setting: "settings.x", old: "burst", new: "iburst" };
        assert_eq!(replace.forward(data(json!("burst"))).unwrap(), data(json!("iburst")));
        assert_eq!(replace.backward(data(json!("iburst"))).unwrap(), data(json!("burst")));
        for own in [json!("own"), json!("burst "), json!(5), json!(["burst"])] {
            assert_eq!(replace.forward(data(own.clone())).unwrap(), data(own));
        }
        assert_eq!(replace.forward(MigrationData::default()).unwrap(), MigrationData::default());
    }

    #[test]
    fn whole_lists_are_replaced_and_come_back() {
        let mut replace = ReplaceLists(&[ListReplacement {
            setting: "settings.x",
            old: &["a", "b"],
            new: &["a", "b", "c"],
        }]);
        assert_eq!(replace.forward(data(json!(["a", "b"]))).unwrap(), data(json!(["a", "b", "c"])));
        assert_eq!(replace.backward(data(json!(["a", "b", "c"]))).unwrap(), data(json!(["a", "b"])));
        for own in [json!(["b", "a"]), json!(["a"]), json!([]), json!("a")] {
            assert_eq!(replace.forward(data(own.clone())).unwrap(), data(own));
        }
        let error = replace.forward(data(json!(["a", 2]))).unwrap_err().to_string();
        assert!(error.contains("settings.x") && error.contains('2'), "{error}");
    }
}
