//! What becomes of the boot bits, and what is recorded beside them. The only room that asks `signpost` for a change; it
//! must never do so without the proof that it may happen.
//!
//! - [`apply`]: marking valid, activating, taking back
//! - [`record`]: which version is in which set
//! - [`review`]: taking back what does not stand any more
//! - [`next_boot`]: which set boots next instead of the running one, and why

pub mod apply;
pub mod next_boot;
pub mod record;
pub mod review;
