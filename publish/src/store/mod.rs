//! A repository in an object store: what a directory has is put there, so that whoever reads sees the old release or the new
//! one, and two publishers cannot break each other's.
//!
//! The directory stays where releases are made: its lock, its keys, its roles. A store keeps no lock of ours. What takes
//! its place are conditions on single puts: a number that is taken is never written over, and the timestamp is replaced
//! only if it is the one that was seen.
//!
//! - [`bucket`]: a bucket and a prefix, with credentials from the usual places
//! - [`plan`]: what is to be put there, and in which order
//! - [`prove`]: whether an endpoint keeps conditions, or ignores them in silence
//! - [`mod@push`]: all of it
//! - [`refused`]: why nothing was published

pub mod bucket;
pub mod plan;
pub mod prove;
pub mod push;
pub mod refused;

pub use bucket::Bucket;
pub use push::{PushOptions, PushReport, push};
pub use refused::Refused;
