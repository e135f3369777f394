//! What a repository costs that has not changed.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use testdata::{Fault, FaultyServer};
use trusted_repo::{Error, Repository};
use url::Url;

use crate::fixture::{Fixture, assert_refused, days, today};

/// Hands connections on, and counts what passes either way.
pub(crate) struct Wire {
    address: SocketAddr,
    passed: Arc<AtomicU64>,
}

impl Wire {
    fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let passed = Arc::new(AtomicU64::default());
        let counter = Arc::clone(&passed);
        // Ends with the process: nothing is left when a test ends but a thread that waits.
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(upstream) = TcpStream::connect(server) else { return };
                let streams = client.try_clone().and_then(|client| Ok((client, upstream.try_clone()?)));
                let (client_too, upstream_too) = streams.expect("clones");
                let (up, down) = (Arc::clone(&counter), Arc::clone(&counter));
                std::thread::spawn(move || pump(&client, &upstream, &up));
                std::thread::spawn(move || pump(&upstream_too, &client_too, &down));
            }
        });
        Self { address, passed }
    }

    fn passed(&self) -> u64 {
        self.passed.load(Ordering::SeqCst)
    }
}

fn pump(mut from: &TcpStream, mut to: &TcpStream, passed: &AtomicU64) {
    let mut block = [0; 16384];
    while let Ok(count @ 1..) = from.read(&mut block) {
        passed.fetch_add(count as u64, Ordering::SeqCst);
        if to.write_all(&block[..count]).is_err() {
            break;
        }
    }
    let _gone: io::Result<()> = to.shutdown(Shutdown::Both);
}

/// A repository whose manifest has so many updates, and its server.
pub(crate) fn offering(updates: usize) -> (Fixture, FaultyServer, Wire) {
    let updates: Vec<String> = (0..updates)
        .map(|number| {
            format!(
                r#"{{"variant":"metal-dev","arch":"x86_64","version":"1.{number}.0","max_version":"1.{number}.0",
                "waves":{{"512":"2026-06-01T12:00:00Z","1024":"2026-06-02T12:00:00Z"}},
                "images":{{"boot":"boot-{number}.lz4","root":"root-{number}.lz4","hash":"hash-{number}.lz4"}}}}"#
            )
        })
        .collect();
    let mut fixture = Fixture::new();
    let manifest = format!(r#"{{"updates":[{}],"migrations":{{}}}}"#, updates.join(","));
    fixture.target("manifest.json", manifest.as_bytes());
    fixture.sign();
    let server = FaultyServer::start(fixture.repo());
    let wire = Wire::to(server.address());
    (fixture, server, wire)
}

/// One check, as a program makes it: open, and read the manifest.
pub(crate) async fn check(fixture: &Fixture, at: SocketAddr) -> Result<(Repository, usize), Error> {
    let base = Url::parse(&format!("http://{at}/")).expect("an address");
    let mut source = fixture.source_at(&base);
    source.query = vec![("version".to_owned(), "1.0.0".to_owned()), ("seed".to_owned(), "1042".to_owned())];
    let repository = fixture.open_from(source, &fixture.anchor, today()).await?;
    let manifest = repository.manifest().await?;
    Ok((repository, manifest.updates.len()))
}

#[tokio::test]
async fn unchanged_repository_costs_two_requests_and_three_kilobytes_whatever_it_offers() {
    for updates in [5, 50, 500] {
        let (fixture, server, wire) = offering(updates);
        check(&fixture, wire.address).await.expect("first contact");
        let first = wire.passed();
        assert_eq!(server.requests().len(), 5, "two roots asked for, three roles and the manifest in all");
        server.clear_log();
        let (repository, offered) = check(&fixture, wire.address).await.expect("unchanged");
        assert_eq!(offered, updates);
        let requests = server.requests();
        let asked: Vec<_> = requests.iter().map(|request| (request.path_only(), request.status)).collect();
        assert_eq!(
            asked,
            [("/metadata/2.root.json", Some(404)), ("/metadata/timestamp.json", Some(304))],
            "{updates} updates"
        );
        assert_eq!(repository.bytes_fetched(), server.bytes_sent(), "the page that says 404");
        let again = wire.passed() - first;
        println!("{updates} updates: {first} bytes at first, {again} bytes unchanged");
        assert!(again <= 3000, "{again} bytes passed over the wire for {updates} updates");
    }
}

#[tokio::test]
async fn changed_repository_is_seen_although_it_was_asked_for_changes_only() {
    let (mut fixture, server, _wire) = offering(1);
    check(&fixture, server.address()).await.expect("first contact");
    fixture.target("manifest.json", crate::fixture::MANIFEST);
    fixture.sign();
    let (_, offered) = check(&fixture, server.address()).await.expect("changed");
    assert_eq!(offered, 0);
    server.clear_log();
    check(&fixture, server.address()).await.expect("unchanged since");
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn freeze_by_an_answer_that_nothing_has_changed_ends_with_the_kept_timestamp() {
    let (fixture, server, _wire) = offering(1);
    check(&fixture, server.address()).await.expect("first contact");
    server.clear_log();
    let base = Url::parse(&server.url("")).expect("an address");
    let later = fixture.open_from(fixture.source_at(&base), &fixture.anchor, today() + days(8)).await;
    assert_refused(later, "expired", "its timestamp metadata expired on 2026-06-08T12:00:00Z, 24 hours ago");
    assert_eq!(server.requests()[1].status, Some(304));
}

#[tokio::test]
async fn kept_manifest_that_was_altered_is_fetched_again_and_mended() {
    let (fixture, server, _wire) = offering(3);
    check(&fixture, server.address()).await.expect("first contact");
    let kept =
        std::fs::read_dir(fixture.trust()).expect("there").map(|entry| entry.expect("readable").path());
    let kept =
        kept.into_iter().find(|path| path.to_string_lossy().ends_with(".manifest.json")).expect("kept");
    let good = std::fs::read(&kept).expect("readable");
    for bad in [&b""[..], crate::fixture::MANIFEST, &vec![b' '; good.len() + 1]] {
        std::fs::write(&kept, bad).expect("written");
        server.clear_log();
        assert_eq!(check(&fixture, server.address()).await.expect("fetched again").1, 3);
        assert_eq!(server.requests().len(), 3);
        assert_eq!(std::fs::read(&kept).expect("readable"), good, "mended");
    }
}

#[tokio::test]
async fn answer_that_nothing_has_changed_is_no_answer_to_whoever_has_nothing() {
    let (fixture, server, _wire) = offering(1);
    server.fault("timestamp.json", Fault::Status(304));
    assert_refused(check(&fixture, server.address()).await, "unreachable", "answered with status 304");
}
