//! A server that answers as a test wants it to.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::host::{Ran, client};

/// One request as it came: method, URI, content type and body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) content_type: String,
    pub(crate) body: String,
}

/// The server. It ends with the test's process.
pub(crate) struct Scripted {
    dir: tempfile::TempDir,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Scripted {
    /// A server that gives `answer(request, how many came before it)`: a code and a body. Code 0 hangs up instead.
    pub(crate) fn new(answer: impl Fn(&Request, usize) -> (u16, Vec<u8>) + Send + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("api.sock")).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), &answer, &all);
            }
        });
        Self { dir, seen }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("api.sock")
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        client(&[&["-s", self.socket().to_str().unwrap()], args].concat())
    }

    pub(crate) fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }
}

/// Answers one request and hangs up.
fn serve(
    mut stream: UnixStream,
    answer: &impl Fn(&Request, usize) -> (u16, Vec<u8>),
    seen: &Mutex<Vec<Request>>,
) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap() <= 2 {
            break;
        }
        lines.push(line.trim_end().to_owned());
    }
    let header = |name: &str| {
        let found = lines
            .iter()
            .filter_map(|line| line.split_once(": "))
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_owned()).unwrap_or_default()
    };
    let mut body = vec![0; header("content-length").parse().unwrap_or_default()];
    reader.read_exact(&mut body).unwrap();
    let Some(first) = lines.first() else { return };
    let request = Request {
        line: first.trim_end_matches(" HTTP/1.1").to_owned(),
        content_type: header("content-type"),
        body: String::from_utf8(body).unwrap(),
    };
    let count = seen.lock().unwrap().len();
    let (code, body) = answer(&request, count);
    seen.lock().unwrap().push(request);
    if code == 0 {
        return;
    }
    let head = format!("HTTP/1.1 {code} X\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    // The client may have gone away; that is then its story.
    let _ = stream.write_all(&[head.as_bytes(), &body].concat());
}
