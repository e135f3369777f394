//! Flipping: the only places where a set is marked valid, activated, or taken back.
//!
//! Each of them asks for the proof that it may happen. What the bits then are is `signpost`'s decision, which checks
//! once more under the disk lock.

use host_io::Access;
use signpost::{Command, OsDisk, Role, Set, Status};

use crate::context::Context;
use crate::error::Error;
use crate::guard::{self, Staged};
use crate::install::ReadBack;
use crate::record::{self, Record};

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
    let found = match status.inactive() {
        Some(Set { name, .. }) => {
            record::root_hash_of(&*disk.open_partition(*name, Role::Hash, Access::Read)?)?
        }
        None => None,
    };
    Ok(Staged::find(&status, &record, found)?)
}

/// Lets the running set boot next after all, and returns the set that would have. Needs no network.
///
/// # Errors
/// When nothing was activated, or the partition table cannot be changed.
pub fn revert(disk: &OsDisk) -> Result<Set, Error> {
    let status = disk.status()?;
    let set = guard::activated(&status)?.clone();
    disk.apply(Command::CancelUpgrade)?;
    Ok(set)
}
