//! Why nothing was published in a store.

use host_io::Advise;
use thiserror::Error;

/// Why a store was not brought up to date. Hosts read what they read before.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Refused {
    /// The address is none, or the environment does not fit it.
    #[error("use the store {address:?}: {reason}")]
    Address {
        /// What was given.
        address: String,
        /// What is wrong.
        reason: String,
    },
    /// The store does not do what it is asked for.
    #[error("{doing} {name} in the store")]
    Store {
        /// What was being done.
        doing: &'static str,
        /// Which object.
        name: String,
        /// Why not.
        source: object_store::Error,
    },
    /// The store ignores conditions.
    #[error("publish in the store safely: it {what}, though it was asked not to")]
    NoConditions {
        /// What it did.
        what: &'static str,
    },
    /// A numbered file is there with other bytes.
    #[error("put {name} into the store: there is another one, which somebody else has published")]
    Taken {
        /// Which one.
        name: String,
    },
    /// The timestamp in the store is not the one that this release follows.
    #[error("put {name} into the store: somebody else has published there since, or before")]
    Overtaken {
        /// Which one.
        name: String,
    },
}

impl Refused {
    pub(super) fn store(doing: &'static str, name: impl Into<String>, source: object_store::Error) -> Self {
        Self::Store { doing, name: name.into(), source }
    }
}

impl Advise for Refused {
    fn help(&self) -> Option<String> {
        let text = match self {
            Self::Address { .. } => {
                "give s3://BUCKET/PREFIX, and credentials and the region in AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION or in ~/.aws; another endpoint in AWS_ENDPOINT_URL"
            }
            Self::Store { .. } => {
                "hosts read what they read before; run it again: what is there already is not put there twice"
            }
            Self::NoConditions { .. } => {
                "give --single-publisher if nobody else ever publishes there, or use another endpoint"
            }
            Self::Taken { .. } | Self::Overtaken { .. } => {
                "fetch what is there (\"pubrepo mirror\"), and make the release again on top of it"
            }
        };
        Some(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_these_words() {
        let name = || "metal/x86_64/timestamp.json".to_owned();
        let gone = object_store::Error::Generic { store: "S3", source: "gone".into() };
        for (failure, words) in [
            (
                Refused::Address { address: "s3://".to_owned(), reason: "it names no bucket".to_owned() },
                "use the store \"s3://\": it names no bucket",
            ),
            (Refused::store("read", name(), gone), "read metal/x86_64/timestamp.json in the store"),
            (
                Refused::NoConditions { what: "wrote over an object" },
                "publish in the store safely: it wrote over an object, though it was asked not to",
            ),
            (
                Refused::Taken { name: name() },
                "put metal/x86_64/timestamp.json into the store: there is another one, which somebody else has published",
            ),
            (
                Refused::Overtaken { name: name() },
                "put metal/x86_64/timestamp.json into the store: somebody else has published there since, or before",
            ),
        ] {
            assert_eq!(failure.to_string(), words);
            assert!(failure.help().is_some());
        }
    }
}
