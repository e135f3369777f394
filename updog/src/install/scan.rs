//! What lies in a partition: read and hashed on all cores.
//!
//! A part that cannot be read is one that is not there: where it is to be overwritten the device may put it elsewhere,
//! and where it was to be copied it is fetched instead.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use host_io::{Buffer, Disk};
use ring::digest;
use verity::{BLOCK_SIZE, BlockHasher, HashTree};

use super::PIECE;
use super::crew::{Crew, Queue, lock};
use super::error::Error;
use super::index::VerifiedIndex;
use super::stream::RawSum;
use super::truth::{Sha256, sha256};
use crate::events::Phase;
use crate::plan::{Lookup, lookup};

/// How much is read at one place to see whether a disk has anything that is wanted.
const GLANCE: usize = 16 * BLOCK_SIZE;
/// How far these places are apart at most: whatever is shared and longer than this is found, and most of what is shorter.
const GLANCE_EVERY: u64 = 4 << 20;
/// On a small disk they are closer, so that there are as many of them.
const GLANCES: u64 = 64;

/// Which blocks of the image that `tree` is over are right in `disk`; none where a glance finds none.
///
/// # Errors
/// [`Error::Stopped`].
pub fn blocks_in_place(disk: &dyn Disk, tree: &HashTree, crew: Crew<'_>) -> Result<Vec<bool>, Error> {
    let is_there = |index: u64, block: &[u8]| tree.check_block(index, block).is_ok();
    if !has_any(disk, tree.data_len(), BLOCK_SIZE, crew, is_there)? {
        return Ok(vec![false; usize::try_from(tree.data_blocks()).unwrap_or(usize::MAX)]);
    }
    let is_right = |index: usize, block: Option<&[u8]>| {
        block.is_some_and(|block| tree.check_block(index as u64, block).is_ok())
    };
    units(disk, "root", tree.data_len(), BLOCK_SIZE, crew, is_right)
}

/// A lookup over all blocks of `disk`, hashed with the salt of `tree`; an empty one where a glance finds
/// nothing of what `tree` is over.
///
/// # Errors
/// [`Error::Stopped`].
pub fn lookup_over(disk: &dyn Disk, tree: &HashTree, crew: Crew<'_>) -> Result<Lookup, Error> {
    let len = disk.len() / BLOCK_SIZE as u64 * BLOCK_SIZE as u64;
    let hasher = BlockHasher::new(&tree.superblock().salt);
    let wanted = Lookup::over((0..tree.data_blocks()).filter_map(|block| tree.leaf(block)));
    if !has_any(disk, len, BLOCK_SIZE, crew, |_, block| wanted.find(&hasher.digest(block), 0).is_some())? {
        return Ok(Lookup::default());
    }
    drop(wanted);
    // A block that cannot be read gets a prefix like any other; whoever copies it finds out.
    let prefix = |_, block: Option<&[u8]>| block.map_or(0, |block| lookup::prefix(&hasher.digest(block)));
    Ok(Lookup::from_prefixes(units(disk, "running root", len, BLOCK_SIZE, crew, prefix)?))
}

/// Whether a glance at the first `len` bytes of `disk` finds a unit that is `wanted`, by its number and its bytes: one
/// [`GLANCE`] of each [`GLANCE_EVERY`], which is enough to tell an older release from something else. Zeros count for nothing, as every
/// disk has them.
///
/// # Errors
/// [`Error::Stopped`].
fn has_any(
    disk: &dyn Disk,
    len: u64,
    unit_len: usize,
    crew: Crew<'_>,
    wanted: impl Fn(u64, &[u8]) -> bool + Sync,
) -> Result<bool, Error> {
    let glance = GLANCE.next_multiple_of(unit_len);
    // At units of this size, wherever that is.
    let every = GLANCE_EVERY.min(len / GLANCES).next_multiple_of(unit_len as u64);
    if every <= glance as u64 {
        return Ok(true);
    }
    let found = AtomicBool::new(false);
    let feed = async |queue: Queue<u64>| {
        let mut at = 0;
        while at < len && !found.load(Ordering::Relaxed) {
            queue.put(at).await;
            at += every;
        }
        Ok(())
    };
    let each = |buffer: &mut Buffer, at: u64| {
        let count = usize::try_from(len - at).unwrap_or(usize::MAX).min(glance);
        let piece = &mut buffer[..count];
        let readable = disk.read_at(at, piece).is_ok();
        let mut units = (at / unit_len as u64..).zip(piece.chunks(unit_len));
        if readable && units.any(|(index, unit)| unit.iter().any(|byte| *byte != 0) && wanted(index, unit)) {
            found.store(true, Ordering::Relaxed);
        }
        Ok(())
    };
    crew.work(feed, || Buffer::new(glance), each)?;
    Ok(found.into_inner())
}

/// The digests of the frames of `index`, as far as `disk` has them at the places of frames; none at all where a
/// glance finds none of them.
///
/// # Errors
/// [`Error::Stopped`].
pub fn frames_to_copy(
    disk: &dyn Disk,
    index: &VerifiedIndex,
    crew: Crew<'_>,
) -> Result<Vec<Option<[u8; 32]>>, Error> {
    let mut wanted: Vec<_> = (0..index.frames()).filter_map(|frame| index.raw_digest(frame)).collect();
    wanted.sort_unstable();
    let len = index.raw_len().min(disk.len());
    if !has_any(disk, len, index.frame_len(), crew, |_, frame| wanted.binary_search(&sha256(frame)).is_ok())?
    {
        return Ok(Vec::new());
    }
    frame_digests(disk, "running boot", index, crew)
}

/// The digests of what lies at the places of the frames of `index`; none for what cannot be read.
///
/// # Errors
/// [`Error::Stopped`].
pub fn frame_digests(
    disk: &dyn Disk,
    name: &'static str,
    index: &VerifiedIndex,
    crew: Crew<'_>,
) -> Result<Vec<Option<[u8; 32]>>, Error> {
    units(disk, name, index.raw_len(), index.frame_len(), crew, |_, frame| frame.map(sha256))
}

/// A boot image that lies where it belongs, though no index says so.
pub struct BootInPlace {
    pub(super) digests: Vec<Sha256>,
    pub(super) sum: RawSum,
}

/// The boot image in `disk`, if it is `sum`.
///
/// # Errors
/// [`Error::Stopped`].
pub fn boot_in_place(disk: &dyn Disk, sum: RawSum, crew: Crew<'_>) -> Result<Option<BootInPlace>, Error> {
    if sum.len > disk.len() {
        return Ok(None);
    }
    let mut whole = digest::Context::new(&digest::SHA256);
    let mut digests = Vec::new();
    let mut piece = Buffer::new(PIECE);
    let mut at = 0;
    while at < sum.len {
        crew.waiter.check()?;
        let count = usize::try_from(sum.len - at).unwrap_or(PIECE).min(PIECE);
        if disk.read_at(at, &mut piece[..count]).is_err() {
            return Ok(None);
        }
        whole.update(&piece[..count]);
        digests.extend(piece[..count].chunks(BLOCK_SIZE).map(sha256));
        at += count as u64;
    }
    Ok((whole.finish().as_ref() == sum.sha256).then_some(BootInPlace { digests, sum }))
}

/// How many bytes of `image`, counted by blocks, differ from what lies in `disk`.
pub fn differing_blocks(disk: &dyn Disk, image: &[u8]) -> u64 {
    let mut old = Buffer::new(PIECE);
    let differing = |(at, piece): (u64, &[u8])| {
        let old = &mut old[..piece.len()];
        let readable = disk.read_at(at, old).is_ok();
        let blocks = piece.chunks(BLOCK_SIZE).zip(old.chunks(BLOCK_SIZE));
        blocks.filter(|(new, old)| !readable || new != old).map(|(new, _)| new.len() as u64).sum::<u64>()
    };
    (0..).step_by(PIECE).zip(image.chunks(PIECE)).map(differing).sum()
}

/// Looks at the first `len` bytes of `disk` in units of `unit_len`; the last one may be shorter. What lies beyond the
/// disk's end cannot be read.
fn units<T: Send>(
    disk: &dyn Disk,
    name: &'static str,
    len: u64,
    unit_len: usize,
    crew: Crew<'_>,
    look: impl Fn(usize, Option<&[u8]>) -> T + Sync,
) -> Result<Vec<T>, Error> {
    let units = len.div_ceil(unit_len as u64);
    let per_piece = (PIECE / unit_len).max(1);
    let meter = Mutex::new(crew.events.meter(Phase::Scan, name, Some(len)));
    let found = Mutex::new(Vec::new());
    let feed = async |queue: Queue<u64>| {
        for first in (0..units).step_by(per_piece) {
            queue.put(first).await;
        }
        Ok(())
    };
    let each = |buffer: &mut Buffer, first: u64| {
        let at = first * unit_len as u64;
        let count = usize::try_from(len - at).unwrap_or(usize::MAX).min(buffer.len());
        let piece = &mut buffer[..count];
        let readable = disk.read_at(at, piece).is_ok();
        let mut seen = Vec::with_capacity(count.div_ceil(unit_len));
        for ((index, unit), offset) in (first..).zip(piece.chunks_mut(unit_len)).zip((at..).step_by(unit_len))
        {
            // Where the piece could not be read, perhaps some of it can.
            let readable = readable || disk.read_at(offset, unit).is_ok();
            seen.push(look(usize::try_from(index).unwrap_or(usize::MAX), readable.then_some(&*unit)));
        }
        lock(&found).push((first, seen));
        lock(&meter).add(count as u64);
        Ok(())
    };
    let buffer = || Buffer::new(per_piece * unit_len);
    crew.work(feed, buffer, each)?;
    meter.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).finish();
    let mut found = found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    found.sort_unstable_by_key(|(first, _)| *first);
    Ok(found.into_iter().flat_map(|(_, seen)| seen).collect())
}
