//! What was typed, and how the program ends. It turns words into calls and outcomes into exit codes; it must never know how
//! a thing is done.
//!
//! - [`cli`]: what was typed
//! - [`commands`]: the subcommands
//! - [`exit`]: how the program ends

pub mod cli;
pub mod commands;
pub mod exit;
