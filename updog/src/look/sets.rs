//! What each set holds: which release, as far as the record knows it and the set itself tells.

use host_io::Access;
use signpost::{OsDisk, Role, Set, SetName, Status};
use verity::RootHash;

use crate::context::Context;
use crate::decide::attempts::Release;
use crate::error::Error;
use crate::flip::record::{self, Entry, Record};

/// What a set holds, as far as the record knows it and the top of its tree tells.
///
/// # Errors
/// When its HASH partition cannot be opened.
pub fn held_by(disk: &OsDisk, record: &Record, set: SetName) -> Result<Option<Entry>, Error> {
    let found = record::top_hash_if_known(&*disk.open_partition(set, Role::Hash, Access::Read)?);
    Ok(record.holds(set, found).cloned())
}

/// What runs, from `set`.
///
/// # Errors
/// When the host does not say what it is, or the set's HASH partition cannot be opened.
pub fn running(context: &Context, disk: &OsDisk, set: SetName) -> Result<Release, Error> {
    let os = context.host.os_release()?;
    let root_hash = record::top_hash_if_known(&*disk.open_partition(set, Role::Hash, Access::Read)?);
    Ok(Release {
        variant: os.variant_id,
        arch: context.host.arch().to_owned(),
        version: os.version_id,
        root_hash,
    })
}

/// The root hash of the set that does not run, by its whole tree; `None` where there is no such set, or no sound tree.
///
/// # Errors
/// When its HASH partition cannot be read.
pub fn inactive_root_hash(disk: &OsDisk, status: &Status) -> Result<Option<RootHash>, Error> {
    match status.inactive() {
        Some(Set { name, .. }) => {
            Ok(record::root_hash_of(&*disk.open_partition(*name, Role::Hash, Access::Read)?)?)
        }
        None => Ok(None),
    }
}
