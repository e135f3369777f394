//! Whole images: by their stream, or from memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use host_io::Buffer;
use signpost::Role;
use verity::BLOCK_SIZE;

use super::PIECE;
use super::crew::{Crew, Queue, lock};
use super::error::Error;
use super::scan::BootInPlace;
use super::stream::{Piece, Pieces, RawImage};
use super::sum::RawSum;
use super::sum::{Sha256, sha256};
use super::tail;
use super::target::{BootWritten, HashWritten, RootWritten, Tally, Target, Written};
use super::tree::VerifiedTree;
use super::truth::Truth;
use crate::look::plan::Origins;
use crate::tell::events::Phase;

/// Writes the root image from `source`: the blocks that are not in place, whatever else is said of where they come from.
/// No block goes to the device before it was compared with its leaf.
///
/// # Errors
/// When the stream is not what was signed, a block is not the one of the tree, or the device refuses.
pub fn write_root<S: RawImage>(
    target: Target,
    tree: &Arc<VerifiedTree>,
    origins: &Origins,
    source: S,
    crew: Crew<'_>,
) -> Result<RootWritten, Error> {
    let expected = tree.tree().data_len();
    let (written, image) = (Mutex::new(0u64), target.image);
    let each = |(): &mut (), piece: &Piece| {
        let first = usize::try_from(piece.at).unwrap_or(usize::MAX) / BLOCK_SIZE;
        let wanted = |unit: usize| !origins.is_in_place(first + unit);
        for (unit, block) in piece.bytes().chunks(BLOCK_SIZE).enumerate() {
            if wanted(unit) {
                let checked = tree.tree().check_block((first + unit) as u64, block);
                checked.map_err(|source| Error::Block { image, source })?;
            }
        }
        *lock(&written) += target.write_units(piece.at, piece.bytes(), BLOCK_SIZE, wanted)?;
        Ok(())
    };
    let in_tree = |piece: &Piece| {
        if piece.end() > expected || !piece.bytes().len().is_multiple_of(BLOCK_SIZE) {
            return Err(Error::Length { image, found: piece.end(), expected });
        }
        Ok(())
    };
    let sum = pump(image, Some(expected), source, crew, in_tree, || (), each)?;
    if sum.len != expected {
        return Err(Error::Length { image, found: sum.len, expected });
    }
    let written = value(written);
    let tally = Tally { written, copied: 0, skipped: expected - written };
    Ok(RootWritten(Written { truth: Truth::Root(Arc::clone(tree)), tally, target }))
}

/// Writes the boot image from `source`: the blocks that differ. Nothing that is signed names its blocks or its raw size:
/// the whole stream is hashed to its end before this returns, and a byte past the partition ends it. Nothing of a stream
/// that turned out to be wrong is left.
///
/// # Errors
/// When the stream is not what was signed or is larger than the partition, or the device refuses.
pub fn write_boot<S: RawImage>(target: Target, source: S, crew: Crew<'_>) -> Result<BootWritten, Error> {
    let written = Mutex::new(0u64);
    let noted: Mutex<BTreeMap<u64, Vec<Sha256>>> = Mutex::default();
    let each = |old: &mut Buffer, piece: &Piece| {
        *lock(&written) += write_differing(&target, piece.at, piece.bytes(), old)?;
        let digests = piece.bytes().chunks(BLOCK_SIZE).map(sha256).collect();
        lock(&noted).insert(piece.at, digests);
        Ok(())
    };
    let fits = |piece: &Piece| target.check_end(piece.end(), None);
    let sum = match pump(target.image, None, source, crew, fits, || Buffer::new(PIECE), each) {
        Ok(sum) => sum,
        Err(error) => {
            // Only its end tells that a stream was wrong, and all that came before it is in the partition by then.
            if error.is_of_source() || matches!(error, Error::NoFit { .. }) {
                tail::wipe(&target);
            }
            return Err(error);
        }
    };
    let (written, digests) = (value(written), value(noted).into_values().flatten().collect());
    let tally = Tally { written, copied: 0, skipped: sum.len - written };
    Ok(BootWritten(Written { truth: Truth::Noted { digests, sum }, tally, target }))
}

/// The boot image that lies in its partition already; the read-back will tell.
#[must_use]
pub fn keep_boot(target: Target, there: BootInPlace) -> BootWritten {
    let BootInPlace { digests, sum } = there;
    let tally = Tally { skipped: sum.len, ..Tally::default() };
    BootWritten(Written { truth: Truth::Noted { digests, sum }, tally, target })
}

/// The hash image that lies in its partition already; the read-back will tell.
#[must_use]
pub fn keep_hash(target: Target, tree: &Arc<VerifiedTree>) -> HashWritten {
    let tally = Tally { skipped: tree.raw().len() as u64, ..Tally::default() };
    HashWritten(Written { truth: Truth::Hash(Arc::clone(tree)), tally, target })
}

/// Writes the hash image that lies in memory: the blocks that differ.
///
/// # Errors
/// When it does not fit, or the device refuses.
pub fn write_hash(target: Target, tree: &Arc<VerifiedTree>, crew: Crew<'_>) -> Result<HashWritten, Error> {
    let raw = tree.raw();
    target.check_end(raw.len() as u64, Some(raw.len() as u64))?;
    let mut meter = crew.events.meter(Phase::Write, target.image.as_str(), Some(raw.len() as u64));
    let (mut old, mut new) = (Buffer::new(PIECE), Buffer::new(PIECE));
    let mut written = 0;
    for (at, piece) in (0u64..).step_by(PIECE).zip(raw.chunks(PIECE)) {
        crew.waiter.check()?;
        new[..piece.len()].copy_from_slice(piece);
        written += write_differing(&target, at, &new[..piece.len()], &mut old)?;
        meter.add(piece.len() as u64);
    }
    meter.finish();
    let tally = Tally { written, copied: 0, skipped: raw.len() as u64 - written };
    Ok(HashWritten(Written { truth: Truth::Hash(Arc::clone(tree)), tally, target }))
}

/// Writes the blocks of `piece` that differ from what lies there.
fn write_differing(target: &Target, at: u64, piece: &[u8], old: &mut Buffer) -> Result<u64, Error> {
    let old = &mut old[..piece.len()];
    // A block that cannot be read is one to write; the device may put it elsewhere then.
    let readable = target.disk.read_at(at, old).is_ok();
    let range = |unit: usize| unit * BLOCK_SIZE..((unit + 1) * BLOCK_SIZE).min(piece.len());
    let differs = |unit: usize| !readable || old[range(unit)] != piece[range(unit)];
    target.write_units(at, piece, BLOCK_SIZE, differs)
}

/// Passes the pieces of `source` through `check`, in order, and then to `each`, in any order. Returns when all of them
/// were taken and `source` was found to be what was signed.
fn pump<S: RawImage, T>(
    image: Role,
    total: Option<u64>,
    source: S,
    crew: Crew<'_>,
    check: impl Fn(&Piece) -> Result<(), Error>,
    begin: impl Fn() -> T + Sync,
    each: impl Fn(&mut T, &Piece) -> Result<(), Error> + Sync,
) -> Result<RawSum, Error> {
    let total = total.map(|total| total.saturating_sub(source.start()));
    let meter = Mutex::new(crew.events.meter(Phase::Write, image.as_str(), total));
    let (mut pieces, give_back) = Pieces::start(image, source)?;
    let give_back = Mutex::new(give_back);
    let mut sum = None;
    let feed = async |queue: Queue<Piece>| loop {
        match pieces.next().await? {
            Ok(piece) => {
                check(&piece)?;
                queue.put(piece).await;
            }
            Err(end) => {
                sum = Some(end);
                return Ok(());
            }
        }
    };
    crew.work(feed, begin, |state, piece: Piece| {
        each(state, &piece)?;
        lock(&meter).add(piece.bytes().len() as u64);
        piece.give_back(&lock(&give_back));
        Ok(())
    })?;
    value(meter).finish();
    Ok(sum.expect("the feed ended well, so the stream did"))
}

fn value<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(PoisonError::into_inner)
}
