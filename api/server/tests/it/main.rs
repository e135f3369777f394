//! Stories through the real `apiserver`, on a host that is one temporary directory.
//!
//! - [`host`]: the host, its server, and requests to it
//! - [`updog`]: a host whose `updog` does what a test tells it
//! - [`start`]: the first boot, later boots, what stops a start
//! - [`always`]: whatever was set, damaged or put in the way, the server comes up and can be told better
//! - [`day`]: anything that the model lets be set, with restarts and updates in between
//! - [`cost`]: what a change costs beside thousands of settings
//! - [`unset`]: taking settings away
//! - [`settings`]: reading and changing settings, restarts, callers at the same time
//! - [`services`]: from settings to files and services
//! - [`readers`]: what is made of settings, held against who reads it
//! - [`exec`]: commands in host containers, over real WebSockets
//! - [`units`]: what is shipped for systemd, held against systemd
//! - [`wrong`]: requests that are wrong, and what they are told
//! - [`updates`]: update commands, their states and how they end
//! - [`work`]: what stands beside the commands: progress, cancelling, going back, history
//! - [`connections`]: callers that are slow, many, or started by a service manager
//! - [`operator`]: a fleet tool that knows nothing but `apiclient raw`, on a whole host
//! - [`openapi`]: the API's description, held against the running server

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests say what they measured and what they skipped"
)]
#![expect(clippy::unwrap_used, reason = "a fixture that breaks fails its test")]

mod always;
mod connections;
mod cost;
mod day;
mod exec;
mod host;
mod openapi;
mod operator;
mod readers;
mod services;
mod settings;
mod start;
mod units;
mod unset;
mod updates;
mod updog;
mod work;
mod wrong;
