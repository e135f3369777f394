//! What lies where in a data directory, and with which rights.

use std::path::{Path, PathBuf};

use crate::encoding::{NAME_MAX, encode};
use crate::error::Error;

/// The directory of committed settings.
pub(crate) const LIVE: &str = "live";
/// The directory of transactions.
pub(crate) const PENDING: &str = "pending";
/// Where a transaction waits for its removal; no reader looks there.
pub(super) const DROPPED: &str = ".dropped";
/// The metadata of a key that a transaction takes away.
pub(super) const UNSET: &str = "unset";
/// Settings may hold secrets (a proxy's password), and nobody but the API reads a store.
pub(crate) const DIR_MODE: u32 = 0o700;
pub(super) const FILE_MODE: u32 = 0o600;

pub(crate) fn transaction_dir(dir: &Path, transaction: &str) -> Result<PathBuf, Error> {
    Ok(dir.join(PENDING).join(transaction_name(transaction)?))
}

pub(super) fn transaction_name(transaction: &str) -> Result<String, Error> {
    if transaction.is_empty() {
        return Err(Error::Name { name: transaction.to_owned(), of: "transaction" });
    }
    checked_name(&encode(transaction), transaction)
}

pub(super) fn checked_name(file: &str, name: &str) -> Result<String, Error> {
    if file.len() > NAME_MAX {
        return Err(Error::NameTooLong { name: name.to_owned(), len: file.len() });
    }
    Ok(file.to_owned())
}
