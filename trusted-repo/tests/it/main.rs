//! A repository of our own making, attacked. Each test is named after the attack or the fault.
//!
//! - `fixture`: a small repository, made with `author`, and a host's trust memory
//! - `memory`: first use, rollback, fast-forward, same version with other content, damaged memory
//! - `roots`: wrong root, rotation, flood, two roots that nothing joins
//! - `expiry`: each role, a clock that is wrong
//! - `targets`: swapped, shortened, prolonged, missing; frames cut short or followed by bytes
//! - `served`: a repository behind a server that misbehaves
//! - `network`: unreachable, a portal, server errors, stalls, redirects
//! - `resumed`: resets and ranges
//! - `link`: TLS, proxies, waits, bandwidth
//! - `mirrors`: several places with the same repository; frames
//! - `midway`: an LZ4 frame that is entered at one of its blocks
//! - `runs`: frames that follow one another, in one request
//! - `plain_client`: what `author` and `pubrepo` write, read by a client of tough alone; keys that lie elsewhere
//! - `unchanged`: what a repository costs that has not changed
//! - `extract`: what is kept of the targets role, forged, stale, foreign and damaged
//! - `delegated`: targets that teams list
//! - `cache`: the pinned set for the next boot, and opening it offline
//! - `power_cut`: the power goes away at any change to memory, cache or repository

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests say what they measured and what they skipped"
)]

mod cache;
mod delegated;
mod expiry;
mod extract;
mod fixture;
mod link;
mod memory;
mod midway;
mod mirrors;
mod network;
mod plain_client;
mod power_cut;
mod resumed;
mod roots;
mod runs;
mod served;
mod targets;
mod unchanged;
