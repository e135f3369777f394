//! A relay on the client's side of a server's faults: it counts what of bodies reaches the client.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Hands connections on to a server that speaks plain HTTP/1.1 with declared lengths, and counts the bytes of bodies that
/// it gave to the client. Its threads end with the process.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    bodies: Arc<AtomicU64>,
}

impl Relay {
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
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(upstream) = TcpStream::connect(server) else { return };
                let both = client.try_clone().and_then(|client| Ok((client, upstream.try_clone()?)));
                let Ok((client_too, upstream_too)) = both else { return };
                let counter = Arc::clone(&counter);
                std::thread::spawn(move || {
                    let _gone = io::copy(&mut &client, &mut &upstream);
                    let _gone = upstream.shutdown(Shutdown::Write);
                });
                std::thread::spawn(move || {
                    hand_back(&upstream_too, &client_too, &counter);
                    // Not a reset: what was counted can be read.
                    let _gone = client_too.shutdown(Shutdown::Write);
                    let _gone = upstream_too.shutdown(Shutdown::Both);
                });
            }
        });
        Self { address, bodies }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
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
}

fn hand_back(mut server: &TcpStream, mut client: &TcpStream, bodies: &AtomicU64) {
    let mut at = At::Head(Vec::new());
    let mut block = [0; 16 * 1024];
    while let Ok(count @ 1..) = server.read(&mut block) {
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
            At::Body(left) => {
                let part = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= part as u64;
                count += part as u64;
                bytes = &bytes[part..];
            }
            At::Head(head) => {
                head.push(bytes[0]);
                bytes = &bytes[1..];
                if head.ends_with(b"\r\n\r\n") {
                    *at = At::Body(declared(head));
                }
            }
        }
    }
    count
}

fn declared(head: &[u8]) -> u64 {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
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
}
