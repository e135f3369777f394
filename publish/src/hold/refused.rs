//! Why the holds stay as they were.

use chrono::{DateTime, Utc};
use host_io::Advise;
use semver::Version;
use thiserror::Error;

use crate::check::finding::day;

/// Why nothing was changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Refused {
    /// Whoever asks keeps no role for holds.
    #[error("change holds as {role}: it is no role for holds")]
    NoRole {
        /// The role that was named, or the targets role.
        role: String,
    },
    /// Hosts have never heard of the release.
    #[error("withhold {version}: no release of this version is on offer or paused")]
    Unknown {
        /// The version.
        version: Version,
    },
    /// The role withholds it already.
    #[error("withhold {version}: {role} withholds it already, since {}", day(*.since))]
    Already {
        /// The version.
        version: Version,
        /// The role.
        role: String,
        /// Since when.
        since: DateTime<Utc>,
    },
    /// The role does not withhold it.
    #[error("end the hold of {version}: {role} does not withhold it")]
    NotHeld {
        /// The version.
        version: Version,
        /// The role.
        role: String,
    },
    /// What the role withholds cannot be read.
    #[error("read what {role} withholds: {reason}")]
    Damaged {
        /// The role.
        role: String,
        /// Why not.
        reason: String,
    },
    /// There would be more than hosts read.
    #[error("withhold {version}: {role} withholds as much as hosts read")]
    TooMuch {
        /// The version.
        version: Version,
        /// The role.
        role: String,
    },
    /// A person would be told nothing.
    #[error("withhold {version}: no reason is given")]
    NoReason {
        /// The version.
        version: Version,
    },
}

impl Advise for Refused {
    fn help(&self) -> Option<String> {
        let text = match self {
            Self::NoRole { .. } => {
                "name the role with --team; \"pubrepo delegate add --holds\" makes one, which the targets key signs"
            }
            Self::Unknown { .. } | Self::NotHeld { .. } => {
                "see what is on offer with \"pubrepo list\", and what is withheld with \"pubrepo hold list\""
            }
            Self::Already { .. } => {
                "nothing more has to be done; to give another reason, end it with \"pubrepo hold remove\" first"
            }
            Self::Damaged { .. } => "restore the repository from a copy",
            Self::TooMuch { .. } => {
                "end holds of releases that nobody is offered, with \"pubrepo hold remove\""
            }
            Self::NoReason { .. } => "say in a few words why, with --reason: people on hosts read it",
        };
        Some(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_these_words() {
        let (version, role) = (Version::new(1, 1, 0), "guard".to_owned());
        let since = "2026-06-01T12:00:00Z".parse().expect("a date");
        for (failure, words) in [
            (Refused::NoRole { role: role.clone() }, "change holds as guard: it is no role for holds"),
            (
                Refused::Unknown { version: version.clone() },
                "withhold 1.1.0: no release of this version is on offer or paused",
            ),
            (
                Refused::Already { version: version.clone(), role: role.clone(), since },
                "withhold 1.1.0: guard withholds it already, since 2026-06-01T12:00:00Z",
            ),
            (
                Refused::NotHeld { version: version.clone(), role: role.clone() },
                "end the hold of 1.1.0: guard does not withhold it",
            ),
            (
                Refused::Damaged { role: role.clone(), reason: "it is torn".to_owned() },
                "read what guard withholds: it is torn",
            ),
            (
                Refused::TooMuch { version: version.clone(), role },
                "withhold 1.1.0: guard withholds as much as hosts read",
            ),
            (Refused::NoReason { version }, "withhold 1.1.0: no reason is given"),
        ] {
            assert_eq!(failure.to_string(), words);
            assert!(failure.help().is_some());
        }
    }
}
