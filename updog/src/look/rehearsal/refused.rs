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
                "no_room" => "free some space where that says, then update again",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_the_words_of_the_migrator_with_a_step_of_its_own() {
        let refused = |code: &str| Refused {
            version: Version::new(1, 2, 0),
            why: "failed to run the migration x".to_owned(),
            code: code.to_owned(),
        };
        assert_eq!(
            refused("locked").to_string(),
            "rehearse the migration of this host's settings to 1.2.0: failed to run the migration x"
        );
        for (code, ours, next) in [
            ("no_room", "no_room", "free some space"),
            ("locked", "migration_fails", "wait for the other migrator"),
            ("missing_migration", "missing_migration", "nothing was changed"),
            ("anything", "migration_fails", "nothing was changed"),
        ] {
            let refused = refused(code);
            assert_eq!(refused.code(), ours);
            assert!(refused.help().is_some_and(|help| help.starts_with(next)), "{code}");
        }
    }
}
