//! A web server over a directory that misbehaves on request.
//!
//! It speaks enough HTTP/1.1 for a repository (keep-alive, `GET` and `HEAD`, one range, validators) on a free port of
//! the loopback, writes down every request, and answers with a [`Fault`] where a test asks for one. Dropping it closes
//! every connection and waits for its threads.
//!
//! - [`fault`]: what can go wrong, where and how often
//! - [`habit`]: what a server is like altogether
//! - [`log`]: what was asked for and what was sent
//! - [`http2`]: the same over TLS and HTTP/2
//! - `closed`: no server at all
//! - `http`: a request as bytes and as a value
//! - `answer`: what a request gets, decided before anything is sent
//! - `connection`: one connection, from its first request to its end

mod answer;
mod closed;
mod connection;
pub mod fault;
pub mod habit;
mod http;
pub mod http2;
pub mod log;

use std::collections::HashMap;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

pub use closed::ClosedPort;
use connection::Connection;
use fault::Plans;
pub use fault::{Fault, Plan};
pub use habit::Habit;
use habit::Habits;
pub use http2::Http2Server;
use log::Log;
pub use log::Request;

/// A web server over a directory, on a free port of the loopback, that misbehaves on request.
#[derive(Debug)]
pub struct FaultyServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    plans: Mutex<Plans>,
    habits: Mutex<Habits>,
    errands: Mutex<Errands>,
    log: Log,
    open: Mutex<Open>,
    stopping: Condvar,
}

/// What is to be done once, before a request is answered: by the request's pattern.
#[derive(Default)]
struct Errands(Vec<(String, Box<dyn FnOnce() + Send>)>);

impl std::fmt::Debug for Errands {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(pattern, _)| pattern)).finish()
    }
}

/// The connections that are open, by number, and the threads that may still run.
#[derive(Debug, Default)]
struct Open {
    stopped: bool,
    next: u64,
    streams: HashMap<u64, Arc<TcpStream>>,
    threads: Vec<JoinHandle<()>>,
}

impl FaultyServer {
    /// Serves `dir` from now on until the server is dropped. Files may change at any time; each request opens its own.
    ///
    /// # Panics
    /// When the loopback has no free port.
    #[must_use]
    pub fn start(dir: impl Into<PathBuf>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port of the loopback");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared {
            dir: dir.into(),
            plans: Mutex::default(),
            habits: Mutex::default(),
            errands: Mutex::default(),
            log: Log::default(),
            open: Mutex::default(),
            stopping: Condvar::new(),
        });
        let accepting = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Self { address, shared, accepting: Some(accepting) }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of `path` below the served directory; `""` is the directory itself, with a slash at the end.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{}", self.address, path.trim_start_matches('/'))
    }

    /// From now on answers requests whose path and query contain `pattern` with `plan`: a [`Fault`] for all of them, or
    /// `fault.once()`, `fault.times(3)`. In a pattern `*` stands for anything. Of several plans that fit, the one that
    /// was made first counts, until it is used up.
    pub fn fault(&self, pattern: &str, plan: impl Into<Plan>) {
        lock(&self.shared.plans).add(pattern, plan.into());
    }

    /// From now on the server is like this.
    pub fn habit(&self, habit: Habit) {
        lock(&self.shared.habits).add(habit);
    }

    /// Runs `errand` once: when the next request arrives that `pattern` fits, before it is answered. So a test is
    /// certainly in the middle of what a client does.
    pub fn before(&self, pattern: &str, errand: impl FnOnce() + Send + 'static) {
        lock(&self.shared.errands).0.push((pattern.to_owned(), Box::new(errand)));
    }

    /// Forgets all plans and habits: the server behaves again.
    pub fn heal(&self) {
        lock(&self.shared.plans).clear();
        lock(&self.shared.habits).clear();
    }

    /// Every request so far, in the order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.shared.log.requests()
    }

    /// Forgets the requests so far.
    pub fn clear_log(&self) {
        self.shared.log.clear();
    }

    /// Bytes of bodies sent since the log was last cleared.
    #[must_use]
    pub fn bytes_sent(&self) -> u64 {
        self.requests().iter().map(|request| request.bytes).sum()
    }

    /// Waits until a request whose path and query match `pattern` has arrived, answered or not; `None` when none comes
    /// within `patience`.
    #[must_use]
    pub fn wait_for(&self, pattern: &str, patience: Duration) -> Option<Request> {
        self.shared.log.wait_for(pattern, patience)
    }
}

impl Drop for FaultyServer {
    fn drop(&mut self) {
        lock(&self.shared.open).stopped = true;
        self.shared.stopping.notify_all();
        // Wakes the thread that accepts; it looks at `stopped` before it serves anybody.
        let _woken = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _panicked = accepting.join();
        }
        let threads = {
            let mut open = lock(&self.shared.open);
            for stream in open.streams.values() {
                let _already_closed = stream.shutdown(Shutdown::Both);
            }
            std::mem::take(&mut open.threads)
        };
        for thread in threads {
            let _panicked = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        let mut open = lock(&shared.open);
        if open.stopped {
            return;
        }
        // A client may be gone again before it was accepted.
        let Ok(stream) = stream else { continue };
        let _no_delay = stream.set_nodelay(true);
        let number = open.next;
        open.next += 1;
        let stream = Arc::new(stream);
        open.streams.insert(number, Arc::clone(&stream));
        open.threads.retain(|thread| !thread.is_finished());
        let connection = Connection { number, stream, shared: Arc::clone(shared) };
        open.threads.push(std::thread::spawn(move || connection.serve()));
    }
}

impl Shared {
    /// Waits; `false` when the server stopped meanwhile.
    fn pause(&self, time: Duration) -> bool {
        let open = lock(&self.open);
        let waited = self.stopping.wait_timeout_while(open, time, |open| !open.stopped);
        let (_open, waited) = waited.expect("nobody panics with the list of connections in hand");
        waited.timed_out()
    }

    /// Does what is to be done before the request for `target` is answered.
    fn run_errands(&self, target: &str) {
        let due: Vec<_> = {
            let errands = &mut lock(&self.errands).0;
            errands.extract_if(.., |(pattern, _)| fault::matches(pattern, target)).collect()
        };
        for (_, errand) in due {
            errand();
        }
    }

    /// Forgets a connection, so that the socket closes with the last user's value.
    fn close(&self, number: u64) {
        lock(&self.open).streams.remove(&number);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nobody panics with this lock in hand")
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn server(files: &[(&str, &[u8])]) -> (tempfile::TempDir, FaultyServer) {
        let dir = tempfile::tempdir().expect("temporary directory");
        for (name, bytes) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().expect("below the directory")).expect("made");
            std::fs::write(path, bytes).expect("written");
        }
        let server = FaultyServer::start(dir.path());
        (dir, server)
    }

    fn connect(server: &FaultyServer) -> TcpStream {
        let stream = TcpStream::connect(server.address()).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        stream
    }

    fn ask(stream: &mut TcpStream, head: &str) {
        stream
            .write_all(format!("{}\r\nHost: test\r\n\r\n", head.replace('\n', "\r\n")).as_bytes())
            .expect("sent");
    }

    #[derive(Debug)]
    struct Reply {
        status: u16,
        head: String,
        body: Vec<u8>,
    }

    impl Reply {
        fn header(&self, name: &str) -> &str {
            let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
            lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
        }
    }

    /// Reads one answer, and as much of its body as is announced or comes.
    fn reply(stream: &mut TcpStream, has_body: bool) -> std::io::Result<Reply> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).expect("text");
        let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
        let mut reply = Reply { status, head, body: Vec::new() };
        if has_body {
            let len = reply.header("content-length").parse().expect("a length");
            stream.take(len).read_to_end(&mut reply.body)?;
        }
        Ok(reply)
    }

    fn get(stream: &mut TcpStream, head: &str) -> Reply {
        ask(stream, head);
        reply(stream, true).expect("an answer")
    }

    #[test]
    fn files_are_served_on_one_connection_and_written_down() {
        let (_dir, server) = server(&[("a/root.json", b"{}"), ("targets/x.lz4", b"0123456789")]);
        let mut stream = connect(&server);
        let json = get(&mut stream, "GET /a/root.json?seed=5 HTTP/1.1");
        assert_eq!((json.status, json.header("content-type")), (200, "application/json"));
        assert_eq!(json.body, b"{}");
        let image = get(&mut stream, "GET /targets/x.lz4 HTTP/1.1");
        assert_eq!((image.status, image.header("content-type")), (200, "application/octet-stream"));
        assert_eq!(get(&mut stream, "GET /nothing HTTP/1.1").status, 404);
        assert_eq!(get(&mut stream, "GET /targets HTTP/1.1").status, 404);
        assert_eq!(get(&mut stream, "GET /../x HTTP/1.1").status, 404);
        ask(&mut stream, "HEAD /targets/x.lz4 HTTP/1.1");
        let head = reply(&mut stream, false).expect("an answer");
        assert_eq!((head.status, head.header("content-length")), (200, "10"));
        assert_eq!(get(&mut stream, "PUT /x HTTP/1.1").status, 405);

        let requests = server.requests();
        assert_eq!(requests.len(), 7);
        assert_eq!((requests[0].path_only(), requests[0].query("seed")), ("/a/root.json", Some("5")));
        assert_eq!((requests[0].status, requests[0].bytes), (Some(200), 2));
        assert_eq!((requests[5].method.as_str(), requests[5].bytes), ("HEAD", 0));
        server.clear_log();
        assert_eq!(server.bytes_sent(), 0);
    }

    #[test]
    fn a_range_is_served_and_a_stale_validator_gets_everything() {
        let (dir, server) = server(&[("x", b"0123456789")]);
        let mut stream = connect(&server);
        let part = get(&mut stream, "GET /x HTTP/1.1\nRange: bytes=3-5");
        assert_eq!((part.status, part.header("content-range")), (206, "bytes 3-5/10"));
        assert_eq!(part.body, b"345");
        let etag = part.header("etag").to_owned();
        let resumed = get(&mut stream, &format!("GET /x HTTP/1.1\nRange: bytes=7-\nIf-Range: {etag}"));
        assert_eq!((resumed.status, resumed.body.as_slice()), (206, &b"789"[..]));
        let beyond = get(&mut stream, "GET /x HTTP/1.1\nRange: bytes=10-");
        assert_eq!((beyond.status, beyond.header("content-range")), (416, "bytes */10"));

        ask(&mut stream, &format!("GET /x HTTP/1.1\nIf-None-Match: {etag}"));
        assert_eq!(reply(&mut stream, false).expect("an answer").status, 304);
        // Swapped in as a publisher does it: another file under the same name.
        std::fs::write(dir.path().join("new"), b"abcdefghij").expect("written");
        std::fs::rename(dir.path().join("new"), dir.path().join("x")).expect("renamed");
        let again = get(&mut stream, &format!("GET /x HTTP/1.1\nIf-None-Match: {etag}"));
        assert_eq!((again.status, again.body.as_slice()), (200, &b"abcdefghij"[..]));
        let restarted = get(&mut stream, &format!("GET /x HTTP/1.1\nRange: bytes=7-\nIf-Range: {etag}"));
        assert_eq!((restarted.status, restarted.body.as_slice()), (200, &b"abcdefghij"[..]));
        assert_eq!(server.requests()[0].range.as_deref(), Some("bytes=3-5"));
    }

    #[test]
    fn answers_are_faked_where_a_fault_asks_for_it_and_as_often() {
        let (_dir, server) = server(&[("x", b"0123456789"), ("y", b"y")]);
        let mut stream = connect(&server);
        server.fault("/x", Fault::Status(503).times(2));
        server.fault("/x", Fault::Html.once());
        server.fault("/x", Fault::Swap(b"other".to_vec()).once());
        assert_eq!(get(&mut stream, "GET /x HTTP/1.1").status, 503);
        assert_eq!(get(&mut stream, "GET /y HTTP/1.1").status, 200);
        assert_eq!(get(&mut stream, "GET /x HTTP/1.1").status, 503);
        assert_eq!(get(&mut stream, "GET /x HTTP/1.1").header("content-type"), "text/html; charset=utf-8");
        assert_eq!(get(&mut stream, "GET /x HTTP/1.1").body, b"other");
        assert_eq!(get(&mut stream, "GET /x HTTP/1.1").body, b"0123456789");
        server.fault("y", Fault::NotFound);
        assert_eq!(get(&mut stream, "GET /y HTTP/1.1").status, 404);
        assert_eq!(get(&mut stream, "GET /y HTTP/1.1").status, 404);
        server.heal();
        assert_eq!(get(&mut stream, "GET /y HTTP/1.1").status, 200);
    }

    #[test]
    fn a_wrong_range_says_what_it_is() {
        let (_dir, server) = server(&[("x", b"0123456789")]);
        server.fault("", Fault::WrongRange);
        let mut stream = connect(&server);
        assert_eq!(get(&mut stream, "GET /x HTTP/1.1").status, 200);
        let wrong = get(&mut stream, "GET /x HTTP/1.1\nRange: bytes=5-6");
        assert_eq!((wrong.header("content-range"), wrong.body.as_slice()), ("bytes 0-1/10", &b"01"[..]));
        let wrong = get(&mut stream, "GET /x HTTP/1.1\nRange: bytes=0-");
        assert_eq!((wrong.header("content-range"), wrong.body.len()), ("bytes 1-9/10", 9));
    }

    #[test]
    fn a_cut_answer_announces_more_than_it_brings() {
        let (_dir, server) = server(&[("x", b"0123456789")]);
        server.fault("x", Fault::Truncate(4));
        let mut stream = connect(&server);
        let cut = get(&mut stream, "GET /x HTTP/1.1");
        assert_eq!((cut.header("content-length"), cut.body.as_slice()), ("10", &b"0123"[..]));
        assert_eq!(stream.read(&mut [0]).expect("an orderly end"), 0);
        assert_eq!(server.bytes_sent(), 4);
    }

    #[test]
    fn a_reset_is_one() {
        let (_dir, server) = server(&[("x", b"0123456789")]);
        for fault in [Fault::Reset, Fault::ResetAfter(4)] {
            server.fault("x", fault.once());
            let mut stream = connect(&server);
            ask(&mut stream, "GET /x HTTP/1.1");
            let error = stream.read_to_end(&mut Vec::new()).expect_err("no orderly end");
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        }
        assert_eq!(server.requests()[0].status, None);
        assert_eq!(server.requests()[1].status, Some(200));
    }

    #[test]
    fn a_link_that_breaks_again_and_again_brings_the_rest_at_last() {
        let (_dir, server) = server(&[("x", b"0123456789")]);
        server.fault("x", Fault::SlowReset { bytes_per_second: 1000, after: 4 });
        let mut stream = connect(&server);
        ask(&mut stream, "GET /x HTTP/1.1");
        let error = stream.read_to_end(&mut Vec::new()).expect_err("no orderly end");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        let mut stream = connect(&server);
        let rest = get(&mut stream, "GET /x HTTP/1.1\nRange: bytes=6-");
        assert_eq!((rest.status, rest.body.as_slice()), (206, &b"6789"[..]));
        assert_eq!(get(&mut stream, "GET /x HTTP/1.1\nRange: bytes=8-").body, b"89");

        let requests = server.requests();
        assert_eq!(requests.iter().map(|request| request.bytes).collect::<Vec<_>>(), [4, 4, 2]);
        let asked = "GET /x HTTP/1.1\r\nRange: bytes=6-\r\nHost: test\r\n\r\n".len();
        assert_eq!(requests[1].request_bytes, asked as u64);
        assert_eq!(requests[1].wire_bytes(), (asked + rest.head.len() + rest.body.len()) as u64);
    }

    #[test]
    fn a_stalled_client_hears_nothing_until_the_server_goes_away() {
        let (_dir, server) = server(&[("x", b"0123456789")]);
        server.fault("x", Fault::Stall);
        let mut stream = connect(&server);
        ask(&mut stream, "GET /x HTTP/1.1");
        let arrived = server.wait_for("/x", PATIENCE).expect("it arrives");
        assert_eq!(arrived.status, None);
        stream.set_read_timeout(Some(Duration::from_millis(50))).expect("a time limit");
        let silence = stream.read(&mut [0]).expect_err("nothing comes");
        assert!(matches!(silence.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut));
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        drop(server);
        assert_eq!(stream.read(&mut [0]).expect("the end"), 0);
    }

    #[test]
    fn a_slow_answer_comes_in_small_pieces_and_does_not_hold_up_the_end() {
        let body = vec![7; 1 << 20];
        let (_dir, server) = server(&[("x", &body)]);
        server.fault("x", Fault::Slow { bytes_per_second: 20_000 });
        let mut stream = connect(&server);
        ask(&mut stream, "GET /x HTTP/1.1");
        let mut some = [0; 2048];
        stream.read_exact(&mut some).expect("the head and a little more");
        let sent = server.bytes_sent();
        assert!(sent < 1 << 19, "{sent} bytes at once");
        drop(server);
        let rest = stream.read_to_end(&mut Vec::new());
        assert!(rest.is_err() || rest.is_ok_and(|rest| rest < 1 << 19));
    }

    #[test]
    fn dropping_the_server_ends_idle_and_blocked_connections() {
        let body = vec![7; 32 << 20];
        let (_dir, server) = server(&[("x", &body)]);
        let idle = connect(&server);
        let mut blocked = connect(&server);
        ask(&mut blocked, "GET /x HTTP/1.1");
        let _arrived = server.wait_for("/x", PATIENCE).expect("it arrives");
        let address = server.address();
        drop(server);
        assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
        drop((idle, blocked));
    }

    #[test]
    fn a_server_has_its_habits_until_it_is_healed() {
        let (_dir, server) = server(&[("x", b"0123456789")]);
        let mut stream = connect(&server);
        server.habit(Habit::NoValidators);
        let part = get(&mut stream, "GET /x HTTP/1.1\nRange: bytes=3-5");
        assert_eq!((part.status, part.header("etag"), part.body.as_slice()), (206, "", &b"345"[..]));
        server.heal();
        server.habit(Habit::NewValidators);
        let first = get(&mut stream, "GET /x HTTP/1.1").header("etag").to_owned();
        let second = get(&mut stream, &format!("GET /x HTTP/1.1\nRange: bytes=3-5\nIf-Range: {first}"));
        assert_eq!((second.status, second.body.as_slice()), (200, &b"0123456789"[..]));
        assert_ne!(second.header("etag"), first);
        server.heal();
        server.habit(Habit::NoRanges);
        let whole = get(&mut stream, "GET /x HTTP/1.1\nRange: bytes=3-5");
        assert_eq!((whole.status, whole.body.as_slice()), (200, &b"0123456789"[..]));
        server.heal();
        assert_eq!(get(&mut stream, "GET /x HTTP/1.1\nRange: bytes=3-5").status, 206);
        assert!(
            server.requests().iter().all(|request| request.connection == server.requests()[0].connection)
        );
    }

    #[test]
    fn an_errand_is_run_once_before_the_request_is_answered() {
        let (dir, server) = server(&[("x", b"old"), ("y", b"y")]);
        let path = dir.path().join("x");
        server.before("/x", move || std::fs::write(path, b"new").expect("written"));
        let mut stream = connect(&server);
        assert_eq!(get(&mut stream, "GET /y HTTP/1.1").body, b"y");
        assert_eq!(get(&mut stream, "GET /x HTTP/1.1").body, b"new");
        std::fs::write(dir.path().join("x"), b"newer").expect("written");
        assert_eq!(get(&mut stream, "GET /x HTTP/1.1").body, b"newer");
    }
}
