//! What a failed request means.

use std::io;
use std::sync::Arc;

use super::fault::{Fault, find, innermost, tls};
use super::tunnel;
use crate::place::proxy::ProxyAddress;

/// What a failed request means. `received` counts the bytes of the object that had come until then; `proxy` stands before
/// the host.
pub(super) fn classify(
    error: reqwest::Error,
    host: String,
    received: u64,
    pacing: &super::Pacing,
    proxy: Option<&ProxyAddress>,
) -> Fault {
    let plain = error.url().is_some_and(|url| url.scheme() == "http");
    // The address has secrets in it.
    let error = error.without_url();
    if let Some(proxy) = proxy {
        let timeout = error.is_timeout() && error.is_connect();
        // Where no tunnel is dug, the connection is one to the proxy.
        if tunnel::is_of(&error) || timeout || (plain && error.is_connect()) {
            return tunnel::fault(&error, proxy, host, pacing);
        }
    }
    if error.is_dns() {
        return Fault::Dns { host, reason: innermost(&error) };
    }
    if let Some(reason) = tls(&error) {
        return Fault::Tls { host, reason };
    }
    if error.is_timeout() {
        return if error.is_connect() {
            Fault::NoConnection { host, patience: pacing.connect }
        } else {
            Fault::Stalled { host, patience: pacing.idle }
        };
    }
    match find::<io::Error>(&error).map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => return Fault::Refused { host },
        Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => {
            return Fault::NoRoute { host };
        }
        _ => {}
    }
    // What is left once a connection stood, or while it was made: the other side went away in the middle.
    if error.is_body() || error.is_decode() || error.is_request() {
        Fault::Reset { host, received }
    } else {
        Fault::Other(Arc::new(error))
    }
}
