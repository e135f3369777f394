//! What all connections share.

use std::collections::HashMap;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::fault::{self, Plans};
use super::habit::Habits;
use super::lock::lock;
use super::log::Log;

/// What all connections share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) dir: PathBuf,
    pub(super) plans: Mutex<Plans>,
    pub(super) habits: Mutex<Habits>,
    pub(super) errands: Mutex<Errands>,
    pub(super) log: Log,
    pub(super) open: Mutex<Open>,
    pub(super) stopping: Condvar,
}

/// What is to be done once, before a request is answered: by the request's pattern.
#[derive(Default)]
pub(super) struct Errands(pub(super) Vec<(String, Box<dyn FnOnce() + Send>)>);

impl std::fmt::Debug for Errands {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(pattern, _)| pattern)).finish()
    }
}

/// The connections that are open, by number, and the threads that may still run.
#[derive(Debug, Default)]
pub(super) struct Open {
    pub(super) stopped: bool,
    pub(super) next: u64,
    pub(super) streams: HashMap<u64, Arc<TcpStream>>,
    pub(super) threads: Vec<JoinHandle<()>>,
}

impl Shared {
    /// Waits; `false` when the server stopped meanwhile.
    pub(super) fn pause(&self, time: Duration) -> bool {
        let open = lock(&self.open);
        let waited = self.stopping.wait_timeout_while(open, time, |open| !open.stopped);
        let (_open, waited) = waited.expect("nobody panics with the list of connections in hand");
        waited.timed_out()
    }

    /// Does what is to be done before the request for `target` is answered.
    pub(super) fn run_errands(&self, target: &str) {
        let due: Vec<_> = {
            let errands = &mut lock(&self.errands).0;
            errands.extract_if(.., |(pattern, _)| fault::matches(pattern, target)).collect()
        };
        for (_, errand) in due {
            errand();
        }
    }

    /// Forgets a connection, so that the socket closes with the last user's value.
    pub(super) fn close(&self, number: u64) {
        lock(&self.open).streams.remove(&number);
    }
}
