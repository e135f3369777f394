//! The server as its clients see it.

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
fn a_hole_ends_what_has_it_and_nothing_else() {
    let (_dir, server) = server(&[("x", b"0123456789")]);
    server.fault("x", Fault::Hole(6));
    let got = |head: &str| get(&mut connect(&server), head).body;
    assert_eq!(got("GET /x HTTP/1.1"), b"012345");
    assert_eq!(got("GET /x HTTP/1.1\nRange: bytes=4-8"), b"45");
    assert_eq!(got("GET /x HTTP/1.1\nRange: bytes=6-6"), b"");
    assert_eq!(got("GET /x HTTP/1.1\nRange: bytes=2-5"), b"2345");
    assert_eq!(got("GET /x HTTP/1.1\nRange: bytes=7-"), b"789");
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
    assert!(server.requests().iter().all(|request| request.connection == server.requests()[0].connection));
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
