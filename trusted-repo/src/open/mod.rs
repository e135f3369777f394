//! What is offered: opening a repository, online with memory and expiry, offline with a pin.
//!
//! This room decides which metadata counts now, and where a target is listed. It touches places through
//! [`crate::transport`] and the memory. It must never let metadata go back, or take a role's word outside its paths.
//!
//! A walk goes from the trusted root to the targets role, and no further: delegated roles are searched when a target is
//! asked for that they may have. What passed its checks is remembered, as exact bytes.
//!
//! - [`online`]: root chain, timestamp, snapshot, targets; expiry enforced at the effective time; memory committed
//! - [`offline`]: the same signatures and digests from a cached set, expiry waived
//! - [`manifest`]: the names of manifests, and what counts of one
//! - `older_roots`: root roles for older releases
//! - `shelf`: where a walk gets its files from
//! - `walk`: root, timestamp, snapshot, targets: which role failed which check
//! - [`repository`]: an open repository: its targets and its manifest
//! - [`roles`]: its roles
//! - `search`: a target, looked for among the roles that may have it

pub mod manifest;
pub mod offline;
pub mod online;
pub mod repository;
pub mod roles;

pub(crate) mod older_roots;
pub(crate) mod search;
pub(crate) mod shelf;
pub(crate) mod walk;

pub use offline::open_offline;
pub use online::{open_online, open_online_paced};
