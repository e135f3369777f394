//! What can go wrong between a host and a repository.

mod help;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use thiserror::Error;

use crate::metadata::now::{EffectiveNow, instant};
use crate::transport::Fault;

/// Why a repository was not opened, or a target not handed over.
///
/// Cheap to clone, because it travels inside of an [`io::Error`] through decoders: see [`Error::from_read`].
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum Error {
    /// A metadata file did not come.
    #[error("fetch {name} of the repository {place}")]
    Metadata {
        /// The file.
        name: String,
        /// The metadata base URL or directory.
        place: String,
        /// Why.
        source: Fault,
    },
    /// What came is not TUF metadata.
    #[error("read {place} as a TUF repository: its {role} metadata is malformed")]
    Malformed {
        /// The role.
        role: String,
        /// The metadata base URL or directory.
        place: String,
        /// What the parser said.
        source: Arc<serde_json::Error>,
    },
    /// A role is older than it may be.
    #[error("accept the repository {place}: its {role} metadata expired on {}, {} ago: {now}", instant(*.expired), now.since(*.expired))]
    Expired {
        /// The role.
        role: String,
        /// The metadata base URL or directory.
        place: String,
        /// When it expired.
        expired: DateTime<Utc>,
        /// The time that counts, and what the clock says.
        now: EffectiveNow,
    },
    /// Signatures, versions or digests of metadata do not hold.
    #[error("trust the repository {place}: {reason}")]
    Untrusted {
        /// The metadata base URL or directory.
        place: String,
        /// Which role failed which check.
        reason: String,
    },
    /// The repository offers something older than what was verified here before.
    #[error("accept the repository {place}: {reason}")]
    RolledBack {
        /// The metadata base URL or directory.
        place: String,
        /// Which version of what is offered, and which one was seen.
        reason: String,
    },
    /// The root that the image ships and the root that is remembered do not belong together.
    #[error(
        "find one chain from the shipped root ({shipped}) to the remembered root ({remembered}) of {place}"
    )]
    RootsApart {
        /// Version and digest of the shipped root.
        shipped: String,
        /// Version and digest of the remembered root.
        remembered: String,
        /// The metadata base URL.
        place: String,
        /// The directory of all memories.
        trust_dir: PathBuf,
    },
    /// The root that the image ships is not usable.
    #[error("read the shipped root role: {reason}")]
    Anchor {
        /// What is wrong with it.
        reason: String,
    },
    /// A TUF client has no root to begin with.
    #[error("find a trusted root for {dir}")]
    NotBegun {
        /// Its metadata directory.
        dir: PathBuf,
    },
    /// The remembered trust is there but cannot be read.
    #[error("use the remembered trust in {path}: {reason}")]
    Memory {
        /// The directory of this repository's memory.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// What was verified cannot be remembered, or another process does not let go of the memory.
    #[error("remember what was verified in {path}: {reason}")]
    Unsaved {
        /// The directory of this repository's memory.
        path: PathBuf,
        /// What is in the way.
        reason: String,
    },
    /// The metadata does not list this target, or its file is not there.
    #[error("find the target {name}: {reason}")]
    MissingTarget {
        /// The target.
        name: String,
        /// Where it is missing.
        reason: String,
        /// The directory of this host that lacks its file.
        dir: Option<PathBuf>,
    },
    /// A target's bytes did not come.
    #[error("fetch the target {name}")]
    Target {
        /// The target.
        name: String,
        /// Why.
        source: Fault,
    },
    /// A target's bytes are not the signed ones, or not one LZ4 frame.
    #[error("accept the target {name}: {reason}")]
    Tampered {
        /// The target.
        name: String,
        /// What differs.
        reason: String,
    },
    /// A target is longer, packed or unpacked, than the caller can take.
    #[error("take the target {name}: it is longer than {limit} bytes")]
    TooLarge {
        /// The target.
        name: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// The manifest is signed, but not a manifest.
    #[error("read {name} of {place}, which is signed and no manifest")]
    Manifest {
        /// Its name: a team's has one of its own.
        name: String,
        /// The metadata base URL or directory.
        place: String,
        /// What is wrong with it.
        source: Arc<update_metadata::ManifestError>,
    },
    /// What a role for holds withholds is not known: what it lists, or what that says.
    #[error("learn what the role for holds {role:?} withholds")]
    Withheld {
        /// The role.
        role: String,
        /// Why not.
        source: Box<Error>,
    },
    /// A file of holds is signed, and cannot be understood.
    #[error("read the holds {name} of {place}")]
    Holds {
        /// The target.
        name: String,
        /// The metadata base URL or directory.
        place: String,
        /// What is wrong with it.
        source: Arc<update_metadata::HoldsError>,
    },
    /// The cached set is not the one that was pinned when it was staged.
    #[error("use the cached set in {path}: {reason}")]
    Pin {
        /// The directory of the set.
        path: PathBuf,
        /// What differs.
        reason: String,
    },
    /// The cached set cannot be read or written.
    #[error("{doing} {path}")]
    Cache {
        /// What was being done.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: Arc<io::Error>,
    },
    /// Something on this host, in the library's words.
    #[error("open the repository {place}: {reason}")]
    Failed {
        /// The metadata base URL or directory.
        place: String,
        /// What happened.
        reason: String,
    },
}

impl Error {
    /// The error behind a failed read of the target `name`: ours again if it is ours, else a fault of the stream.
    #[must_use]
    pub fn from_read(name: &str, error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Self>()) {
            Some(ours) => ours.clone(),
            None => Self::Tampered { name: name.to_owned(), reason: error.to_string() },
        }
    }

    /// Whether what was asked for is not to be had, though everything else may be: its file is not there, or the server
    /// hands out whole objects only.
    #[must_use]
    pub fn is_for_want_of_it(&self) -> bool {
        match self {
            Self::MissingTarget { .. } => true,
            Self::Target { source: Fault::NoRanges { .. } | Fault::Denied { .. }, .. } => true,
            Self::Target { source, .. } => source.is_missing(),
            _ => false,
        }
    }

    /// Whether no place has the bytes that are signed: what came is something else.
    #[must_use]
    pub fn is_of_its_bytes(&self) -> bool {
        matches!(self, Self::Tampered { .. })
    }

    /// Whether the network or what lies on the way is at fault, and not what is published.
    #[must_use]
    pub fn is_of_the_way(&self) -> bool {
        match self {
            Self::Metadata { source, .. } | Self::Target { source, .. } => !source.is_missing(),
            Self::Withheld { source, .. } => source.is_of_the_way(),
            _ => false,
        }
    }

    /// This error as one that a reader returns.
    pub(crate) fn into_read(self) -> io::Error {
        io::Error::other(self)
    }

    /// Whether another place with the same repository may well do better.
    pub(crate) fn is_of_its_place(&self) -> bool {
        match self {
            // The budget is spent wherever it goes.
            Self::Metadata { source: Fault::OverBudget { .. }, .. }
            | Self::Target { source: Fault::OverBudget { .. }, .. } => false,
            Self::Metadata { .. }
            | Self::Malformed { .. }
            | Self::Expired { .. }
            | Self::Untrusted { .. }
            | Self::RolledBack { .. }
            | Self::RootsApart { .. }
            | Self::MissingTarget { .. }
            | Self::Target { .. }
            | Self::Tampered { .. } => true,
            Self::Anchor { .. }
            | Self::Memory { .. }
            | Self::Unsaved { .. }
            | Self::TooLarge { .. }
            | Self::Manifest { .. }
            | Self::Withheld { .. }
            | Self::Holds { .. }
            | Self::Pin { .. }
            | Self::Cache { .. }
            | Self::NotBegun { .. }
            | Self::Failed { .. } => false,
        }
    }

    pub(crate) fn cache(doing: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Cache { doing, path: path.into(), source: Arc::new(source) }
    }

    /// A fault while a target was fetched; a wrong length is a wrong object.
    pub(crate) fn of_target(name: &str, fault: Fault) -> Self {
        let name = name.to_owned();
        match fault {
            Fault::Length { .. } => Self::Tampered { name, reason: fault.to_string() },
            Fault::Missing => Self::MissingTarget {
                name,
                reason: "it is listed, but the repository does not have its file".to_owned(),
                dir: None,
            },
            Fault::NoFile { dir } => Self::MissingTarget {
                name,
                reason: format!("it is listed, but {} does not have its file", dir.display()),
                dir: Some(dir),
            },
            Fault::Behind { host, to, source } if source.is_missing() => Self::MissingTarget {
                name,
                reason: format!("it is listed, but {to}, which {host} sends on to, does not have its file"),
                dir: None,
            },
            source => Self::Target { name, source },
        }
    }
}

/// A fault while a target's file was opened or read. A file that is longer than signed is a wrong file.
pub(crate) fn of_file(name: &str, fault: Fault) -> Error {
    match fault {
        Fault::TooLong { limit } => Error::Tampered {
            name: name.to_owned(),
            reason: format!("it goes on after the {limit} signed bytes"),
        },
        other => Error::of_target(name, other),
    }
}

#[cfg(test)]
mod tests {
    use host_io::Advise as _;
    use host_io::report::sentence;

    use super::*;

    #[test]
    fn a_portal_is_told_in_one_sentence_with_a_next_step() {
        let error = Error::Metadata {
            name: "timestamp.json".to_owned(),
            place: "http://updates/".to_owned(),
            source: Fault::Html {
                expected: "TUF metadata".to_owned(),
                found: "text/html".to_owned(),
                url: "http://portal/login".to_owned(),
            },
        };
        let said = sentence("updog", &error);
        assert!(said.contains("expected TUF metadata, got text/html from http://portal/login"), "{said}");
        assert!(said.contains("\nhelp: a portal"), "{said}");
        assert_eq!(error.code(), "not_a_repository");
    }

    #[test]
    fn an_error_survives_its_way_through_a_decoder() {
        let error = Error::Tampered { name: "root".to_owned(), reason: "digest".to_owned() };
        let back = Error::from_read("root", error.into_read());
        assert_eq!(back.code(), "tampered");
        let foreign = Error::from_read("root", io::Error::other("wrong magic"));
        assert!(foreign.to_string().contains("wrong magic"), "{foreign}");
    }

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (
                Error::Malformed {
                    role: "timestamp".into(),
                    place: "https://repo.example/metadata".into(),
                    source: Arc::new(serde_json::from_str::<u8>("x").unwrap_err()),
                },
                "read https://repo.example/metadata as a TUF repository: its timestamp metadata is malformed",
            ),
            (
                Error::Expired {
                    role: "timestamp".into(),
                    place: "https://repo.example/metadata".into(),
                    expired: "2026-01-31T09:00:00Z".parse().unwrap(),
                    now: EffectiveNow::new("2026-02-02T09:00:00Z".parse().unwrap(), None),
                },
                "accept the repository https://repo.example/metadata: its timestamp metadata expired on 2026-01-31T09:00:00Z, 48 hours ago: this host's clock says 2026-02-02T09:00:00Z",
            ),
            (
                Error::Untrusted {
                    place: "https://repo.example/metadata".into(),
                    reason: "it is torn".into(),
                },
                "trust the repository https://repo.example/metadata: it is torn",
            ),
            (
                Error::RolledBack {
                    place: "https://repo.example/metadata".into(),
                    reason: "it is torn".into(),
                },
                "accept the repository https://repo.example/metadata: it is torn",
            ),
            (
                Error::RootsApart {
                    shipped: "1 to 2".into(),
                    remembered: "4".into(),
                    place: "https://repo.example/metadata".into(),
                    trust_dir: "/data/trust".into(),
                },
                "find one chain from the shipped root (1 to 2) to the remembered root (4) of https://repo.example/metadata",
            ),
            (Error::NotBegun { dir: "/data/trust".into() }, "find a trusted root for /data/trust"),
            (
                Error::Memory { path: "/data/file".into(), reason: "it is torn".into() },
                "use the remembered trust in /data/file: it is torn",
            ),
            (
                Error::Unsaved { path: "/data/file".into(), reason: "it is torn".into() },
                "remember what was verified in /data/file: it is torn",
            ),
            (
                Error::Target { name: "migrate_v1.1.0_x.lz4".into(), source: Fault::Missing },
                "fetch the target migrate_v1.1.0_x.lz4",
            ),
            (
                Error::TooLarge { name: "migrate_v1.1.0_x.lz4".into(), limit: 100 },
                "take the target migrate_v1.1.0_x.lz4: it is longer than 100 bytes",
            ),
            (
                Error::Manifest {
                    name: "manifest-metal.json".into(),
                    place: "https://repo.example/metadata".into(),
                    source: Arc::new(update_metadata::ManifestError::Json(
                        serde_json::from_str::<u8>("x").unwrap_err(),
                    )),
                },
                "read manifest-metal.json of https://repo.example/metadata, which is signed and no manifest",
            ),
            (
                Error::Withheld {
                    role: "guard".into(),
                    source: Box::new(Error::Target {
                        name: "hold-guard.json".into(),
                        source: Fault::Missing,
                    }),
                },
                "learn what the role for holds \"guard\" withholds",
            ),
            (
                Error::Holds {
                    name: "hold-guard.json".into(),
                    place: "https://repo.example/metadata".into(),
                    source: Arc::new(update_metadata::HoldsError::TooMuch),
                },
                "read the holds hold-guard.json of https://repo.example/metadata",
            ),
            (
                Error::Pin { path: "/data/file".into(), reason: "it is torn".into() },
                "use the cached set in /data/file: it is torn",
            ),
            (
                Error::Failed { place: "https://repo.example/metadata".into(), reason: "it is torn".into() },
                "open the repository https://repo.example/metadata: it is torn",
            ),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
