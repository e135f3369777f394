//! A real S3 server (moto's), and a way to it that misbehaves.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use publish::store::Bucket;

/// `moto_server` on a free port with one bucket, ended with the test.
pub(crate) struct S3 {
    child: Child,
    port: u16,
}

impl S3 {
    /// A server with an empty bucket; `None` where there is none, which is told.
    pub(crate) fn start() -> Option<Self> {
        if Command::new("moto_server").arg("--help").output().is_err() {
            println!("SKIPPED: there is no moto_server on this machine (pip install 'moto[s3,server]')");
            return None;
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        drop(listener);
        let child = Command::new("moto_server")
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it runs");
        let mut server = Self { child, port };
        // It is a Python program that imports a lot first.
        for _ in 0..2_400 {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                let (head, _) = server.ask("PUT", "/bucket");
                assert!(head.contains(" 200 "), "{head}");
                return Some(server);
            }
            assert!(server.child.try_wait().expect("asked").is_none(), "moto_server ended");
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("moto_server does not listen");
    }

    /// The head and the body of an answer.
    pub(crate) fn ask(&self, method: &str, path: &str) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).expect("it listens");
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Basic cmVhZGVyOmFueQ==\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
        )
        .expect("sent");
        let mut all = Vec::new();
        stream.read_to_end(&mut all).expect("answered");
        let end = all.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
        (String::from_utf8_lossy(&all[..end]).into_owned(), all[end..].to_vec())
    }

    /// What readers name as the repository's place. The bucket is nobody's to read who gives no name; any name will do.
    pub(crate) fn base(&self) -> String {
        format!("http://reader:any@127.0.0.1:{}/bucket/fleet/", self.port)
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn bucket(&self) -> Bucket {
        bucket_at(&self.endpoint())
    }

    /// The bucket by a way of its own.
    pub(crate) fn by(&self, way: Way) -> (Bucket, Arc<Handled>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
        let handled = Arc::new(Handled::default());
        let (port, of_thread) = (self.port, Arc::clone(&handled));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let handled = Arc::clone(&of_thread);
                // Whoever closes early, at either end, is what this is for.
                std::thread::spawn(move || drop(pass(stream, port, way, &handled)));
            }
        });
        (bucket_at(&endpoint), handled)
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn bucket_at(endpoint: &str) -> Bucket {
    let variable = |name: &str| match name {
        "AWS_ENDPOINT_URL" => Some(endpoint.to_owned()),
        "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("test".to_owned()),
        _ => None,
    };
    Bucket::open("s3://bucket/fleet", &variable, 0).expect("an address")
}

/// How a way to the server misbehaves.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    /// Conditions are lost.
    WithoutConditions,
    /// This many requests get through; then connections are closed without a word.
    CutBefore(usize),
    /// This many are answered; the next one is carried out as well, and its answer is lost, and then nothing gets through.
    CutAfter(usize),
}

/// What came along a way.
#[derive(Debug, Default)]
pub(crate) struct Handled {
    requests: AtomicUsize,
    cut: AtomicBool,
}

impl Handled {
    /// Whether a request was cut off.
    pub(crate) fn was_cut(&self) -> bool {
        self.cut.load(Ordering::SeqCst)
    }
}

/// One connection, one request.
fn pass(client: TcpStream, port: u16, way: Way, handled: &Handled) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if line == "\r\n" {
            break;
        }
        let condition = lower.starts_with("if-match:") || lower.starts_with("if-none-match:");
        if lower.starts_with("connection:") || condition && matches!(way, Way::WithoutConditions) {
            continue;
        }
        head += &line;
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let number = handled.requests.fetch_add(1, Ordering::SeqCst);
    let (carried_out, answered) = match way {
        Way::WithoutConditions => (true, true),
        Way::CutBefore(count) => (number < count, number < count),
        Way::CutAfter(count) => (number <= count, number < count),
    };
    if !answered {
        handled.cut.store(true, Ordering::SeqCst);
    }
    if !carried_out {
        return Ok(());
    }
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    server.write_all(head.as_bytes())?;
    server.write_all(b"connection: close\r\n\r\n")?;
    server.write_all(&body)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    if answered { (&client).write_all(&answer) } else { Ok(()) }
}
