//! Why a change was refused, with the settings that there are instead.

use datastore::{Key, KeyError};
use host_io::Advise;
use settings_model::known::SEED;
use settings_model::{Model, Name};
use thiserror::Error;

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

fn known_list(known: &[String]) -> String {
    if known.is_empty() { String::new() } else { format!("; there are {}", known.join(", ")) }
}

pub(super) fn unknown(model: &Model, key: Key) -> ChangeError {
    ChangeError::Unknown { known: known_beside(model, &key), key }
}

/// The settings of the same group, or all where there is none.
pub(super) fn known_beside(model: &Model, key: &Key) -> Vec<String> {
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
    use super::*;

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
