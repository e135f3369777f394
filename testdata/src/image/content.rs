//! What the files of a root are made of: the same bytes on every machine, like text and like programs in how they
//! compress, and shared between versions block by block.

use std::io::{self, Read};

/// The unit in which content is made and in which two versions agree or differ.
pub const BLOCK: usize = 4096;

/// What the content looks like to a compressor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Texture {
    /// Words and lines: about a third of its size remains.
    Text,
    /// Code and tables: more than half of its size remains.
    Binary,
}

/// How much of a file a new version changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing: every version ships these bytes.
    Never,
    /// One block in so many, scattered.
    OneIn(u64),
    /// All of it: rebuilt for each version.
    Always,
}

/// One generated file: a pure function of its path, its size and the version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Where it lies in the root; also what tells it from other files.
    pub path: String,
    /// What it looks like.
    pub texture: Texture,
    /// Its size in blocks of 4096 bytes.
    pub blocks: u64,
    /// What a new version does to it.
    pub change: Change,
}

impl Content {
    /// Its bytes in `version`, made while they are read.
    #[must_use]
    pub fn reader(&self, version: &str) -> ContentReader {
        ContentReader {
            content: self.clone(),
            shared: hash(self.path.as_bytes(), 0),
            own: hash(version.as_bytes(), hash(self.path.as_bytes(), 0)),
            next: 0,
            block: [0; BLOCK],
            read: BLOCK,
        }
    }
}

/// Reads a [`Content`]; holds one block at a time.
#[derive(Debug)]
pub struct ContentReader {
    content: Content,
    shared: u64,
    own: u64,
    next: u64,
    block: [u8; BLOCK],
    read: usize,
}

impl Read for ContentReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.read == BLOCK {
            if self.next == self.content.blocks {
                return Ok(0);
            }
            let own = match self.content.change {
                Change::Never => false,
                Change::OneIn(count) => Random(self.own ^ self.next).next().is_multiple_of(count),
                Change::Always => true,
            };
            let seed = if own { self.own } else { self.shared };
            // Through the mixer once: seeds that are a step apart would give the same sequence, a step apart.
            let random = Random(Random(seed ^ self.next.rotate_left(32)).next());
            match self.content.texture {
                Texture::Text => text(&mut self.block, random),
                Texture::Binary => binary(&mut self.block, random),
            }
            self.next += 1;
            self.read = 0;
        }
        let count = buf.len().min(BLOCK - self.read);
        buf[..count].copy_from_slice(&self.block[self.read..self.read + count]);
        self.read += count;
        Ok(count)
    }
}

const WORDS: [&str; 64] = [
    "the ",
    "of ",
    "and ",
    "to ",
    "a ",
    "in ",
    "is ",
    "that ",
    "for ",
    "it ",
    "on ",
    "with ",
    "as ",
    "when ",
    "by ",
    "this ",
    "option ",
    "default ",
    "file ",
    "value ",
    "kernel ",
    "module ",
    "device ",
    "service ",
    "network ",
    "interface ",
    "address ",
    "timeout ",
    "seconds ",
    "returns ",
    "error ",
    "buffer ",
    "length ",
    "offset ",
    "block ",
    "partition ",
    "mount ",
    "system ",
    "user ",
    "group ",
    "permission ",
    "process ",
    "signal ",
    "socket ",
    "connection ",
    "certificate ",
    "key ",
    "signature ",
    "version ",
    "release ",
    "update ",
    "image ",
    "boot ",
    "loader ",
    "memory ",
    "page ",
    "cache ",
    "thread ",
    "lock ",
    "queue ",
    "event ",
    "log.\n",
    "note:\n",
    "see also ",
];

fn text(block: &mut [u8; BLOCK], mut random: Random) {
    let mut at = 0;
    while at < BLOCK {
        let mut picks = random.next();
        // Ten picks of six bits, so that a block costs few steps even in an unoptimised build.
        for _ in 0..10 {
            let word = WORDS[usize::from((picks & 63) as u8)].as_bytes();
            let count = word.len().min(BLOCK - at);
            block[at..at + count].copy_from_slice(&word[..count]);
            at += count;
            picks >>= 6;
        }
    }
}

fn binary(block: &mut [u8; BLOCK], mut random: Random) {
    // A handful of sequences that come back all the time, as prologues and calls do.
    let common = [random.next(), random.next(), random.next(), random.next()].map(u64::to_le_bytes);
    for line in block.chunks_exact_mut(16) {
        let value = random.next();
        let (left, right) = line.split_at_mut(8);
        left.copy_from_slice(&value.to_le_bytes());
        match value & 3 {
            0 => right.copy_from_slice(&random.next().to_le_bytes()),
            1 => right.copy_from_slice(&(value >> 48).to_le_bytes()),
            _ => {
                left.copy_from_slice(&common[usize::from((value >> 2 & 3) as u8)]);
                right.copy_from_slice(&common[usize::from((value >> 4 & 3) as u8)]);
            }
        }
    }
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// `SplitMix64`: small, fast, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// FNV-1a, to make a seed of a name.
fn hash(bytes: &[u8], start: u64) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325 ^ start, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(content: &Content, version: &str) -> Vec<Vec<u8>> {
        let mut bytes = Vec::new();
        content.reader(version).read_to_end(&mut bytes).expect("made in memory");
        assert_eq!(bytes.len() as u64, content.blocks * BLOCK as u64);
        bytes.chunks(BLOCK).map(<[u8]>::to_vec).collect()
    }

    fn content(texture: Texture, change: Change) -> Content {
        Content { path: "usr/lib/libcore.so".to_owned(), texture, blocks: 256, change }
    }

    #[test]
    fn a_version_changes_what_it_should_and_nothing_else() {
        for (change, expected) in
            [(Change::Never, 0..=0), (Change::OneIn(16), 10..=60), (Change::Always, 256..=256)]
        {
            let content = content(Texture::Binary, change);
            let (old, new) = (blocks(&content, "1.0.0"), blocks(&content, "1.1.0"));
            let changed = old.iter().zip(&new).filter(|(old, new)| old != new).count();
            assert!(expected.contains(&changed), "{change:?}: {changed} of 256");
            assert_eq!(old, blocks(&content, "1.0.0"), "the same bytes each time");
        }
    }

    #[test]
    fn content_compresses_like_what_it_stands_for() {
        for (texture, expected) in [(Texture::Text, 0.25..0.60), (Texture::Binary, 0.35..0.85)] {
            let bytes = blocks(&content(texture, Change::Never), "1.0.0").concat();
            let mut frame = lz4_flex::frame::FrameEncoder::new(Vec::new());
            io::Write::write_all(&mut frame, &bytes).expect("in memory");
            let packed = frame.finish().expect("in memory").len();
            let share = packed as f64 / bytes.len() as f64;
            assert!(expected.contains(&share), "{texture:?}: {share}");
        }
    }
}
