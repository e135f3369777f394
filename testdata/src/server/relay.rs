//! A relay on the client's side of a server's faults: it counts what of bodies the client reads from its sockets.
//!
//! It hands on one piece at a time, and the next one when the client's program has read the last one. What the program has
//! not read when it closes the connection is not counted: the kernel forgets a connection that is closed with something
//! unread (RFC 2525, section 2.17), and keeps one for a while that was read to its end.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::inbox::Inbox;

/// Hands connections on to a server that speaks plain HTTP/1.1, with declared lengths or in chunks, and counts the bytes of
/// bodies that the client reads: what frames chunks is none. Its threads end with the process.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    bodies: Arc<Bodies>,
    open: Arc<Open>,
}

/// What was read of bodies.
#[derive(Debug, Default)]
struct Bodies {
    count: Mutex<Count>,
    decided: Condvar,
}

#[derive(Debug, Default)]
struct Count {
    read: u64,
    /// How many pieces were handed on of which it is not known yet whether they are read.
    undecided: u64,
}

impl Bodies {
    fn count(&self) -> MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn decide(&self, read: u64) {
        let mut count = self.count();
        count.read += read;
        count.undecided -= 1;
        self.decided.notify_all();
    }
}

const AT_ONCE: usize = 4 * 1024;
/// How long a client may leave what it was given unread.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many connections there are, and were at most at a time.
#[derive(Debug, Default)]
struct Open {
    now: AtomicU64,
    most: AtomicU64,
}

impl Relay {
    /// What it hands on at once.
    pub const PIECE: u64 = AT_ONCE as u64;

    /// A relay before the server at `server`.
    ///
    /// # Panics
    /// When the loopback has no free port.
    #[must_use]
    pub fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port of the loopback");
        let address = listener.local_addr().expect("a bound listener has an address");
        let bodies = Arc::new(Bodies::default());
        let counter = Arc::clone(&bodies);
        let open = Arc::new(Open::default());
        let opened = Arc::clone(&open);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(upstream) = TcpStream::connect(server) else { return };
                let both = client.try_clone().and_then(|client| Ok((client, upstream.try_clone()?)));
                let Ok((client_too, upstream_too)) = both else { return };
                let (counter, open) = (Arc::clone(&counter), Arc::clone(&opened));
                let now = open.now.fetch_add(1, Ordering::SeqCst) + 1;
                open.most.fetch_max(now, Ordering::SeqCst);
                std::thread::spawn(move || {
                    let _gone = io::copy(&mut &client, &mut &upstream);
                    let _gone = upstream.shutdown(Shutdown::Write);
                });
                std::thread::spawn(move || {
                    hand_back(&upstream_too, &client_too, &counter);
                    // Not a reset: what was counted can be read.
                    let _gone = client_too.shutdown(Shutdown::Write);
                    let _gone = upstream_too.shutdown(Shutdown::Both);
                    open.now.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { address, bodies, open }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections were open at the same time at most.
    #[must_use]
    pub fn most_open(&self) -> u64 {
        self.open.most.load(Ordering::SeqCst)
    }

    /// Bytes of bodies that clients have read so far, once that is known of every piece: when each was read, or whoever
    /// it was for has gone.
    ///
    /// # Panics
    /// When one is not within a minute.
    #[must_use]
    pub fn bodies(&self) -> u64 {
        let open = |count: &mut Count| count.undecided > 0;
        let waited = self.bodies.decided.wait_timeout_while(self.bodies.count(), PATIENCE, open);
        let (count, ended) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!ended.timed_out(), "a client neither reads nor goes: {count:?}");
        count.read
    }
}

/// Where in the stream of answers a connection is.
enum At {
    Head(Vec<u8>),
    Body(u64),
    /// In the line that says how long the next chunk is.
    Size(Vec<u8>),
    Chunk(u64),
    /// Behind a chunk, before the line's end.
    ChunkEnd(u8),
    /// Behind the last chunk, up to an empty line.
    Trailers(Vec<u8>),
}

fn hand_back(mut server: &TcpStream, mut client: &TcpStream, bodies: &Bodies) {
    let mut at = At::Head(Vec::new());
    let mut block = [0; AT_ONCE];
    let Ok(inbox) = Inbox::of_peer(client) else { return };
    let mut sent = 0;
    while let Ok(count @ 1..) = server.read(&mut block) {
        let of_bodies = bytes_of_bodies(&mut at, &block[..count]);
        bodies.count().undecided += 1;
        let written = client.write_all(&block[..count]);
        sent += count as u64;
        let is_read = written.is_ok() && is_read(&inbox, sent);
        bodies.decide(if is_read { of_bodies } else { 0 });
        if !is_read {
            return;
        }
    }
}

/// Waits until all that was ever sent is read: false where the connection was closed before.
fn is_read(inbox: &Inbox, sent: u64) -> bool {
    loop {
        match inbox.has_read(sent) {
            // For the client's program, which has to run before anything of it is read.
            Some(false) => std::thread::yield_now(),
            Some(true) => return true,
            None => return false,
        }
    }
}

/// How many of the bytes that follow belong to bodies.
fn bytes_of_bodies(at: &mut At, mut bytes: &[u8]) -> u64 {
    let mut count = 0;
    while !bytes.is_empty() {
        match at {
            At::Body(0) => *at = At::Head(Vec::new()),
            At::Chunk(0) => *at = At::ChunkEnd(2),
            At::ChunkEnd(0) => *at = At::Size(Vec::new()),
            At::Body(left) | At::Chunk(left) => {
                let part = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= part as u64;
                count += part as u64;
                bytes = &bytes[part..];
            }
            At::ChunkEnd(left) => {
                *left -= 1;
                bytes = &bytes[1..];
            }
            At::Head(line) | At::Size(line) | At::Trailers(line) => {
                line.push(bytes[0]);
                bytes = &bytes[1..];
                if let Some(next) = behind(at) {
                    *at = next;
                }
            }
        }
    }
    count
}

/// What follows lines that are whole by now.
fn behind(at: &At) -> Option<At> {
    match at {
        At::Head(head) if head.ends_with(b"\r\n\r\n") => {
            let head = String::from_utf8_lossy(head).to_ascii_lowercase();
            Some(match head.contains("\r\ntransfer-encoding: chunked\r\n") {
                true => At::Size(Vec::new()),
                false => At::Body(declared(&head)),
            })
        }
        At::Size(line) if line.ends_with(b"\r\n") => {
            let line = String::from_utf8_lossy(line);
            let size = u64::from_str_radix(line.trim().split(';').next().unwrap_or_default(), 16);
            Some(match size.expect("a server of ours writes sizes") {
                0 => At::Trailers(b"\r\n".to_vec()),
                size => At::Chunk(size),
            })
        }
        At::Trailers(lines) if lines.ends_with(b"\r\n\r\n") => Some(At::Head(Vec::new())),
        _ => None,
    }
}

fn declared(head: &str) -> u64 {
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    length.and_then(|length| length.trim().parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_told_from_heads_however_the_bytes_come() {
        let answers = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 304 Not Modified\r\n\r\nHTTP/1.1 404 No\r\ncontent-length: 3\r\n\r\nno!";
        for size in [1, 2, 7, 100, 1000] {
            let mut at = At::Head(Vec::new());
            let count: u64 = answers.chunks(size).map(|part| bytes_of_bodies(&mut at, part)).sum();
            assert_eq!(count, 8, "in parts of {size}");
        }
    }

    #[test]
    fn chunks_are_counted_without_what_frames_them() {
        let answers = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nOf: it\r\n\r\nHTTP/1.1 404 No\r\ncontent-length: 3\r\n\r\nno!";
        for size in [1, 2, 7, 100, 1000] {
            let mut at = At::Head(Vec::new());
            let count: u64 = answers.chunks(size).map(|part| bytes_of_bodies(&mut at, part)).sum();
            assert_eq!(count, 18, "in parts of {size}");
        }
    }
}
