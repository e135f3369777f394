//! What was asked for and what was sent.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

use super::lock::lock;
use super::{fault, http};

/// One request and what it got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The number of the connection that it came over.
    pub connection: u64,
    /// `GET`, `HEAD`, or what else was tried.
    pub method: String,
    /// The path and the query, as they were sent.
    pub path: String,
    /// The `Range` header.
    pub range: Option<String>,
    /// The `If-None-Match` header.
    pub if_none_match: Option<String>,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// Bytes of the request.
    pub request_bytes: u64,
    /// The status that was sent; `None` while none was, as for ever after a stall or a reset.
    pub status: Option<u16>,
    /// Bytes of the answer before its body.
    pub head_bytes: u64,
    /// Bytes of the body so far. They are counted just before they are sent, so that whatever a client has seen is in
    /// here; where a connection breaks, up to one write too much.
    pub bytes: u64,
}

impl Request {
    /// Bytes of the request and of its answer, with all headers: what an HTTP/1.1 connection carried.
    #[must_use]
    pub fn wire_bytes(&self) -> u64 {
        self.request_bytes + self.head_bytes + self.bytes
    }

    /// The path without the query.
    #[must_use]
    pub fn path_only(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }

    /// One parameter of the query, as it was sent.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        let (_, query) = self.path.split_once('?')?;
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }
}

/// All requests since the log was cleared.
#[derive(Debug, Default)]
pub(super) struct Log {
    entries: Mutex<Entries>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct Entries {
    requests: Vec<Request>,
    /// How many were forgotten, so that an answer that is on its way finds its own entry or none.
    forgotten: usize,
}

/// Where the log has a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry(usize);

impl Log {
    pub(super) fn arrived(&self, request: &http::Request, connection: u64) -> Entry {
        let mut entries = lock(&self.entries);
        entries.requests.push(Request {
            connection,
            method: request.method.clone(),
            path: request.target.clone(),
            range: request.range.clone(),
            if_none_match: request.if_none_match.clone(),
            authorization: request.authorization.clone(),
            request_bytes: request.len as u64,
            status: None,
            head_bytes: 0,
            bytes: 0,
        });
        self.arrived.notify_all();
        Entry(entries.forgotten + entries.requests.len() - 1)
    }

    /// An answer begins: its status, and the length of its head.
    pub(super) fn answered(&self, entry: Entry, status: u16, head: u64) {
        self.change(entry, |request| {
            request.status = Some(status);
            request.head_bytes = head;
        });
    }

    pub(super) fn bytes(&self, entry: Entry, more: u64) {
        self.change(entry, |request| request.bytes += more);
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        lock(&self.entries).requests.clone()
    }

    pub(super) fn clear(&self) {
        let mut entries = lock(&self.entries);
        entries.forgotten += entries.requests.len();
        entries.requests.clear();
    }

    pub(super) fn wait_for(&self, pattern: &str, patience: Duration) -> Option<Request> {
        let find = |entries: &Entries| {
            entries.requests.iter().find(|request| fault::matches(pattern, &request.path)).cloned()
        };
        let waited =
            self.arrived.wait_timeout_while(lock(&self.entries), patience, |entries| find(entries).is_none());
        find(&waited.expect("nobody panics with the log in hand").0)
    }

    fn change(&self, Entry(number): Entry, change: impl FnOnce(&mut Request)) {
        let mut entries = lock(&self.entries);
        let at = number.checked_sub(entries.forgotten);
        if let Some(request) = at.and_then(|at| entries.requests.get_mut(at)) {
            change(request);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_knows_its_query() {
        let request = Request {
            connection: 0,
            method: "GET".to_owned(),
            path: "/a/root.json?seed=5&version=1.0.0".to_owned(),
            range: None,
            if_none_match: None,
            authorization: None,
            request_bytes: 60,
            status: None,
            head_bytes: 5,
            bytes: 7,
        };
        assert_eq!(request.wire_bytes(), 72);
        assert_eq!(request.path_only(), "/a/root.json");
        assert_eq!(request.query("version"), Some("1.0.0"));
        assert_eq!(request.query("target"), None);
    }
}
