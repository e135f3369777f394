//! A relay on the client's side of a server's faults: it counts what of bodies the client reads.
//!
//! It hands on one piece at a time, and the next one when the client's program has read all that its kernel had for it. What
//! it has counted and nobody has read is therefore one piece of each connection at most.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::inbox::Inbox;

/// Hands connections on to a server that speaks plain HTTP/1.1, with declared lengths or in chunks, and counts the bytes of
/// bodies that the client reads: what frames chunks is none. Its threads end with the process.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    bodies: Arc<AtomicU64>,
    open: Arc<Open>,
}

const AT_ONCE: usize = 4 * 1024;

/// How many connections there are, were at most at a time, and were in all.
#[derive(Debug, Default)]
struct Open {
    now: AtomicU64,
    most: AtomicU64,
    all: AtomicU64,
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
        let bodies = Arc::new(AtomicU64::default());
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
                open.all.fetch_add(1, Ordering::SeqCst);
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

    /// How many connections there were in all.
    #[must_use]
    pub fn opened(&self) -> u64 {
        self.open.all.load(Ordering::SeqCst)
    }

    /// Bytes of bodies that it gave to clients so far.
    #[must_use]
    pub fn bodies(&self) -> u64 {
        self.bodies.load(Ordering::SeqCst)
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

fn hand_back(mut server: &TcpStream, mut client: &TcpStream, bodies: &AtomicU64) {
    let mut at = At::Head(Vec::new());
    let mut block = [0; AT_ONCE];
    let Ok(inbox) = Inbox::of_peer(client) else { return };
    while let Ok(count @ 1..) = server.read(&mut block) {
        while inbox.unread() > 0 {
            // For the client's program, which has to run before anything of it is read.
            std::thread::yield_now();
        }
        let of_bodies = bytes_of_bodies(&mut at, &block[..count]);
        // Counted before they are written: whoever has seen them finds them counted.
        bodies.fetch_add(of_bodies, Ordering::SeqCst);
        if client.write_all(&block[..count]).is_err() {
            return;
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
