//! One `[[setting]]` of the model's files: what is written, and the setting that it means.

use datastore::Value;
use serde::Deserialize;

use crate::kind::{Empty, Pattern, TextRule};
use crate::name::USUAL_ID;
use crate::{Format, Kind, Name};

/// The first segment of every setting.
const ROOT: &str = "settings";

/// One setting of this image.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Its name.
    pub name: Name,
    /// The type of its value.
    pub kind: Kind,
    /// What it is for, in words for people.
    pub about: String,
    /// Whether a store of this image has to have it.
    pub required: bool,
}

/// An entry as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSetting {
    pub(super) key: String,
    #[serde(rename = "type")]
    kind: RawKind,
    #[serde(default)]
    about: String,
    pub(super) default: Option<Value>,
    #[serde(default)]
    values: Vec<String>,
    format: Option<Format>,
    pattern: Option<String>,
    #[serde(default)]
    empty: bool,
    min: Option<i64>,
    max: Option<i64>,
    #[serde(default)]
    required: bool,
    /// What the id in the key looks like.
    id: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawKind {
    String,
    Integer,
    Boolean,
    Strings,
}

impl RawSetting {
    /// The entry, checked. The error is to be read after its key.
    pub(super) fn checked(self) -> Result<Setting, String> {
        let id = pattern(self.id.as_deref().unwrap_or(USUAL_ID))?;
        let name = Name::parse(&self.key, &id).map_err(|error| format!("failed to {error}"))?;
        if name.first() != Some(ROOT) || name.depth() < 2 {
            return Err(format!("it must begin with \"{ROOT}.\""));
        }
        let has_text_rule =
            !self.values.is_empty() || self.format.is_some() || self.pattern.is_some() || self.empty;
        if has_text_rule && matches!(self.kind, RawKind::Integer | RawKind::Boolean) {
            return Err("only texts can have \"values\", \"format\", \"pattern\" or \"empty\"".to_owned());
        }
        if (self.min.is_some() || self.max.is_some()) && self.kind != RawKind::Integer {
            return Err("only an integer can have \"min\" or \"max\"".to_owned());
        }
        let rule = TextRule {
            values: self.values,
            format: self.format,
            pattern: self.pattern.as_deref().map(pattern).transpose()?,
            empty: if self.empty { Empty::Taken } else { Empty::Judged },
        };
        let kind = match self.kind {
            RawKind::String => Kind::String(rule),
            RawKind::Integer => {
                Kind::Integer { min: self.min.unwrap_or(i64::MIN), max: self.max.unwrap_or(i64::MAX) }
            }
            RawKind::Boolean => Kind::Boolean,
            RawKind::Strings => Kind::Strings(rule),
        };
        if self.required && name.key().is_none() {
            return Err("a setting for every id cannot be \"required\"".to_owned());
        }
        Ok(Setting { name, kind, about: self.about, required: self.required })
    }
}

fn pattern(text: &str) -> Result<Pattern, String> {
    Pattern::new(text).map_err(|error| format!("{text:?} is no regular expression: {error}"))
}
