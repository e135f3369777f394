//! What a proxy has to do with a failure, with its address and in its words.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use reqwest::header::AUTHORIZATION;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::fault::{Fault, find, innermost, tls};
use super::pacing::Pacing;
use super::resolver::look_up;
use crate::place::proxy::ProxyAddress;

/// How the library begins the error of a way through a proxy; it keeps its type to itself.
const LIBRARY: &str = "tunnel error: ";
/// What the library says of an answer that opens no way. It keeps the status to itself as well.
const UNSUCCESSFUL: &str = "unsuccessful";
/// How long the proxy is given to say its status once more.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether a failure is that of the way through a proxy.
pub(super) fn is_of(error: &(dyn StdError + 'static)) -> bool {
    said(error).is_some()
}

fn said(error: &(dyn StdError + 'static)) -> Option<String> {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(layer) = next {
        if let Some(said) = layer.to_string().strip_prefix(LIBRARY) {
            return Some(said.to_owned());
        }
        next = layer.source();
    }
    None
}

/// The proxy's fault.
pub(super) fn fault(error: &reqwest::Error, proxy: &ProxyAddress, host: String, pacing: &Pacing) -> Fault {
    let kind = find::<io::Error>(error).map(io::Error::kind);
    let (reason, passing) = if error.is_dns() {
        (format!("its address cannot be found: {}", innermost(error)), true)
    } else if let Some(reason) = tls(error) {
        (format!("no trusted TLS connection to it: {reason}"), false)
    } else if error.is_timeout() {
        (format!("no connection within {:?}", pacing.connect), true)
    } else {
        match (kind, said(error)) {
            (Some(io::ErrorKind::ConnectionRefused), _) => ("it refuses the connection".to_owned(), true),
            (Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable), _) => {
                ("there is no route to it".to_owned(), true)
            }
            (_, Some(said)) if said == "proxy authorization required" => return wants_a_login(proxy, &host),
            (None, Some(said)) => (said, false),
            _ => (innermost(error), true),
        }
    };
    Fault::Proxy { proxy: proxy.to_string().into(), host, passing, reason: reason.into() }
}

/// The proxy asks who we are, or does not believe it.
pub(super) fn wants_a_login(proxy: &ProxyAddress, host: &str) -> Fault {
    let reason = "it asks for a login, or for another one: status 407".into();
    Fault::Proxy { proxy: proxy.to_string().into(), host: host.to_owned(), passing: false, reason }
}

/// `fault` with the status that the proxy has answered with, where only that is missing: it is asked once more.
pub(super) async fn explained(fault: Fault, proxy: Option<&ProxyAddress>, client: &reqwest::Client) -> Fault {
    match (fault, proxy) {
        (Fault::Proxy { proxy: shown, host, passing, reason }, Some(proxy)) if &*reason == UNSUCCESSFUL => {
            let asked = tokio::time::timeout(PATIENCE, status(proxy, &host, client)).await;
            let (reason, passing) = match asked.ok().flatten() {
                Some(status @ 200..300) => (format!("it answers with status {status} now"), true),
                Some(status) => (format!("it answers with status {status}"), status >= 500),
                None => ("it answers with a refusal".to_owned(), passing),
            };
            Fault::Proxy { proxy: shown, host, passing, reason: reason.into() }
        }
        (fault, _) => fault,
    }
}

/// The status of the proxy's answer.
async fn status(proxy: &ProxyAddress, host: &str, client: &reqwest::Client) -> Option<u16> {
    let url = proxy.url();
    if url.scheme() != "http" {
        return None;
    }
    let mut request = format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n");
    if let Some(login) = client.get(url.clone()).build().ok()?.headers().get(AUTHORIZATION) {
        request.push_str(&format!("Proxy-Authorization: {}\r\n", login.to_str().ok()?));
    }
    request.push_str("Connection: close\r\n\r\n");
    let name = url.host_str()?.trim_start_matches('[').trim_end_matches(']');
    let there = look_up(name, url.port_or_known_default()?).await.ok()?;
    let mut stream = TcpStream::connect(&there[..]).await.ok()?;
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut line = Vec::new();
    stream.take(64).read_to_end(&mut line).await.ok()?;
    let line = String::from_utf8_lossy(&line).into_owned();
    line.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.trim().get(..3)?.parse().ok()
}
