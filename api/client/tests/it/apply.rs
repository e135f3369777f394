//! `apply`: settings from files, from the network or from stdin.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use serde_json::json;

use crate::host::{Host, client_with_input};
use crate::scripted::Scripted;

/// A web server that gives every caller `answer`, and its address.
fn web(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut part = [0; 1024];
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                let count = stream.read(&mut part).unwrap();
                request.extend_from_slice(&part[..count]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    format!("http://{address}/site.toml")
}

const GOOD: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n[settings.updates]\nseed = 9\n";
const GONE: &str = "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

#[test]
fn all_sources_are_one_change_and_later_ones_win() {
    let host = Host::new();
    let file = host.paths().root().join("site.json");
    std::fs::write(&file, r#"{"settings": {"motd": "from a file", "updates": {"seed": 1}}}"#).unwrap();
    host.run(&["apply", &format!("file://{}", file.display()), &web(GOOD)]).silent();
    let settings = host.run(&["-u", "/settings"]).json();
    assert_eq!((&settings["motd"], &settings["updates"]["seed"]), (&json!("from a file"), &json!(9)));
}

#[test]
fn stdin_is_read_when_nothing_or_a_dash_is_named() {
    let host = Host::new();
    for (args, motd) in [(&["apply"][..], "once"), (&["apply", "-"], "twice")] {
        host.run_with_input(args, &format!("[settings]\nmotd = '{motd}'\n")).silent();
        assert_eq!(host.run(&["-u", "/settings"]).json()["motd"], motd);
    }
}

#[test]
fn one_bad_source_changes_nothing_and_is_named() {
    let host = Host::new();
    let good = host.paths().root().join("good.toml");
    std::fs::write(&good, "[settings]\nmotd = 'x'\n").unwrap();
    let good = format!("file://{}", good.display());
    let gone = web(GONE);
    let cases = [
        (gone.clone(), format!("failed to read settings from {gone}: the web server answered 404 Not Found")),
        ("file:///nowhere".to_owned(), "failed to read settings from /nowhere: No such file".to_owned()),
        ("http://127.0.0.1:1/x".to_owned(), "Connection refused".to_owned()),
    ];
    for (bad, reason) in cases {
        let stderr = host.run(&["apply", &good, &bad]).failed(1);
        assert!(stderr.contains(&reason), "{stderr}");
    }
    let ran = host.run_with_input(&["apply", &good, "-"], "motd = 'y'\n").failed(1);
    assert!(ran.contains("failed to read settings from stdin: it has no \"settings\""), "{ran}");
    let ran = host.run_with_input(&["apply", &good, "-"], "[settings]\nmood = 'y'\n").failed(1);
    assert!(ran.contains("Status 400 when PATCHing /settings?tx=apiclient-apply-"), "{ran}");
    assert_eq!(host.run(&["-u", "/settings"]).json()["motd"], "Welcome");
    assert_eq!(host.run(&["-u", "/tx/list"]).json(), json!([]));
}

#[test]
fn a_path_is_no_address_and_nothing_is_asked_of_the_server() {
    let server = Scripted::new(|_, _| (204, Vec::new()));
    let stderr = server.run(&["apply", "/etc/site.toml"]).failed(2);
    assert!(stderr.contains("named file:///etc/site.toml"), "{stderr}");
    let stderr = server.run(&["apply", "site.toml"]).failed(2);
    assert!(stderr.contains("a file is named file:///PATH"), "{stderr}");
    let socket = server.socket();
    let ran = client_with_input(&["-s", socket.to_str().unwrap(), "apply"], "no settings");
    assert!(ran.failed(1).contains("it is no TOML"));
    assert_eq!(server.seen(), []);
}
