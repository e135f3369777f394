//! Callers that are slow, many, or started by a service manager.

use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::{Command, Stdio};

use crate::host::Host;

#[test]
fn whoever_changes_something_is_named_in_the_log() {
    let host = Host::new();
    let server = host.serve();
    server.patch("/settings", r#"{"motd":"hello"}"#).done();
    let named = format!("PATCH /settings from process {} of user ", std::process::id());
    crate::host::until("the log names us", || server.log().contains(&named).then_some(()));
}

#[test]
fn more_callers_than_places_wait_for_theirs_and_all_are_answered() {
    let host = Host::new();
    let server = host.serve();
    // They ask for nothing yet, and keep every place.
    let mut idle: Vec<_> = (0..apiserver::connections::CONNECTIONS).map(|_| server.connect()).collect();
    let mut late = server.connect();
    late.write_all(b"GET /os HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    for caller in &mut idle {
        caller.write_all(b"GET /os HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    }
    for caller in idle.iter_mut().chain([&mut late]) {
        let mut answer = String::new();
        caller.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

#[test]
fn a_head_or_a_body_that_never_ends_is_given_up_and_keeps_nobody_else_out() {
    let host = Host::new();
    let server = host.serve();
    let mut half_a_head = server.connect();
    half_a_head.write_all(b"GET /os HTTP/1.1\r\nHost: local").unwrap();
    let mut half_a_body = server.connect();
    half_a_body
        .write_all(b"PATCH /settings HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{\"motd\":")
        .unwrap();
    server.get("/os").ok();
    let mut answer = String::new();
    half_a_body.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("did not arrive within"), "{answer}");
    let mut answer = Vec::new();
    let _closed_or_reset = half_a_head.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{answer:?}");
    let long = format!("GET /os?prefix={} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(1 << 20));
    server.raw(long.as_bytes()).refused(431);
    server.get("/os").ok();
}

#[test]
fn a_socket_that_was_handed_over_is_served_and_left_behind_and_readiness_is_told() {
    let host = Host::new();
    let path = host.root().join("handed.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let manager = UnixDatagram::bind(host.root().join("notify")).unwrap();
    let inner = host.command();
    let words: Vec<_> = std::iter::once(inner.get_program()).chain(inner.get_args()).collect();
    let mut command = Command::new("sh");
    command
        .args(["-c", "exec 3<&0 0</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$@\"", "sh"])
        .args(words)
        .env("NOTIFY_SOCKET", host.root().join("notify"))
        .stdin(OwnedFd::from(listener))
        .stdout(Stdio::null());
    let server = host.serve_by(command).at(path.clone());
    server.get("/os").ok();
    assert!(!host.paths().api_socket().exists(), "it made none of its own");
    let mut told = [0; 64];
    let len = manager.recv(&mut told).unwrap();
    assert_eq!(&told[..len], b"READY=1\n");
    assert_eq!(server.stop(), Some(0));
    let len = manager.recv(&mut told).unwrap();
    assert_eq!(&told[..len], b"STOPPING=1\n");
    assert!(path.exists(), "it is the manager's");
}
