//! Starting an update command and waiting for its end.
//!
//! - [`plan`]: which commands an "apply" still needs
//! - [`watch`]: what an answer of the server says about a command that was started
//! - [`wait`]: asking until it has ended

pub mod plan;
pub mod wait;
pub mod watch;
