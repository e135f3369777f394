//! The state of updates and the commands that change it.
//!
//! What is true of the disk is asked of `updog` each time and never remembered; what only a command knows (which update
//! was chosen, how the last command ended) is remembered over restarts and reboots. The state is a pure function of
//! both, so it cannot contradict the disk (`docs/compatibility.md`, "Update states").
//!
//! - [`state`]: which command may follow which state, and where it leads
//! - [`facts`]: what `updog status` says of the two sets
//! - [`memory`]: what is remembered; [`ended`]: how a command's end changes it
//! - [`status`]: state and wire status from facts and memory
//! - [`files`]: where both are kept
//! - [`progress`]: how far the work is
//! - [`child`]: the `updog` that does the work
//! - [`fresh`]: an answer of the repository that is young enough to be given again
//! - [`refusal`]: why a command was not started, or a status not given
//! - [`turn`]: the right to run a command
//! - [`dispatcher`]: one command at a time
//! - [`beside`]: what is asked of `updog` beside the commands: going back, clearing, history, explanations
//! - [`in_turn`]: the reboot in this host's turn; [`underway`]: following it by its number
//! - [`cancel`]: stopping what runs, or taking back what is activated

pub mod beside;
pub mod cancel;
pub mod child;
pub mod dispatcher;
pub mod ended;
pub mod facts;
pub mod files;
pub mod fresh;
pub mod in_turn;
pub mod memory;
pub mod progress;
pub mod refusal;
pub mod state;
pub mod status;
pub mod turn;
pub mod underway;

#[cfg(test)]
mod stories;

pub use beside::Rollback;
pub use child::Updog;
pub use dispatcher::Dispatcher;
pub use in_turn::{Ask, InTurn};
pub use progress::Progress;
pub use refusal::Refusal;
