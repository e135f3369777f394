//! One image into one partition: only the blocks that differ from what lies there.

use std::sync::Arc;

use host_io::Disk;
use ring::digest;
use signpost::Role;
use verity::{BLOCK_SIZE, HashTree};

use super::error::Error;
use super::stream::{InMemory, PIECE, RawImage, pump};
use super::tree::VerifiedTree;
use crate::events::{Events, Phase};
use crate::wait::Waiter;

/// A partition that takes one image.
pub struct Target {
    /// Which image it takes.
    pub image: Role,
    /// The partition.
    pub disk: Box<dyn Disk>,
    /// Its name for people.
    pub device: String,
}

/// What went to a partition and what was right there already, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Written.
    pub written: u64,
    /// Left alone.
    pub skipped: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.written += other.written;
        self.skipped += other.skipped;
    }
}

/// An image whose stream was read to its end and found to be what was signed, and whose blocks were all handed to the
/// device. They are not durable yet.
pub(super) struct Written {
    pub(super) target: Target,
    pub(super) expected: Expected,
    pub(super) tally: Tally,
}

/// The BOOT image: its stream was read to its end and is what was signed, its blocks were handed to the device.
pub struct BootWritten(pub(super) Written);
/// The root image, likewise; each block was compared with its leaf before.
pub struct RootWritten(pub(super) Written);
/// The hash image, likewise.
pub struct HashWritten(pub(super) Written);

/// What the partition has to hold, block by block.
pub(super) enum Expected {
    /// The blocks of this tree.
    Tree(Arc<VerifiedTree>),
    /// `len` bytes, whose blocks had these digests when they were written; the last one may be shorter.
    Digests { digests: Vec<digest::Digest>, len: u64 },
}

impl Expected {
    /// Bytes in all.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Tree(tree) => tree.tree().data_len(),
            Self::Digests { len, .. } => *len,
        }
    }

    /// Whether `block` is the one at `index`.
    pub(super) fn accepts(&self, index: u64, block: &[u8]) -> bool {
        match self {
            Self::Tree(tree) => tree.tree().check_block(index, block).is_ok(),
            Self::Digests { digests, .. } => usize::try_from(index)
                .ok()
                .and_then(|index| digests.get(index))
                .is_some_and(|expected| expected.as_ref() == sha256(block).as_ref()),
        }
    }
}

/// Writes the root image from `source`. No block goes to the device before it was compared with its leaf.
///
/// # Errors
/// When the stream is not what was signed, a block is not the one of the tree, or the device refuses.
pub fn write_root<S: RawImage>(
    target: Target,
    tree: &Arc<VerifiedTree>,
    source: S,
    waiter: &Waiter,
    events: &Events,
) -> Result<RootWritten, Error> {
    let expected = tree.tree().data_len();
    let mut writer = Writer::new(&target);
    let mut meter = events.meter(Phase::Write, target.image.as_str(), Some(expected));
    pump(target.image, source, waiter, |piece| {
        check_blocks(&target, tree.tree(), writer.at, piece)?;
        writer.write(piece)?;
        meter.add(piece.len() as u64);
        Ok(())
    })?;
    let Writer { at: found, tally, .. } = writer;
    if found != expected {
        return Err(Error::Length { image: target.image, found, expected });
    }
    meter.finish();
    Ok(RootWritten(Written { expected: Expected::Tree(Arc::clone(tree)), tally, target }))
}

/// Writes the BOOT image from `source`. Nothing that is signed names its blocks or its raw size: the whole stream is
/// hashed to its end before this returns, and a byte past the partition ends it.
///
/// # Errors
/// When the stream is not what was signed or is larger than the partition, or the device refuses.
pub fn write_boot<S: RawImage>(
    target: Target,
    source: S,
    waiter: &Waiter,
    events: &Events,
) -> Result<BootWritten, Error> {
    write_whole(target, None, source, waiter, events).map(BootWritten)
}

/// Writes the hash image that lies in memory.
///
/// # Errors
/// When the device refuses.
pub fn write_hash(
    target: Target,
    tree: &Arc<VerifiedTree>,
    waiter: &Waiter,
    events: &Events,
) -> Result<HashWritten, Error> {
    let total = tree.raw().len() as u64;
    write_whole(target, Some(total), InMemory::new(Arc::clone(tree)), waiter, events).map(HashWritten)
}

fn write_whole<S: RawImage>(
    target: Target,
    total: Option<u64>,
    source: S,
    waiter: &Waiter,
    events: &Events,
) -> Result<Written, Error> {
    let mut writer = Writer::new(&target);
    let mut digests = Vec::new();
    let mut meter = events.meter(Phase::Write, target.image.as_str(), total);
    pump(target.image, source, waiter, |piece| {
        writer.write(piece)?;
        digests.extend(piece.chunks(BLOCK_SIZE).map(sha256));
        meter.add(piece.len() as u64);
        Ok(())
    })?;
    let Writer { at: len, tally, .. } = writer;
    meter.finish();
    Ok(Written { expected: Expected::Digests { digests, len }, tally, target })
}

/// Compares each block of `piece`, which begins at byte `at` of the image, with its leaf.
fn check_blocks(target: &Target, tree: &HashTree, at: u64, piece: &[u8]) -> Result<(), Error> {
    let image = target.image;
    let end = at + piece.len() as u64;
    if end > tree.data_len() || !piece.len().is_multiple_of(BLOCK_SIZE) {
        return Err(Error::Length { image, found: end, expected: tree.data_len() });
    }
    let first = at / BLOCK_SIZE as u64;
    for (index, block) in (first..).zip(piece.chunks_exact(BLOCK_SIZE)) {
        tree.check_block(index, block).map_err(|source| Error::Block { image, source })?;
    }
    Ok(())
}

fn sha256(bytes: &[u8]) -> digest::Digest {
    digest::digest(&digest::SHA256, bytes)
}

/// Writes pieces one after another, leaving alone what is right already.
struct Writer<'a> {
    target: &'a Target,
    at: u64,
    old: Vec<u8>,
    tally: Tally,
}

impl<'a> Writer<'a> {
    fn new(target: &'a Target) -> Self {
        Self { target, at: 0, old: Vec::with_capacity(PIECE), tally: Tally::default() }
    }

    fn write(&mut self, piece: &[u8]) -> Result<(), Error> {
        let Target { image, disk, .. } = self.target;
        let end = self.at + piece.len() as u64;
        if end > disk.len() {
            return Err(Error::NoFit { image: *image, need: None, have: disk.len() });
        }
        self.old.resize(piece.len(), 0);
        // A block that cannot be read is one to write; the device may put it elsewhere then.
        let old = disk.read_at(self.at, &mut self.old).is_ok().then_some(self.old.as_slice());
        let mut start = 0;
        while let Some(run) = next_run(piece, old, start) {
            let offset = self.at + run.start as u64;
            disk.write_at(offset, &piece[run.clone()]).map_err(|source| Error::Write {
                image: *image,
                device: self.target.device.clone(),
                offset,
                source,
            })?;
            self.tally.written += run.len() as u64;
            start = run.end;
        }
        self.tally.skipped = end - self.tally.written;
        self.at = end;
        Ok(())
    }
}

/// The next run of blocks, from byte `start` on, in which `new` differs from `old`; without an `old`, all the rest.
fn next_run(new: &[u8], old: Option<&[u8]>, start: usize) -> Option<std::ops::Range<usize>> {
    let differs = |from: usize| {
        let to = (from + BLOCK_SIZE).min(new.len());
        old.is_none_or(|old| old[from..to] != new[from..to])
    };
    let mut blocks = (start..new.len()).step_by(BLOCK_SIZE);
    let from = blocks.find(|&from| differs(from))?;
    let to = blocks.find(|&from| !differs(from)).unwrap_or(new.len());
    Some(from..to)
}
