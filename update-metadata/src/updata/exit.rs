//! Why it failed, what to do next, and the exit code: 0 or 1 (`docs/compatibility.md`, "updata").

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::ManifestError;
use crate::author::{AuthorError, Selector};
use crate::policy::PolicyError;
use crate::release::ReleaseError;
use crate::validate::Problem;
use host_io::report::{self, Advise};
use host_io::say;
use semver::Version;
use serde_json::json;
use thiserror::Error;

use super::answer::Format;

/// Why `updata` failed.
#[derive(Debug, Error)]
pub(crate) enum Error {
    #[error("read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("read {path}: it is not text")]
    NotText { path: PathBuf },
    #[error("read {path}")]
    Manifest { path: PathBuf, source: ManifestError },
    #[error("read {path}")]
    Policy { path: PathBuf, source: PolicyError },
    #[error("read {path}")]
    Release { path: PathBuf, source: ReleaseError },
    #[error("write {path}")]
    Write { path: PathBuf, source: io::Error },
    #[error("write {path}: nobody could read it")]
    Unreadable { path: PathBuf, source: ManifestError },
    #[error("make {path}: it is there already")]
    Exists { path: PathBuf },
    #[error("accept {path}: {} {} found", problems.len(), if problems.len() == 1 { "problem" } else { "problems" })]
    Invalid { path: PathBuf, problems: Vec<Problem> },
    #[error("add version {version}: its max_version is {max_version}, and no host would be offered it")]
    AboveMaximum { version: Version, max_version: Version },
    #[error("add {update}: {name:?} is not a safe target name")]
    UnsafeName { update: Selector, name: String },
    #[error("write the answer")]
    Answer(#[source] io::Error),
    #[error(transparent)]
    Author(#[from] AuthorError),
}

impl Advise for Error {
    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Manifest { path, .. } => {
                format!("run \"updata validate {}\" to see all that is wrong", path.display())
            }
            Self::Read { source, path } if source.kind() == io::ErrorKind::NotFound => {
                format!("check the name, or make an empty manifest with \"updata init {}\"", path.display())
            }
            Self::Exists { .. } => "give --force to start over with an empty manifest".to_owned(),
            Self::Author(AuthorError::Twice(_)) => {
                "remove the old one first with \"updata remove-update\"".to_owned()
            }
            Self::AboveMaximum { .. } => "give a --max-version that is at least the version".to_owned(),
            Self::UnsafeName { .. } | Self::Author(AuthorError::UnsafeName { .. }) => {
                "use letters, digits and ._+- only".to_owned()
            }
            Self::Invalid { .. } => "correct what is listed above".to_owned(),
            Self::Author(AuthorError::NoMatch(_)) => {
                "variant, architecture and version must all be as in the manifest".to_owned()
            }
            Self::Author(AuthorError::Unordered { .. }) => {
                "let both percentages and starts grow from wave to wave".to_owned()
            }
            _ => return None,
        };
        Some(help)
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } | Self::NotText { .. } | Self::Write { .. } | Self::Answer(_) => "file",
            Self::Manifest { .. } | Self::Policy { .. } | Self::Release { .. } | Self::Invalid { .. } => {
                "invalid"
            }
            Self::Exists { .. } => "exists",
            Self::Author(AuthorError::NoMatch(_) | AuthorError::Empty) => "no_match",
            Self::Unreadable { .. }
            | Self::AboveMaximum { .. }
            | Self::UnsafeName { .. }
            | Self::Author(_) => "refused",
        }
    }
}

/// A failure, told on stderr, and to programs on stdout. What is wrong with a manifest is an answer in either form.
pub(crate) fn failure(error: &Error, format: Format) -> ExitCode {
    let problems: &[Problem] = if let Error::Invalid { problems, .. } = error { problems } else { &[] };
    let answer = match format {
        Format::Text => problems.iter().map(|problem| format!("{problem}\n")).collect(),
        Format::Json if problems.is_empty() => format!("{}\n", json!({ "error": report::json(error) })),
        Format::Json => format!("{}\n", json!({ "problems": problems, "error": report::json(error) })),
    };
    // Whoever read stdout may be gone; the sentence and the exit code still tell.
    let _reader_may_be_gone = say::answer(&answer);
    say::line(&report::sentence("updata", error));
    ExitCode::FAILURE
}

/// A usage error, told on stderr; or help or version, which were asked for, on stdout.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    // Nothing sensible is left to do when not even this can be written.
    let _unwritten = error.print();
    if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (
                Error::Read { path: "/data/file".into(), source: io::Error::other("the disk is gone") },
                "read /data/file",
            ),
            (Error::NotText { path: "/data/file".into() }, "read /data/file: it is not text"),
            (
                Error::Manifest {
                    path: "/data/file".into(),
                    source: ManifestError::Json(serde_json::from_str::<u8>("x").unwrap_err()),
                },
                "read /data/file",
            ),
            (
                Error::Policy {
                    path: "/data/file".into(),
                    source: PolicyError::Toml(toml::from_str::<toml::Table>("=").unwrap_err()),
                },
                "read /data/file",
            ),
            (
                Error::Release {
                    path: "/data/file".into(),
                    source: crate::ReleaseConfig::parse("=").unwrap_err(),
                },
                "read /data/file",
            ),
            (
                Error::Write { path: "/data/file".into(), source: io::Error::other("the disk is gone") },
                "write /data/file",
            ),
            (
                Error::Unreadable {
                    path: "/data/file".into(),
                    source: ManifestError::Json(serde_json::from_str::<u8>("x").unwrap_err()),
                },
                "write /data/file: nobody could read it",
            ),
            (Error::Exists { path: "/data/file".into() }, "make /data/file: it is there already"),
            (
                Error::AboveMaximum {
                    version: "1.2.0".parse().unwrap(),
                    max_version: "1.0.0".parse().unwrap(),
                },
                "add version 1.2.0: its max_version is 1.0.0, and no host would be offered it",
            ),
            (Error::Answer(io::Error::other("the disk is gone")), "write the answer"),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
