//! What changes where that which a request asks for meets the settings that there are.

use std::collections::BTreeMap;

use datastore::{Change, Key, Value};
use settings_model::Model;
use settings_model::known::SEED;

use super::asked::Asked;
use super::error::{ChangeError, known_beside};

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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::change::asked::{Nulls, from_json, full_key};
    use crate::change::testing::{json_change, key, model};

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
}
