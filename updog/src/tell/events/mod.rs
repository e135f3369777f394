//! What happens, told as events; how they look is decided here and nowhere else.
//!
//! The stages report bytes. On a terminal that is a bar, otherwise a line per tenth, with `--json` one object a line on
//! stdout; whoever asks later finds the latest event in a file (`docs/compatibility.md`, "Files"). Nobody who listens can
//! hold up or fail an update: a reader that went away, or that stands still, changes nothing.
//!
//! - `event`: what can happen; `format`: who reads it
//! - `meter`: counting the bytes of one stage; `pace`: how fast, and how long still
//! - `outlet`: where events go
//! - `queue`: between the stages and a reader that may stand still
//! - `look`: a bar, lines, or JSON; `whole`: the stages of an update as one bar
//! - `latest`: the file with the latest event

mod event;
mod format;
mod latest;
mod look;
mod meter;
mod outlet;
mod pace;
mod queue;
mod whole;

pub use event::{Done, Event, Phase, Progress};
pub use format::Format;
pub use meter::Meter;
pub use outlet::Events;
