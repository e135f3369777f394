//! What lies in a partition: read and hashed on all cores.
//!
//! A part that cannot be read is one that is not there: where it is to be overwritten the device may put it elsewhere,
//! and where it was to be copied it is fetched instead.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use host_io::{Buffer, Disk};
use ring::digest;
use verity::{BLOCK_SIZE, BlockHasher, HashTree, Salt};

use super::PIECE;
use super::crew::{Crew, Queue, lock};
use super::error::Error;
use super::index::VerifiedIndex;
use super::sum::RawSum;
use super::sum::{Sha256, sha256};
use crate::look::hash_partition::StoredTree;
use crate::look::plan::running_root::Entry;
use crate::look::plan::{Lookup, Origins};
use crate::tell::events::Phase;

/// How much is read at one place to see whether a disk has anything that is wanted.
const GLANCE: usize = 16 * BLOCK_SIZE;
/// How far these places are apart at most: whatever is shared and longer than this is found, and most of what is shorter.
const GLANCE_EVERY: u64 = 4 << 20;
/// On a small disk they are closer, so that there are as many of them.
const GLANCES: u64 = 128;

/// Which blocks of the image that `tree` is over are right in `disk`, and so in place: none where a glance finds none. The rest
/// is to be fetched, as far as is known here.
///
/// # Errors
/// [`Error::Stopped`].
pub fn blocks_in_place(disk: &dyn Disk, tree: &HashTree, crew: Crew<'_>) -> Result<Origins, Error> {
    let is_there = |index: u64, block: &[u8]| tree.check_block(index, block).is_ok();
    let mut origins = Origins::all_fetched(usize::try_from(tree.data_blocks()).unwrap_or(usize::MAX));
    if !has_any(disk, tree.data_len(), BLOCK_SIZE, crew, is_there)? {
        return Ok(origins);
    }
    let is_right = |index: usize, block: Option<&[u8]>| {
        block.is_some_and(|block| tree.check_block(index as u64, block).is_ok())
    };
    let take = |first: usize, right: &[bool]| {
        let right = (first..).zip(right).filter(|(_, right)| **right);
        right.for_each(|(unit, _)| origins.found_in_place(unit));
    };
    units(disk, "root", tree.data_len(), BLOCK_SIZE, crew, is_right, take)?;
    Ok(origins)
}

/// A lookup over the blocks that the tree in a HASH partition is over; none unless it is sound and was made with `salt`.
#[must_use]
pub fn lookup_in_tree(hash_partition: &dyn Disk, salt: &Salt) -> Option<Lookup> {
    let tree = StoredTree::find(hash_partition).ok()?.filter(|tree| tree.superblock().salt == *salt)?;
    let mut entries = Vec::with_capacity(usize::try_from(tree.superblock().data_blocks).ok()?);
    let gather = |leaves: &[u8]| {
        let first = entries.len();
        let leaves = leaves.as_chunks().0.iter().enumerate();
        entries.extend(leaves.filter_map(|(at, leaf)| Entry::new(first + at, leaf)));
    };
    let _its_root_hash = tree.walk(gather).ok()??;
    Some(Lookup::of(entries))
}

/// A lookup over all blocks of `disk`, hashed with the salt of `tree`; an empty one where a glance finds
/// nothing of what `tree` is over.
///
/// # Errors
/// [`Error::Stopped`].
pub fn lookup_over(disk: &dyn Disk, tree: &HashTree, crew: Crew<'_>) -> Result<Lookup, Error> {
    let len = disk.len() / BLOCK_SIZE as u64 * BLOCK_SIZE as u64;
    let hasher = BlockHasher::new(&tree.superblock().salt);
    let wanted = Lookup::over(tree.leaves());
    if !has_any(disk, len, BLOCK_SIZE, crew, |_, block| wanted.find(&hasher.digest(block), 0).is_some())? {
        return Ok(Lookup::default());
    }
    drop(wanted);
    let mut entries = Vec::with_capacity(usize::try_from(len / BLOCK_SIZE as u64).unwrap_or_default());
    let entry = |at, block: Option<&[u8]>| block.and_then(|block| Entry::new(at, &hasher.digest(block)));
    let take = |_, seen: &[Option<Entry>]| entries.extend(seen.iter().flatten());
    units(disk, "running root", len, BLOCK_SIZE, crew, entry, take)?;
    Ok(Lookup::of(entries))
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

/// The digests of what lies in `disk` at the places of the frames of `index`, where these are to be; none for what cannot
/// be read, and none at all where a glance finds nothing that is right.
///
/// # Errors
/// [`Error::Stopped`].
pub fn frames_in_place(
    disk: &dyn Disk,
    index: &VerifiedIndex,
    crew: Crew<'_>,
) -> Result<Vec<Option<[u8; 32]>>, Error> {
    let is_there = |frame: u64, bytes: &[u8]| {
        let frame = usize::try_from(frame).unwrap_or(usize::MAX);
        index.raw_digest(frame) == Some(sha256(bytes))
    };
    if !has_any(disk, index.raw_len(), index.frame_len(), crew, is_there)? {
        return Ok(vec![None; index.frames()]);
    }
    frame_digests(disk, "boot", index, crew)
}

/// The digests of what lies at the places of the frames of `index`; none for what cannot be read.
///
/// # Errors
/// [`Error::Stopped`].
pub(super) fn frame_digests(
    disk: &dyn Disk,
    name: &'static str,
    index: &VerifiedIndex,
    crew: Crew<'_>,
) -> Result<Vec<Option<[u8; 32]>>, Error> {
    let mut digests = vec![None; index.frames()];
    let digest = |_, frame: Option<&[u8]>| frame.map(sha256);
    let take = |first, seen: &[Option<Sha256>]| digests[first..first + seen.len()].copy_from_slice(seen);
    units(disk, name, index.raw_len(), index.frame_len(), crew, digest, take)?;
    Ok(digests)
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
/// disk's end cannot be read. What was seen goes to `take` in pieces, as they come: the number of the first unit, and what
/// each of them is.
fn units<T: Send>(
    disk: &dyn Disk,
    name: &'static str,
    len: u64,
    unit_len: usize,
    crew: Crew<'_>,
    look: impl Fn(usize, Option<&[u8]>) -> T + Sync,
    take: impl FnMut(usize, &[T]) + Send,
) -> Result<(), Error> {
    let units = len.div_ceil(unit_len as u64);
    let per_piece = (PIECE / unit_len).max(1);
    let meter = Mutex::new(crew.events.meter(Phase::Scan, name, Some(len)));
    let take = Mutex::new(take);
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
        lock(&take)(usize::try_from(first).unwrap_or(usize::MAX), &seen);
        lock(&meter).add(count as u64);
        Ok(())
    };
    let buffer = || Buffer::new(per_piece * unit_len);
    crew.work(feed, buffer, each)?;
    meter.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).finish();
    Ok(())
}
