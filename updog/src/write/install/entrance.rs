//! Where the stream of an image can be entered, as noted while it passed the last time.
//!
//! An image that was cut is in place up to some block, as its leaves tell, but nothing that is signed says where that
//! block lies in the compressed stream. What is noted here saves fetching what comes before, and decides nothing: a note
//! that is wrong or outdated gives blocks that are not the signed ones, and then all of the stream is fetched.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use host_io::{Fs, Paths, swap};
use serde::{Deserialize, Serialize};
use trusted_repo::TargetInfo;
use trusted_repo::midway::{Flags, Midway, Noting, WINDOW};
use verity::BLOCK_SIZE;

use super::crew::lock;

/// How many entrances are kept of a stream; of a longer one they lie further apart.
const MOST: usize = 1024;
/// How much of an image passes between two of them at least, in bytes.
const APART: u64 = 256 * 1024;
/// How much passes before they are written down the first time; later a quarter of what came so far.
const FIRST: u64 = 4 << 20;

/// The entrances into one signed stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entrances {
    target: String,
    /// The signed SHA-256, and length.
    sha256: String,
    length: u64,
    /// What its frame says of its blocks.
    flags: [u8; 2],
    /// In the stream and in the image.
    blocks: Vec<(u64, u64)>,
    #[serde(skip)]
    apart: u64,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entrance {
    /// What the frame says of its blocks.
    pub flags: Flags,
    /// Where it is.
    pub midway: Midway,
}

impl Entrances {
    fn none(target: &TargetInfo) -> Self {
        let (name, sha256) = (target.name.clone(), target.hashes.hex());
        Self { target: name, sha256, length: target.length, flags: [0; 2], blocks: vec![], apart: APART }
    }

    /// What is known of `target`.
    #[must_use]
    pub fn load(target: &TargetInfo, fs: &dyn Fs, paths: &Paths) -> Self {
        let noted = fs.read(&file(paths)).ok().and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok());
        let is_of_it = |noted: &Self| {
            noted.sha256 == target.hashes.hex()
                && noted.length == target.length
                && noted.blocks.len() <= MOST
                && noted.blocks.iter().all(|(at, raw)| *at < noted.length && usable(*raw))
        };
        noted.filter(is_of_it).map_or_else(|| Self::none(target), |noted| Self { apart: APART, ..noted })
    }

    /// The last one that needs no more than the first `in_place` bytes of the image.
    #[must_use]
    pub fn within(&self, in_place: u64) -> Option<Entrance> {
        let usable = self.blocks.iter().filter(|(_, raw)| *raw <= in_place);
        let (at, raw) = *usable.max_by_key(|(_, raw)| *raw)?;
        Some(Entrance { flags: Flags(self.flags), midway: Midway { at, raw } })
    }

    fn add(&mut self, flags: Flags, Midway { at, raw }: Midway) {
        let last = self.blocks.iter().map(|(_, raw)| *raw).max().unwrap_or_default();
        if !usable(raw) || raw < last.saturating_add(self.apart) {
            return;
        }
        self.flags = flags.0;
        self.blocks.push((at, raw));
        if self.blocks.len() == MOST {
            let mut number = 0;
            self.blocks.retain(|_| {
                number += 1;
                number % 2 == 0
            });
            self.apart *= 2;
        }
    }

    fn save(&self, fs: &dyn Fs, paths: &Paths) {
        if self.blocks.is_empty() {
            return;
        }
        let text = serde_json::to_vec(self).expect("entrances are plain text and numbers");
        let path = file(paths);
        if let Err(error) = swap::replace_file(fs, &path, &text, 0o644) {
            tracing::warn!("failed to write {}, so a cut image is fetched anew: {error}", path.display());
        }
    }
}

/// Whether a block that begins there can be entered: it is one of the tree as well, and what it may refer to is there.
fn usable(raw: u64) -> bool {
    raw >= WINDOW as u64 && raw.is_multiple_of(BLOCK_SIZE as u64)
}

/// The entrances into a stream that is under way.
pub struct Noted {
    entrances: Arc<Mutex<Entrances>>,
    fs: Arc<dyn Fs>,
    paths: Paths,
}

impl Noted {
    /// Goes on from what is known of `target`.
    #[must_use]
    pub fn new(entrances: Entrances, fs: &Arc<dyn Fs>, paths: &Paths) -> Self {
        Self { entrances: Arc::new(Mutex::new(entrances)), fs: Arc::clone(fs), paths: paths.clone() }
    }

    /// Takes them down, and writes them now and then: a kill may end the stream.
    #[must_use]
    pub fn noting(&self) -> Noting {
        let (entrances, fs, paths) = (Arc::clone(&self.entrances), Arc::clone(&self.fs), self.paths.clone());
        let mut next = FIRST;
        Box::new(move |flags, midway| {
            let mut entrances = lock(&entrances);
            entrances.add(flags, midway);
            if midway.raw >= next {
                next = midway.raw + (midway.raw / 4).max(FIRST);
                entrances.save(&*fs, &paths);
            }
        })
    }

    /// What is known of `target` was wrong.
    pub fn begin_anew(&self, target: &TargetInfo) {
        *lock(&self.entrances) = Entrances::none(target);
        self.forget();
    }

    /// Writes them down: the stream has broken off.
    pub fn keep(&self) {
        lock(&self.entrances).save(&*self.fs, &self.paths);
    }

    /// Nobody needs them any more.
    pub fn forget(&self) {
        let _there_may_be_none = self.fs.remove_file(&file(&self.paths));
    }
}

fn file(paths: &Paths) -> PathBuf {
    paths.record().join("stream.json")
}

#[cfg(test)]
mod tests {
    use host_io::SystemFs;
    use trusted_repo::Hashes;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn target(number: u8) -> TargetInfo {
        let hashes = Hashes::sha256([number; 32]);
        TargetInfo { name: "root.lz4".to_owned(), length: 1 << 40, hashes }
    }

    #[test]
    fn the_last_entrance_within_what_is_in_place_is_found_again_and_only_for_the_same_stream() {
        let dir = tempfile::tempdir().unwrap();
        let (fs, paths): (Arc<dyn Fs>, _) = (Arc::new(SystemFs), Paths::under(dir.path()));
        let noted = Noted::new(Entrances::load(&target(1), &*fs, &paths), &fs, &paths);
        let mut noting = noted.noting();
        for raw in [100, 10_000, MIB, MIB + 4096, 2 * MIB, 3 * MIB + 1] {
            noting(Flags([0x64, 0x60]), Midway { at: raw / 2, raw });
        }
        noted.keep();
        let known = Entrances::load(&target(1), &*fs, &paths);
        let at = |in_place| known.within(in_place).map(|found| found.midway.raw);
        assert_eq!([at(MIB - 1), at(MIB), at(9 * MIB)], [None, Some(MIB), Some(2 * MIB)]);
        assert_eq!(known.within(MIB).unwrap().flags, Flags([0x64, 0x60]));
        assert_eq!(Entrances::load(&target(2), &*fs, &paths).within(9 * MIB), None);
        for garbage in [&b"{"[..], b"[]", b""] {
            std::fs::write(file(&paths), garbage).unwrap();
            assert_eq!(Entrances::load(&target(1), &*fs, &paths), Entrances::none(&target(1)));
        }
        noted.forget();
        assert!(!file(&paths).exists());
    }

    #[test]
    fn a_long_stream_has_no_more_entrances_and_a_kill_leaves_some() {
        let dir = tempfile::tempdir().unwrap();
        let (fs, paths): (Arc<dyn Fs>, _) = (Arc::new(SystemFs), Paths::under(dir.path()));
        let noted = Noted::new(Entrances::none(&target(1)), &fs, &paths);
        let mut noting = noted.noting();
        for number in 1..=64 * 1024 {
            noting(Flags([0x60, 0x40]), Midway { at: number * 1000, raw: number * 65_536 });
        }
        let entrances = lock(&noted.entrances).clone();
        assert!((MOST / 4..MOST).contains(&entrances.blocks.len()), "{}", entrances.blocks.len());
        let known = Entrances::load(&target(1), &*fs, &paths);
        let last = known.within(u64::MAX).unwrap().midway.raw;
        assert!(last > 3 << 30, "most of four GiB are known without a word at the end: {last}");
    }
}
