//! Who may be connected, for how long, and who they are.
//!
//! Callers come from the same machine, and one that hangs must not keep the others out: a head has to arrive in time, a
//! reader has to read, and only so many are served at once; the others wait in the socket's queue until one has gone.
//! Whoever changes something is named in the log by process and user.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{Method, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::unix::UCred;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;

use crate::stop;

/// How many are served at once.
pub const CONNECTIONS: usize = 128;
/// How long the head of a request may take to arrive, and how long a connection may be idle before it.
const HEAD: Duration = Duration::from_secs(10);
/// How long a caller may read nothing of its answer.
const READER: Duration = Duration::from_secs(30);
/// The largest head.
const HEAD_LIMIT: usize = 32 << 10;
/// How long to wait when the system has no descriptors left.
const NO_DESCRIPTORS: Duration = Duration::from_millis(100);

/// Serves `listener` until `stop` turns true, then lets the requests that are under way end.
pub async fn serve(listener: UnixListener, router: Router, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let place = Arc::clone(&places).acquire_owned();
        let accepted = tokio::select! {
            // An error means that nobody is left who could ask for an end: that is one, too.
            _ = stop::asked(&mut stop) => break,
            (place, accepted) = async { (place.await, listener.accept().await) } => (place, accepted),
        };
        match accepted {
            (Ok(place), Ok((stream, _))) => {
                let (router, stop) = (router.clone(), stop.clone());
                connections.spawn(async move {
                    connection(stream, router, stop).await;
                    drop(place);
                });
            }
            (_, Err(error)) => {
                tracing::warn!("failed to accept a connection: {error}");
                tokio::time::sleep(NO_DESCRIPTORS).await;
            }
            (Err(_closed), Ok(_)) => break,
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection(stream: UnixStream, router: Router, mut stop: watch::Receiver<bool>) {
    let peer = Peer(stream.peer_cred());
    let inner = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        peer.told(&request);
        request.extensions_mut().insert(PeerName(peer.to_string()));
        inner.call(request)
    });
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(READER));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_LIMIT)
        .serve_connection(TokioIo::new(Box::pin(stream)), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = stop::asked(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("a connection ended: {}", host_io::report::chain(&error));
    }
}

/// Who is at the other end, in words: an extension of each request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerName(pub String);

/// Who is at the other end, as the kernel says.
struct Peer(io::Result<UCred>);

impl Peer {
    fn told(&self, request: &Request<Incoming>) {
        let (method, path) = (request.method(), request.uri().path());
        if matches!(*method, Method::GET | Method::HEAD) {
            tracing::debug!("{method} {path} from {self}");
        } else {
            tracing::info!("{method} {path} from {self}");
        }
    }
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Ok(peer) => {
                match peer.pid() {
                    Some(pid) => write!(f, "process {pid}")?,
                    None => f.write_str("an unknown process")?,
                }
                write!(f, " of user {} and group {}", peer.uid(), peer.gid())
            }
            Err(_) => f.write_str("somebody unknown"),
        }
    }
}
