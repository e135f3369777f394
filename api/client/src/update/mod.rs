//! Starting an update command and waiting for its end.
//!
//! - [`plan`]: which commands an "apply" still needs
//! - [`watch`]: what an answer of the server says about a command that was started
//! - [`wait`]: asking until it has ended
//! - [`progress`]: how far the work is
//! - [`form`]: for whom to answer
//! - [`live`]: showing that while we wait
//! - [`rollback`]: what a way back would change
//! - [`in_turn`]: the reboot in this host's turn
//! - [`turn`]: whether one may start by itself now
//! - [`summary`]: the state of updates in one line

pub mod form;
pub mod in_turn;
pub mod live;
pub mod plan;
pub mod progress;
pub mod rollback;
pub mod summary;
pub mod turn;
pub mod wait;
pub mod watch;
