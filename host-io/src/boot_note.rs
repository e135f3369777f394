//! What a boot that is not proven yet writes down about itself, for the set that may have to return.
//!
//! A release that fails in its first boot cannot tell anybody: the machine resets, and the other set runs. So it leaves
//! a note on the partition that both share: how far it came, and why it went no further. The other set reads it to know
//! a release that fails from a machine that lost its power (`docs/design.md`, "Boot").
//!
//! The writer and the reader are of different releases, so unknown fields are ignored and missing ones have a meaning.
//! A note that cannot be written or read costs the reason and nothing else: no boot waits for it.

use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::{Fs, Paths, swap};

/// The longest reason that is written, in bytes.
const REASON: usize = 2048;
/// The largest note that is read, in bytes.
const LARGEST: usize = 64 << 10;

/// How far a boot came. The word stands in the note; readers take any.
pub mod stage {
    /// The kernel runs, and settings are being migrated.
    pub const MIGRATE: &str = "migrate";
    /// Settings could not be migrated for want of room on this host: nothing against the release.
    pub const NO_ROOM: &str = "no-room";
    /// Settings are migrated, and the system starts.
    pub const SYSTEM: &str = "system";
    /// The API was waited for.
    pub const API: &str = "api";
    /// Health checks were run.
    pub const HEALTH: &str = "health";
}

/// What one boot of one release wrote down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootNote {
    /// The version that booted.
    pub version: Version,
    /// The root hash that the boot was given, as 64 hex digits, where the command line tells.
    #[serde(default)]
    pub root_hash: Option<String>,
    /// How far it came: one of [`stage`], or a word of a later release.
    #[serde(default)]
    pub stage: String,
    /// Why it went no further; `None` as long as it did.
    #[serde(default)]
    pub failed: Option<String>,
    /// When this was written, by the clock of that boot.
    #[serde(default)]
    pub at: Option<DateTime<Utc>>,
}

impl BootNote {
    /// This note with the reason why the boot goes no further.
    #[must_use]
    pub fn failed(mut self, reason: &str) -> Self {
        let mut end = reason.len().min(REASON);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        self.failed = Some(reason[..end].to_owned());
        self
    }

    /// Writes the note; it takes the place of an earlier one of the same version.
    ///
    /// # Errors
    /// As the system says. It is nothing to fail a boot for.
    pub fn write(&self, fs: &dyn Fs, paths: &Paths) -> io::Result<()> {
        let text = serde_json::to_vec(self).expect("a note is plain text and times");
        swap::replace_file(fs, &file(paths, &self.version), &text, 0o644)
    }

    /// The note that the last boot of `version` left. One that cannot be understood is as good as none.
    #[must_use]
    pub fn read(fs: &dyn Fs, paths: &Paths, version: &Version) -> Option<Self> {
        let path = file(paths, version);
        fs.kind(&path).ok()??;
        let read = || -> io::Result<Self> {
            let bytes = fs.read(&path)?;
            if bytes.len() > LARGEST {
                return Err(io::Error::other("it is too large for a note"));
            }
            Ok(serde_json::from_slice(&bytes)?)
        };
        read().inspect_err(|error| tracing::warn!("failed to read the note {}: {error}", path.display())).ok()
    }

    /// Removes what boots of `version` left: a new first boot begins, or it ended well. Needs no free block.
    ///
    /// # Errors
    /// As the system says.
    pub fn forget(fs: &dyn Fs, paths: &Paths, version: &Version) -> io::Result<()> {
        swap::discard_durably(fs, &file(paths, version))
    }

    /// Removes the notes of all versions but these.
    ///
    /// # Errors
    /// As the system says.
    pub fn keep_only(fs: &dyn Fs, paths: &Paths, versions: &[Version]) -> io::Result<()> {
        let dir = dir(paths);
        if fs.kind(&dir)?.is_none() {
            return Ok(());
        }
        let kept: Vec<PathBuf> = versions.iter().map(|version| file(paths, version)).collect();
        for entry in fs.list(&dir)? {
            let path = dir.join(entry.name);
            if !kept.contains(&path) {
                swap::discard(fs, &path)?;
            }
        }
        Ok(())
    }
}

/// The root hash on a kernel's command line, as 64 lower-case hex digits: in `roothash=…`, or in a dm-verity table in
/// `dm-mod.create=…`.
#[must_use]
pub fn root_hash_of(command_line: &str) -> Option<String> {
    let is_hash = |word: &str| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let words: Vec<&str> = command_line.split([' ', '\n', '"', ',']).collect();
    let given = words.iter().find_map(|word| word.strip_prefix("roothash=")).filter(|word| is_hash(word));
    let table = || words.windows(2).find(|pair| pair[0] == "sha256" && is_hash(pair[1])).map(|pair| pair[1]);
    given.or_else(table).map(str::to_ascii_lowercase)
}

fn dir(paths: &Paths) -> PathBuf {
    paths.record().join(Path::new("boot"))
}

/// A version has no characters that a name may not have.
fn file(paths: &Paths, version: &Version) -> PathBuf {
    dir(paths).join(format!("{version}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemFs;

    fn note(version: &str) -> BootNote {
        BootNote {
            version: Version::parse(version).expect("a version"),
            root_hash: Some("ab".repeat(32)),
            stage: stage::MIGRATE.to_owned(),
            failed: None,
            at: Some(DateTime::UNIX_EPOCH),
        }
    }

    #[test]
    fn a_note_is_left_replaced_and_taken_away() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let paths = Paths::under(dir.path());
        let (one, other) = (note("1.1.0"), note("1.2.0-rc.1+b"));
        let read = |note: &BootNote| BootNote::read(&SystemFs, &paths, &note.version);
        assert_eq!(read(&one), None);
        BootNote::forget(&SystemFs, &paths, &one.version).expect("nothing to do");
        BootNote::keep_only(&SystemFs, &paths, &[]).expect("nothing to do");
        one.write(&SystemFs, &paths).expect("written");
        other.write(&SystemFs, &paths).expect("written");
        let failed = one.clone().failed("it is asked to");
        failed.write(&SystemFs, &paths).expect("replaced");
        assert_eq!(read(&one), Some(failed));
        BootNote::keep_only(&SystemFs, &paths, std::slice::from_ref(&other.version)).expect("tidied");
        assert_eq!((read(&one), read(&other)), (None, Some(other.clone())));
        BootNote::forget(&SystemFs, &paths, &other.version).expect("removed");
        assert_eq!(read(&other), None);
    }

    #[test]
    fn notes_of_older_and_newer_releases_are_read_and_a_broken_one_is_none() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let paths = Paths::under(dir.path());
        let version = Version::new(1, 1, 0);
        let path = file(&paths, &version);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        let read = |text: &str| {
            std::fs::write(&path, text).expect("written");
            BootNote::read(&SystemFs, &paths, &version)
        };
        let bare = read(r#"{"version":"1.1.0"}"#).expect("an older one");
        assert_eq!((bare.stage.as_str(), bare.failed), ("", None));
        let more = read(r#"{"version":"1.1.0","stage":"warp","failed":"core","boot":{"id":7}}"#);
        assert_eq!(more.expect("a newer one").stage, "warp");
        for broken in ["", "{", "[]", r#"{"version":"x"}"#] {
            assert_eq!(read(broken), None, "{broken:?}");
        }
        assert_eq!(read(&format!(r#"{{"version":"1.1.0","x":"{}"}}"#, "y".repeat(LARGEST))), None);
    }

    #[test]
    fn a_reason_is_cut_between_letters() {
        let long = note("1.1.0").failed(&"ä".repeat(2000));
        assert_eq!(long.failed.expect("there").len(), REASON);
        assert!(
            note("1.1.0").failed(&format!("x{}", "ä".repeat(2000))).failed.expect("there").len() < REASON
        );
    }

    #[test]
    fn the_root_hash_is_found_in_both_ways_of_giving_it() {
        let hash = "AB12".repeat(16);
        let found = Some(hash.to_ascii_lowercase());
        assert_eq!(root_hash_of(&format!("console=ttyS0 roothash={hash} quiet\n")), found);
        let table = format!(
            "dm-mod.create=\"root,,,ro,0 8 verity 1 PARTUUID=a/PARTNROFF=1 PARTUUID=a/PARTNROFF=2 4096 4096 1 1 sha256 {hash} 00 2 x y\""
        );
        assert_eq!(root_hash_of(&table), found);
        assert_eq!(root_hash_of("roothash=ab root=/dev/vda2 sha256"), None);
    }
}
