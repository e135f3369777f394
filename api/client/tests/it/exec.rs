//! `exec`: commands in host containers, with a server that plays the container.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Termios, Winsize, tcgetattr, tcsetwinsize};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Message, WebSocket, accept};

use crate::host::client_with_input;
use crate::scripted::Scripted;

/// A server that talks to one client as a test wants it to.
struct Container {
    _dir: tempfile::TempDir,
    socket: PathBuf,
}

type Talk = WebSocket<UnixStream>;

impl Container {
    fn new(play: impl FnOnce(&mut Talk) + Send + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("api.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        std::thread::spawn(move || play(&mut accept(listener.accept().unwrap().0).unwrap()));
        Self { _dir: dir, socket }
    }

    fn args<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        [&["-s", self.socket.to_str().unwrap(), "exec"], args].concat()
    }
}

/// The next control message; input on the way is dropped.
fn control(talk: &mut Talk) -> Value {
    loop {
        match talk.read().unwrap() {
            Message::Text(words) => return serde_json::from_str(&words).unwrap(),
            Message::Close(frame) => panic!("the client left: {frame:?}"),
            _ => {}
        }
    }
}

fn capacity(talk: &mut Talk, most: u64, written: u64) {
    let words = json!({"Capacity": {"max_messages_outstanding": most, "messages_written": written}});
    talk.send(Message::text(words.to_string())).unwrap();
}

/// Says the last word and waits until the client has heard it.
fn close(talk: &mut Talk, code: u16, reason: &str) {
    talk.close(Some(CloseFrame { code: code.into(), reason: reason.to_owned().into() })).unwrap();
    while talk.read().is_ok() {}
}

#[test]
fn a_command_gets_its_input_and_gives_its_output_and_exit_code() {
    let (said, heard) = channel();
    let container = Container::new(move |talk| {
        capacity(talk, 1024, 0);
        said.send(control(talk)).unwrap();
        loop {
            match talk.read().unwrap() {
                Message::Binary(bytes) => talk.send(Message::Binary(bytes)).unwrap(),
                Message::Text(words) if words == "\"ContentComplete\"" => break,
                _ => {}
            }
        }
        talk.send(Message::binary(b"\xff bye\n".to_vec())).unwrap();
        close(talk, 1000, "7");
    });
    let mut child = start(&container.args(&["admin", "cat", "-v", "--help"]), Stdio::piped());
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"hello\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stdout, b"hello\n\xff bye\n");
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(7), &b""[..]));
    let word = |text: &str| json!({"Unix": text.as_bytes()});
    let command = [word("cat"), word("-v"), word("--help")];
    assert_eq!(
        heard.recv().unwrap(),
        json!({"Initialize": {"command": command, "target": "admin", "tty": null}})
    );
}

#[test]
fn input_waits_until_the_server_has_room_for_it() {
    let (said, heard) = channel();
    let container = Container::new(move |talk| {
        control(talk);
        let mut input = Vec::new();
        let mut written = 0;
        capacity(talk, 1, written);
        loop {
            match talk.read().unwrap() {
                Message::Binary(bytes) => {
                    input.extend_from_slice(&bytes);
                    // What is sent before there is room for it would be here already.
                    talk.get_mut().set_nonblocking(true).unwrap();
                    assert!(!matches!(talk.read(), Ok(Message::Binary(_))), "it did not wait");
                    talk.get_mut().set_nonblocking(false).unwrap();
                    written += 1;
                    capacity(talk, 1, written);
                }
                Message::Text(words) if words == "\"ContentComplete\"" => break,
                _ => {}
            }
        }
        said.send(input).unwrap();
        close(talk, 1000, "0");
    });
    let input = "0123456789".repeat(20_000);
    let ran = client_with_input(&container.args(&["-T", "admin", "sink"]), &input);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(heard.recv().unwrap() == input.as_bytes());
}

#[test]
fn a_command_whose_end_nobody_saw_exits_with_1_and_says_why() {
    let given_up = Container::new(|talk| {
        control(talk);
        close(talk, 1011, "the engine has stopped");
    });
    let stderr = client_with_input(&given_up.args(&["admin", "x"]), "").failed(1);
    assert_eq!(stderr, "apiclient: failed to run the command in admin: the engine has stopped\n");
    let gone = Container::new(|talk| drop(control(talk)));
    let stderr = client_with_input(&gone.args(&["admin", "x"]), "").failed(1);
    assert!(stderr.starts_with("apiclient: failed to run the command in admin: "), "{stderr}");
    let senseless = Container::new(|talk| {
        talk.send(Message::text("{}")).unwrap();
        while talk.read().is_ok() {}
    });
    let stderr = client_with_input(&senseless.args(&["admin", "x"]), "").failed(1);
    assert!(stderr.contains("understand the server"), "{stderr}");
}

#[test]
fn a_server_that_runs_no_commands_is_told_by_its_code() {
    let server = Scripted::new(|_, _| (404, b"no engine is configured\nhelp: configure one".to_vec()));
    let stderr = server.run(&["exec", "admin", "true"]).failed(1);
    assert_eq!(
        stderr,
        "apiclient: failed to run a command in a host container: Status 404 when GETing /exec: \
         no engine is configured\nhelp: configure one\n"
    );
    let stderr = client_with_input(&["-s", "/nowhere/api.sock", "exec", "admin", "true"], "").failed(1);
    assert!(stderr.contains("Status 503 when GETing /exec: no answer"), "{stderr}");
}

#[test]
fn a_reader_who_has_seen_enough_ends_the_session() {
    let container = Container::new(|talk| {
        control(talk);
        while talk.send(Message::binary(vec![b'y'; 4096])).is_ok() {}
    });
    let mut child = start(&container.args(&["admin", "yes"]), Stdio::piped());
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(128 + 13));
}

/// A terminal with a person: our end of it, theirs, and how it was at first.
struct Person {
    ours: File,
    theirs: File,
    before: Termios,
}

impl Person {
    fn sits_down() -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let theirs = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let person = Self { before: tcgetattr(&theirs).unwrap(), ours: ours.into(), theirs };
        person.resizes(24, 80);
        person
    }

    fn resizes(&self, rows: u16, cols: u16) {
        tcsetwinsize(&self.ours, Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    }

    fn start(&self, args: &[&str]) -> Child {
        let end = || Stdio::from(self.theirs.try_clone().unwrap());
        Command::new(env!("CARGO_BIN_EXE_apiclient"))
            .args(args)
            .stdin(end())
            .stdout(end())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn is_raw(&self) -> bool {
        !tcgetattr(&self.theirs).unwrap().local_modes.contains(LocalModes::ECHO)
    }

    fn finds_the_terminal_as_it_was(&self) {
        let now = tcgetattr(&self.theirs).unwrap();
        assert_eq!(
            (now.input_modes, now.output_modes, now.local_modes),
            (self.before.input_modes, self.before.output_modes, self.before.local_modes)
        );
    }
}

/// A container that tells its control messages and waits for a word from the test: an exit code, or "hang up".
fn watched() -> (Container, Receiver<Value>, std::sync::mpsc::Sender<&'static str>) {
    let (said, heard) = channel();
    let (order, orders) = channel();
    let container = Container::new(move |talk| {
        capacity(talk, 1024, 0);
        said.send(control(talk)).unwrap();
        talk.send(Message::binary(b"ready\n".to_vec())).unwrap();
        if let Ok("listen") = orders.recv() {
            said.send(control(talk)).unwrap();
        }
        match orders.recv() {
            Ok("hang up") | Err(_) => {}
            Ok(code) => close(talk, 1000, code),
        }
    });
    (container, heard, order)
}

fn read_until_ready(person: &Person) {
    let mut shown = Vec::new();
    let mut byte = [0];
    while !shown.ends_with(b"ready") {
        (&person.ours).read_exact(&mut byte).unwrap();
        shown.push(byte[0]);
    }
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn a_person_gets_a_terminal_of_the_right_size_and_the_own_one_back() {
    let person = Person::sits_down();
    let (container, heard, order) = watched();
    let mut child = person.start(&container.args(&["admin", "bash"]));
    let size = json!({"size": {"rows": 24, "cols": 80}});
    assert_eq!(heard.recv().unwrap()["Initialize"]["tty"], size);
    read_until_ready(&person);
    assert!(person.is_raw());
    // The terminal of a test controls nobody, so the kernel tells nobody of its size.
    person.resizes(50, 132);
    signal(&child, Signal::WINCH);
    order.send("listen").unwrap();
    assert_eq!(heard.recv().unwrap(), json!({"Winch": {"rows": 50, "cols": 132}}));
    order.send("3").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3));
    person.finds_the_terminal_as_it_was();
}

#[test]
fn the_terminal_comes_back_when_the_server_hangs_up_and_when_a_signal_ends_us() {
    for (number, ended_by) in [(None, None), (Some(143), Some(Signal::TERM)), (Some(129), Some(Signal::HUP))]
    {
        let person = Person::sits_down();
        let (container, heard, order) = watched();
        let mut child = person.start(&container.args(&["admin", "bash"]));
        heard.recv().unwrap();
        read_until_ready(&person);
        assert!(person.is_raw());
        match ended_by {
            Some(number) => signal(&child, number),
            None => drop(order),
        }
        assert_eq!(child.wait().unwrap().code(), number.or(Some(1)));
        person.finds_the_terminal_as_it_was();
    }
}

#[test]
fn a_terminal_is_given_or_withheld_as_asked() {
    let person = Person::sits_down();
    let (container, heard, order) = watched();
    let mut child = person.start(&container.args(&["-T", "admin", "bash"]));
    assert_eq!(heard.recv().unwrap()["Initialize"]["tty"], Value::Null);
    read_until_ready(&person);
    assert!(!person.is_raw());
    drop(order);
    child.wait().unwrap();

    let (container, heard, order) = watched();
    let mut child = start(&container.args(&["-t", "admin", "bash"]), Stdio::piped());
    assert_eq!(heard.recv().unwrap()["Initialize"]["tty"], json!({"size": null}));
    drop(order);
    child.wait().unwrap();
}

fn start(args: &[&str], stdin: Stdio) -> Child {
    Command::new(env!("CARGO_BIN_EXE_apiclient"))
        .args(args)
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}
