//! A release and its migrations, as the authors of a system keep them: `Release.toml`.
//!
//! ```toml
//! version = "1.1.0"
//!
//! [migrations]
//! "(1.0.0, 1.1.0)" = ["migrate_v1.1.0_add-metrics.lz4"]
//! ```

use std::collections::BTreeMap;

use semver::Version;
use serde::Deserialize;
use thiserror::Error;

use crate::read;

/// A release and all migrations known when it was made.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ReleaseConfig {
    /// The release.
    pub version: Version,
    /// Names of migration targets for each step between two versions, in the order in which they run.
    #[serde(deserialize_with = "read::migrations")]
    pub migrations: BTreeMap<(Version, Version), Vec<String>>,
}

/// A text does not describe a release.
#[derive(Debug, Error)]
#[error("parse the release description")]
pub struct ReleaseError(#[source] toml::de::Error);

impl ReleaseConfig {
    /// Reads a release. Keys that are not known are skipped.
    ///
    /// # Errors
    /// When the text is not TOML, a field is missing or malformed, or a step is listed twice.
    pub fn parse(text: &str) -> Result<Self, ReleaseError> {
        toml::from_str(text).map_err(ReleaseError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_read_and_unknown_keys_are_skipped() {
        let text = "version = '1.1.0'\nname = 'x'\n[migrations]\n\
                    '(1.0.0, 1.1.0)' = ['a.lz4', 'b.lz4']\n'(0.9.0,1.0.0)' = []\n[other]\n";
        let release = ReleaseConfig::parse(text).unwrap();
        assert_eq!(release.version, Version::new(1, 1, 0));
        let key = (Version::new(1, 0, 0), Version::new(1, 1, 0));
        assert_eq!(release.migrations[&key], ["a.lz4", "b.lz4"]);
        assert_eq!(release.migrations.len(), 2);
    }

    #[test]
    fn what_is_no_release_is_refused() {
        for text in [
            "",
            "version = '1.1.0'",
            "version = '1.1'\n[migrations]",
            "version = 'v1.1.0'\n[migrations]",
            "[migrations]",
            "version = '1.1.0'\n[migrations]\n'1.0.0, 1.1.0' = []",
            "version = '1.1.0'\n[migrations]\n'(1.0.0, 1.1.0)' = 'a'",
            "version = '1.1.0'\n[migrations]\n'(1.0.0, 1.1.0)' = []\n'(1.0.0,1.1.0)' = []",
        ] {
            assert!(ReleaseConfig::parse(text).is_err(), "{text}");
        }
        assert!(ReleaseConfig::parse("version = '1.1.0'\n[migrations]").is_ok());
    }

    #[test]
    fn a_failure_is_told_in_these_words() {
        assert_eq!(
            ReleaseError(toml::from_str::<toml::Table>("=").unwrap_err()).to_string(),
            "parse the release description"
        );
    }
}
