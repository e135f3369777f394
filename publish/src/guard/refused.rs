//! Why nobody knows how a rollout goes.

use std::path::PathBuf;

use host_io::Advise;
use thiserror::Error;
use trusted_repo::Fault;

/// Why a look at a rollout came to nothing.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Refused {
    /// The address is none.
    #[error("ask Prometheus at {text:?}: {reason}")]
    Address {
        /// The text, without what may be secret in it.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No answer comes.
    #[error("ask Prometheus at {place}")]
    Unanswered {
        /// The address, without what is secret in it.
        place: String,
        /// Why not.
        source: Fault,
    },
    /// What comes is no number.
    #[error("understand the answer of Prometheus at {place}: {reason}")]
    Answer {
        /// The address, without what is secret in it.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// What was decided before cannot be read or written.
    #[error("keep what is decided in {path}")]
    Journal {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

impl Advise for Refused {
    fn help(&self) -> Option<String> {
        let text = match self {
            Self::Address { .. } => {
                "give what stands before /api/v1 in the address of Prometheus, such as http://127.0.0.1:9090"
            }
            Self::Unanswered { .. } => {
                "nothing was judged, and the rollout goes on: see that Prometheus answers, or pause by hand with \"pubrepo pause\""
            }
            Self::Answer { .. } => {
                "nothing was judged, and the rollout goes on: see what is wrong with Prometheus, with --matching, or with what stands before it"
            }
            Self::Journal { .. } => "check the path, the permissions and the free space",
        };
        Some(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_these_words() {
        let place = || "http://127.0.0.1:9090/".to_owned();
        for (failure, words) in [
            (
                Refused::Address { text: "here".to_owned(), reason: "it is no address".to_owned() },
                "ask Prometheus at \"here\": it is no address",
            ),
            (
                Refused::Unanswered { place: place(), source: Fault::Missing },
                "ask Prometheus at http://127.0.0.1:9090/",
            ),
            (
                Refused::Answer { place: place(), reason: "it is none".to_owned() },
                "understand the answer of Prometheus at http://127.0.0.1:9090/: it is none",
            ),
            (
                Refused::Journal { path: "/g.jsonl".into(), source: std::io::Error::other("full") },
                "keep what is decided in /g.jsonl",
            ),
        ] {
            assert_eq!(failure.to_string(), words);
            assert!(failure.help().is_some());
        }
    }
}
