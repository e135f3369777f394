//! A server that misbehaves.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use testdata::{ClosedPort, Fault, FaultyServer, Habit, noise};
use trusted_repo::{Address, Error, Pacing};
use url::Url;

use crate::fixture::{Fixture, assert_refused, days, impatient, today};
use crate::served::Served;

#[tokio::test]
async fn nothing_listens_there() {
    let fixture = Fixture::new();
    let closed = ClosedPort::new();
    let base = Url::parse(&format!("http://{}/", closed.address())).expect("an address");
    let opened = fixture.open_from(fixture.source_at(&base), &fixture.anchor, today()).await;
    assert_refused(opened, "unreachable", &format!("{} refuses the connection", closed.address()));
    assert!(fixture.remembered().is_empty());
}

#[tokio::test]
async fn host_name_that_does_not_exist() {
    let fixture = Fixture::new();
    let base = Url::parse("http://updates.invalid/").expect("an address");
    let opened = fixture.open_from(fixture.source_at(&base), &fixture.anchor, today()).await;
    assert_refused(opened, "unreachable", "the address of updates.invalid:80 cannot be found");
}

#[test]
fn scheme_that_nobody_speaks() {
    let refused = "ftp://updates/".parse::<Address>().expect_err("not spoken");
    assert_eq!(refused.to_string(), "\"ftp\" is none of https, http and file");
}

#[tokio::test]
async fn server_without_a_repository() {
    let served = Served::new();
    let base = Url::parse(&served.server.url("nowhere/")).expect("an address");
    let source = served.fixture.source_at(&base);
    let opened = served.fixture.open_from(source, &served.fixture.anchor, today()).await;
    assert_refused(opened, "not_a_repository", "fetch timestamp.json");
}

#[tokio::test]
async fn who_lacks_what_its_metadata_names_is_a_repository_that_is_not_complete() {
    for (missing, code, help) in [
        ("timestamp.json", "not_a_repository", "check the address: there is no TUF repository"),
        ("2.snapshot.json", "missing_target", "tell the repository's owner: it is not complete"),
        ("2.targets.json", "missing_target", "tell the repository's owner: it is not complete"),
    ] {
        let served = Served::new();
        served.server.fault(missing, Fault::Status(404));
        assert_refused(served.open().await, code, help);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn download_whose_reader_is_gone_ends_at_once_and_what_it_took_is_known() {
    let served = Served::new();
    let source = served.fixture.source_at(&Url::parse(&served.server.url("")).expect("an address"));
    let account = source.account.clone();
    let repository = served.fixture.open_from(source, &served.fixture.anchor, today()).await.expect("opened");
    let listed = repository.target("root.lz4").await.expect("listed");
    assert!(account.is_settled(), "what is read at once is over");
    served.server.fault("root.lz4", Fault::Stall);
    let reader = repository.open_target(&listed).expect("there");
    let server = &served.server;
    tokio::task::block_in_place(|| server.wait_for("root.lz4", Duration::from_secs(60)).expect("asked"));
    assert!(!account.is_settled(), "it waits for the network");
    drop(reader);
    // Each waits for two seconds at most, which a busy machine may need more often than once.
    let ended = |_| {
        tokio::task::block_in_place(|| account.settled());
        account.is_settled()
    };
    assert!((0..30).any(ended), "nobody waits for what nobody reads");
    assert_eq!(account.settled(), account.fetched());
}

#[tokio::test]
async fn captive_portal_answers_html() {
    let served = Served::new();
    served.server.fault("", Fault::Html);
    assert_refused(
        served.open().await,
        "not_a_repository",
        "expected TUF metadata, got text/html from http://127.0.0.1",
    );
    served.server.heal();
    served.server.fault("timestamp.json", Fault::Html);
    assert_refused(
        served.open().await,
        "not_a_repository",
        "expected TUF metadata, got text/html from http://127.0.0.1",
    );
    served.server.heal();
    served.server.fault("root.lz4", Fault::Html);
    assert_refused(served.stream().await, "not_a_repository", "expected the target root.lz4, got text/html");
}

#[tokio::test]
async fn garbage_instead_of_metadata() {
    let served = Served::new();
    served.server.fault("timestamp.json", Fault::Swap(b"not json".to_vec()));
    assert_refused(served.open().await, "not_a_repository", "its timestamp metadata is malformed");
}

#[tokio::test]
async fn server_errors_pass_and_are_tried_again() {
    let served = Served::new();
    served.server.fault("timestamp.json", Fault::Status(503).times(2));
    served.server.fault("root.lz4", Fault::Status(500).once());
    assert_eq!(served.stream().await.expect("in the end"), noise(1, 300_000));
    assert_eq!(served.requests_for("timestamp.json").len(), 3);
}

#[tokio::test]
async fn server_errors_that_do_not_pass_are_told() {
    let served = Served::new();
    served.server.fault("timestamp.json", Fault::Status(503));
    assert_refused(served.open().await, "unreachable", "answered with status 503");
    assert_eq!(served.requests_for("timestamp.json").len(), 5);
}

#[tokio::test]
async fn outage_while_asking_for_the_next_root_is_no_proof_that_there_is_none() {
    let served = Served::new();
    served.server.fault("2.root.json", Fault::Status(503));
    assert_refused(served.open().await, "unreachable", "fetch 2.root.json");
}

#[tokio::test]
async fn swapped_target_is_refused_over_http() {
    let served = Served::new();
    served.server.fault("root.lz4", Fault::Swap(noise(2, 300_000)));
    assert_refused(served.stream().await, "tampered", "its SHA-256 is");
    served.server.heal();
    served.server.fault("root.lz4", Fault::Swap(noise(2, 200_000)));
    assert_refused(served.stream().await, "tampered", "200000 bytes long, and 300000 are signed");
}

#[tokio::test]
async fn truncated_target_that_never_gets_whole_is_told() {
    let served = Served::new();
    served.server.fault("root.lz4", Fault::Truncate(0));
    assert_refused(served.stream().await, "unreachable", "broke off after 0 bytes");
}

#[tokio::test]
async fn stalled_server_is_given_up_on() {
    let served = Served::new();
    served.server.fault("timestamp.json", Fault::Stall);
    let opened = served.open_paced(Pacing { idle: Duration::from_millis(300), ..impatient() }).await;
    assert_refused(opened, "unreachable", "sent nothing for 300ms");
}

#[tokio::test]
async fn slow_trickle_is_told_from_a_slow_link() {
    let served = Served::new();
    let window = Pacing { slow_window: Duration::from_secs(1), ..impatient() };
    let trickle = served.open_paced(Pacing { slow_floor: 100_000, ..window }).await.expect("opened");
    let link = served.open_paced(Pacing { slow_floor: 1_000, ..window }).await.expect("opened");
    served.server.fault("root.lz4", Fault::Slow { bytes_per_second: 40_000 }.once());
    served.server.fault("root.lz4", Fault::Slow { bytes_per_second: 200_000 });
    let fetched = trickle.fetch("root.lz4", 1 << 20).await;
    assert_refused(fetched, "unreachable", "sends less than 100000 bytes in 1s");
    link.fetch("root.lz4", 1 << 20).await.expect("slow, but it comes to an end");
}

#[tokio::test]
async fn server_that_speaks_no_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").expect("answered");
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let fixture = Fixture::new();
    let base = Url::parse(&format!("https://{address}/")).expect("an address");
    let opened = fixture.open_from(fixture.source_at(&base), &fixture.anchor, today()).await;
    assert_refused(opened, "unreachable", &format!("no trusted TLS connection to {address}"));
    server.join().expect("no panic");
}

#[tokio::test]
async fn endless_metadata_is_cut_off() {
    let served = Served::new();
    served.server.fault("timestamp.json", Fault::Swap(vec![b' '; 2 << 20]));
    assert_refused(served.open().await, "not_a_repository", "longer than 1048576 bytes");
}

#[tokio::test]
async fn unchanged_repository_costs_two_requests() {
    let served = Served::new();
    served.open().await.expect("first");
    served.server.clear_log();
    let repository = served.open().await.expect("unchanged");
    let asked: Vec<_> = served.server.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(asked, ["/metadata/2.root.json", "/metadata/timestamp.json"]);
    assert_eq!(repository.bytes_fetched(), served.server.bytes_sent(), "the page that says 404 as well");
}

#[tokio::test]
async fn query_goes_along_sorted_and_grows() {
    let served = Served::new();
    let base = Url::parse(&served.server.url("")).expect("an address");
    let mut source = served.fixture.source_at(&base);
    source.query = vec![("version".to_owned(), "1.0.0".to_owned()), ("seed".to_owned(), "5".to_owned())];
    let repository = served.fixture.open_from(source, &served.fixture.anchor, today()).await.expect("opened");
    repository.set_query("target", "1.1.0");
    repository.manifest().await.expect("a manifest");
    repository.set_query("migrations", "a.lz4,manifest.json");
    repository.fetch("root.lz4", 1 << 20).await.expect("verified");
    assert_eq!(served.requests_for("timestamp")[0].path, "/metadata/timestamp.json?seed=5&version=1.0.0");
    assert!(served.requests_for("manifest.json?")[0].path.ends_with("?seed=5&target=1.1.0&version=1.0.0"));
    assert!(
        served.requests_for("root.lz4")[0]
            .path
            .ends_with("?migrations=a.lz4%2Cmanifest.json&seed=5&target=1.1.0&version=1.0.0")
    );
    assert_eq!(repository.bytes_fetched(), served.server.bytes_sent());
}

#[tokio::test]
async fn secrets_of_an_address_go_to_it_alone_and_not_where_it_redirects_or_to_a_mirror() {
    let mut served = Served::new();
    served.fixture.target("v1.0+b.lz4", b"a version with a plus");
    served.fixture.sign();
    let store = FaultyServer::start(served.fixture.repo());
    let mirror = FaultyServer::start(served.fixture.repo());
    let with = |server: &FaultyServer, login: &str, path: &str| {
        server.url(path).replace("://", &format!("://{login}")).parse::<Address>().expect("an address")
    };
    let source = trusted_repo::Source {
        mirrors: vec![trusted_repo::Mirror {
            metadata_base_url: with(&mirror, "", "metadata/"),
            targets_base_url: with(&mirror, "", "targets/"),
        }],
        query: vec![("seed".to_owned(), "5".to_owned())],
        ..trusted_repo::Source::new(
            with(&served.server, "me:s3cret@", "metadata/?tok=m%2F1"),
            with(&served.server, "me:s3cret@", "targets/?tok=t"),
        )
    };
    let opened = served.fixture.open_from(source, &served.fixture.anchor, today()).await;
    let repository = opened.expect("opened");
    repository.fetch("v1.0+b.lz4", 100).await.expect("escaped");
    // It redirects, without handing on what it was asked with; then it fails, and the mirror helps.
    served.server.fault("root.lz4", Fault::Redirect(format!("{}?was=", store.url(""))).once());
    served.server.fault("root.lz4", Fault::Status(500));
    store.fault("", Fault::Status(500).once());
    repository.fetch("root.lz4", 1 << 20).await.expect("from the mirror");
    let basic = Some("Basic bWU6czNjcmV0");
    let requests = served.server.requests();
    assert!(requests.iter().all(|request| request.authorization.as_deref() == basic), "{requests:?}");
    assert!(requests[0].path.ends_with("?tok=m%2F1&seed=5"), "{}", requests[0].path);
    let target = served.requests_for("v1.0%2Bb.lz4?tok=t&seed=5");
    assert_eq!(target.len(), 1, "{requests:?}");
    for other in [&store, &mirror] {
        let requests = other.requests();
        assert!(!requests.is_empty());
        assert!(requests.iter().all(|request| request.authorization.is_none()), "{requests:?}");
    }
    assert!(mirror.requests().iter().all(|request| !request.path.contains("tok")));
}

#[tokio::test]
async fn publish_in_the_middle_of_a_fetch_changes_nothing_for_an_open_repository() {
    let mut served = Served::new();
    let repository = served.open().await.expect("opened");
    let manifest = served.fixture.editor.target("manifest.json").expect("listed").clone();
    served.fixture.target("manifest.json", br#"{"updates":[],"migrations":{},"new":1}"#);
    served.fixture.expiries.timestamp = today() + days(30);
    served.fixture.sign();
    assert_eq!(repository.target("manifest.json").await.expect("listed"), manifest);
    repository.manifest().await.expect("the old one is still there");
}

#[tokio::test]
async fn no_more_comes_than_the_budget_allows_whatever_the_server_does() {
    for habit in [Habit::NoRanges, Habit::Chunked, Habit::NewValidators] {
        let served = Served::new();
        let base = Url::parse(&served.server.url("")).expect("an address");
        let source = served.fixture.source_at(&base);
        let account = source.account.clone();
        let opened = served.fixture.open_from(source, &served.fixture.anchor, today());
        let repository = opened.await.expect("opened");
        served.server.habit(habit);
        served.server.habit(Habit::NoRanges);
        for further in 1..20 {
            served.server.fault("root.lz4", Fault::Truncate(further * 30_000).once());
        }
        let before = account.fetched();
        account.limit(Some(before + 310_000));
        let fetched = repository.fetch("root.lz4", 1 << 20).await;
        assert_refused(fetched, "over_budget", "does not suffice");
        assert!(account.fetched() <= before + 310_000 + 64 * 1024, "{habit:?}: {}", account.fetched());
    }
}

#[tokio::test]
async fn encoding_that_nobody_asked_for_is_named() {
    let served = Served::new();
    served.server.habit(Habit::Encoded("gzip"));
    assert_refused(served.open().await, "unreachable", "content encoding \"gzip\"");
    served.server.heal();
    let repository = served.open().await.expect("opened");
    served.server.habit(Habit::Encoded("br"));
    assert_refused(repository.fetch("root.lz4", 1 << 20).await, "unreachable", "content encoding \"br\"");
    served.server.heal();
    for none in ["identity", "Identity"] {
        served.server.heal();
        served.server.habit(Habit::Encoded(none));
        repository.fetch("root.lz4", 1 << 20).await.expect("that is none");
    }
}

#[tokio::test]
async fn denied_is_not_missing() {
    let served = Served::new();
    for status in [401, 403] {
        served.server.fault("timestamp.json", Fault::Status(status).once());
        assert_refused(served.open().await, "unreachable", &format!("denies access (status {status})"));
        served.server.fault("root.lz4", Fault::Status(status).once());
        assert_refused(served.stream().await, "unreachable", &format!("denies access (status {status})"));
    }
    // A store whose contents may not be listed denies what is not there.
    served.server.fault("2.root.json", Fault::Status(403));
    served.open().await.expect("there is no next root");
}

#[tokio::test]
async fn whoever_fails_behind_a_redirect_is_named_without_the_address_that_led_there() {
    let served = Served::new();
    let store = FaultyServer::start(served.fixture.repo());
    let front = &served.server;
    store.fault("", Fault::Status(503));
    let refused = |error: Error, says: String| {
        let said = host_io::report::sentence("updog", &error);
        assert!(said.contains(&says) && !said.contains("s3cret"), "{said}");
    };
    let address = store.address();
    let to = |base: String| {
        front.heal();
        front.fault("root.lz4", Fault::Redirect(base));
    };
    to(format!("http://{address}/?sig=s3cret&was="));
    refused(served.stream().await.expect_err("503"), format!("{address} answered with status 503"));
    let nobody = ClosedPort::new();
    let closed = nobody.address();
    to(format!("http://{closed}/?sig=s3cret&was="));
    refused(
        served.stream().await.expect_err("closed"),
        format!("sends on to {closed}: {closed} refuses the connection"),
    );
    store.heal();
    for (status, says) in [
        (
            404,
            format!(
                "it is listed, but {address}, which {} sends on to, does not have its file",
                front.address()
            ),
        ),
        (
            410,
            format!(
                "it is listed, but {address}, which {} sends on to, does not have its file",
                front.address()
            ),
        ),
        (401, format!("{address} denies access (status 401)")),
        (407, format!("{address} answered with status 407")),
        (429, format!("{address} answered with status 429")),
    ] {
        store.fault("", Fault::Status(status));
        to(format!("http://{address}/?sig=s3cret&was="));
        refused(served.stream().await.expect_err("refused"), says);
        store.heal();
    }
    store.fault("", Fault::Status(404));
    front.heal();
    front.fault("timestamp.json", Fault::Redirect(format!("http://{address}/?sig=s3cret&was=")));
    refused(
        served.open().await.expect_err("no timestamp"),
        format!(
            "{} sends on to {address}: it is not there\nhelp: look whether {address} has",
            front.address()
        ),
    );
    // Where there is no next root, a redirect to where it is not is no failure.
    front.heal();
    front.fault("root.json", Fault::Redirect(format!("http://{address}/?sig=s3cret&was=")));
    served.open().await.expect("there is no next root");
    to("ftp://elsewhere/?sig=s3cret&was=".to_owned());
    refused(served.stream().await.expect_err("ftp"), "redirects to an address of ftp".to_owned());
    to(front.url(""));
    refused(served.stream().await.expect_err("round and round"), "redirects more than 5 times".to_owned());
    store.heal();
    to(store.url(""));
    assert_eq!(served.stream().await.expect("from the store"), noise(1, 300_000));
}
