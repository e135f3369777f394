//! Flipping: the only places where a set is marked valid, activated, or taken back.
//!
//! Each of them asks for the proof that it may happen. What the bits then are is `signpost`'s decision, which checks
//! once more under the disk lock.

use host_io::{BootNote, SnapshotRequest};
use signpost::{Command, OsDisk, Set, Status};

use crate::after::observe;
use crate::context::Context;
use crate::decide::attempts::{Attempts, Release, Settled};
use crate::decide::guard::{self, Staged};
use crate::error::Error;
use crate::flip::record::Record;
use crate::look::sets;
use crate::write::install::ReadBack;

/// Why a set may be booted next.
#[derive(Debug, Clone, Copy)]
pub enum Proof<'a> {
    /// Its images were just read back.
    ReadBack(&'a ReadBack),
    /// It was marked valid before, and still holds what the record says.
    Recorded(&'a Staged),
}

/// Marks the inactive set valid: it may be tried once.
///
/// # Errors
/// When the partition table cannot be changed.
pub fn mark_valid(disk: &OsDisk, _proof: &ReadBack) -> Result<Status, Error> {
    Ok(disk.apply(Command::MarkInactiveValid)?)
}

/// Notes that the inactive set boots next: whatever becomes of that boot is judged against this. To be called before
/// the flip; what cannot be noted is said and holds nothing up.
///
/// # Errors
/// When the disk cannot be read.
pub fn announce(context: &Context, disk: &OsDisk) -> Result<(), Error> {
    let (fs, paths) = (&*context.fs, &context.paths);
    let status = disk.status()?;
    let Some(Set { name, .. }) = status.inactive() else { return Ok(()) };
    forget_wish(context);
    let Some(entry) = sets::held_by(disk, &Record::load_or_empty(fs, paths), *name)? else { return Ok(()) };
    // What an earlier boot of it left says nothing of the one that comes.
    let forgotten =
        BootNote::forget(fs, paths, &entry.version).and_then(|()| BootNote::keep_only(fs, paths, &[]));
    if let Err(error) = forgotten {
        tracing::warn!("notes of earlier boots stay: {error}");
    }
    let (dumps, now) = (observe::dumps(context), context.clock.now());
    observe::change(context, |attempts| attempts.activated(&Release::from(&entry), dumps, now));
    Ok(())
}

/// Lets the inactive set boot next.
///
/// # Errors
/// When the partition table cannot be changed.
pub fn activate(disk: &OsDisk, proof: Proof<'_>) -> Result<Status, Error> {
    tracing::debug!(?proof, "the inactive set boots next");
    Ok(disk.apply(Command::UpgradeToInactive)?)
}

/// Finds the staged image of this host. Needs no network.
///
/// # Errors
/// When there is none, or the disk or the record cannot be read.
pub fn find_staged(context: &Context, disk: &OsDisk) -> Result<Staged, Error> {
    let status = disk.status()?;
    let record = Record::load(&*context.fs, &context.paths)?;
    let found = sets::inactive_root_hash(disk, &status)?;
    Ok(Staged::find(&status, &record, found)?)
}

/// Lets the running set boot next after all, and returns the set that would have. Needs no network.
///
/// # Errors
/// When nothing was activated, or the partition table cannot be changed.
pub fn revert(context: &Context, disk: &OsDisk) -> Result<Set, Error> {
    let status = disk.status()?;
    let set = guard::activated(&status)?.clone();
    disk.apply(Command::CancelUpgrade)?;
    // The bits are right by now, whatever can be remembered.
    let _anything_to_forget = forget_flip(context, disk, &status, &set);
    Ok(set)
}

/// Ends a [`revert`] that was killed between the bits and what it forgets, and returns the set; `None` where nothing of one
/// is left.
///
/// # Errors
/// When the partition table cannot be read.
pub fn end_revert(context: &Context, disk: &OsDisk) -> Result<Option<Set>, Error> {
    let status = disk.status()?;
    let Some(set) = status.inactive() else { return Ok(None) };
    // A start that failed has used its try up: what is awaited of it is judged, and was not taken back.
    let was_started = set.bits.tries == 0 && !set.bits.successful;
    if was_started || status.next != Some(status.active) || !status.active().bits.successful {
        return Ok(None);
    }
    Ok(forget_flip(context, disk, &status, set).then(|| set.clone()))
}

/// Forgets whatever was for a boot of `set`, which does not come after all, and tells whether there was anything.
fn forget_flip(context: &Context, disk: &OsDisk, status: &Status, set: &Set) -> bool {
    forget_wish(context);
    let record = Record::load_or_empty(&*context.fs, &context.paths);
    let entry = sets::held_by(disk, &record, set.name).ok().flatten();
    let stays = sets::running(context, disk, status.active).ok();
    let mut any = false;
    observe::change(context, |before| {
        let after = match &entry {
            Some(entry) => before.clone().settled(&Release::from(entry), Settled::TakenBack),
            None => before.clone(),
        };
        // Whoever went back from it has thought better of it.
        let after = stays.iter().fold(after, Attempts::not_left);
        any = after != before;
        after
    });
    any
}

/// A wish for the settings that a release had is of the boot that it was left for, and of no other.
fn forget_wish(context: &Context) {
    if let Err(error) = SnapshotRequest::forget(&*context.fs, &context.paths) {
        tracing::warn!("the wish for the settings that were kept stays, void by its versions: {error}");
    }
}
