//! How bytes come here.
//!
//! One HTTP client for everything that a program fetches, so that connections are reused; a limit on silence instead of
//! a limit on the whole request; retries that refill while bytes keep coming. A directory answers the same questions.
//! The rules are those of `docs/design.md`, "Trust", last point.
//!
//! - [`fault`]: what can go wrong on the way, told apart as far as a person can act on it
//! - [`pacing`]: the patience of a client, and when to try again
//! - [`account`]: what one run takes from the network, and its limit
//! - `exchange`: a question and its answer, every byte of which is counted
//! - `answer`: an answer as whoever asked sees it; `given_up`: those that were given up, until they are counted
//! - `range`: whether an answer continues what was received so far
//! - `head`: what is looked at in an answer's head
//! - `tunnel`: what a proxy has to do with a failure
//! - `hops`: one request and the redirects that it meets
//! - `validator`: by what a server recognises an object
//! - `bucket`: a cap on bandwidth
//! - `tls`: whom `https://` trusts, and who this host is
//! - `issuer`: who issued a certificate, for people
//! - `reactor`: the client's connections, each of which can be ended at once
//! - `resolver`: names of hosts, looked up by the system
//! - `client`: the HTTP client, its proxy and its limits
//! - `download`: one object over HTTP, resumed or begun again until it is whole
//! - `carrier`: both kinds of places behind one door
//! - [`service`]: a web service that is no repository

pub mod account;
pub mod fault;
pub mod pacing;
pub mod service;

mod answer;
mod bucket;
pub(crate) mod carrier;
mod classify;
mod client;
pub(crate) mod download;
mod exchange;
mod given_up;
mod head;
mod hops;
mod issuer;
pub(crate) mod range;
mod reactor;
mod resolver;
mod tls;
mod tunnel;
pub(crate) mod validator;
pub(crate) mod web;
mod worn;

pub use account::Account;
pub(crate) use carrier::Carrier;
pub use fault::Fault;
pub use pacing::Pacing;
pub use service::{Reply, Service};
