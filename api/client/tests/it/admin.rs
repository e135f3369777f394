//! The admin container's commands, by the names that people know.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Message, accept};

use crate::host::client;
use crate::scripted::{Request, Scripted};

/// A server that keeps the one setting, and says what became of it.
fn server(enabled: bool) -> Scripted {
    let setting = Mutex::new(enabled);
    Scripted::new(move |request, _| {
        let mut setting = setting.lock().unwrap();
        match request.line.split(' ').next() {
            Some("GET") => {
                let settings = json!({"host-containers": {"admin": {"enabled": *setting}}});
                (200, settings.to_string().into_bytes())
            }
            Some("PATCH") => {
                *setting = request.body.contains("enabled=true");
                (204, Vec::new())
            }
            _ => (200, b"[]".to_vec()),
        }
    })
}

fn changes(server: &Scripted) -> Vec<String> {
    server
        .seen()
        .into_iter()
        .filter(|Request { line, .. }| line.starts_with("PATCH"))
        .map(|r| r.body)
        .collect()
}

#[test]
fn it_is_enabled_and_disabled_once() {
    let off = server(false);
    let ran = off.run(&["enable-admin-container"]);
    assert!(ran.code == 0 && ran.stdout.contains("is enabled and starts now"), "{ran:?}");
    assert_eq!(changes(&off), [r#"{"request_payload":["host-containers.admin.enabled=true"]}"#]);
    let ran = off.run(&["enable-admin-container"]);
    assert!(ran.code == 0 && ran.stdout.contains("was enabled already"), "{ran:?}");
    let ran = off.run(&["disable-admin-container"]);
    assert!(ran.code == 0 && ran.stdout.contains("is disabled and stops now"), "{ran:?}");
    let ran = off.run(&["disable-admin-container"]);
    assert!(ran.code == 0 && ran.stdout.contains("was disabled already"), "{ran:?}");
    assert_eq!(changes(&off).len(), 2);
}

#[test]
fn a_word_in_another_place_is_not_the_setting() {
    let server = Scripted::new(|request, _| match request.line.split(' ').next() {
        // An image whose name has the word in it, and nothing about being enabled.
        Some("GET") => (200, br#"{"host-containers": {"admin": {"source": "registry/true:1"}}}"#.to_vec()),
        _ => (204, Vec::new()),
    });
    let ran = server.run(&["enable-admin-container"]);
    assert!(ran.stdout.contains("is enabled and starts now"), "{ran:?}");
}

#[test]
fn a_refusal_exits_with_1_under_each_name() {
    for name in ["enable-admin-container", "disable-admin-container", "enter-admin-container"] {
        let stderr = client(&["-s", "/nowhere/api.sock", name]).failed(1);
        assert!(stderr.contains("Status 503"), "{stderr}");
    }
}

/// A server whose container comes up after a number of looks at it, and what was run in it.
struct Starting {
    dir: tempfile::TempDir,
    ran: Arc<Mutex<Vec<String>>>,
}

impl Starting {
    fn after(looks: usize, enabled: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("api.sock")).unwrap();
        let ran = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&ran);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                if peeked(&stream).starts_with("GET /exec ") {
                    play(stream, &all, looks);
                } else {
                    let all = all.lock().unwrap().len();
                    setting(stream, enabled || all == 0);
                }
            }
        });
        Self { dir, ran }
    }

    fn enter(&self, args: &[&str]) -> Output {
        let link = self.dir.path().join("enter-admin-container");
        if !link.exists() {
            symlink(env!("CARGO_BIN_EXE_apiclient"), &link).unwrap();
        }
        Command::new(&link).arg("-s").arg(self.socket()).args(args).output().unwrap()
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("api.sock")
    }
}

/// The beginning of what the client says, which stays to be read.
fn peeked(stream: &std::os::unix::net::UnixStream) -> String {
    let mut head = [0; 10];
    let mut count = 0;
    while count < head.len() {
        let flags = rustix::net::RecvFlags::PEEK;
        count = rustix::net::recv(stream, &mut head, flags).unwrap().0;
        if count == 0 {
            break;
        }
    }
    String::from_utf8_lossy(&head[..count]).into_owned()
}

fn setting(mut stream: std::os::unix::net::UnixStream, enabled: bool) {
    use std::io::{Read as _, Write as _};

    let mut request = Vec::new();
    let mut part = [0; 1024];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let count = stream.read(&mut part).unwrap();
        request.extend_from_slice(&part[..count]);
    }
    let body = json!({"host-containers": {"admin": {"enabled": enabled}}}).to_string();
    let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    let _ = stream.write_all((head + &body).as_bytes());
}

fn play(stream: std::os::unix::net::UnixStream, ran: &Mutex<Vec<String>>, looks: usize) {
    let mut talk = accept(stream).unwrap();
    let Ok(Message::Text(words)) = talk.read() else { return };
    let words: serde_json::Value = serde_json::from_str(&words).unwrap();
    let bytes: Vec<u8> = serde_json::from_value(words["Initialize"]["command"][0]["Unix"].clone()).unwrap();
    let command = String::from_utf8(bytes).unwrap();
    let before = ran.lock().unwrap().len();
    let code = match command.as_str() {
        "true" if before < looks => "1",
        "true" => "0",
        _ => "42",
    };
    talk.send(Message::binary(format!("said by {command}\n").into_bytes())).unwrap();
    ran.lock().unwrap().push(command);
    talk.close(Some(CloseFrame { code: 1000.into(), reason: code.into() })).unwrap();
    while talk.read().is_ok() {}
}

#[test]
fn a_shell_starts_as_soon_as_the_container_does() {
    let starting = Starting::after(2, true);
    let entered = starting.enter(&[]);
    assert_eq!(entered.status.code(), Some(42), "{entered:?}");
    assert_eq!(entered.stdout, b"said by bash\n", "what was tried before is not shown");
    assert_eq!(*starting.ran.lock().unwrap(), ["true", "true", "true", "bash"]);
}

#[test]
fn a_container_that_does_not_come_up_or_is_disabled_meanwhile_is_not_waited_for() {
    let late = Starting::after(usize::MAX, true).enter(&["--wait", "0"]);
    let stderr = String::from_utf8(late.stderr).unwrap();
    assert_eq!(late.status.code(), Some(1));
    assert!(stderr.contains("failed to enter the admin container: it does not run after 0 s"), "{stderr}");
    assert!(stderr.contains("help: see why on the host: systemctl status host-containers@admin"), "{stderr}");
    let off = Starting::after(usize::MAX, false).enter(&[]);
    let stderr = String::from_utf8(off.stderr).unwrap();
    assert_eq!(off.status.code(), Some(1));
    assert!(stderr.contains("it was disabled meanwhile"), "{stderr}");
}
