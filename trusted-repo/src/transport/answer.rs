//! An answer as whoever asked sees it: its head, and its body piece by piece, each of which is counted by then.
//!
//! What comes of a body is taken and counted on the thread of the HTTP library (`exchange`), which reads ahead of what it
//! hands out, and goes on until it learns that nobody wants the rest. An answer that is given up in the middle therefore
//! ends its connection first; what the library had read by then is counted as well
//! (`docs/decisions/0023-every-byte-that-was-read-is-counted.md`).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Response, StatusCode};
use tokio::sync::{mpsc, oneshot, watch};
use url::Url;

use super::fault::Fault;
use super::given_up::GivenUp;
use super::reactor::Reactor;
use crate::place::proxy::ProxyAddress;

/// The most of an answer that is no object which is read, so that the connection can be used again.
const MOST_OF_A_REFUSAL: u64 = 64 * 1024;
/// How long that may take.
const LONGEST_REFUSAL: Duration = Duration::from_secs(1);

/// An answer whose body is still to come, or a part of it.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    url: Url,
    length: Option<u64>,
    /// Nothing once it has come to an end, or broke.
    body: Option<Body>,
    /// Whether all has come of it that was asked for, and nothing but its end should be left.
    is_enough: bool,
    /// Who stands before the server and may have answered in its place.
    proxy: Option<Box<str>>,
}

/// What comes of a body.
#[derive(Debug)]
pub(super) struct Body {
    /// Until its first piece is wanted: before that nothing of it is taken, so that whoever asks whether there is room for
    /// all of it does not count a part of it twice.
    pub(super) wanted: Option<oneshot::Sender<()>>,
    pub(super) pieces: mpsc::Receiver<Next>,
    /// That of its connection, where no other answer comes there.
    pub(super) reactor: Option<Arc<Reactor>>,
    /// Until all that was read of it is counted.
    pub(super) running: watch::Receiver<()>,
    pub(super) given_up: GivenUp,
}

/// The next piece of a body; `None` at its end.
pub(super) type Next = Result<Option<Bytes>, Broken>;

/// Why no more of a body came.
#[derive(Debug)]
pub(super) enum Broken {
    /// The library's words.
    Off(reqwest::Error),
    /// More came than may.
    Budget(Fault),
}

impl Answer {
    pub(super) fn new(response: &Response, body: Option<Body>) -> Self {
        Self {
            status: response.status(),
            headers: response.headers().clone(),
            url: response.url().clone(),
            length: response.content_length(),
            body,
            is_enough: false,
            proxy: None,
        }
    }

    /// The same, from a server that this proxy stands before.
    pub(super) fn through(mut self, proxy: Option<&ProxyAddress>) -> Self {
        // What comes through a tunnel is the server's.
        let is_plain = self.url.scheme() == "http";
        self.proxy = proxy.filter(|_| is_plain).map(|proxy| proxy.to_string().into());
        self
    }

    /// Whose word its status is, where it is that of `host`: nobody can tell it from the proxy's.
    pub(super) fn speaker(&self, host: &str) -> String {
        let through = |proxy| format!("{host}, or the proxy {proxy} before it,");
        self.proxy.as_deref().map_or_else(|| host.to_owned(), through)
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// How long it says that its body is.
    pub(super) fn declared_length(&self) -> Option<u64> {
        self.length
    }

    /// Where it came from.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// The next piece of the body, which is counted; `None` at its end.
    pub(super) async fn piece(&mut self) -> Next {
        let Some(body) = &mut self.body else { return Ok(None) };
        if let Some(wanted) = body.wanted.take() {
            let _it_waits = wanted.send(());
        }
        let next = body.pieces.recv().await.expect("a body tells of its end");
        if !matches!(next, Ok(Some(_))) {
            self.body = None;
        }
        next
    }

    /// All has come of it that was asked for.
    pub(super) fn is_enough(&mut self) {
        self.is_enough = true;
    }

    /// Reads what is no object, within reason: so that the connection can be used again.
    pub(super) async fn discard(mut self) -> Result<(), Fault> {
        let rest = async {
            let mut read = 0;
            while read < MOST_OF_A_REFUSAL {
                match self.piece().await {
                    Ok(Some(bytes)) => read += bytes.len() as u64,
                    Ok(None) | Err(Broken::Off(_)) => break,
                    Err(Broken::Budget(fault)) => return Err(fault),
                }
            }
            Ok(())
        };
        tokio::time::timeout(LONGEST_REFUSAL, rest).await.unwrap_or(Ok(()))
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let Some(body) = self.body.take() else { return };
        if self.is_enough {
            return;
        }
        if let Some(reactor) = &body.reactor {
            // Now, not when a task runs: the library reads on.
            reactor.end();
        }
        body.given_up.add(body.running);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::thread;

    use super::*;
    use crate::place::proxy::{Proxy, Route};
    use crate::place::source::Tls;
    use crate::transport::exchange::Exchanges;
    use crate::transport::{Account, Pacing, client};

    /// What reads a request, answers with `answer`, says more when it is told to, and ends when its client has gone.
    fn server(listener: TcpListener, answer: Vec<u8>, more: std::sync::mpsc::Receiver<Vec<u8>>) {
        let (mut stream, _) = listener.accept().expect("somebody comes");
        request(&mut stream);
        stream.write_all(&answer).expect("read");
        while let Ok(more) = more.recv() {
            let _nobody_may_be_there = stream.write_all(&more);
        }
        let _gone = stream.read(&mut [0; 64]);
    }

    fn request(stream: &mut TcpStream) {
        let mut said = Vec::new();
        while !said.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a request");
            said.extend(byte);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_read_of_an_answer_that_is_given_up_is_counted_and_no_more_is_read() {
        let route = Route::new(&Proxy::default()).expect("none");
        let account = Account::default();
        let exchanges = Exchanges::new(&account).expect("a thread");
        let client = client::build(&route, &Tls::default(), &Pacing::default(), exchanges.reactors());
        let client = client.expect("built");
        for (framing, body, count, more) in [
            ("Content-Length: 1000000", "x".repeat(3000), 3000, "y".repeat(3000)),
            // All in one read: the library hands them out one by one.
            (
                "Transfer-Encoding: chunked",
                "5\r\nhello\r\n6\r\n world\r\n1\r\n!\r\n".into(),
                12,
                "1\r\n?\r\n".into(),
            ),
        ] {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            let url = format!("http://{}/", listener.local_addr().expect("bound"));
            let (tell, told) = std::sync::mpsc::channel();
            let answer = format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n{body}").into_bytes();
            let server = thread::spawn(move || server(listener, answer, told));
            let before = account.settled();
            let asked = exchanges.send(client.get(url));
            let mut answer = asked.await.expect("an answer");
            assert!(answer.piece().await.is_ok_and(|piece| piece.is_some()), "{framing}");
            drop(answer);
            tell.send(more.into_bytes()).expect("it listens");
            drop(tell);
            tokio::task::block_in_place(|| server.join().expect("its client has gone"));
            let settled = tokio::task::block_in_place(|| account.settled());
            assert_eq!((settled - before, account.is_settled()), (count, true), "{framing}");
        }
    }

    #[tokio::test]
    async fn nothing_is_taken_of_a_body_before_it_is_wanted() {
        let route = Route::new(&Proxy::default()).expect("none");
        let account = Account::default();
        let exchanges = Exchanges::new(&account).expect("a thread");
        let client = client::build(&route, &Tls::default(), &Pacing::default(), exchanges.reactors());
        let client = client.expect("built");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let url = format!("http://{}/", listener.local_addr().expect("bound"));
        let server = thread::spawn(move || {
            let streams: Vec<TcpStream> = (0..2)
                .map(|_| {
                    let (mut stream, _) = listener.accept().expect("a client");
                    request(&mut stream);
                    let answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello";
                    stream.write_all(answer).expect("read");
                    stream
                })
                .collect();
            streams
        });
        let mut first = exchanges.send(client.get(&url)).await.expect("an answer");
        // By the end of another one the thread has had time for the first.
        let mut other = exchanges.send(client.get(&url)).await.expect("an answer");
        while other.piece().await.expect("all of it").is_some() {}
        assert_eq!(account.fetched(), 5, "the first one is not counted yet");
        while first.piece().await.expect("all of it").is_some() {}
        assert_eq!(account.fetched(), 10);
        drop(server.join().expect("two connections"));
    }

    #[tokio::test]
    async fn a_connection_whose_answer_has_brought_all_that_was_asked_for_is_used_again() {
        let route = Route::new(&Proxy::default()).expect("none");
        let account = Account::default();
        let exchanges = Exchanges::new(&account).expect("a thread");
        let client = client::build(&route, &Tls::default(), &Pacing::default(), exchanges.reactors());
        let client = client.expect("built");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let url = format!("http://{}/", listener.local_addr().expect("bound"));
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("somebody comes");
            for framed in [
                "Content-Length: 5\r\n\r\nhello",
                "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            ] {
                request(&mut stream);
                stream.write_all(format!("HTTP/1.1 200 OK\r\n{framed}").as_bytes()).expect("read");
            }
            request(&mut stream);
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").expect("read");
        });
        for _ in 0..2 {
            let asked = exchanges.send(client.get(&url));
            let mut answer = asked.await.expect("an answer");
            assert!(
                answer.piece().await.is_ok_and(|piece| piece.is_some_and(|piece| &piece[..] == b"hello"))
            );
            answer.is_enough();
            drop(answer);
            // All of it has come; the library's tasks run now, and lay the connection by.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        }
        let last = exchanges.send(client.get(&url)).await.expect("the same connection");
        assert_eq!(last.status(), StatusCode::NO_CONTENT);
        server.join().expect("one connection");
    }
}
