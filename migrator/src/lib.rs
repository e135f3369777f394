//! Carries settings to the version of the system that boots, or fails the boot so that the other set returns.
//!
//! This crate decides whether settings stay, are carried by migrations, or go back to the store that was kept. It reads
//! the cache that the update left (verified against the running image's trust anchor, offline) and the boot bits, runs
//! migrations from sealed memory, and switches the datastore's links; until that last step nothing that exists changes.
//! It is step 8 of the walk in `docs/walkthrough.md`.
//!
//! - [`args`]: the command line
//! - [`course`]: link the kept store again, or run migrations: a rule over versions and boot bits
//! - [`bits`]: what the boot bits say of the two sets
//! - [`cached`]: the cached repository: which migrations lead to the target, and their verified programs
//! - [`fit`]: whether what comes out fits the image that reads it
//! - [`amount`]: how much lies in a directory; [`room`]: whether so much is free
//! - [`need`]: what all of it takes of the partition
//! - [`scratch`]: the directory in which migrations work
//! - [`exec`]: running one program from sealed memory, within limits
//! - [`sandbox`]: the child that a migration becomes, and what it gives up
//! - [`carry`]: all migrations in turn, each on a copy
//! - [`lost`]: what a release removes, given back with the older one
//! - [`note`]: what a boot that is not proven yet writes down for the other set
//! - [`rehearse`]: the same, told or tried on a copy, there and back
//! - [`settle`]: the whole step, from the links as they are to the links as they must be
//! - [`error`]: why a boot fails here, and what a person can do

pub mod amount;
pub mod args;
pub mod bits;
pub mod cached;
pub mod carry;
pub mod course;
pub mod error;
pub mod exec;
pub mod fit;
pub mod limits;
pub mod lost;
pub mod need;
pub mod note;
pub mod rehearse;
pub mod room;
pub mod sandbox;
pub mod scratch;
pub mod settle;

pub use error::Error;
