//! The write rule: at every instant, whatever the disk has kept of the writes that were not yet synced, one whole copy
//! of the table lies on the medium, and it says either the old or the new (`docs/design.md`, "The partition table").
//!
//! - Never is the only whole copy written to. A broken primary is repaired first; otherwise the backup goes first.
//! - A copy is synced and read back before the other one is touched.
//! - Only sectors that change are written.
//! - Only a new layout is laid over a table that counts, and then the copy that does not count goes first, too.
//! - Before anything is judged the disk is synced once: a writer that was killed may have left changes that can be read
//!   but are not on the medium, and they would be torn together with ours.

use alloc::vec;
use core::fmt;

use super::copies::{Copies, Image, Unusable, Which};
use super::entries::Entries;
use super::sectors::Sectors;

/// Why a table was not rewritten.
#[derive(Debug)]
pub enum WriteError<D, R> {
    /// The table cannot be used. Nothing was written.
    Unusable(Unusable),
    /// The change was refused by its owner. Nothing was written.
    Refused(R),
    /// The disk refused a sync before anything was written.
    Settle(D),
    /// The disk refused a write. The other copy was not touched after that.
    Write {
        /// The copy.
        which: Which,
        /// The first sector of the write.
        lba: u64,
        /// Why.
        source: D,
    },
    /// The disk refused to make a copy durable. The other copy was not touched after that.
    Sync {
        /// The copy.
        which: Which,
        /// Why.
        source: D,
    },
    /// A copy cannot be read back. The other copy was not touched after that.
    ReadBack {
        /// The copy.
        which: Which,
        /// The first sector of the read.
        lba: u64,
        /// Why.
        source: D,
    },
    /// A copy on the disk is not what was written. The other copy was not touched after that.
    Differs {
        /// The copy.
        which: Which,
        /// The first sector that differs.
        lba: u64,
    },
}

impl<D: fmt::Display, R: fmt::Display> fmt::Display for WriteError<D, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unusable(why) => write!(f, "use the partition table: {why}"),
            Self::Refused(why) => why.fmt(f),
            Self::Settle(why) => write!(f, "sync the disk before the change: {why}"),
            Self::Write { which, lba, source } => {
                write!(f, "write the {which} copy at sector {lba}: {source}")
            }
            Self::Sync { which, source } => write!(f, "sync the {which} copy: {source}"),
            Self::ReadBack { which, lba, source } => {
                write!(f, "read back the {which} copy at sector {lba}: {source}")
            }
            Self::Differs { which, lba } => {
                write!(f, "verify the {which} copy: sector {lba} is not what was written")
            }
        }
    }
}

impl<D: fmt::Debug + fmt::Display, R: fmt::Debug + fmt::Display> core::error::Error for WriteError<D, R> {}

/// Changes the table of `disk` by the write rule. `change` gets the copies as they are on the medium and answers with
/// the entries that both are to have. `disk` must read from the medium, not from a cache.
///
/// On success both copies are whole, equal and durable, also when nothing had to change.
///
/// # Errors
/// When the table cannot be used, `change` refuses, or the disk does; see [`WriteError`] for what is then on the disk.
pub fn rewrite<S: Sectors, R>(
    disk: &mut S,
    change: impl FnOnce(&Copies) -> Result<Entries, R>,
) -> Result<(), WriteError<S::Error, R>> {
    let copies = settled(disk).map_err(WriteError::Settle)?;
    // A table that cannot be used has nothing to be asked about.
    copies.current().map_err(WriteError::Unusable)?;
    let entries = change(&copies).map_err(WriteError::Refused)?;
    replace(disk, &copies, &entries).map(drop)
}

/// Both copies as they are on the medium: whatever an earlier writer has left to the disk's cache is made durable first
/// (`docs/decisions/0003-sync-before-judging.md`).
///
/// # Errors
/// When the disk refuses the sync.
pub fn settled<S: Sectors>(disk: &mut S) -> Result<Copies, S::Error> {
    disk.sync()?;
    Ok(Copies::read(disk))
}

/// Gives both copies these entries by the write rule, and answers with the copies as they are then. `copies` must be what
/// the medium holds, as [`settled`] has read it.
///
/// # Errors
/// When the table cannot be used, or the disk refuses; see [`WriteError`] for what is then on the disk.
pub fn replace<S: Sectors, R>(
    disk: &mut S,
    copies: &Copies,
    entries: &Entries,
) -> Result<Copies, WriteError<S::Error, R>> {
    let (_, counts) = copies.current().map_err(WriteError::Unusable)?;
    let (primary, backup) = copies.with_entries(entries).map_err(WriteError::Unusable)?;
    let order = match counts {
        Which::Primary => [backup, primary],
        Which::Backup => [primary, backup],
    };
    for image in &order {
        put(disk, image)?;
    }
    Ok(copies.after(&order))
}

/// Moves the backup to the end of a disk that has grown. Both copies must be whole and equal, as [`rewrite`] leaves
/// them; the old backup stays where it was until the new one is durable and the primary names it. On a disk whose backup
/// is at the end already, nothing is done.
///
/// # Errors
/// When the table cannot be used, there is no room, or the disk refuses.
pub fn relocate<S: Sectors, R>(disk: &mut S) -> Result<(), WriteError<S::Error, R>> {
    disk.sync().map_err(WriteError::Settle)?;
    let copies = Copies::read(disk);
    if copies.are_equal() && !copies.has_grown() {
        return Ok(());
    }
    let (primary, backup) = copies.at_the_end().map_err(WriteError::Unusable)?;
    put(disk, &backup)?;
    put(disk, &primary)
}

/// Lays a new table over whatever the disk holds: `start` are the disk's first sectors, with a primary copy, `end` its
/// last ones, with a backup. A table that was there is lost, but only once the new one is whole: after a power cut the
/// disk has either of them.
///
/// # Errors
/// When the disk refuses, or the two do not lie on it.
pub fn lay_down<S: Sectors, R>(
    disk: &mut S,
    start: &[u8],
    end: &[u8],
) -> Result<(), WriteError<S::Error, R>> {
    disk.sync().map_err(WriteError::Settle)?;
    let geometry = disk.geometry();
    let end_lba = geometry.sectors.saturating_sub(geometry.sectors_for(end.len() as u64));
    let (primary, backup) = ((Which::Primary, 0, start), (Which::Backup, end_lba, end));
    let order = match Copies::read(disk).current() {
        Ok((_, Which::Backup)) => [primary, backup],
        Ok((_, Which::Primary)) | Err(_) => [backup, primary],
    };
    for (which, lba, bytes) in order {
        put_runs(disk, which, &[Run { lba, bytes, present: None }])?;
    }
    Ok(())
}

/// Brings one copy onto the medium.
fn put<S: Sectors, R>(disk: &mut S, image: &Image) -> Result<(), WriteError<S::Error, R>> {
    let (header, entries) = match &image.present {
        Some((header, entries)) => (Some(&header[..]), Some(&entries[..])),
        None => (None, None),
    };
    // Entries first, so that even a disk that keeps the order of writes never shows a new header over old entries.
    let runs = [(&image.entries, entries), (&image.header, header)].map(|((lba, bytes), present)| Run {
        lba: *lba,
        bytes,
        present,
    });
    put_runs(disk, image.which, &runs)
}

/// Sectors as they are to be.
struct Run<'a> {
    lba: u64,
    bytes: &'a [u8],
    /// As they are, where that is known.
    present: Option<&'a [u8]>,
}

/// Changed sectors, one sync, and a look at what is there now.
fn put_runs<S: Sectors, R>(
    disk: &mut S,
    which: Which,
    runs: &[Run<'_>],
) -> Result<(), WriteError<S::Error, R>> {
    let mut written = vec::Vec::new();
    for run in runs {
        write_changed(disk, run, &mut written).map_err(|(lba, source)| WriteError::Write {
            which,
            lba,
            source,
        })?;
    }
    if written.is_empty() {
        return Ok(());
    }
    disk.sync().map_err(|source| WriteError::Sync { which, source })?;
    for (lba, bytes) in written {
        verify(disk, which, lba, bytes)?;
    }
    Ok(())
}

/// Writes those sectors that are not yet as they should be, neighbours in one go, and notes them. A range that cannot be
/// read is written whole: that may be what heals it.
fn write_changed<'a, S: Sectors>(
    disk: &mut S,
    run: &Run<'a>,
    written: &mut vec::Vec<(u64, &'a [u8])>,
) -> Result<(), (u64, S::Error)> {
    let &Run { lba, bytes, present: known } = run;
    let len = disk.geometry().sector_len();
    let (mut read, mut readable) = (vec::Vec::new(), true);
    let present = match known {
        Some(present) => present,
        None => {
            read.resize(bytes.len(), 0);
            readable = disk.read(lba, &mut read).is_ok();
            &read
        }
    };
    let differs: vec::Vec<bool> = bytes
        .chunks(len)
        .zip(present.chunks(len))
        .map(|(wanted, present)| !readable || wanted != present)
        .collect();
    let mut from = 0;
    for stretch in differs.chunk_by(|a, b| a == b) {
        let until = from + stretch.len();
        if stretch[0] {
            let (at, bytes) = (lba + from as u64, &bytes[from * len..until * len]);
            disk.write(at, bytes).map_err(|source| (at, source))?;
            written.push((at, bytes));
        }
        from = until;
    }
    Ok(())
}

fn verify<S: Sectors, R>(
    disk: &mut S,
    which: Which,
    lba: u64,
    bytes: &[u8],
) -> Result<(), WriteError<S::Error, R>> {
    let mut present = vec![0; bytes.len()];
    disk.read(lba, &mut present).map_err(|source| WriteError::ReadBack { which, lba, source })?;
    let len = disk.geometry().sector_len();
    match bytes.chunks(len).zip(present.chunks(len)).position(|(wanted, present)| wanted != present) {
        None => Ok(()),
        Some(index) => Err(WriteError::Differs { which, lba: lba + index as u64 }),
    }
}
