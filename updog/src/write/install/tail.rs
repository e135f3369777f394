//! What lies behind an image in its partition.
//!
//! A boot program reads BOOT as a file system, whose size no signed byte need give away: what a wrong stream or an earlier,
//! longer image left behind this one would be there for whoever goes by the partition. So BOOT is zero from its image's end
//! to its own; that is written, read back, and part of being in place. ROOT and HASH need no such thing: the kernel maps
//! exactly the blocks that the signed tree is over, and reads exactly those of the tree itself.

use host_io::{Buffer, Disk};
use signpost::Role;
use verity::BLOCK_SIZE;

use super::PIECE;
use super::crew::Crew;
use super::error::Error;
use super::target::Target;

/// How many bytes of `disk` from `from` on, counted by blocks, are to become zero.
///
/// # Errors
/// [`Error::Stopped`].
pub fn dirty(disk: &dyn Disk, from: u64, crew: Crew<'_>) -> Result<u64, Error> {
    let mut piece = Buffer::new(PIECE);
    let mut dirty = 0;
    for (at, count) in pieces(from, disk.len()) {
        crew.waiter.check()?;
        let piece = &mut piece[..count];
        let readable = disk.read_at(at, piece).is_ok();
        let units = piece.chunks(BLOCK_SIZE).filter(|unit| !readable || !is_zero(unit));
        dirty += units.map(|unit| unit.len() as u64).sum::<u64>();
    }
    Ok(dirty)
}

/// Writes zeros from `from` to the end of the partition, where there are none yet. Says how many bytes that took.
pub(super) fn clear(target: &Target, from: u64) -> Result<u64, Error> {
    let (zeros, mut old) = (Buffer::new(PIECE), Buffer::new(PIECE));
    let mut written = 0;
    for (at, count) in pieces(from, target.disk.len()) {
        let old = &mut old[..count];
        // A block that cannot be read is one to write; the device may put it elsewhere then.
        let readable = target.disk.read_at(at, old).is_ok();
        let unit = |number: usize| &old[number * BLOCK_SIZE..((number + 1) * BLOCK_SIZE).min(count)];
        written += target
            .write_units(at, &zeros[..count], BLOCK_SIZE, |number| !readable || !is_zero(unit(number)))?;
    }
    Ok(written)
}

/// Makes a partition forget what turned out to be wrong when it was there already. Why it was wrong is what is told; that
/// it could not be wiped is said beside it.
pub(super) fn wipe(target: &Target) {
    if let Err(error) = clear(target, 0) {
        tracing::warn!("failed to wipe what was wrong: {}", host_io::report::chain(&error));
    }
}

/// Reads everything from `from` on back from the medium.
///
/// # Errors
/// [`Error::Differs`] with the first block that is not zero; [`Error::ReadBack`] when it cannot be read.
pub(super) fn compare(target: &Target, from: u64, crew: Crew<'_>) -> Result<(), Error> {
    let mut piece = Buffer::new(PIECE);
    let (image, device) = (target.image, &target.device);
    for (at, count) in pieces(from, target.disk.len()) {
        crew.waiter.check()?;
        let piece = &mut piece[..count];
        let read = target.disk.read_back_at(at, piece);
        read.map_err(|source| Error::ReadBack { image, device: device.clone(), offset: at, source })?;
        if let Some(block) = piece.chunks(BLOCK_SIZE).position(|unit| !is_zero(unit)) {
            let offset = at + (block * BLOCK_SIZE) as u64;
            return Err(Error::Differs { image, device: device.clone(), offset });
        }
    }
    Ok(())
}

/// Whether what lies behind this image matters.
pub(super) fn matters(image: Role) -> bool {
    match image {
        Role::Boot => true,
        Role::Root | Role::Hash => false,
    }
}

/// The pieces from `from` to `end`: the rest of a block, where it begins within one, then as much as is read at once.
fn pieces(from: u64, end: u64) -> impl Iterator<Item = (u64, usize)> {
    let mut at = from;
    std::iter::from_fn(move || {
        let left = end.checked_sub(at).filter(|left| *left > 0)?;
        let block = BLOCK_SIZE as u64;
        let reach = if at.is_multiple_of(block) { PIECE as u64 } else { at.next_multiple_of(block) - at };
        let count = usize::try_from(left.min(reach)).expect("no more than a piece");
        let start = at;
        at += count as u64;
        Some((start, count))
    })
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_begin_within_a_block_and_reach_the_end() {
        let all = |from, end| pieces(from, end).collect::<Vec<_>>();
        assert_eq!(all(0, 0), []);
        assert_eq!(all(7, 7), []);
        assert_eq!(all(9, 7), []);
        assert_eq!(all(4095, 4097), [(4095, 1), (4096, 1)]);
        assert_eq!(all(10, 20), [(10, 10)]);
        let piece = PIECE as u64;
        assert_eq!(
            all(1, 2 * piece),
            [(1, BLOCK_SIZE - 1), (4096, PIECE), (4096 + piece, PIECE - BLOCK_SIZE)]
        );
    }
}
