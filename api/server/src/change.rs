//! A request body, checked and turned into keys and values.
//!
//! Nothing is taken over in part: the first thing that is wrong refuses the whole request, with the setting's name and
//! what it takes.

use std::collections::BTreeMap;

use datastore::{Change, Key, KeyError, Value};
use host_io::Advise;
use serde_json::Map;
use thiserror::Error;

use settings_model::fit::shortened;
use settings_model::known::SEED;
use settings_model::{Model, Name};

/// Why a change was refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// The body is no JSON, or not of the expected shape.
    #[error("read the request as JSON: {0}")]
    Json(String),
    /// The body is JSON, but not an object of settings.
    #[error("read the request as settings: it must be an object such as {{\"motd\": \"hello\"}}")]
    NotAnObject,
    /// A pair without an equals sign.
    #[error("read {0:?} as a setting: it must be KEY=VALUE")]
    NotAPair(String),
    /// A name that no setting can have.
    #[error("read the name of a setting")]
    Key(#[from] KeyError),
    /// No setting of this image has that name.
    #[error("set {key}: there is no such setting{}", known_list(.known))]
    Unknown {
        /// The name.
        key: Key,
        /// Settings that there are, those of the same group where it has any.
        known: Vec<String>,
    },
    /// Nothing of that name is set, and no setting has it.
    #[error("unset {key}: there is no such setting{}", known_list(.known))]
    UnknownAway {
        /// The name.
        key: Key,
        /// Settings that there are, those of the same group where it has any.
        known: Vec<String>,
    },
    /// A host has a place in the fleet, and a new one is drawn only for whoever asks for that.
    #[error(
        "unset {SEED}: it is named with others, and a new place in the fleet is drawn only where it is named alone"
    )]
    SeedAmongOthers,
    /// A file needs it, and nothing would come in its place.
    #[error("unset {key}: {path} needs it, and the image has no default")]
    Needed {
        /// The setting.
        key: Key,
        /// The file.
        path: String,
    },
    /// The setting takes another type or another value.
    #[error("set {key} to {value}: it takes {takes}")]
    Value {
        /// The setting.
        key: Key,
        /// What was given, shortened.
        value: String,
        /// What it takes.
        takes: String,
    },
}

impl Advise for ChangeError {
    fn help(&self) -> Option<String> {
        match self {
            Self::Needed { .. } => Some("set it to another value instead".to_owned()),
            _ => None,
        }
    }
}

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

fn known_list(known: &[String]) -> String {
    if known.is_empty() { String::new() } else { format!("; there are {}", known.join(", ")) }
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

/// What is to change where `asked` meets these settings: by exact name, or by whole segments of one. A group of which
/// nothing is set is no such thing for a caller who names it, and nothing to do in a patch.
///
/// # Errors
/// When something is named that there is not, that a file cannot do without, or that is to be named alone.
pub fn resolve(
    model: &Model,
    asked: Asked,
    settings: &BTreeMap<Key, Value>,
    named: Named,
) -> Result<Change, ChangeError> {
    let alone = asked.set.is_empty() && asked.away.len() == 1;
    let mut change = Change { set: asked.set, ..Change::default() };
    for key in asked.away {
        let is_seed = |key: &Key| key.to_string() == SEED;
        if is_seed(&key) && !alone {
            return Err(ChangeError::SeedAmongOthers);
        }
        if model.has(&key) || settings.contains_key(&key) {
            refuse_needed(model, &key)?;
            change.unset.insert(key);
            continue;
        }
        // Whoever takes a group away does not ask for another place in the fleet.
        let below: Vec<Key> = settings
            .range(key.clone()..)
            .map(|(other, _)| other)
            .take_while(|other| **other == key || other.is_below(&key))
            .filter(|other| !is_seed(other))
            .cloned()
            .collect();
        if below.is_empty() && (named == Named::ByName || !model.has_below(&key)) {
            return Err(ChangeError::UnknownAway { known: known_beside(model, &key), key });
        }
        for key in below {
            refuse_needed(model, &key)?;
            change.unset.insert(key);
        }
    }
    change.unset.retain(|key| !change.set.contains_key(key));
    Ok(change)
}

/// How what is to be taken away was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// One by one.
    ByName,
    /// As a part of a patch.
    InAPatch,
}

fn refuse_needed(model: &Model, key: &Key) -> Result<(), ChangeError> {
    if model.default_of(key).is_some() || key.to_string() == SEED {
        return Ok(());
    }
    if model.get(key).is_some_and(|setting| setting.required) {
        return Err(ChangeError::Needed { key: key.clone(), path: "every store of this image".to_owned() });
    }
    let files =
        model.services().iter().filter(|service| service.each.is_none()).flat_map(|service| &service.files);
    let name = key.to_string();
    match files.into_iter().find(|file| file.needs.contains(&name)) {
        Some(file) => Err(ChangeError::Needed { key: key.clone(), path: file.path.clone() }),
        None => Ok(()),
    }
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

fn unknown(model: &Model, key: Key) -> ChangeError {
    ChangeError::Unknown { known: known_beside(model, &key), key }
}

/// The settings of the same group, or all where there is none.
fn known_beside(model: &Model, key: &Key) -> Vec<String> {
    let group = key.segments().get(..2).and_then(|group| Key::from_segments(group).ok());
    let belongs = |name: &&Name| group.as_ref().is_some_and(|group| name.is_below(group));
    let mut known: Vec<String> = model.names().filter(belongs).map(Name::to_string).collect();
    if known.is_empty() {
        known = model.names().map(Name::to_string).collect();
    }
    known
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn model() -> Model {
        let entries = [
            ("settings.motd", "string"),
            ("settings.updates.seed", "integer"),
            ("settings.updates.ignore-waves", "boolean"),
            ("settings.network.no-proxy", "strings"),
        ];
        let text: String = entries
            .iter()
            .map(|(key, kind)| format!("[[setting]]\nkey = \"{key}\"\ntype = \"{kind}\"\n"))
            .map(|entry| if entry.contains("integer") { entry + "min = 0\nmax = 2048\n" } else { entry })
            .collect();
        Model::parse(&text, Path::new("settings.toml")).unwrap()
    }

    fn json_change(body: &str) -> Result<BTreeMap<Key, Value>, String> {
        let asked = from_json(&model(), body.as_bytes(), Nulls::Say);
        asked.map(|asked| asked.set).map_err(|error| host_io::report::chain(&error))
    }

    /// What a merge patch changes where these are set.
    fn merged(body: &str, set: &[&str]) -> Result<Change, String> {
        let settings = set.iter().map(|name| (key(name), json!(1))).collect();
        from_json(&model(), body.as_bytes(), Nulls::TakeAway)
            .and_then(|asked| resolve(&model(), asked, &settings, Named::InAPatch))
            .map_err(|error| host_io::report::chain(&error))
    }

    /// What is taken away where these are set, by name.
    fn unset(names: &[&str], set: &[&str]) -> Result<Vec<String>, String> {
        let settings = set.iter().map(|name| (key(name), json!(1))).collect();
        let away = names.iter().map(|name| full_key(name).unwrap()).collect();
        resolve(&model(), Asked { away, ..Asked::default() }, &settings, Named::ByName)
            .map(|change| change.unset.iter().map(ToString::to_string).collect())
            .map_err(|error| host_io::report::chain(&error))
    }

    fn pairs(list: &[&str]) -> Result<BTreeMap<Key, Value>, String> {
        let list: Vec<String> = list.iter().map(|&pair| pair.to_owned()).collect();
        from_pairs(&model(), &list).map_err(|error| host_io::report::chain(&error))
    }

    fn key(text: &str) -> Key {
        Key::parse(text).unwrap()
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
    fn a_null_says_nothing_in_plain_json_and_takes_away_in_a_merge_patch() {
        let body = r#"{"motd":null,"updates":{"ignore-waves":true},"network":null}"#;
        let ignore = key("settings.updates.ignore-waves");
        assert_eq!(json_change(body).unwrap(), [(ignore.clone(), json!(true))].into());
        let change = merged(body, &["settings.network.no-proxy", "settings.networks"]).unwrap();
        assert_eq!(change.set, [(ignore, json!(true))].into());
        assert_eq!(change.unset, [key("settings.motd"), key("settings.network.no-proxy")].into());
        assert_eq!(merged(r#"{"network":null}"#, &[]).unwrap(), Change::default(), "nothing of it is set");
        assert!(
            merged(r#"{"mood":null}"#, &[]).unwrap_err().contains("unset settings.mood: there is no such")
        );
        assert!(json_change(r#"{"mood":null}"#).unwrap_err().contains("there is no such setting"));
    }

    #[test]
    fn what_is_taken_away_is_named_exactly_or_by_whole_segments() {
        let set = ["settings.motd", "settings.network.no-proxy", "settings.old.a", "settings.old.b.c"];
        assert_eq!(unset(&["motd"], &set).unwrap(), ["settings.motd"]);
        assert_eq!(unset(&["settings.old"], &set).unwrap(), ["settings.old.a", "settings.old.b.c"]);
        assert_eq!(unset(&["old.b"], &set).unwrap(), ["settings.old.b.c"]);
        assert_eq!(unset(&["updates.ignore-waves"], &[]).unwrap(), ["settings.updates.ignore-waves"]);
        for name in ["mot", "net", "old.", "ol", "old.b.c.d", "network.no-prox", "nothing"] {
            let Ok(named) = full_key(name) else { continue };
            assert!(
                unset(&[&named.to_string()], &set).unwrap_err().contains("there is no such setting"),
                "{name}"
            );
        }
        assert!(unset(&["network"], &[]).unwrap_err().contains("unset settings.network"));
    }

    #[test]
    fn the_place_in_the_fleet_goes_only_when_it_is_named_alone() {
        let set = ["settings.updates.seed", "settings.updates.ignore-waves"];
        assert_eq!(unset(&["updates.seed"], &set).unwrap(), ["settings.updates.seed"]);
        assert_eq!(unset(&["updates"], &set).unwrap(), ["settings.updates.ignore-waves"]);
        assert!(unset(&["updates.seed", "motd"], &set).unwrap_err().contains("only where it is named alone"));
        assert!(merged(r#"{"motd":"x","updates":{"seed":null}}"#, &set).unwrap_err().contains("named alone"));
        assert!(merged(r#"{"updates":{"seed":null}}"#, &set).is_ok());
    }

    #[test]
    fn what_a_file_needs_and_has_no_default_stays() {
        let text = "[[setting]]\nkey = \"settings.a.url\"\ntype = \"string\"\n\
                    [[setting]]\nkey = \"settings.a.name\"\ntype = \"string\"\ndefault = \"x\"\n\
                    [[service]]\nname = \"a\"\nsettings = [\"settings.a\"]\n\
                    [[service.file]]\npath = \"/etc/a\"\ntemplate = \"a\"\nneeds = [\"settings.a.url\", \"settings.a.name\"]\n";
        let model = Model::parse(text, Path::new("settings.toml")).unwrap();
        let settings = [(key("settings.a.url"), json!("u")), (key("settings.a.name"), json!("n"))].into();
        let unset = |name| {
            let asked = Asked { away: vec![key(name)], ..Asked::default() };
            resolve(&model, asked, &settings, Named::ByName).map_err(|error| error.to_string())
        };
        assert!(unset("settings.a.name").is_ok());
        let required = "[[setting]]\nkey = \"settings.r\"\ntype = \"string\"\nrequired = true\n";
        let required = Model::parse(required, Path::new("settings.toml")).unwrap();
        let asked = Asked { away: vec![key("settings.r")], ..Asked::default() };
        assert!(resolve(&required, asked, &BTreeMap::new(), Named::ByName).is_err());
        for name in ["settings.a.url", "settings.a"] {
            assert_eq!(
                unset(name).unwrap_err(),
                "unset settings.a.url: /etc/a needs it, and the image has no default"
            );
        }
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

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (
                ChangeError::NotAnObject,
                "read the request as settings: it must be an object such as {\"motd\": \"hello\"}",
            ),
            (ChangeError::NotAPair("x".into()), "read \"x\" as a setting: it must be KEY=VALUE"),
            (ChangeError::Key("".parse::<Key>().unwrap_err()), "read the name of a setting"),
            (
                ChangeError::SeedAmongOthers,
                "unset settings.updates.seed: it is named with others, and a new place in the fleet is drawn only where it is named alone",
            ),
            (
                ChangeError::Value {
                    key: "settings.motd".parse().unwrap(),
                    value: "9".into(),
                    takes: "a number".into(),
                },
                "set settings.motd to 9: it takes a number",
            ),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
