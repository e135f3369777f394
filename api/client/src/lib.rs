//! The command line of the host's API.
//!
//! It decides nothing that the server decides: it asks, waits, and says what was answered. It touches nothing but the
//! server's socket. It serves every step of the walk that a person or a fleet starts; programs rely on its raw mode
//! (`docs/compatibility.md`, "apiclient" and "Update operator").
//!
//! - [`args`]: the command line
//! - [`run`]: from the command line to the exit code
//! - [`api`]: requests to the server
//! - [`fetch`]: settings that lie elsewhere
//! - [`transaction`]: changing settings, all of them or none
//! - [`commands`]: one file per subcommand
//! - [`update`]: starting an update command and waiting for its end
//! - [`tell`]: what is said on stdout
//! - [`screen`]: what screens for people are made of
//! - [`mod@exec`]: running a command in a host container
//! - [`error`]: what can go wrong, and what to do then

pub mod api;
pub mod args;
pub mod commands;
pub mod error;
pub mod exec;
pub mod fetch;
pub mod run;
pub mod screen;
pub mod tell;
pub mod transaction;
pub mod update;
