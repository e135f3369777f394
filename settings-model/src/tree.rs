//! Keys and values as the nested object that callers see.

use std::collections::BTreeMap;

use datastore::{Key, Value};
use serde_json::Map;

/// The nested object of these settings, without the outer `settings`: `{"motd": …, "updates": {…}}`. Keys that are no
/// settings are left out.
#[must_use]
pub fn nested<'a>(settings: impl IntoIterator<Item = (&'a Key, &'a Value)>) -> Value {
    let mut root = Map::new();
    for (key, value) in settings {
        if let Some((first, below)) = key.segments().split_first()
            && first == "settings"
        {
            insert(&mut root, below, value);
        }
    }
    Value::Object(root)
}

fn insert(at: &mut Map<String, Value>, segments: &[String], value: &Value) {
    match segments {
        [] => {}
        [last] => {
            at.insert(last.clone(), value.clone());
        }
        [group, below @ ..] => {
            // A store has no key below another one's value; if it had, the shorter key would be shown.
            if let Value::Object(group) =
                at.entry(group.as_str()).or_insert_with(|| Value::Object(Map::new()))
            {
                insert(group, below, value);
            }
        }
    }
}

/// The setting `key` and those below it, without a look at any other.
pub fn at_or_below<'a, V>(
    settings: &'a BTreeMap<Key, V>,
    key: &Key,
) -> impl Iterator<Item = (&'a Key, &'a V)> + use<'a, V> {
    let first = key.clone();
    settings.range(first.clone()..).take_while(move |(key, _)| **key == first || key.is_below(&first))
}

/// What stands at the end of this path of a nested object.
#[must_use]
pub fn at<'a>(nested: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(nested, |at, segment| at.get(segment))
}

/// Which settings a caller asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All of them.
    All,
    /// These; what is not there is left out.
    Keys(Vec<Key>),
    /// Those whose name begins with this text; it may end in the middle of a segment.
    Prefix(String),
}

impl Selection {
    /// The selected part of `settings`.
    #[must_use]
    pub fn of(&self, settings: BTreeMap<Key, Value>) -> BTreeMap<Key, Value> {
        settings.into_iter().filter(|(key, _)| self.has(key)).collect()
    }

    fn has(&self, key: &Key) -> bool {
        match self {
            Self::All => true,
            Self::Keys(keys) => keys.contains(key),
            Self::Prefix(prefix) => key.to_string().starts_with(prefix.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings(pairs: &[(&str, Value)]) -> BTreeMap<Key, Value> {
        pairs.iter().map(|(key, value)| (Key::parse(key).unwrap(), value.clone())).collect()
    }

    fn sample() -> BTreeMap<Key, Value> {
        settings(&[
            ("settings.motd", json!("hi")),
            ("settings.updates.seed", json!(7)),
            ("settings.updates.ignore-waves", json!(false)),
            (r#"settings.hosts."a.b".port"#, json!(1)),
            ("services.ntp.restart", json!("x")),
        ])
    }

    #[test]
    fn settings_nest_by_segment_and_other_keys_stay_out() {
        assert_eq!(
            nested(&sample()),
            json!({"motd": "hi", "updates": {"seed": 7, "ignore-waves": false}, "hosts": {"a.b": {"port": 1}}})
        );
        assert_eq!(nested(&BTreeMap::new()), json!({}));
    }

    #[test]
    fn a_prefix_is_a_text_and_may_end_inside_a_segment() {
        let chosen = Selection::Prefix("settings.up".to_owned()).of(sample());
        assert_eq!(nested(&chosen), json!({"updates": {"seed": 7, "ignore-waves": false}}));
        assert_eq!(nested(&Selection::Prefix("settings.nope".to_owned()).of(sample())), json!({}));
    }

    #[test]
    fn keys_that_are_not_there_are_left_out() {
        let keys = ["settings.motd", "settings.nope", "settings.updates"].map(|key| Key::parse(key).unwrap());
        assert_eq!(nested(&Selection::Keys(keys.to_vec()).of(sample())), json!({"motd": "hi"}));
    }
}
