//! The settings of a store, held against the model of the image that runs.
//!
//! A store may hold what no request would have been allowed to put there: a migration went wrong, another release took
//! other values, a disk lost bytes, a person wrote a file. What does not fit is named and replaced by the image's
//! default, or left out; it never reaches a template.

use std::collections::BTreeMap;
use std::fmt;

use datastore::{Key, Value};
use host_io::redacted::redacted;

use crate::Model;

/// How much of a value is repeated.
const SHOWN: usize = 60;

/// A value that this image does not take.
#[derive(Debug, Clone, PartialEq)]
pub struct Misfit {
    /// Its setting, or what stands in the place of one.
    pub key: Key,
    /// The value, shortened, as JSON.
    pub value: String,
    /// What is wrong with it, to be read after it.
    pub reason: String,
    /// The image's default, which goes for it; `None` when there is none, and it is left out.
    pub instead: Option<Value>,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}, and {}", self.key, self.value, self.reason)
    }
}

/// Settings as this image can use them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fitted {
    /// Those that fit, and defaults in the place of those that do not. What the model does not know is among them as it
    /// was: another release may know it.
    pub settings: BTreeMap<Key, Value>,
    /// Those that do not.
    pub misfits: Vec<Misfit>,
}

/// Holds the settings of a store against the model.
#[must_use]
pub fn fit(model: &Model, stored: &BTreeMap<Key, Value>) -> Fitted {
    let mut fitted = Fitted::default();
    for (key, value) in stored {
        match why_not(model, key, value) {
            None => {
                fitted.settings.insert(key.clone(), value.clone());
            }
            Some(reason) => {
                let instead = model.default_of(key).cloned();
                if let Some(default) = &instead {
                    fitted.settings.insert(key.clone(), default.clone());
                }
                let value = shortened(&value.to_string());
                fitted.misfits.push(Misfit { key: key.clone(), value, reason, instead });
            }
        }
    }
    fitted
}

/// The settings that a store of this image has to have, that the image has no default for, and that `stored` lacks.
pub fn lacking(model: &Model, stored: &BTreeMap<Key, Value>) -> impl Iterator<Item = Key> {
    model
        .settings()
        .filter(|setting| setting.required)
        .filter_map(|setting| setting.name.key())
        .filter(|key| !stored.contains_key(key) && model.default_of(key).is_none())
}

/// The value that goes for `value` where a store has that for `key`; `None` where it is left out.
#[must_use]
pub fn fitting(model: &Model, key: &Key, value: &Value) -> Option<Value> {
    match why_not(model, key, value) {
        None => Some(value.clone()),
        Some(_) => model.default_of(key).cloned(),
    }
}

fn why_not(model: &Model, key: &Key, value: &Value) -> Option<String> {
    if let Some(setting) = model.get(key) {
        return (!setting.kind.takes(value)).then(|| format!("it takes {}", setting.kind));
    }
    if model.has_below(key) {
        return Some("it is a group of settings and takes no value".to_owned());
    }
    // A value below a setting would stand in its way in every tree that is made of both.
    let segments = key.segments();
    (1..segments.len())
        .filter_map(|len| Key::from_segments(&segments[..len]).ok())
        .find(|above| model.has(above))
        .map(|above| format!("nothing can lie below the setting {above}"))
}

/// A value as a message repeats it: not more of it than a person reads, and no secret of an address, for messages are kept
/// in logs.
#[must_use]
pub fn shortened(text: &str) -> String {
    let text = redacted(text);
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;

    fn held(stored: &[(&str, Value)]) -> Fitted {
        let text = "[[setting]]\nkey = \"settings.motd\"\ntype = \"string\"\n\
                    [[setting]]\nkey = \"settings.ntp.servers\"\ntype = \"strings\"\ndefault = [\"a\"]\n\
                    [[setting]]\nkey = \"settings.box.<id>.on\"\ntype = \"boolean\"\n";
        let model = Model::parse(text, Path::new("settings.toml")).unwrap();
        let stored = stored.iter().map(|(key, value)| (Key::parse(key).unwrap(), value.clone())).collect();
        fit(&model, &stored)
    }

    #[test]
    fn a_value_is_repeated_without_the_secrets_of_an_address() {
        for text in ["\"socks5://me:s3cret@proxy:1\"", "me:s3cret@proxy:1", "[\"https://h/?sig=s3cret\"]"] {
            let shown = shortened(text);
            assert!(shown.contains('…') && !shown.contains("s3cret"), "{shown}");
        }
    }

    fn told(fitted: &Fitted) -> Vec<String> {
        fitted.misfits.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_fits_and_what_nobody_here_knows_stays_as_it_is() {
        let stored = [
            ("settings.motd", json!("hi")),
            ("settings.box.a.on", json!(true)),
            ("settings.later.x", json!([1])),
            ("services.ntp", json!("x")),
        ];
        let fitted = held(&stored);
        assert_eq!((fitted.settings.len(), told(&fitted)), (4, Vec::new()));
    }

    #[test]
    fn what_does_not_fit_gives_way_to_the_default_or_goes() {
        let fitted = held(&[("settings.motd", json!(7)), ("settings.ntp.servers", json!("foo"))]);
        assert_eq!(fitted.settings, [(Key::parse("settings.ntp.servers").unwrap(), json!(["a"]))].into());
        assert_eq!(
            told(&fitted),
            [
                "settings.motd is 7, and it takes a text",
                "settings.ntp.servers is \"foo\", and it takes a list of texts, such as [\"a\", \"b\"]"
            ]
        );
    }

    #[test]
    fn what_must_be_there_and_has_no_default_is_missed() {
        let text = "[[setting]]\nkey = \"settings.a\"\ntype = \"string\"\nrequired = true\n\
                    [[setting]]\nkey = \"settings.b\"\ntype = \"string\"\nrequired = true\ndefault = \"b\"\n\
                    [[setting]]\nkey = \"settings.c\"\ntype = \"string\"\n";
        let model = Model::parse(text, Path::new("settings.toml")).unwrap();
        let key = |name: &str| Key::parse(name).unwrap();
        assert_eq!(lacking(&model, &BTreeMap::new()).collect::<Vec<_>>(), [key("settings.a")]);
        assert_eq!(lacking(&model, &[(key("settings.a"), json!("x"))].into()).count(), 0);
        let each = "[[setting]]\nkey = \"settings.<id>\"\ntype = \"string\"\nrequired = true\n";
        assert!(Model::parse(each, Path::new("settings.toml")).is_err());
    }

    #[test]
    fn nothing_stands_in_the_place_of_a_group_or_below_a_setting() {
        let fitted = held(&[
            ("settings.ntp", json!("x")),
            ("settings.motd.line", json!("x")),
            ("settings.box.a", json!(true)),
            ("settings.motdx", json!(1)),
        ]);
        assert_eq!(fitted.settings.len(), 1);
        assert!(told(&fitted)[0].contains("settings.box.a is true, and it is a group"), "{fitted:?}");
        assert!(told(&fitted)[1].contains("below the setting settings.motd"), "{fitted:?}");
    }
}
