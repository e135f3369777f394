//! The same server over TLS, for clients that speak HTTP/2 and no other version.

use std::collections::HashMap;
use std::io::{self, Read as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use h2::Reason;
use h2::server::SendResponse;
use http::header::{IF_NONE_MATCH, IF_RANGE, RANGE};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::answer::{Answer, Delivery, answer};
use super::fault::{Plan, Plans};
use super::habit::Habits;
use super::http as plain;
use super::lock::lock;

/// The authority that has signed the server's certificate, in PEM.
pub const AUTHORITY: &str = include_str!("../../keys/tls/ca.pem");
const SERVER: &[u8] = include_bytes!("../../keys/tls/server.pem");

/// A web server over a directory that speaks HTTP/2 over TLS on a free port of the loopback.
#[derive(Debug)]
pub struct Http2Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    plans: Mutex<Plans>,
    /// How many requests each connection has brought.
    connections: Mutex<HashMap<u16, usize>>,
}

impl Http2Server {
    /// Serves `dir` from now on until the server is dropped.
    ///
    /// # Panics
    /// When the loopback has no free port.
    #[must_use]
    pub fn start(dir: impl Into<PathBuf>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a thread for the server");
        let shared =
            Arc::new(Shared { dir: dir.into(), plans: Mutex::default(), connections: Mutex::default() });
        let listener =
            std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port of the loopback");
        listener.set_nonblocking(true).expect("a listener that can be waited for");
        let inside = runtime.enter();
        let listener = TcpListener::from_std(listener).expect("a runtime to wait in");
        drop(inside);
        let address = listener.local_addr().expect("a bound listener has an address");
        runtime.spawn(accept(listener, Arc::clone(&shared)));
        Self { address, shared, runtime: Some(runtime) }
    }

    /// The address of `path` below the served directory; `""` is the directory itself, with a slash at the end.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("https://{}/{}", self.address, path.trim_start_matches('/'))
    }

    /// As [`FaultyServer::fault`](super::FaultyServer::fault). Where an answer is cut short, its stream ends early.
    pub fn fault(&self, pattern: &str, plan: impl Into<Plan>) {
        lock(&self.shared.plans).add(pattern, plan.into());
    }

    /// How many requests came, connection by connection.
    #[must_use]
    pub fn requests(&self) -> Vec<usize> {
        lock(&self.shared.connections).values().copied().collect()
    }
}

impl Drop for Http2Server {
    fn drop(&mut self) {
        // Every connection ends with it. Waiting for that is not for a thread that runs tasks itself.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let certificate = CertificateDer::from_pem_slice(SERVER).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(SERVER).expect("a key");
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("they belong together");
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    while let Ok((stream, peer)) = listener.accept().await {
        // A client that ends a connection, or does not like it, is the client's own affair.
        tokio::spawn(converse(acceptor.clone(), stream, peer.port(), Arc::clone(&shared)));
    }
}

async fn converse(acceptor: TlsAcceptor, stream: TcpStream, number: u16, shared: Arc<Shared>) {
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, respond))) = connection.accept().await {
        *lock(&shared.connections).entry(number).or_default() += 1;
        let header =
            |name| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let request = plain::Request {
            method: request.method().to_string(),
            target: request.uri().path_and_query().map(ToString::to_string).unwrap_or_default(),
            range: header(RANGE),
            if_range: header(IF_RANGE),
            if_none_match: header(IF_NONE_MATCH),
            ..plain::Request::default()
        };
        let fault = lock(&shared.plans).strike(&request.target, request.range.is_some());
        if let Ok((answer, delivery)) = answered(&shared.dir, &request, fault) {
            send(answer, delivery, respond);
        }
    }
}

/// An answer with its whole body, as it can be kept beside the connection.
struct Whole {
    head: http::Response<()>,
    body: Vec<u8>,
}

fn answered(
    dir: &Path,
    request: &plain::Request,
    fault: Option<super::Fault>,
) -> io::Result<(Whole, Delivery)> {
    let (Answer { status, headers, mut body, .. }, delivery) =
        answer(dir, request, fault, &Habits::default())?;
    let mut head = http::Response::builder().status(status);
    for (name, value) in headers {
        head = head.header(name, value);
    }
    let mut bytes = Vec::new();
    body.read_to_end(&mut bytes)?;
    let head = head.header("content-length", bytes.len()).body(()).expect("headers of our own");
    Ok((Whole { head, body: bytes }, delivery))
}

/// Hands the answer to the connection, which sends it as far as the client has room.
fn send(answer: Whole, delivery: Delivery, mut respond: SendResponse<bytes::Bytes>) {
    let Whole { head, mut body } = answer;
    match delivery {
        // Ends before the length that the head announces.
        Delivery::Cut { after, .. } => body.truncate(usize::try_from(after).unwrap_or(usize::MAX)),
        Delivery::Nothing(_) => return respond.send_reset(Reason::INTERNAL_ERROR),
        Delivery::Plain | Delivery::Slow { .. } => {}
    }
    // The client may be gone.
    if let Ok(mut stream) = respond.send_response(head, body.is_empty())
        && !body.is_empty()
    {
        let _sent_or_gone = stream.send_data(body.into(), true);
    }
}
