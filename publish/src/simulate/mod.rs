//! What a rollout will look like, before it is one.
//!
//! A fleet of hosts is drawn and lives through a schedule: each host checks once in a while, at its own moment, and
//! takes the update at its first check after its turn has come. The same fleet is played by both rules for waves, ours
//! and the older one, because a schedule has to suit both. Nothing here reads a clock or a file, and the same numbers
//! always give the same answer.
//!
//! - [`scenario`]: the schedule, the fleet, and what goes wrong
//! - `random`: numbers that look random and are always the same
//! - `fleet`: the hosts, drawn one after another
//! - `intended`: how much of the fleet the plan means to have reached at a time
//! - `run`: the fleet lives through the schedule
//! - [`guarded`]: the same with a guard that stops it, over and over
//! - [`outcome`]: what came of it, as a table and in fields
//! - [`picture`]: the same as an SVG picture
//! - [`stops`]: what came of those that a guard stops

mod fleet;
pub mod guarded;
mod intended;
pub mod outcome;
pub mod picture;
mod random;
mod run;
pub mod scenario;
pub mod stops;

pub use outcome::Outcome;
pub use picture::svg;
pub use run::simulate;
pub use scenario::{Failures, Scenario, ScenarioError};
