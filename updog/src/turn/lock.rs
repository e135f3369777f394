//! The lock server: FleetLock, in which a host asks for its slot before a reboot and gives it back in its steady state
//! (<https://coreos.github.io/zincati/development/fleetlock/protocol/>). No redirect is followed, and an answer that is none
//! of the protocol's counts as no answer.

use std::time::Duration;

use host_io::{plain, report};
use serde::Deserialize;
use serde_json::json;
use trusted_repo::{Address, Pacing, Proxy, Reply, Service};

use super::note::Slot;
use crate::config::{self, Config};
use crate::context::Context;
use crate::wait::Stopped;

/// How long an answer may take, and how much of it is read.
const WITHIN: Duration = Duration::from_secs(30);
const LONGEST: usize = 16 << 10;
/// How much of what a server says is told, in characters.
const TOLD: usize = 300;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// To reboot now.
    PreReboot,
    /// To give the slot back.
    SteadyState,
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum No {
    /// The server said so: nothing was done.
    Said(String),
    /// Nothing came that counts: it may have been done, or not.
    Nothing(String),
}

impl No {
    /// In words.
    #[must_use]
    pub fn why(self) -> String {
        match self {
            Self::Said(why) | Self::Nothing(why) => why,
        }
    }
}

/// Asks the server at `address` for `slot`. `config` says how web servers are reached from here.
///
/// # Errors
/// [`Stopped`] when the program is told to stop; the inner one when the answer is no, or none came.
pub fn ask(
    context: &Context,
    config: Option<&Config>,
    (address, slot): (&Address, &Slot),
    door: Door,
) -> Result<Result<(), No>, Stopped> {
    let name = match door {
        Door::PreReboot => "v1/pre-reboot",
        Door::SteadyState => "v1/steady-state",
    };
    let service = match service(context, config, address) {
        Ok(service) => service,
        Err(why) => return Ok(Err(No::Nothing(why))),
    };
    let body = json!({ "client_params": { "id": slot.id, "group": slot.group } }).to_string().into_bytes();
    let sent = service.post(name, ("fleet-lock-protocol", "true"), body, (LONGEST, WITHIN));
    Ok(match context.waiter.wait(sent)? {
        Ok(reply) => judge(&reply),
        Err(fault) => Err(No::Nothing(report::chain(&fault))),
    })
}

fn service(context: &Context, config: Option<&Config>, address: &Address) -> Result<Service, String> {
    let (proxy, tls) = match config {
        Some(config) => {
            let tls = config.tls(&*context.fs, &context.paths);
            let tls = tls.map_err(|error: config::Error| format!("failed to {}", report::chain(&error)))?;
            let (https_proxy, no_proxy) = (config.https_proxy.clone(), config.no_proxy.clone());
            (Proxy { https_proxy, no_proxy, ..Proxy::default() }, tls)
        }
        None => Default::default(),
    };
    let _inside = context.waiter.enter();
    Service::over(address, proxy, tls, Pacing::default()).map_err(|fault| report::chain(&fault))
}

/// What the protocol has for an error.
#[derive(Deserialize)]
struct Error {
    kind: String,
    value: String,
}

/// Only a server that speaks the protocol can say no: a page of a proxy in between tells nothing.
fn judge(reply: &Reply) -> Result<(), No> {
    let said = serde_json::from_slice::<Error>(&reply.body)
        .ok()
        .map(|Error { kind, value }| shown(&format!("{value} ({kind})")));
    match (reply.status, said) {
        (200, _) => Ok(()),
        (400..=499, Some(said)) => Err(No::Said(said)),
        (status, Some(said)) => Err(No::Nothing(format!("status {status}: {said}"))),
        (status @ 300..=399, None) => {
            Err(No::Nothing(format!("status {status}, and no redirect is followed")))
        }
        (status, None) => Err(No::Nothing(format!("status {status}, in words that are none of FleetLock's"))),
    }
}

fn shown(text: &str) -> String {
    text.chars().take(TOLD).map(plain::in_a_line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_protocols_own_words_are_an_answer() {
        let judged = |status, body: &str| judge(&Reply { status, body: body.as_bytes().to_vec() });
        assert_eq!(judged(200, ""), Ok(()));
        let full = r#"{"kind":"all_slots_taken","value":"all 1 slots are\ntaken"}"#;
        for status in [400, 404, 409, 423] {
            let Err(No::Said(said)) = judged(status, full) else { panic!("{status}") };
            assert!(said.ends_with("taken (all_slots_taken)") && !said.contains('\n'), "{said}");
        }
        for (status, body) in
            [(500, full), (404, "<html>"), (404, "{}"), (302, ""), (204, ""), (201, full), (503, "")]
        {
            assert!(matches!(judged(status, body), Err(No::Nothing(_))), "{status} {body}");
        }
        let long = format!(r#"{{"kind":"k","value":"{}"}}"#, "x".repeat(5000));
        assert!(judged(404, &long).unwrap_err().why().len() <= TOLD);
    }
}
