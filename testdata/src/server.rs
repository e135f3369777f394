//! A web server over a directory that misbehaves on request.
//!
//! It speaks enough HTTP/1.1 for a repository (keep-alive, `GET` and `HEAD`, one range, validators) on a free port of
//! the loopback, writes down every request, and answers with a [`Fault`] where a test asks for one. Dropping it closes
//! every connection and waits for its threads.
//!
//! - [`fault`]: what can go wrong, where and how often
//! - [`habit`]: what a server is like altogether
//! - [`log`]: what was asked for and what was sent
//! - [`http2`]: the same over TLS and HTTP/2
//! - [`relay`]: what of bodies a client reads, and `inbox`, what it has not read yet
//! - `closed`: no server at all
//! - `http`: a request as bytes and as a value
//! - `answer`: what a request gets, decided before anything is sent
//! - `connection`: one connection, from its first request to its end
//! - `shared`: what all connections share; `lock`: how they take it in turn

mod answer;
mod closed;
mod connection;
pub mod fault;
pub mod habit;
mod http;
pub mod http2;
mod inbox;
mod lock;
pub mod log;
pub mod relay;
mod shared;

use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

pub use closed::ClosedPort;
use connection::Connection;
pub use fault::{Fault, Plan};
pub use habit::Habit;
pub use http2::Http2Server;
use lock::lock;
use log::Log;
pub use log::Request;
pub use relay::Relay;
use shared::Shared;

/// A web server over a directory, on a free port of the loopback, that misbehaves on request.
#[derive(Debug)]
pub struct FaultyServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

impl FaultyServer {
    /// Serves `dir` from now on until the server is dropped. Files may change at any time; each request opens its own.
    ///
    /// # Panics
    /// When the loopback has no free port.
    #[must_use]
    pub fn start(dir: impl Into<PathBuf>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port of the loopback");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared {
            dir: dir.into(),
            plans: Mutex::default(),
            habits: Mutex::default(),
            errands: Mutex::default(),
            log: Log::default(),
            open: Mutex::default(),
            stopping: Condvar::new(),
        });
        let accepting = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Self { address, shared, accepting: Some(accepting) }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of `path` below the served directory; `""` is the directory itself, with a slash at the end.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{}", self.address, path.trim_start_matches('/'))
    }

    /// From now on answers requests whose path and query contain `pattern` with `plan`: a [`Fault`] for all of them, or
    /// `fault.once()`, `fault.times(3)`. In a pattern `*` stands for anything. Of several plans that fit, the one that
    /// was made first counts, until it is used up.
    pub fn fault(&self, pattern: &str, plan: impl Into<Plan>) {
        lock(&self.shared.plans).add(pattern, plan.into());
    }

    /// From now on the server is like this.
    pub fn habit(&self, habit: Habit) {
        lock(&self.shared.habits).add(habit);
    }

    /// Runs `errand` once: when the next request arrives that `pattern` fits, before it is answered. So a test is
    /// certainly in the middle of what a client does.
    pub fn before(&self, pattern: &str, errand: impl FnOnce() + Send + 'static) {
        lock(&self.shared.errands).0.push((pattern.to_owned(), Box::new(errand)));
    }

    /// Forgets all plans and habits: the server behaves again.
    pub fn heal(&self) {
        lock(&self.shared.plans).clear();
        lock(&self.shared.habits).clear();
    }

    /// Every request so far, in the order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.shared.log.requests()
    }

    /// Forgets the requests so far.
    pub fn clear_log(&self) {
        self.shared.log.clear();
    }

    /// Bytes of bodies sent since the log was last cleared.
    #[must_use]
    pub fn bytes_sent(&self) -> u64 {
        self.requests().iter().map(|request| request.bytes).sum()
    }

    /// Waits until a request whose path and query match `pattern` has arrived, answered or not; `None` when none comes
    /// within `patience`.
    #[must_use]
    pub fn wait_for(&self, pattern: &str, patience: Duration) -> Option<Request> {
        self.shared.log.wait_for(pattern, patience)
    }
}

impl Drop for FaultyServer {
    fn drop(&mut self) {
        lock(&self.shared.open).stopped = true;
        self.shared.stopping.notify_all();
        // Wakes the thread that accepts; it looks at `stopped` before it serves anybody.
        let _woken = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _panicked = accepting.join();
        }
        let threads = {
            let mut open = lock(&self.shared.open);
            for stream in open.streams.values() {
                let _already_closed = stream.shutdown(Shutdown::Both);
            }
            std::mem::take(&mut open.threads)
        };
        for thread in threads {
            let _panicked = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        let mut open = lock(&shared.open);
        if open.stopped {
            return;
        }
        // A client may be gone again before it was accepted.
        let Ok(stream) = stream else { continue };
        let _no_delay = stream.set_nodelay(true);
        let number = open.next;
        open.next += 1;
        let stream = Arc::new(stream);
        open.streams.insert(number, Arc::clone(&stream));
        open.threads.retain(|thread| !thread.is_finished());
        let connection = Connection { number, stream, shared: Arc::clone(shared) };
        open.threads.push(std::thread::spawn(move || connection.serve()));
    }
}

#[cfg(test)]
mod tests;
