//! Stories through the real `apiclient`, mostly with the real `apiserver`, on a host that is one temporary directory.
//!
//! - [`host`]: the host, its server, and runs of the client
//! - [`scripted`]: a server that answers as a test wants it to
//! - [`raw`]: the mode that programs rely on
//! - [`golden`]: compares a screen with the kept one
//! - [`settings`]: `get` and `set`
//! - [`apply`]: settings from elsewhere
//! - [`exec`]: commands in host containers
//! - [`admin`]: the admin container's commands
//! - [`updates`]: `update` and `reboot`
//! - [`shown`]: what `update` shows, and the way back
//! - [`alone`]: the static program in an empty root
//! - [`wrong`]: wrong usage, and no server

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests say what they measured and what they skipped"
)]
#![expect(clippy::unwrap_used, reason = "a fixture that breaks fails its test")]

mod admin;
mod alone;
mod apply;
mod exec;
mod golden;
mod host;
mod raw;
mod scripted;
mod settings;
mod shown;
mod updates;
mod wrong;
