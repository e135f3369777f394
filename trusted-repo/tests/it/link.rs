//! The way to a server: TLS, proxies, waits, bandwidth.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use testdata::{ClosedPort, Fault, FaultyServer, Http2Server, noise};
use trusted_repo::{Error, Exception, Proxy, ProxyAddress, Repository, Source, Tls};
use url::Url;

use crate::fixture::{Fixture, assert_refused, today};

const CA: &[u8] = include_bytes!("../../../testdata/keys/tls/ca.pem");
const SERVER: &[u8] = include_bytes!("../../../testdata/keys/tls/server.pem");
const CLIENT: &[u8] = include_bytes!("../../../testdata/keys/tls/client.pem");

async fn open(fixture: &Fixture, source: Source) -> Result<Repository, Error> {
    fixture.open_from(source, &fixture.anchor, today()).await
}

/// A server that reads one request's head on each connection and answers with what `answer` makes of it. It ends with
/// the process.
fn answering(answer: impl Fn(usize, &str) -> Vec<u8> + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for (number, mut stream) in listener.incoming().map_while(Result::ok).enumerate() {
            let head = head_of(&mut stream);
            let _gone = stream.write_all(&answer(number, &head));
        }
    });
    address
}

fn head_of(stream: &mut impl std::io::Read) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        head.push(byte[0]);
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// The file that a request's head asks for below `repo`, as an answer.
fn file_answer(repo: &std::path::Path, head: &str) -> Vec<u8> {
    let path = head.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
    let path =
        path.strip_prefix("http://").and_then(|rest| rest.split_once('/')).map_or(path, |(_, path)| path);
    let (status, body) = match std::fs::read(repo.join(path)) {
        Ok(bytes) => ("200 OK", bytes),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    [head.into_bytes(), body].concat()
}

/// A repository behind TLS, with a certificate of our own authority; `clients` are asked for theirs.
fn behind_tls(fixture: &Fixture, clients: bool) -> Url {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS");
    let builder = if clients {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(CA).expect("a certificate")).expect("an authority");
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
        builder.with_client_cert_verifier(verifier.expect("a verifier"))
    } else {
        builder.with_no_client_auth()
    };
    let certificate = CertificateDer::from_pem_slice(SERVER).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(SERVER).expect("a key");
    let config = Arc::new(builder.with_single_cert(vec![certificate], key).expect("they belong together"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let repo = fixture.repo();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let session = ServerConnection::new(Arc::clone(&config)).expect("a session");
            let mut stream: StreamOwned<ServerConnection, TcpStream> = StreamOwned::new(session, stream);
            let head = head_of(&mut stream);
            if !head.is_empty() {
                let _gone = stream.write_all(&file_answer(&repo, &head));
            }
            stream.conn.send_close_notify();
            let _gone = stream.flush();
        }
    });
    Url::parse(&format!("https://{address}/")).expect("an address")
}

/// What nobody can put to what came before: several parts in one body, an encoded one, one that does not say which it is.
#[tokio::test]
async fn answer_that_is_no_plain_part_is_passed_over_and_the_object_begins_again() {
    for odd in [
        "Content-Type: multipart/byteranges; boundary=X\r\n",
        "Content-Encoding: gzip\r\nContent-Range: bytes RANGE\r\n",
        "Content-Encoding: identity\r\nContent-Encoding: br\r\nContent-Range: bytes RANGE\r\n",
        "Content-Range: bytes 0-18446744073709551615/*\r\n",
        "",
    ] {
        let mut fixture = Fixture::new();
        fixture.target("root.lz4", &noise(1, 300_000));
        fixture.sign();
        let repo = fixture.repo();
        let broke = std::sync::Mutex::new(false);
        let address = answering(move |_, head| {
            let answer = file_answer(&repo, head);
            if !head.contains("root.lz4") {
                return answer;
            }
            let range = head.lines().find_map(|line| line.strip_prefix("range: bytes="));
            if let Some(from) = range.and_then(|range| range.strip_suffix('-')) {
                let said = odd.replace("RANGE", &format!("{from}-299999/300000"));
                let head =
                    format!("HTTP/1.1 206 Part\r\n{said}Content-Length: 4\r\nConnection: close\r\n\r\nnone");
                return head.into_bytes();
            }
            // The first time it breaks off in the middle.
            let first = !std::mem::replace(&mut *broke.lock().expect("no panic"), true);
            if first { answer[..150_000].to_vec() } else { answer }
        });
        let source = fixture.source_at(&Url::parse(&format!("http://{address}/")).expect("an address"));
        let account = source.account.clone();
        let repository = open(&fixture, source).await.expect("opened");
        let before = account.fetched();
        let whole = repository.fetch("root.lz4", 1 << 20).await.expect("begun again");
        assert_eq!(whole.bytes(), noise(1, 300_000), "{odd:?}");
        assert!(account.fetched() > before + 440_000, "{odd:?}: it was resumed");
    }
}

/// A cache that knows objects by their parts only.
#[tokio::test]
async fn object_that_comes_as_the_one_part_of_itself_is_whole_and_a_smaller_part_is_none() {
    let fixture = Fixture::new();
    // A length that no number has is that of nothing.
    let endless = "bytes 0-18446744073709551615/*".to_owned();
    for (short, said) in [(0, None), (1, None), (0, Some(endless))] {
        let (repo, range) = (fixture.repo(), said.clone());
        let address = answering(move |_, head| {
            let answer = file_answer(&repo, head);
            let at = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head") + 4;
            let body = answer[at..].to_vec();
            if !answer.starts_with(b"HTTP/1.1 200") {
                return answer;
            }
            let (len, last) = (body.len() - short, body.len() - short - 1);
            let range = range.clone().unwrap_or_else(|| format!("bytes 0-{last}/{}", body.len()));
            let head = format!(
                "HTTP/1.1 206 Part\r\nContent-Length: {len}\r\nContent-Range: {range}\r\nConnection: close\r\n\r\n"
            );
            [head.into_bytes(), body[..len].to_vec()].concat()
        });
        let source = fixture.source_at(&Url::parse(&format!("http://{address}/")).expect("an address"));
        let opened = open(&fixture, source).await;
        match (short, said) {
            (0, None) => drop(opened.expect("the whole")),
            _ => assert_refused(opened, "unreachable", "answered with status 206"),
        }
    }
}

#[tokio::test]
async fn authority_of_a_bundle_is_trusted_and_an_unknown_one_is_named() {
    let fixture = Fixture::new();
    let base = behind_tls(&fixture, false);
    let source = |ca_bundle: Option<&[u8]>| Source {
        tls: Tls { ca_bundle: ca_bundle.map(<[u8]>::to_vec), ..Tls::default() },
        ..fixture.source_at(&base)
    };
    open(&fixture, source(Some(CA))).await.expect("trusted");
    let unknown = open(&fixture, source(None)).await;
    assert_refused(
        unknown,
        "unreachable",
        "its authority \"O=Loopback Tests, CN=Root of the Loopback\" is not among this host's CA certificates",
    );
    let other = open(&fixture, source(Some(b"no certificate"))).await;
    assert_refused(other, "failed", "the CA bundle cannot be used");
}

#[tokio::test]
async fn server_that_wants_to_know_its_clients_gets_our_certificate() {
    let fixture = Fixture::new();
    let base = behind_tls(&fixture, true);
    let source = |client: Option<&[u8]>| Source {
        tls: Tls { ca_bundle: Some(CA.to_vec()), client_certificate: client.map(<[u8]>::to_vec) },
        ..fixture.source_at(&base)
    };
    open(&fixture, source(Some(CLIENT))).await.expect("known");
    let error = open(&fixture, source(None)).await.expect_err("unknown");
    assert_eq!(host_io::Advise::code(&error), "unreachable");
}

#[tokio::test]
async fn server_that_asks_for_patience_is_left_alone_for_as_long() {
    let fixture = Fixture::new();
    let repo = fixture.repo();
    let busy =
        b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec();
    let address =
        answering(move |number, head| if number == 0 { busy.clone() } else { file_answer(&repo, head) });
    let base = Url::parse(&format!("http://{address}/")).expect("an address");
    let began = tokio::time::Instant::now();
    open(&fixture, fixture.source_at(&base)).await.expect("after the wait");
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn server_that_asks_for_too_much_patience_is_given_up_on_at_once() {
    let fixture = Fixture::new();
    let busy = b"HTTP/1.1 503 Busy\r\nRetry-After: 3600\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let address = answering(|_, _| busy.to_vec());
    let base = Url::parse(&format!("http://{address}/")).expect("an address");
    let opened =
        tokio::time::timeout(Duration::from_secs(60), open(&fixture, fixture.source_at(&base))).await;
    assert_refused(opened.expect("at once"), "unreachable", "answered with status 503");
}

#[tokio::test]
async fn bandwidth_cap_holds_on_average_and_delays_no_request() {
    let mut fixture = Fixture::new();
    fixture.target("root.lz4", &noise(1, 300_000));
    fixture.sign();
    let server = FaultyServer::start(fixture.repo());
    let base = Url::parse(&server.url("")).expect("an address");
    let capped = Source { bandwidth_limit: NonZeroU64::new(200_000), ..fixture.source_at(&base) };
    let repository = open(&fixture, capped).await.expect("opened");
    let began = tokio::time::Instant::now();
    repository.fetch("root.lz4", 1 << 20).await.expect("verified");
    // A quarter of a second's worth is free.
    assert!(began.elapsed() >= Duration::from_millis(1200), "{:?}", began.elapsed());
}

#[tokio::test]
async fn proxy_for_http_is_asked_in_place_of_the_server_and_not_for_exceptions() {
    let fixture = Fixture::new();
    let repo = fixture.repo();
    let proxy = answering(move |_, head| {
        assert!(head.starts_with("GET http://updates.invalid/"), "{head}");
        file_answer(&repo, head)
    });
    let base = Url::parse("http://updates.invalid/").expect("an address");
    let source = |no_proxy: &[&str]| Source {
        proxy: Proxy {
            http_proxy: Some(ProxyAddress::parse(&proxy.to_string()).expect("an address")),
            no_proxy: no_proxy.iter().map(|text| Exception::parse(text).expect("an exception")).collect(),
            ..Proxy::default()
        },
        ..fixture.source_at(&base)
    };
    open(&fixture, source(&[])).await.expect("through the proxy");
    let direct = open(&fixture, source(&["updates.invalid"])).await;
    assert_refused(direct, "unreachable", "the address of updates.invalid");
}

/// A server that answers whatever begins, and never in TLS. It ends with the process.
fn speaking_no_tls() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _gone = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            let _gone = std::io::Read::read(&mut stream, &mut [0; 512]);
        }
    });
    address
}

/// What is said when a repository at `base` is opened through `proxy`.
async fn through(fixture: &Fixture, base: &str, proxy: &str) -> String {
    let base = Url::parse(base).expect("an address");
    let address = Some(ProxyAddress::parse(proxy).expect("a proxy"));
    let proxy = Proxy { https_proxy: address.clone(), http_proxy: address, no_proxy: Vec::new() };
    let error = open(fixture, Source { proxy, ..fixture.source_at(&base) }).await.expect_err("no way");
    assert_eq!(host_io::Advise::code(&error), "unreachable");
    host_io::report::sentence("updog", &error)
}

#[tokio::test]
async fn proxy_that_opens_no_way_is_blamed_with_its_address_and_its_words_and_not_the_server() {
    let fixture = Fixture::new();
    let answer = |status: &'static str| {
        answering(move |_, head| {
            assert!(head.starts_with("CONNECT updates.invalid:443"), "{head}");
            assert!(
                head.contains("roxy-")
                    && head.to_lowercase().contains("proxy-authorization: basic y29ycdpzm2nyzxq"),
                "{head}"
            );
            format!("HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n").into_bytes()
        })
        .to_string()
    };
    let nobody = ClosedPort::new();
    let no_tls = speaking_no_tls();
    let corp = |address: String| format!("http://corp:s3cret@{address}");
    for (proxy, base, reason) in [
        (corp(answer("403 Forbidden")), "https", "it answers with status 403"),
        (corp(answer("407 Who Are You")), "https", "it asks for a login, or for another one: status 407"),
        (corp(answer("502 No Way")), "https", "it answers with status 502"),
        (corp(nobody.address().to_string()), "https", "it refuses the connection"),
        (corp(nobody.address().to_string()), "http", "it refuses the connection"),
        (corp("proxy.invalid:3128".to_owned()), "https", "its address cannot be found"),
        (corp("proxy.invalid:3128".to_owned()), "http", "its address cannot be found"),
        (
            format!("https://corp:s3cret@{no_tls}"),
            "https",
            "no trusted TLS connection to it: what answers there speaks no TLS",
        ),
        (
            format!("https://corp:s3cret@{no_tls}"),
            "http",
            "no trusted TLS connection to it: what answers there speaks no TLS",
        ),
    ] {
        let said = through(&fixture, &format!("{base}://updates.invalid/"), &proxy).await;
        let shown = proxy.replace("corp:s3cret@", "");
        let port = if base == "https" { 443 } else { 80 };
        let begins = format!("the proxy {shown} opens no way to updates.invalid:{port} ({reason}");
        assert!(said.contains(&begins), "{said}");
        assert!(!said.contains("s3cret"), "{said}");
    }
    let login = answering(|_, _| b"HTTP/1.1 407 Who Are You\r\nContent-Length: 0\r\n\r\n".to_vec());
    let said = through(&fixture, "http://updates.invalid/", &login.to_string()).await;
    assert!(said.contains("status 407"), "{said}");
}

#[tokio::test]
async fn status_that_may_be_the_proxys_is_told_with_its_address() {
    let fixture = Fixture::new();
    for (status, words) in
        [("502 No Way", "answered with status 502"), ("403 No", "denies access (status 403)")]
    {
        let proxy = answering(move |_, head| {
            // A root role that is not there is no fault.
            let status = if head.contains("root.json") { "404 None" } else { status };
            format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").into_bytes()
        });
        let said = through(&fixture, "http://updates.invalid/", &format!("http://corp:s3cret@{proxy}")).await;
        let told = format!("updates.invalid:80, or the proxy http://{proxy} before it, {words}");
        assert!(said.contains(&told) && !said.contains("s3cret"), "{said}");
    }
}

#[tokio::test]
async fn slow_trickle_that_stays_above_the_least_speed_ends_at_the_deadline() {
    let mut fixture = Fixture::new();
    fixture.target("root.lz4", &noise(1, 300_000));
    fixture.sign();
    let server = FaultyServer::start(fixture.repo());
    let base = Url::parse(&server.url("")).expect("an address");
    // Six windows of a tenth of a second each are all that 300 kB get at this least speed.
    let pacing = trusted_repo::Pacing {
        slow_window: Duration::from_millis(100),
        slow_floor: 300_000,
        ..crate::fixture::impatient()
    };
    let trust = fixture.trust();
    let opened = trusted_repo::open::open_online_paced(
        crate::fixture::system_fs(),
        fixture.source_at(&base),
        &fixture.anchor,
        &trust,
        today(),
        pacing,
    );
    let repository = opened.await.expect("opened");
    server.fault("root.lz4", Fault::Stall);
    let fetched = repository.fetch("root.lz4", 1 << 20).await;
    assert_refused(fetched, "unreachable", "all the time that this object has");
}

#[tokio::test]
async fn server_of_http_2_gets_all_requests_over_one_connection_and_resumes_are_the_same() {
    let mut fixture = Fixture::new();
    fixture.target("root.lz4", &noise(1, 300_000));
    fixture.sign();
    let server = Http2Server::start(fixture.repo());
    let base = Url::parse(&server.url("")).expect("an address");
    let tls = Tls { ca_bundle: Some(CA.to_vec()), ..Tls::default() };
    let repository = open(&fixture, Source { tls, ..fixture.source_at(&base) }).await.expect("opened");
    server.fault("root.lz4", Fault::Truncate(100_000).once());
    server.fault("root.lz4", Fault::Reset.once());
    let bytes = repository.fetch("root.lz4", 1 << 20).await.expect("resumed");
    assert_eq!(bytes.bytes(), noise(1, 300_000));
    // The next root, three roles, and three attempts at the target.
    assert_eq!(server.requests(), [7]);
}
