//! Remembered trust: what metadata was verified last time, so that it never goes back in time.
//!
//! One directory per trust anchor and metadata URL, with exact bytes, replaced as a whole. No memory is a first use and
//! is logged; an unreadable one refuses. The rules are those of `docs/design.md`, "Trust", first two points.
//!
//! - `store`: the directory: loading, checking, committing
//! - `roots`: chains of root roles
//! - `delegated`: delegated roles that were needed
//! - `kept`: small targets that were verified, for the next run
//! - `extract`: what was signed of the targets role, for the next run
//! - [`view`]: looking at it, and forgetting it on request
//! - `start`: which memory counts, and from which root to start

pub(crate) mod delegated;
pub(crate) mod extract;
pub(crate) mod kept;
pub(crate) mod roots;
pub(crate) mod start;
pub(crate) mod store;
pub mod view;
