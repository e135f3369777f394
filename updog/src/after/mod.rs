//! What comes after a boot: whether the system does what it should, what became of releases, and the way back. It must
//! never mark good what it has not asked.
//!
//! - [`health`]: whether the running system does what it should
//! - [`baseline`]: whether it does it much worse than before
//! - [`observe`]: what became of releases
//! - [`rollback`]: whether there is a way back

pub mod baseline;
pub mod health;
pub mod observe;
pub mod rollback;
