//! Updates that were taken from the list for a while (`docs/compatibility.md`, "Manifest").

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::extensions::{fields, take};
use crate::limits::MAX_UPDATES;
use crate::update::Update;

const PAUSED: &str = "paused";

/// What a manifest says to our tools alone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Value", into = "Value")]
pub struct ManifestExtensions {
    /// `paused`: updates that were taken from the list for a while, so that every reader stops taking them.
    pub paused: Vec<Paused>,
    /// Fields that are not understood, as they were found.
    pub other: Map<String, Value>,
}

/// An update that is not offered for now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// Since when.
    pub since: DateTime<Utc>,
    /// The update as it was.
    pub update: Update,
}

impl ManifestExtensions {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.paused.is_empty() && self.other.is_empty()
    }
}

impl From<Value> for ManifestExtensions {
    fn from(value: Value) -> Self {
        let mut other = fields(value);
        let count = other.get(PAUSED).and_then(Value::as_array).map_or(0, Vec::len);
        let paused = if count <= MAX_UPDATES { take(&mut other, PAUSED) } else { None };
        Self { paused: paused.unwrap_or_default(), other }
    }
}

impl From<ManifestExtensions> for Value {
    fn from(extensions: ManifestExtensions) -> Self {
        let mut fields = extensions.other;
        if !extensions.paused.is_empty() {
            let paused = serde_json::to_value(extensions.paused);
            fields.insert(PAUSED.to_owned(), paused.expect("text keys and plain values are always JSON"));
        }
        Self::Object(fields)
    }
}
