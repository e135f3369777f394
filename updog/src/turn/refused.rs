//! Why there is no reboot in turn, or why a turn does not end.

use std::io;

use chrono::{DateTime, Utc};
use host_io::Advise;
use thiserror::Error;
use update_metadata::explain::instant;

/// Why not.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Refused {
    /// There is nothing to reboot into.
    #[error("reboot in turn: {why}")]
    NotWanted {
        /// What boots next instead, or what speaks against it.
        why: String,
    },
    /// The server said no.
    #[error("reboot in turn: the lock server {server} does not let this host go now: {why}")]
    NotNow {
        /// Its address.
        server: String,
        /// What it said.
        why: String,
    },
    /// The server said nothing that tells.
    #[error("reboot in turn: the lock server {server} gives no answer that counts: {why}")]
    Unanswered {
        /// Its address.
        server: String,
        /// What came instead.
        why: String,
    },
    /// The server is not asked again so soon.
    #[error("reboot in turn: the lock server is not asked again before {}: {why}", instant(*until))]
    Patience {
        /// When it is.
        until: DateTime<Utc>,
        /// What came the last time.
        why: String,
    },
    /// A hook failed, so that the host is not ready for it.
    #[error("reboot in turn: {why}")]
    NotReady {
        /// Which one, and how.
        why: String,
    },
    /// A hook that brings the host back failed.
    #[error("end the turn of this host: {why}")]
    NotBack {
        /// Which one, and how.
        why: String,
    },
    /// The server does not take the slot back.
    #[error("give the slot back to the lock server {server}: {why}")]
    NotTaken {
        /// Its address.
        server: String,
        /// What came.
        why: String,
    },
    /// The turn before this one has not ended.
    #[error("reboot in turn: the turn before has not ended: {why}")]
    NotEnded {
        /// What it waits for.
        why: String,
    },
    /// This machine has no name to ask under.
    #[error("name this host to the lock server")]
    Nameless(#[source] host_io::host::Error),
    /// What has to be known after a power cut cannot be kept.
    #[error("keep what is known of this host's turn")]
    Note(#[source] io::Error),
}

impl Advise for Refused {
    fn help(&self) -> Option<String> {
        Some(
            match self {
                Self::NotWanted { .. } => "see what boots next: \"updog status\"",
                Self::NotNow { .. } => {
                    "nothing was changed; the timer of updates asks again, and \"apiclient reboot\" asks nobody"
                }
                Self::Unanswered { .. } | Self::Patience { .. } => {
                    "without an answer there is no reboot; see that the server runs and settings.updates.reboot-lock is its address; \"apiclient reboot\" asks nobody"
                }
                Self::NotReady { .. } => {
                    "there is no reboot, and what was drained is brought back; mend the hook; the timer of updates tries again"
                }
                Self::NotBack { .. } => {
                    "the slot stays with this host, so that no other one goes; mend the hook; it is tried again every five minutes"
                }
                Self::NotTaken { .. } => {
                    "it is tried again every five minutes; where the server is gone for good, take settings.updates.reboot-lock away"
                }
                Self::NotEnded { .. } => "\"updog end-turn\" says what it waits for",
                Self::Nameless(_) => "there is no reboot without a name; the first boot draws one",
                Self::Note(_) => {
                    "there is no reboot; see that the persistent partition is mounted, writable and not full"
                }
            }
            .to_owned(),
        )
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotWanted { .. }
            | Self::NotNow { .. }
            | Self::Unanswered { .. }
            | Self::Patience { .. }
            | Self::NotReady { .. }
            | Self::NotEnded { .. } => "not_in_turn",
            Self::NotBack { .. } | Self::NotTaken { .. } | Self::Nameless(_) | Self::Note(_) => "failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_these_words() {
        let (server, why) = ("http://lock/".to_owned(), "it is busy".to_owned());
        for (failure, words) in [
            (Refused::NotWanted { why: why.clone() }, "reboot in turn: it is busy"),
            (
                Refused::NotNow { server: server.clone(), why: why.clone() },
                "reboot in turn: the lock server http://lock/ does not let this host go now: it is busy",
            ),
            (
                Refused::Unanswered { server: server.clone(), why: why.clone() },
                "reboot in turn: the lock server http://lock/ gives no answer that counts: it is busy",
            ),
            (
                Refused::Patience { until: DateTime::UNIX_EPOCH, why: why.clone() },
                "reboot in turn: the lock server is not asked again before 1970-01-01T00:00:00Z: it is busy",
            ),
            (Refused::NotReady { why: why.clone() }, "reboot in turn: it is busy"),
            (Refused::NotBack { why: why.clone() }, "end the turn of this host: it is busy"),
            (
                Refused::NotTaken { server, why: why.clone() },
                "give the slot back to the lock server http://lock/: it is busy",
            ),
            (Refused::NotEnded { why }, "reboot in turn: the turn before has not ended: it is busy"),
            (
                Refused::Nameless(host_io::host::Error::Read {
                    path: "/etc/machine-id".into(),
                    source: io::Error::other("the disk is gone"),
                }),
                "name this host to the lock server",
            ),
            (Refused::Note(io::Error::other("the disk is gone")), "keep what is known of this host's turn"),
        ] {
            assert_eq!(failure.to_string(), words);
            assert!(failure.help().is_some());
        }
    }
}
