//! Settings on the persistent partition: what a setting may be called, how a store lies on disk, and how it changes.
//!
//! This crate decides which names and values a store may hold and that every change is all or nothing; it touches the
//! directory that holds the stores and nothing else. It serves step 8 of the walk (migrate) and the API. The format is
//! that of `docs/compatibility.md`, "Datastore".
//!
//! - [`key`]: the names of settings
//! - [`encoding`]: the names of files, and the limit that they have
//! - [`store_dir`]: one data directory, read and written whole
//! - `unsynced`: what was written and is not on the medium yet
//! - [`links`]: the chain of links that says which data directory is the live one; planning and making its change
//! - `spare`: a second copy, which the next commit begins from
//! - [`store`]: the live store: reading, transactions, commit
//! - [`error`]: what can be wrong with a store

pub mod encoding;
pub mod error;
pub mod key;
pub mod links;
pub mod store;
pub mod store_dir;

mod spare;
mod unsynced;

pub use error::Error;
pub use key::{Key, KeyError};
pub use store::Datastore;
pub use store_dir::{Change, Damage};

/// A setting's value: text, a number, a truth value, or a list of those. Metadata may be any JSON.
pub type Value = serde_json::Value;
