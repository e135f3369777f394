//! The configurations of docs/serving.md, run by a real nginx.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use host_io::SystemFs;
use trusted_repo::{Address, Repository, Source, open_online};

use crate::fixture::{ARCH, Fixture, VARIANT, today};
use crate::prometheus::has;

/// An nginx of the test's own, ended with it.
struct Nginx {
    child: Child,
    port: u16,
    log: PathBuf,
}

/// A block of the page, by what stands in it alone.
fn block(with: &str) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/serving.md");
    let page = std::fs::read_to_string(page).expect("there");
    let blocks: Vec<&str> =
        page.split("```nginx\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let found: Vec<&&str> = blocks.iter().filter(|block| block.contains(with)).collect();
    assert_eq!(found.len(), 1, "one block of docs/serving.md has {with:?}");
    (*found[0]).to_owned()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("bound").port()
}

/// A block as it stands in the page, with other words in the place of each of these.
fn with(mut block: String, changes: &[(&str, &str)]) -> String {
    for (from, to) in changes {
        assert!(block.contains(from), "{from:?} stands in {block}");
        block = block.replace(from, to);
    }
    block
}

impl Nginx {
    /// Runs a block that listens on `port`. Its own files lie in `work`.
    fn run(block: &str, port: u16, work: &Path) -> Self {
        std::fs::create_dir_all(work).expect("made");
        let (log, file) = (work.join("access.log"), work.join("nginx.conf"));
        let work_shown = work.display();
        // A process that is not root's own keeps the user that it has.
        let user = if is_root() { "user root;" } else { "" };
        let configuration = format!(
            "daemon off;\nworker_processes 1;\npid {work_shown}/nginx.pid;\nerror_log stderr warn;\n{user}\n\
             events {{ worker_connections 512; }}\n\
             http {{\n  log_format bytes '$bytes_sent $request_uri';\n  access_log {work_shown}/access.log bytes;\n  \
             client_body_temp_path {work_shown}/body;\n  proxy_temp_path {work_shown}/proxy;\n  \
             fastcgi_temp_path {work_shown}/fastcgi;\n  uwsgi_temp_path {work_shown}/uwsgi;\n  \
             scgi_temp_path {work_shown}/scgi;\n{block}\n}}\n"
        );
        std::fs::write(&file, configuration).expect("written");
        let errors = std::fs::File::create(work.join("nginx.err")).expect("made");
        let mut child = Command::new("nginx")
            .args(["-e", "stderr", "-p"])
            .arg(work)
            .arg("-c")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .expect("it runs");
        for _ in 0..400 {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Self { child, port, log };
            }
            if child.try_wait().expect("asked").is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("nginx: {}", std::fs::read_to_string(work.join("nginx.err")).unwrap_or_default());
    }

    /// The head and the body of an answer.
    fn ask(&self, path: &str, more: &str) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).expect("it listens");
        write!(stream, "GET {path} HTTP/1.1\r\nhost: updates.example.com\r\nconnection: close\r\n{more}\r\n")
            .expect("sent");
        let mut all = Vec::new();
        stream.read_to_end(&mut all).expect("answered");
        let end = all.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
        (String::from_utf8_lossy(&all[..end]).to_lowercase(), all[end..].to_vec())
    }

    fn base(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// What it has sent so far, heads and all, and for what. Its only worker does one thing after another, so what went
    /// before this question is written down when it has been answered.
    fn sent(&self) -> Vec<(u64, String)> {
        let (head, _) = self.ask("/settled", "");
        assert!(head.starts_with("http/1.1 404"), "{head}");
        let log = std::fs::read_to_string(&self.log).expect("kept");
        let line = |line: &str| {
            let (bytes, path) = line.split_once(' ')?;
            Some((bytes.parse().ok()?, path.to_owned()))
        };
        log.lines().filter_map(line).filter(|(_, path)| path != "/settled").collect()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its worker goes with it only if it is asked.
        let _ = Command::new("kill").arg("-QUIT").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|found| found.uid() == 0)
}

/// The origin's own block over the fixture's repository.
fn origin(fixture: &Fixture) -> Nginx {
    let port = free_port();
    let (listen, root) = (format!("listen 127.0.0.1:{port};"), fixture.path("repo").display().to_string());
    let block = with(block("listen 80;"), &[("listen 80;", &listen), ("/srv/updates", &root)]);
    Nginx::run(&block, port, &fixture.path("origin"))
}

async fn published() -> Fixture {
    let fixture = Fixture::new().await;
    fixture.add(&fixture.release("1.0.0", 1)).await.expect("published");
    fixture
}

/// The repository over the web, as the host with this seed asks for it.
async fn open(fixture: &Fixture, base: &str, seed: u32) -> Repository {
    let address = |below: &str| Address::parse(&format!("{base}{below}")).expect("an address");
    let source = Source {
        query: vec![("seed".to_owned(), seed.to_string()), ("version".to_owned(), format!("0.{seed}.0"))],
        ..Source::new(address(&format!("{VARIANT}/{ARCH}/")), address("targets/"))
    };
    let root = std::fs::read(fixture.path("keys/root.json")).expect("made by init");
    let memory = fixture.path(&format!("trust-{seed}"));
    let opened = open_online(Arc::new(SystemFs), source, &root, &memory, today()).await;
    opened.unwrap_or_else(|error| panic!("failed to {}", host_io::report::chain(&error)))
}

#[tokio::test]
async fn the_origin_says_of_each_file_how_long_it_may_be_kept() {
    if !has("nginx") {
        return;
    }
    let fixture = published().await;
    let web = origin(&fixture);
    let (mut immutable, mut short) = (0, 0);
    for (path, bytes) in fixture.published() {
        let below = path.strip_prefix(fixture.path("repo")).expect("below").display().to_string();
        let (head, body) = web.ask(&format!("/{below}"), "accept-encoding: gzip\r\n");
        if head.starts_with("http/1.1 404") {
            assert!(!below.ends_with(".json") && !below.starts_with("targets/"), "{below} is for hosts");
            continue;
        }
        assert!(head.starts_with("http/1.1 200") && body == bytes, "{below}: {head}");
        assert!(!head.contains("content-encoding"), "{head}");
        if below.ends_with("/timestamp.json") || below.ends_with("/root.json") {
            assert!(head.contains("cache-control: public, max-age=60\r\n"), "{head}");
            short += 1;
        } else {
            assert!(
                head.contains("cache-control: public, max-age=31536000, immutable\r\n"),
                "{below}: {head}"
            );
            immutable += 1;
        }
    }
    assert!(immutable > 8 && short == 2, "{immutable} {short}");
    let (head, _) = web.ask(&format!("/{VARIANT}/{ARCH}/2.root.json"), "");
    assert!(
        head.starts_with("http/1.1 404") && head.contains("cache-control: public, max-age=60\r\n"),
        "{head}"
    );
    for hidden in ["/", "/targets/", "/.lock", &format!("/{VARIANT}/{ARCH}/")] {
        assert!(web.ask(hidden, "").0.starts_with("http/1.1 404"), "{hidden}");
    }
    let target = format!("/targets/{}", first_target(&fixture));
    let (head, body) = web.ask(&target, "range: bytes=10-19\r\n");
    assert!(head.starts_with("http/1.1 206") && body.len() == 10, "{head}");
    open(&fixture, &web.base(), 1).await.manifest().await.expect("a host can use it");
}

/// The largest target, which hosts fetch in ranges.
fn first_target(fixture: &Fixture) -> String {
    let targets =
        std::fs::read_dir(fixture.path("repo/targets")).expect("there").map(|entry| entry.expect("read"));
    let largest = targets.max_by_key(|entry| entry.metadata().expect("read").len()).expect("one");
    largest.file_name().to_string_lossy().into_owned()
}

#[tokio::test]
async fn fifty_hosts_behind_a_cache_cost_the_origin_as_much_as_one() {
    if !has("nginx") {
        return;
    }
    let fixture = published().await;
    let origin = origin(&fixture);
    let name = first_target(&fixture)[65..].to_owned();
    let fetch = async |base: &str, seed: u32| {
        let repository = open(&fixture, base, seed).await;
        repository.manifest().await.expect("a manifest");
        repository.fetch(&name, 1 << 30).await.expect("the signed bytes");
    };
    fetch(&origin.base(), 1000).await;
    let alone: u64 = origin.sent().iter().map(|(bytes, _)| bytes).sum();

    let port = free_port();
    let (listen, cache) = (format!("listen 127.0.0.1:{port};"), fixture.path("cached").display().to_string());
    let place = origin.base();
    let block = with(
        block("proxy_cache_path"),
        &[
            ("listen 8080;", &listen),
            ("/var/cache/nginx/updates", &cache),
            ("http://updates.example.com", place.trim_end_matches('/')),
        ],
    );
    let site = Nginx::run(&block, port, &fixture.path("site"));
    for seed in 1..=50 {
        fetch(&site.base(), seed).await;
    }
    let sent = origin.sent();
    let behind: u64 = sent.iter().map(|(bytes, _)| bytes).sum::<u64>() - alone;
    let handed_out: u64 = site.sent().iter().map(|(bytes, _)| bytes).sum();
    println!(
        "one host alone: {alone} bytes; 50 behind a cache: {behind} at the origin, {handed_out} at the cache"
    );
    assert!(handed_out > 49 * (alone - alone / 10), "each host got all of it: {handed_out}");
    assert!(behind < alone + alone / 5, "{behind} instead of about {alone}: {sent:?}");
    let after: BTreeSet<_> = sent.iter().filter(|(_, path)| path.contains("seed=")).collect();
    assert!(after.iter().all(|(_, path)| path.contains("seed=1000")), "the cache passes no parameters on");
    // And a range of it is what it should be.
    let bytes = std::fs::read(fixture.path("repo/targets").join(first_target(&fixture))).expect("there");
    let path = format!("/targets/{}?seed=77", first_target(&fixture));
    let (head, body) = site.ask(&path, "range: bytes=1000-300000\r\n");
    assert!(head.starts_with("http/1.1 206") && body == bytes[1000..=300_000], "{head}");
    let (head, _) = site.ask(&format!("/{VARIANT}/{ARCH}/2.root.json"), "");
    assert!(head.starts_with("http/1.1 404"), "{head}");
}

#[tokio::test]
async fn over_tls_hosts_speak_http_2() {
    if !has("nginx") || !has("curl") || Command::new("openssl").arg("version").output().is_err() {
        println!("SKIPPED: it takes nginx, curl and openssl");
        return;
    }
    let fixture = published().await;
    let (certificate, key) = (fixture.path("cert.pem"), fixture.path("key.pem"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .expect("it runs");
    assert!(made.status.success(), "{made:?}");
    let port = free_port();
    let block = with(
        block("listen 443 ssl http2;"),
        &[
            ("listen 443 ssl http2;", &format!("listen 127.0.0.1:{port} ssl http2;")),
            ("/etc/ssl/updates.pem", &certificate.display().to_string()),
            ("/etc/ssl/private/updates.key", &key.display().to_string()),
            ("/srv/updates", &fixture.path("repo").display().to_string()),
        ],
    );
    let _web = Nginx::run(&block, port, &fixture.path("tls"));
    let asked = Command::new("curl")
        .args(["--silent", "--http2", "--output", "/dev/null", "--write-out", "%{http_version} %{http_code}"])
        .arg("--cacert")
        .arg(&certificate)
        .arg(format!("https://127.0.0.1:{port}/{VARIANT}/{ARCH}/timestamp.json"))
        .output()
        .expect("it runs");
    assert_eq!(String::from_utf8_lossy(&asked.stdout), "2 200", "{asked:?}");
}
