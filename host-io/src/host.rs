//! What the host is, and the request to reboot it.

use std::io;
use std::path::PathBuf;
use std::process::Command;

use semver::Version;
use thiserror::Error;

use crate::{Fs, Paths, SystemFs, reset, swap};

/// Why a question to the host went unanswered.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A file that describes the host cannot be read.
    #[error("read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A field that we rely on is missing or malformed.
    #[error("find a valid {field} in {path}: {reason}")]
    Field {
        /// The file.
        path: PathBuf,
        /// The field's name.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The reboot could not be asked for.
    #[error("ask for a reboot through {through}")]
    Reboot {
        /// The program or file that should have carried the request.
        through: String,
        /// Why.
        source: io::Error,
    },
}

/// The host's own description of the running image (`os-release(5)`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OsRelease {
    /// `VARIANT_ID`: which flavour of the system this is.
    pub variant_id: String,
    /// `VERSION_ID`: the running version.
    pub version_id: Version,
    /// `BUILD_ID`: the source revision; empty when absent.
    pub build_id: String,
    /// `PRETTY_NAME`: for people; empty when absent.
    pub pretty_name: String,
}

impl OsRelease {
    /// Parses the text of an os-release file; `path` is for the error only.
    ///
    /// # Errors
    /// When `VARIANT_ID` is missing or `VERSION_ID` is not a semantic version.
    pub fn parse(text: &str, path: PathBuf) -> Result<Self, Error> {
        let field = |name: &str| {
            text.lines()
                .filter_map(|line| line.trim().split_once('='))
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.trim_matches(['"', '\'']).to_owned())
        };
        let bad = |field, reason: &str| Error::Field { path: path.clone(), field, reason: reason.to_owned() };
        let version = field("VERSION_ID")
            .ok_or_else(|| bad("VERSION_ID", "it is missing; add the version, as VERSION_ID=1.2.0"))?;
        Ok(Self {
            variant_id: field("VARIANT_ID").filter(|variant| !variant.is_empty()).ok_or_else(|| {
                bad(
                    "VARIANT_ID",
                    "it is missing; add the name under which releases are published, as VARIANT_ID=metal",
                )
            })?,
            version_id: Version::parse(&version).map_err(|_| {
                bad(
                    "VERSION_ID",
                    &format!("{version:?} is no version of three numbers; write {}", semantic(&version)),
                )
            })?,
            build_id: field("BUILD_ID").unwrap_or_default(),
            pretty_name: field("PRETTY_NAME").unwrap_or_default(),
        })
    }
}

/// What the author of a version probably meant: `12` is `12.0.0`.
#[must_use]
pub fn semantic(text: &str) -> String {
    let numbers: Vec<&str> = text.trim_start_matches('v').split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if numbers.len() <= 3 && numbers.iter().all(is_number) {
        let part = |at: usize| numbers.get(at).map_or("0", |part| part.trim_start_matches('0'));
        let part = |at: usize| if part(at).is_empty() { "0" } else { part(at) };
        return format!("{}.{}.{}", part(0), part(1), part(2));
    }
    "1.2.0, say".to_owned()
}

/// A version as it is typed.
///
/// # Errors
/// What is wrong with it, and how it is written.
pub fn typed_version(text: &str) -> Result<Version, String> {
    Version::parse(text).map_err(|_| format!("it has three numbers: write {}", semantic(text)))
}

/// The machine as far as programs ask about it.
pub trait Host: Send + Sync {
    /// The description of the running image.
    ///
    /// # Errors
    /// When the file is missing or malformed.
    fn os_release(&self) -> Result<OsRelease, Error>;

    /// The kernel's command line of this boot.
    ///
    /// # Errors
    /// When it cannot be read.
    fn command_line(&self) -> Result<String, Error>;

    /// The kernel's name of this boot: another one each time.
    ///
    /// # Errors
    /// When it cannot be read.
    fn boot_id(&self) -> Result<String, Error>;

    /// The name of this machine (`machine-id(5)`), 32 hex digits. It is nobody else's business: what others are told is made
    /// of it.
    ///
    /// # Errors
    /// When there is none, as in an image that was never started.
    fn machine_id(&self) -> Result<String, Error>;

    /// Asks the host to reboot now. On success the request is made; the reboot itself follows.
    ///
    /// # Errors
    /// When the request was refused or could not be made.
    fn reboot(&self) -> Result<(), Error>;

    /// Resets the machine, whoever objects: for a boot that is given up. Returns only when it cannot be done, or where the
    /// host is one below a directory and the request is made.
    ///
    /// # Errors
    /// When no way leads to a reset; with what became of each.
    fn reset(&self) -> Result<(), Error>;

    /// The architecture that this program was built for, in the manifest's words (`x86_64`, `aarch64`).
    fn arch(&self) -> &'static str {
        std::env::consts::ARCH
    }
}

/// The host below a [`Paths`].
#[derive(Debug, Clone)]
pub struct SystemHost {
    paths: Paths,
}

impl SystemHost {
    /// The host that `paths` describes.
    #[must_use]
    pub fn new(paths: Paths) -> Self {
        Self { paths }
    }

    fn note_reboot(&self) -> Result<(), Error> {
        let request = self.paths.reboot_request();
        swap::replace_file(&SystemFs, &request, b"reboot\n", 0o644)
            .map_err(|source| Error::Reboot { through: request.display().to_string(), source })
    }

    fn read(path: PathBuf) -> Result<String, Error> {
        match SystemFs.read(&path) {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(source) => Err(Error::Read { path, source }),
        }
    }
}

impl Host for SystemHost {
    fn os_release(&self) -> Result<OsRelease, Error> {
        let path = self.paths.os_release();
        OsRelease::parse(&Self::read(path.clone())?, path)
    }

    fn command_line(&self) -> Result<String, Error> {
        Self::read(self.paths.kernel_command_line())
    }

    fn boot_id(&self) -> Result<String, Error> {
        Ok(Self::read(self.paths.boot_id())?.trim().to_owned())
    }

    fn machine_id(&self) -> Result<String, Error> {
        let path = self.paths.machine_id();
        let text = Self::read(path.clone())?.trim().to_owned();
        match text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            true => Ok(text),
            false => Err(Error::Field {
                path,
                field: "machine id",
                reason: "it is not 32 hex digits; systemd-machine-id-setup draws one".to_owned(),
            }),
        }
    }

    fn reset(&self) -> Result<(), Error> {
        if self.paths.is_rooted() {
            return self.note_reboot();
        }
        let source = reset::reset(&mut reset::ThisMachine);
        Err(Error::Reboot { through: "every way that there is".to_owned(), source })
    }

    fn reboot(&self) -> Result<(), Error> {
        if self.paths.is_rooted() {
            return self.note_reboot();
        }
        // Inhibitors are respected: something that must not be interrupted may hold one.
        let command = "systemctl reboot --check-inhibitors=yes";
        let failed = |source| Error::Reboot { through: command.to_owned(), source };
        let output =
            Command::new("systemctl").args(["reboot", "--check-inhibitors=yes"]).output().map_err(failed)?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(failed(io::Error::other(format!("{}: {said}", output.status))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_release_is_read_with_and_without_quotes() {
        let text = "NAME=Ours\nPRETTY_NAME=\"Ours OS 1.1.0\"\nVARIANT_ID=metal\nVERSION_ID='1.1.0'\n";
        let release = OsRelease::parse(text, PathBuf::from("os-release")).expect("valid");
        assert_eq!(release.version_id, Version::new(1, 1, 0));
        assert_eq!(release.pretty_name, "Ours OS 1.1.0");
        assert_eq!(release.build_id, "");
    }

    #[test]
    fn a_variant_that_is_missing_or_empty_is_refused_with_an_example() {
        for line in ["", "VARIANT_ID=\n", "VARIANT_ID=\"\"\n"] {
            let text = format!("{line}VERSION_ID=1.1.0\n");
            let error =
                OsRelease::parse(&text, PathBuf::from("os-release")).expect_err("no variant").to_string();
            assert!(error.ends_with("as VARIANT_ID=metal"), "{error}");
        }
    }

    #[test]
    fn a_version_that_is_not_semantic_is_refused_with_its_text() {
        let error = OsRelease::parse("VARIANT_ID=metal\nVERSION_ID=v1.1\n", PathBuf::from("os-release"))
            .expect_err("not semantic");
        assert!(error.to_string().contains("\"v1.1\""), "{error}");
    }

    #[test]
    fn a_machine_has_a_name_once_it_was_started() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let host = SystemHost::new(Paths::under(dir.path()));
        std::fs::create_dir(dir.path().join("etc")).expect("made");
        let told = |text: &str| {
            std::fs::write(dir.path().join("etc/machine-id"), text).expect("written");
            host.machine_id().map_err(|error| error.to_string())
        };
        assert_eq!(
            told("0123456789abcdef0123456789abcdef\n").expect("one"),
            "0123456789abcdef0123456789abcdef"
        );
        for none in ["", "uninitialized\n", "0123456789abcdef0123456789abcdeg\n"] {
            let why = told(none).expect_err("none");
            assert!(why.contains("systemd-machine-id-setup"), "{why}");
        }
        host.boot_id().expect_err("no kernel is below this directory");
    }

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (
                Error::Read { path: "/data/file".into(), source: io::Error::other("the disk is gone") },
                "read /data/file",
            ),
            (
                Error::Field { path: "/data/file".into(), field: "VERSION_ID", reason: "it is torn".into() },
                "find a valid VERSION_ID in /data/file: it is torn",
            ),
            (
                Error::Reboot { through: "systemctl".into(), source: io::Error::other("the disk is gone") },
                "ask for a reboot through systemctl",
            ),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
