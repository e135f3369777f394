//! Commands in host containers, over real WebSockets and an engine that is a script of ours.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use api_model::exec::{
    CLOSE_ERROR, CLOSE_INVALID, CLOSE_NORMAL, CLOSE_POLICY, CLOSE_SIZE, ClientMessage, Initialize,
    MAX_MESSAGE, Size, TtyInit,
};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::{Message, WebSocket};
use tokio_tungstenite::tungstenite::{Bytes, client::client};

use crate::host::{Host, Server, until};

/// An engine that runs the command here and says nothing of itself.
const PODMAN: &str = "[ \"$1 $2\" = \"exec --interactive\" ] || exit 125\nshift 2\n\
    [ \"$1\" != --tty ] || shift\n[ \"$1\" = admin ] || exit 125\nshift\nexec \"$@\"\n";

/// A host with an admin container, and its server.
fn admin() -> (Host, Server) {
    let host = Host::new();
    host.install_program("podman", PODMAN);
    let server = host.serve();
    server.patch("/settings", r#"{"host-containers":{"admin":{"source":"example/admin:1"}}}"#).done();
    server.post("/tx/commit").ok();
    (host, server)
}

/// A client in the middle of a conversation.
struct Client(WebSocket<UnixStream>);

impl Client {
    fn new(server: &Server) -> Self {
        let (mut socket, _) = client("ws://localhost/exec", server.connect()).unwrap();
        let first = socket.read().unwrap();
        let first: Value = serde_json::from_str(first.to_text().unwrap()).unwrap();
        assert_eq!(first, json!({"Capacity": {"max_messages_outstanding": 1024, "messages_written": 0}}));
        Self(socket)
    }

    /// One that has asked for `script` in the admin container.
    fn asks(server: &Server, script: &str, tty: Option<TtyInit>) -> Self {
        let mut client = Self::new(server);
        client.begin("admin", &["sh", "-c", script], tty);
        client
    }

    fn begin(&mut self, target: &str, command: &[&str], tty: Option<TtyInit>) {
        let command = command.iter().map(Into::into).collect();
        self.say(&ClientMessage::Initialize(Initialize { command, target: target.to_owned(), tty }));
    }

    fn say(&mut self, message: &ClientMessage) {
        self.0.send(Message::text(serde_json::to_string(message).unwrap())).unwrap();
    }

    fn input(&mut self, bytes: &[u8]) {
        self.0.send(Message::binary(Bytes::copy_from_slice(bytes))).unwrap();
    }

    /// What it said so far and then, up to this text.
    fn output_until(&mut self, text: &str) -> String {
        let mut output = String::new();
        while !output.contains(text) {
            match self.0.read().unwrap() {
                Message::Binary(bytes) => output += std::str::from_utf8(&bytes).unwrap(),
                Message::Close(frame) => panic!("{frame:?} after {output:?}"),
                _ => {}
            }
        }
        output
    }

    /// Everything up to the close: output, capacities, and the close's code and reason.
    fn end(mut self) -> (String, Vec<u64>, u16, String) {
        let (mut output, mut written) = (Vec::new(), Vec::new());
        loop {
            match self.0.read().unwrap() {
                Message::Binary(bytes) => output.extend_from_slice(&bytes),
                Message::Text(text) => {
                    let message: Value = serde_json::from_str(text.as_str()).unwrap();
                    written.push(message["Capacity"]["messages_written"].as_u64().unwrap());
                }
                Message::Close(frame) => {
                    let frame = frame.unwrap();
                    let output = String::from_utf8(output).unwrap();
                    return (output, written, frame.code.into(), frame.reason.to_string());
                }
                _ => {}
            }
        }
    }
}

const TERMINAL: Option<TtyInit> = Some(TtyInit { size: Some(Size { rows: 24, cols: 80 }) });

#[test]
fn a_command_gives_both_its_outputs_and_its_exit_code() {
    let (_host, server) = admin();
    let end = Client::asks(&server, "echo out; echo err >&2; exit 3", None).end();
    assert_eq!(end, ("out\nerr\n".to_owned(), vec![], CLOSE_NORMAL, "3".to_owned()));
    let killed = Client::asks(&server, "kill -9 $$", None).end();
    assert_eq!((killed.2, killed.3.as_str()), (CLOSE_NORMAL, "137"));
}

#[test]
fn input_goes_to_the_command_and_its_capacity_is_told() {
    let (_host, server) = admin();
    let mut client = Client::asks(&server, "wc -c", None);
    for _ in 0..300 {
        client.input(&[b'x'; 1000]);
    }
    client.say(&ClientMessage::ContentComplete);
    let (output, written, code, reason) = client.end();
    assert_eq!(output.trim(), "300000");
    assert_eq!(written, [128, 256]);
    assert_eq!((code, reason.as_str()), (CLOSE_NORMAL, "0"));
}

#[test]
fn a_terminal_has_a_size_that_changes_and_an_end_key() {
    let (_host, server) = admin();
    let script = "test -t 0 && test -t 1 && echo terminal $TERM; stty size; read word; stty size; cat > /dev/null; echo end";
    let mut client = Client::asks(&server, script, TERMINAL);
    let before = client.output_until("80");
    assert!(before.contains("terminal screen\r\n24 80"), "{before:?}");
    client.say(&ClientMessage::Winch(Size { rows: 50, cols: 132 }));
    client.input(b"go\n");
    client.output_until("50 132");
    client.say(&ClientMessage::ContentComplete);
    let (output, _, code, reason) = client.end();
    assert!(output.contains("end"), "{output:?}");
    assert_eq!((code, reason.as_str()), (CLOSE_NORMAL, "0"));
}

#[test]
fn only_a_container_of_this_host_is_reached() {
    let (_host, server) = admin();
    let mut client = Client::new(&server);
    client.begin("--privileged", &["sh"], None);
    let (_, _, code, reason) = client.end();
    assert_eq!(code, CLOSE_ERROR);
    assert_eq!(reason, "there is no host container \"--privileged\"; there are admin");
}

#[test]
fn an_engine_that_is_not_there_is_named() {
    let (host, server) = admin();
    std::fs::remove_file(host.root().join("usr/bin/podman")).unwrap();
    let end = Client::asks(&server, "true", None).end();
    assert_eq!((end.2, end.3.as_str()), (CLOSE_ERROR, "there is no podman on this host"));
}

#[test]
fn messages_that_are_wrong_or_out_of_turn_end_the_conversation() {
    let (_host, server) = admin();
    let talk = |say: &dyn Fn(&mut Client)| {
        let mut client = Client::new(&server);
        say(&mut client);
        client.end().2
    };
    assert_eq!(talk(&|client| client.input(b"early")), CLOSE_POLICY);
    assert_eq!(talk(&|client| client.say(&ClientMessage::ContentComplete)), CLOSE_POLICY);
    assert_eq!(talk(&|client| client.0.send(Message::text("{}")).unwrap()), CLOSE_INVALID);
    let twice = |client: &mut Client| {
        client.begin("admin", &["cat"], None);
        client.begin("admin", &["cat"], None);
    };
    assert_eq!(talk(&twice), CLOSE_POLICY);
    assert_eq!(talk(&|client| client.begin("admin", &[], None)), CLOSE_ERROR);
    server.get("/settings").ok();
}

#[test]
fn a_client_that_does_not_heed_the_capacity_is_sent_away() {
    let (_host, server) = admin();
    let mut client = Client::asks(&server, "exec tail -f /dev/null", None);
    // The pipe takes some of it; the rest is more than may be outstanding.
    for _ in 0..1200 {
        if client.0.send(Message::binary(Bytes::from_static(&[0; 1024]))).is_err() {
            break;
        }
    }
    assert_eq!(client.end().2, CLOSE_SIZE);
}

#[test]
fn a_message_over_the_limit_is_refused() {
    let (_host, server) = admin();
    let mut client = Client::asks(&server, "cat > /dev/null", None);
    // The server may go away before it has read all of it.
    let _ = client.0.send(Message::binary(vec![0; MAX_MESSAGE + 1]));
    let refused = loop {
        match client.0.read() {
            Ok(Message::Close(Some(frame))) => break u16::from(frame.code) == CLOSE_SIZE,
            Ok(_) => {}
            Err(_) => break true,
        }
    };
    assert!(refused);
    server.get("/settings").ok();
}

/// The process id that the command has left in this file.
fn pid(file: &Path) -> PathBuf {
    until("the command runs", || {
        let pid = std::fs::read_to_string(file).ok()?;
        pid.ends_with('\n').then(|| Path::new("/proc").join(pid.trim()))
    })
}

#[test]
fn a_command_does_not_outlive_its_client() {
    let (host, server) = admin();
    let script = "echo $$ > pid; exec tail -f /dev/null";
    let client = Client::asks(&server, script, None);
    let process = pid(&host.root().join("pid"));
    drop(client);
    until("the command is gone", || (!process.exists()).then_some(()));
    std::fs::remove_file(host.root().join("pid")).unwrap();
    let client = Client::asks(&server, script, TERMINAL);
    let process = pid(&host.root().join("pid"));
    drop(client);
    until("the command with a terminal is gone", || (!process.exists()).then_some(()));
}

#[test]
fn a_server_that_stops_ends_its_commands_and_says_so() {
    let (host, server) = admin();
    let client = Client::asks(&server, "echo $$ > pid; exec tail -f /dev/null", None);
    let process = pid(&host.root().join("pid"));
    let stopping = std::thread::spawn(move || server.stop());
    let end = client.end();
    assert_eq!((end.2, end.3.as_str()), (CLOSE_ERROR, "the server is stopping"));
    assert_eq!(stopping.join().unwrap(), Some(0));
    until("the command is gone", || (!process.exists()).then_some(()));
}

#[test]
fn a_plain_request_is_told_that_this_is_a_websocket() {
    let (_host, server) = admin();
    assert!(server.get("/exec").refused(400).starts_with("failed to open a WebSocket: "));
}

#[test]
fn an_image_without_an_engine_has_no_exec() {
    let host = Host::new();
    std::fs::remove_file(host.image_model().with_file_name("engine.toml")).unwrap();
    let server = host.serve();
    let handshake = b"GET /exec HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let mut stream = server.connect();
    std::io::Write::write_all(&mut stream, handshake).unwrap();
    let mut start = [0; 12];
    std::io::Read::read_exact(&mut stream, &mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 404");
}
