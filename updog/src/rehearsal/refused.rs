//! Why the migrations of the next boot are not left to it.

use host_io::Advise;
use semver::Version;
use thiserror::Error;

/// Why settings cannot be carried to a release. Nothing was changed.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("rehearse the migration of this host's settings to {version}: {why}")]
pub struct Refused {
    /// The release.
    pub version: Version,
    /// What `migrator` says.
    pub why: String,
    /// Its word for that.
    pub code: String,
}

impl Advise for Refused {
    fn help(&self) -> Option<String> {
        Some(
            match self.code.as_str() {
                "no_room" => "free some space on the partition that holds the settings, then update again",
                "locked" => "wait for the other migrator, then update again",
                _ => {
                    "nothing was changed; \"migrator --rehearse\" shows it again; tell the release's owner, or change the settings that are named"
                }
            }
            .to_owned(),
        )
    }

    fn code(&self) -> &'static str {
        match self.code.as_str() {
            "no_room" => "no_room",
            "missing_migration" => "missing_migration",
            _ => "migration_fails",
        }
    }
}
