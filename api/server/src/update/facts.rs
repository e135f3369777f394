//! What `updog status --json` says of the two sets. Unknown fields are ignored: a newer `updog` may say more.

use semver::Version;
use serde::Deserialize;

/// The sets of this host's disk.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Facts {
    /// The set that runs.
    pub active: Active,
    /// The other one; `None` on a host with one set.
    pub inactive: Option<Inactive>,
}

/// The set that runs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Active {
    /// Which flavour of the system.
    pub variant: String,
    /// For which architecture.
    pub arch: String,
    /// Its version.
    pub version: Version,
    /// Whether the next boot starts it again.
    pub next_to_boot: bool,
}

/// The set that does not run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Inactive {
    /// Which flavour of the system it holds; `None` when nobody knows.
    #[serde(default)]
    pub variant: Option<String>,
    /// For which architecture; `None` when nobody knows.
    #[serde(default)]
    pub arch: Option<String>,
    /// Which version; `None` when nobody knows.
    pub version: Option<Version>,
    /// Whether it could be booted: it has a try left, or has been proven.
    pub valid: bool,
    /// Whether the next boot starts it.
    pub next_to_boot: bool,
    /// Whether it was activated and its boot failed.
    pub failed_boot: bool,
    /// Whether a boot of it was marked good once: then it is an earlier system to go back to, not a staged image.
    /// `None` when `updog` does not say.
    #[serde(default)]
    pub proven: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_of_updog_is_read_with_and_without_what_newer_ones_say() {
        let json = r#"{"active":{"set":"A","variant":"metal","arch":"x86_64","version":"1.0.0","proven":true,"next_to_boot":true},
            "inactive":{"set":"B","version":"1.1.0","valid":true,"next_to_boot":false,"failed_boot":false,"proven":false,"new":1}}"#;
        let facts: Facts = serde_json::from_str(json).unwrap();
        let inactive = facts.inactive.unwrap();
        assert_eq!(inactive.version, Some(Version::new(1, 1, 0)));
        assert_eq!(inactive.proven, Some(false));

        let json = r#"{"active":{"variant":"metal","arch":"x86_64","version":"1.0.0","next_to_boot":true},"inactive":null}"#;
        assert_eq!(serde_json::from_str::<Facts>(json).unwrap().inactive, None);
    }
}
