//! What was decided, look by look: a file with one JSON object in each line, which only grows.

use std::fs::OpenOptions;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use semver::Version;
use serde::{Deserialize, Serialize};

use super::Refused;
use super::judge::Counts;

/// So much of the end of a journal is read for what earlier looks saw.
const TAIL: u64 = 1 << 20;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub time: DateTime<Utc>,
    /// The variant.
    pub variant: String,
    /// The architecture.
    pub arch: String,
    /// The release.
    pub version: Version,
    /// What all looks at it so far have seen.
    pub counts: Counts,
    /// How much speaks for too many failures, and how much for too much silence, as factors.
    pub evidence: (f64, Option<f64>),
    /// What was found, in a word: `goes_on`, or `stop`.
    pub verdict: String,
    /// Why it is stopped, and what could not be judged, a sentence each.
    pub why: Vec<String>,
    /// What was done: `nothing`, `dry_run`, `paused`, `withheld`, or `failed` with the reason in `why`.
    pub done: String,
}

/// The journal of a guard.
#[derive(Debug, Clone)]
pub struct Journal {
    path: PathBuf,
}

impl Journal {
    /// The one at `path`, which need not be there yet.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the last look at this release saw. Lines that nobody understands are skipped: a power cut may have torn one.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn earlier(&self, variant: &str, arch: &str, version: &Version) -> Result<Counts, Refused> {
        let of_release =
            |entry: &Entry| entry.variant == variant && entry.arch == arch && entry.version == *version;
        let entries = self.newest()?;
        Ok(entries.into_iter().rev().find(of_release).map(|entry| entry.counts).unwrap_or_default())
    }

    /// The newest entries, oldest first.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn newest(&self) -> Result<Vec<Entry>, Refused> {
        let text = match self.tail() {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(Refused::Journal { path: self.path.clone(), source }),
        };
        let lines = text.split(|byte| *byte == b'\n');
        Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
    }

    fn tail(&self) -> io::Result<Vec<u8>> {
        let mut file = std::fs::File::open(&self.path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut text = Vec::new();
        file.take(TAIL).read_to_end(&mut text)?;
        Ok(text)
    }

    /// Adds a line and syncs it. A torn line before it is ended first, so that it spoils no other.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add(&self, entry: &Entry) -> Result<(), Refused> {
        let line = serde_json::to_string(entry).expect("an entry is plain data");
        let write = || {
            let mut file = OpenOptions::new().read(true).append(true).create(true).open(&self.path)?;
            let mut last = [b'\n'];
            if file.seek(SeekFrom::End(0))? > 0 {
                file.seek(SeekFrom::End(-1))?;
                file.read_exact(&mut last)?;
            }
            let torn = if last == [b'\n'] { "" } else { "\n" };
            file.write_all(format!("{torn}{line}\n").as_bytes())?;
            file.sync_data()
        };
        write().map_err(|source| Refused::Journal { path: self.path.clone(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(version: &str, running: u64) -> Entry {
        Entry {
            time: DateTime::UNIX_EPOCH,
            variant: "metal".to_owned(),
            arch: "x86_64".to_owned(),
            version: version.parse().unwrap(),
            counts: Counts { running, ..Counts::default() },
            evidence: (1.0, None),
            verdict: "goes_on".to_owned(),
            why: vec![],
            done: "nothing".to_owned(),
        }
    }

    #[test]
    fn the_last_look_at_a_release_is_found_again_behind_torn_and_strange_lines() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::at(dir.path().join("guard.jsonl"));
        let running =
            |version: &str| journal.earlier("metal", "x86_64", &version.parse().unwrap()).unwrap().running;
        assert_eq!(running("1.1.0"), 0, "nothing was decided yet");
        journal.add(&entry("1.1.0", 5)).unwrap();
        journal.add(&entry("1.2.0", 9)).unwrap();
        let mut text = std::fs::read(journal.path()).unwrap();
        text.extend_from_slice(b"{\"time\": \"2026-");
        std::fs::write(journal.path(), &text).unwrap();
        assert_eq!((running("1.1.0"), running("1.2.0")), (5, 9));
        journal.add(&entry("1.1.0", 7)).unwrap();
        assert_eq!((running("1.1.0"), running("1.2.0"), running("1.3.0")), (7, 9, 0));
        assert_eq!(journal.newest().unwrap().len(), 3);
        let of_others = journal.earlier("cloud", "x86_64", &"1.1.0".parse().unwrap()).unwrap();
        assert_eq!(of_others, Counts::default());
    }

    #[test]
    fn only_the_end_of_a_long_journal_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::at(dir.path().join("guard.jsonl"));
        let line = serde_json::to_string(&entry("1.0.0", 1)).unwrap() + "\n";
        std::fs::write(journal.path(), line.repeat(10_000)).unwrap();
        journal.add(&entry("1.1.0", 2)).unwrap();
        let entries = journal.newest().unwrap();
        assert!((1_000..10_000).contains(&entries.len()), "{}", entries.len());
        assert_eq!(entries.last().unwrap().counts.running, 2);
    }

    #[test]
    fn a_journal_that_cannot_be_kept_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::at(dir.path().to_owned());
        assert!(matches!(journal.add(&entry("1.0.0", 1)), Err(Refused::Journal { .. })));
        assert!(matches!(journal.newest(), Err(Refused::Journal { .. })));
    }
}
