//! What is kept of a turn that was asked for, on the partition that both sets share: new, synced, swapped.
//!
//! It is written before the lock server hears of it, so that a host which may hold a slot knows so, whenever its power goes,
//! and it goes away only after the server has taken the slot back. Both sets read it: fields are only ever added.

use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use host_io::{DirLock, Fs, Paths, lock, swap};
use serde::{Deserialize, Serialize};

use crate::decide::attempts::Release;

/// The largest note that is read, in bytes.
const LARGEST: u64 = 64 << 10;

/// How far a turn is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The server said no: nothing is held.
    Refused,
    /// The server was asked, or is about to be: whether the slot is held is not known.
    Asked,
    /// The slot is held.
    Held,
    /// The reboot was asked for.
    Reboots,
    /// The slot is kept after a release that did not stay.
    Kept,
    /// A newer program is at a stage that this one does not know. The slot may be held.
    #[default]
    #[serde(other)]
    Other,
}

/// Where a slot is held, and under which name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The server's address, without what is secret in it.
    pub server: String,
    /// The group of hosts.
    pub group: String,
    /// This host.
    pub id: String,
}

/// That the slot stays with this host, so that the others do not go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Which release did not stay.
    pub release: Release,
    /// Since when this is known.
    pub since: DateTime<Utc>,
}

/// A turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The boot in which it was asked for last.
    #[serde(default)]
    pub boot: String,
    /// When that was.
    pub since: DateTime<Utc>,
    /// Into which release the reboot leads; `None` where that cannot be read any more.
    #[serde(default)]
    pub to: Option<Release>,
    /// The slot; `None` where no server is asked and hooks alone run.
    #[serde(default)]
    pub slot: Option<Slot>,
    /// How far it is.
    #[serde(default)]
    pub stage: Stage,
    /// Hooks have begun to drain this host, and those that bring it back have not all ended well.
    #[serde(default)]
    pub drained: bool,
    /// When the reboot was asked for.
    #[serde(default)]
    pub reboot_at: Option<DateTime<Utc>>,
    /// That the slot is kept.
    #[serde(default)]
    pub kept: Option<Kept>,
    /// How often the server did not answer, one time after another.
    #[serde(default)]
    pub unanswered: u32,
    /// Before this the server is not asked again by itself.
    #[serde(default)]
    pub not_before: Option<DateTime<Utc>>,
    /// What went wrong last, as a sentence without a final stop.
    #[serde(default)]
    pub told: Option<String>,
}

impl Note {
    /// A turn that begins in this boot.
    #[must_use]
    pub fn new(boot: &str, now: DateTime<Utc>) -> Self {
        Self {
            boot: boot.to_owned(),
            since: now,
            to: None,
            slot: None,
            stage: Stage::Asked,
            drained: false,
            reboot_at: None,
            kept: None,
            unanswered: 0,
            not_before: None,
            told: None,
        }
    }
}

/// The place of the note, held by one process at a time from the first question to the reboot.
pub struct Desk<'a> {
    fs: &'a dyn Fs,
    file: PathBuf,
    _lock: DirLock,
}

impl<'a> Desk<'a> {
    /// Takes the place, and makes it where it is missing.
    ///
    /// # Errors
    /// [`lock::Error::Held`] while another process takes or ends a turn.
    pub fn take(fs: &'a dyn Fs, paths: &Paths) -> Result<Self, lock::Error> {
        lock::private::make(&paths.update_state());
        let dir = paths.reboot_turn();
        swap::make_dirs(fs, &dir, 0o700).map_err(|source| lock::Error::Io { path: dir.clone(), source })?;
        let lock = DirLock::acquire_private(&dir)?;
        Ok(Self { fs, file: file(paths), _lock: lock })
    }

    /// What is kept. A note that is there and cannot be understood is one of a host that may hold a slot and may be drained.
    ///
    /// # Errors
    /// When it cannot be read at all.
    pub fn load(&self, now: DateTime<Utc>) -> io::Result<Option<Note>> {
        load(self.fs, &self.file, now)
    }

    /// Keeps `note`, durably.
    ///
    /// # Errors
    /// As the system says; the old one is then still there.
    pub fn keep(&self, note: &Note) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(note).expect("a note is plain data");
        // The address of a server is nobody else's business.
        swap::replace_file(self.fs, &self.file, &text, 0o600)
    }

    /// The turn has ended.
    ///
    /// # Errors
    /// As the system says.
    pub fn forget(&self) -> io::Result<()> {
        swap::discard_durably(self.fs, &self.file)
    }
}

/// What is kept, for whoever only tells of it.
#[must_use]
pub fn look(fs: &dyn Fs, paths: &Paths, now: DateTime<Utc>) -> Option<Note> {
    load(fs, &file(paths), now).ok().flatten()
}

fn load(fs: &dyn Fs, file: &Path, now: DateTime<Utc>) -> io::Result<Option<Note>> {
    if fs.kind(file)?.is_none() {
        return Ok(None);
    }
    let bytes = fs.read_regular(file, LARGEST)?;
    Ok(Some(serde_json::from_slice(&bytes).unwrap_or_else(|error| Note {
        stage: Stage::Other,
        drained: true,
        told: Some(format!("what was kept of this turn cannot be understood ({error})")),
        ..Note::new("", now)
    })))
}

fn file(paths: &Paths) -> PathBuf {
    paths.reboot_turn().join("note.json")
}

#[cfg(test)]
mod tests {
    use host_io::SystemFs;

    use super::*;

    fn now() -> DateTime<Utc> {
        "2024-06-01T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_note_is_kept_for_this_host_alone_and_one_process_is_at_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path());
        let desk = Desk::take(&SystemFs, &paths).unwrap();
        assert_eq!(desk.load(now()).unwrap(), None);
        let note = Note { drained: true, ..Note::new("b1", now()) };
        desk.keep(&note).unwrap();
        assert_eq!(look(&SystemFs, &paths, now()), Some(note));
        let mode = std::fs::metadata(file(&paths)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        desk.forget().unwrap();
        desk.forget().unwrap();
        assert_eq!(look(&SystemFs, &paths, now()), None);
    }

    #[test]
    fn a_note_of_another_program_or_a_damaged_one_may_hold_a_slot() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path());
        let _desk = Desk::take(&SystemFs, &paths).unwrap();
        let read = |text: &str| {
            std::fs::write(file(&paths), text).unwrap();
            look(&SystemFs, &paths, now()).unwrap()
        };
        let newer = read(r#"{"boot":"b1","since":"2024-06-01T00:00:00Z","stage":"ponders","mood":7}"#);
        assert_eq!((newer.stage, newer.boot.as_str(), newer.told), (Stage::Other, "b1", None));
        for damaged in ["", "{", "[]", r#"{"boot":7}"#] {
            let note = read(damaged);
            assert!(note.drained && note.stage == Stage::Other && note.told.is_some(), "{damaged}");
        }
    }
}
