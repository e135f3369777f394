//! A simulated host: one directory, one disk image, the real programs, and a firmware of its own.
//!
//! - [`firmware`]: which set is started, and the try that it costs
//! - [`boot`]: from BOOT to a root whose every block was checked; the report of a boot
//! - [`ear`]: who hears what they say
//! - [`programs`]: running the real programs, and ending them
//! - [`machine`]: the host as tests use it

pub mod boot;
pub mod ear;
pub mod firmware;
pub mod machine;
pub mod programs;

pub use boot::{Attempt, BootReport, Outcome, Stage};
pub use ear::Ear;
pub use machine::{Host, HostOptions};
pub use programs::{Ran, Running};
