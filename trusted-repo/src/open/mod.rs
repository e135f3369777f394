//! Opening a repository: online with memory and expiry, offline with a pin.
//!
//! tough walks the specification's steps over a shelf of ours, which hands it each metadata file as exact bytes and
//! keeps them. tough never sees the memory itself: it works on a copy in a temporary directory, and what it accepted is
//! committed afterwards.
//!
//! - [`online`]: root chain, timestamp, snapshot, targets; expiry enforced at the effective time; memory committed
//! - [`offline`]: the same signatures and digests from a cached set, expiry waived
//! - `mirrors`: the places of one repository, in order
//! - `scratch`: a directory that goes away again, for tough to work in
//! - `shelf`: where tough gets its files from
//! - `verdict`: which role failed which check, in our words

pub mod offline;
pub mod online;

pub(crate) mod mirrors;
mod scratch;
mod shelf;
mod verdict;

pub use offline::open_offline;
pub use online::{open_online, open_online_paced};
