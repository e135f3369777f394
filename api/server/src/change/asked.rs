//! What a request asks for: its body, held against the model of this image.

use std::collections::BTreeMap;

use datastore::{Key, KeyError, Value};
use serde_json::Map;
use settings_model::Model;
use settings_model::fit::shortened;

use super::error::{ChangeError, unknown};

/// What a `null` in a request means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nulls {
    /// Nothing: whole models are sent with what is not set.
    Say,
    /// That the setting is taken away, as in RFC 7396.
    TakeAway,
}

/// What a request asks for: values, and names of what is to be taken away, which may be groups.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Asked {
    /// The values.
    pub set: BTreeMap<Key, Value>,
    /// The names.
    pub away: Vec<Key>,
}

/// What the body of `PATCH /settings` asks for: a nested object without the outer `settings`.
///
/// # Errors
/// When it is no such object, or names a setting that there is not, or a value that its setting does not take.
pub fn from_json(model: &Model, body: &[u8], nulls: Nulls) -> Result<Asked, ChangeError> {
    let body: Value = serde_json::from_slice(body).map_err(|error| ChangeError::Json(error.to_string()))?;
    let Value::Object(object) = body else { return Err(ChangeError::NotAnObject) };
    let mut asked = Asked::default();
    walk(model, nulls, &mut vec!["settings".to_owned()], object, &mut asked)?;
    Ok(asked)
}

/// The settings in a list of `KEY=VALUE`. A value is given the type of its setting; the first `=` divides.
///
/// # Errors
/// As [`from_json`].
pub fn from_pairs(model: &Model, pairs: &[String]) -> Result<BTreeMap<Key, Value>, ChangeError> {
    pairs
        .iter()
        .map(|pair| {
            let (name, text) = pair.split_once('=').ok_or_else(|| ChangeError::NotAPair(shortened(pair)))?;
            let key = full_key(name)?;
            let Some(setting) = model.get(&key) else { return Err(unknown(model, key)) };
            match setting.kind.read(text) {
                Some(value) => checked(model, key, value),
                None => Err(ChangeError::Value {
                    value: shortened(&Value::from(text).to_string()),
                    takes: setting.kind.to_string(),
                    key,
                }),
            }
        })
        .collect()
}

/// A setting's name as a person writes it: `settings.` may be left out.
///
/// # Errors
/// When it is not a name.
pub fn full_key(name: &str) -> Result<Key, KeyError> {
    let key = Key::parse(name)?;
    if key.segments().first().is_some_and(|first| first == "settings") {
        return Ok(key);
    }
    Key::from_segments(std::iter::once("settings").chain(key.segments().iter().map(String::as_str)))
}

fn walk(
    model: &Model,
    nulls: Nulls,
    at: &mut Vec<String>,
    object: Map<String, Value>,
    asked: &mut Asked,
) -> Result<(), ChangeError> {
    for (name, value) in object {
        at.push(name);
        let key = Key::from_segments(at.iter().map(String::as_str))?;
        match value {
            // An object is a group, unless the setting of that name is to be told that it takes no object.
            Value::Object(below) if model.get(&key).is_none() => {
                if !model.has_below(&key) {
                    return Err(unknown(model, key));
                }
                walk(model, nulls, at, below, asked)?;
            }
            // Whether there is anything of that name is seen when it is known what is set.
            Value::Null if nulls == Nulls::TakeAway => asked.away.push(key),
            Value::Null if model.has(&key) || model.has_below(&key) => {}
            value => {
                let (key, value) = checked(model, key, value)?;
                asked.set.insert(key, value);
            }
        }
        at.pop();
    }
    Ok(())
}

fn checked(model: &Model, key: Key, value: Value) -> Result<(Key, Value), ChangeError> {
    let Some(setting) = model.get(&key) else { return Err(unknown(model, key)) };
    if setting.kind.takes(&value) {
        return Ok((key, value));
    }
    Err(ChangeError::Value { key, value: shortened(&value.to_string()), takes: setting.kind.to_string() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::change::testing::{json_change, key, model};

    fn pairs(list: &[&str]) -> Result<BTreeMap<Key, Value>, String> {
        let list: Vec<String> = list.iter().map(|&pair| pair.to_owned()).collect();
        from_pairs(&model(), &list).map_err(|error| host_io::report::chain(&error))
    }

    #[test]
    fn a_nested_object_becomes_keys_and_values() {
        let settings = json_change(r#"{"motd":"hi","updates":{"seed":7},"network":{}}"#).unwrap();
        assert_eq!(
            settings.into_iter().collect::<Vec<_>>(),
            [(key("settings.motd"), json!("hi")), (key("settings.updates.seed"), json!(7))]
        );
        assert!(json_change("{}").unwrap().is_empty());
    }

    #[test]
    fn pairs_take_the_type_of_their_setting_and_may_leave_out_the_root() {
        let settings = pairs(&[
            "motd=a=b",
            "settings.updates.seed=7",
            "updates.ignore-waves=true",
            r#"network.no-proxy=["x"]"#,
        ])
        .unwrap();
        assert_eq!(settings[&key("settings.motd")], json!("a=b"));
        assert_eq!(settings[&key("settings.updates.seed")], json!(7));
        assert_eq!(settings[&key("settings.updates.ignore-waves")], json!(true));
        assert_eq!(settings[&key("settings.network.no-proxy")], json!(["x"]));
        assert_eq!(pairs(&["motd=42"]).unwrap()[&key("settings.motd")], json!("42"));
    }

    #[test]
    fn an_unknown_setting_is_refused_with_those_of_its_group() {
        assert_eq!(
            json_change(r#"{"updates":{"sed":7}}"#).unwrap_err(),
            "set settings.updates.sed: there is no such setting; there are settings.updates.ignore-waves, settings.updates.seed"
        );
        for error in [
            json_change(r#"{"mood":{"a":1}}"#).unwrap_err(),
            json_change(r#"{"settings":{"motd":"x"}}"#).unwrap_err(),
            pairs(&["mood=x"]).unwrap_err(),
        ] {
            assert!(
                error.contains("there is no such setting; there are settings.motd, settings.network"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_value_of_another_type_is_refused_with_what_is_allowed() {
        let cases = [
            (json_change(r#"{"motd":7}"#), "set settings.motd to 7: it takes a text"),
            (json_change(r#"{"motd":{"a":1}}"#), r#"set settings.motd to {"a":1}: it takes a text"#),
            (
                json_change(r#"{"updates":{"seed":2049}}"#),
                "set settings.updates.seed to 2049: it takes a whole number from 0 to 2048",
            ),
            (
                pairs(&["updates.ignore-waves=maybe"]),
                "set settings.updates.ignore-waves to \"maybe\": it takes true or false",
            ),
            (
                pairs(&["updates.seed=2049"]),
                "set settings.updates.seed to 2049: it takes a whole number from 0 to 2048",
            ),
        ];
        for (change, expected) in cases {
            assert_eq!(change.unwrap_err(), expected);
        }
        // A group is no setting.
        assert!(
            json_change(r#"{"updates":"x"}"#)
                .unwrap_err()
                .contains("settings.updates: there is no such setting")
        );
    }

    #[test]
    fn a_body_that_is_no_object_of_settings_is_refused() {
        assert!(json_change("{\"motd\":").unwrap_err().starts_with("read the request as JSON: EOF"));
        assert!(json_change("").unwrap_err().starts_with("read the request as JSON"));
        assert!(json_change("[1]").unwrap_err().contains("it must be an object"));
        assert!(json_change(r#"{"a b":1}"#).unwrap_err().contains("' ' is not allowed"));
        assert!(json_change(r#"{"":1}"#).unwrap_err().contains("empty"));
        assert!(from_json(&model(), b"{\"motd\":\"\xff\"}", Nulls::Say).is_err());
        assert!(pairs(&["motd"]).unwrap_err().contains("it must be KEY=VALUE"));
        assert!(pairs(&["=x"]).unwrap_err().contains("empty"));
    }

    #[test]
    fn a_long_value_is_not_repeated_whole() {
        let error = json_change(&json!({"updates": {"seed": "x".repeat(10_000)}}).to_string()).unwrap_err();
        assert!(error.len() < 200, "{error}");
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic_and_what_passes_is_what_the_model_takes(body in "[{}\\[\\]\":,a-z0-9.=/ ü-]{0,60}") {
            if let Ok(settings) = json_change(&body) {
                for (key, value) in settings {
                    prop_assert!(model().get(&key).unwrap().kind.takes(&value));
                }
            }
            if let Ok(settings) = pairs(&[&body]) {
                prop_assert_eq!(settings.len(), 1);
            }
        }
    }
}
