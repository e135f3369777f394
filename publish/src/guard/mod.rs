//! A rollout that stops by itself: Prometheus is asked how the newest release does, and it is paused when it does badly.
//!
//! A guard takes releases away and never gives one: what it has paused or withheld only a person lets go on.
//!
//! - [`evidence`]: how much a number of failures speaks against a release
//! - [`mod@judge`]: whether a rollout may go on, a rule over numbers
//! - [`questions`]: what Prometheus is asked, in its own language
//! - [`prometheus`]: one question, one number
//! - [`journal`]: what was decided, look by look
//! - [`watch`]: one look: find the release, ask, judge, stop
//! - [`refused`]: why a look came to nothing

pub mod evidence;
pub mod journal;
pub mod judge;
pub mod prometheus;
pub mod questions;
pub mod refused;
pub mod watch;

pub use evidence::Limit;
pub use journal::Journal;
pub use judge::{Cause, Counts, Judgement, Limits, judge};
pub use prometheus::Prometheus;
pub use questions::{Questions, Subject};
pub use refused::Refused;
pub use watch::{Guard, Power, Report};
