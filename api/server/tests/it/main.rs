//! Stories through the real `apiserver`, on a host that is one temporary directory.
//!
//! - [`host`]: the host, its server, and requests to it
//! - [`start`]: the first boot, later boots, what stops a start
//! - [`settings`]: reading and changing settings, restarts, callers at the same time
//! - [`wrong`]: requests that are wrong, and what they are told
//! - [`updates`]: update commands over an `updog` that does what a test tells it

#![expect(clippy::unwrap_used, reason = "a fixture that breaks fails its test")]

mod host;
mod settings;
mod start;
mod updates;
mod wrong;
