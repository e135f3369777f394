//! The command line of `pubrepo`.
//!
//! - `cli`: what may be said, and what becomes of a failure
//! - [`init`]: `pubrepo init`
//! - [`add`]: `pubrepo add`

pub mod add;
mod cli;
pub mod init;

pub use cli::{Cli, run};
