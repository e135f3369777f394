//! An answer's body on its way: the one place where bytes of bodies are counted, whatever becomes of them.
//!
//! The HTTP library reads ahead of what it hands out, and goes on until it learns that nobody wants the rest. An answer that
//! is given up in the middle therefore ends its connection first; what the library had read by then is taken from it and
//! counted as well (`docs/decisions/0023-every-byte-that-was-read-is-counted.md`).

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use reqwest::header::{self, HeaderMap};
use reqwest::{Response, StatusCode, Version};
use tokio::runtime::Handle;
use url::Url;

use super::account::Account;
use super::fault::Fault;
use super::reactor::{Reactor, Reactors};
use crate::place::proxy::ProxyAddress;

/// The most of an answer that is no object which is read, so that the connection can be used again.
const MOST_OF_A_REFUSAL: u64 = 64 * 1024;
/// How long that may take, and the end of an answer that has brought all.
const LONGEST_REST: Duration = Duration::from_secs(1);
/// How many pieces that have come over HTTP/2 are looked for when an answer is given up: as many frames of the common size
/// as its window holds.
const MOST_WAITING: u32 = 64;

/// An answer whose body is still to come, or a part of it.
#[derive(Debug)]
pub(super) struct Answer {
    /// Nothing once it was given up.
    response: Option<Response>,
    account: Account,
    /// Whether its body has come to an end, or broke.
    is_over: bool,
    /// Whether all has come of it that was asked for, and nothing but its end should be left.
    is_enough: bool,
    /// That of its connection.
    reactor: Option<Arc<Reactor>>,
    /// Whether no other answer comes there: over HTTP/2 others may.
    is_alone: bool,
    reactors: Reactors,
    /// Who stands before the server and may have answered in its place.
    proxy: Option<Box<str>>,
}

/// Why no more of a body came.
pub(super) enum Broken {
    /// The library's words.
    Off(reqwest::Error),
    /// More came than may.
    Budget(Fault),
}

impl Answer {
    pub(super) fn new(response: Response, account: &Account, reactors: &Reactors) -> Self {
        Self {
            reactor: reactors.of(&response),
            is_alone: response.version() < Version::HTTP_2,
            response: Some(response),
            account: account.clone(),
            is_over: false,
            is_enough: false,
            reactors: reactors.clone(),
            proxy: None,
        }
    }

    /// The same, from a server that this proxy stands before.
    pub(super) fn through(mut self, proxy: Option<&ProxyAddress>) -> Self {
        // What comes through a tunnel is the server's.
        let is_plain = self.url().scheme() == "http";
        self.proxy = proxy.filter(|_| is_plain).map(|proxy| proxy.to_string().into());
        self
    }

    /// Whose word its status is, where it is that of `host`: nobody can tell it from the proxy's.
    pub(super) fn speaker(&self, host: &str) -> String {
        let through = |proxy| format!("{host}, or the proxy {proxy} before it,");
        self.proxy.as_deref().map_or_else(|| host.to_owned(), through)
    }

    fn response(&self) -> &Response {
        self.response.as_ref().expect("it is given up only when it is dropped")
    }

    pub(super) fn status(&self) -> StatusCode {
        self.response().status()
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        self.response().headers()
    }

    /// How long it says that the rest of its body is.
    pub(super) fn declared_length(&self) -> Option<u64> {
        self.response().content_length()
    }

    /// Where it came from.
    pub(super) fn url(&self) -> &Url {
        self.response().url()
    }

    /// The next piece of the body, counted; `None` at its end.
    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, Broken> {
        let Some(response) = &mut self.response else { return Ok(None) };
        match response.chunk().await {
            Ok(Some(bytes)) => {
                self.account.take(bytes.len() as u64).map_err(Broken::Budget)?;
                Ok(Some(bytes))
            }
            Ok(None) => {
                self.is_over = true;
                Ok(None)
            }
            Err(error) => {
                self.is_over = true;
                // A broken stream of HTTP/2 is no broken connection.
                if let Some(reactor) = self.reactor.as_ref().filter(|_| self.is_alone) {
                    self.reactors.forget(reactor);
                }
                Err(Broken::Off(error))
            }
        }
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
        tokio::time::timeout(LONGEST_REST, rest).await.unwrap_or(Ok(()))
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let Some(mut response) = self.response.take() else { return };
        if self.is_over || response.content_length() == Some(0) {
            if let Some(reactor) = self.reactor.as_ref().filter(|_| self.is_alone && is_last(&response)) {
                self.reactors.forget(reactor);
            }
            return;
        }
        // The library's clock for silence needs a runtime; what is dropped without one is dropped as the program ends.
        let Ok(runtime) = Handle::try_current() else { return };
        let account = self.account.clone();
        // Whoever asks for more finds the budget used.
        let count = move |bytes: Bytes| drop(account.take(bytes.len() as u64));
        let Some(reactor) = self.reactor.take().filter(|_| self.is_alone) else {
            for _ in 0..MOST_WAITING {
                let Some(Ok(Some(bytes))) = response.chunk().now_or_never() else { return };
                count(bytes);
            }
            return;
        };
        let (is_enough, reactors, taking) = (self.is_enough, self.reactors.clone(), self.account.taking());
        if !is_enough {
            // Now, not when the task runs: the library reads on.
            reactor.end();
        }
        runtime.spawn(async move {
            if is_enough {
                match tokio::time::timeout(LONGEST_REST, response.chunk()).await {
                    // The connection can be used again.
                    Ok(Ok(None)) => return,
                    Ok(Ok(Some(bytes))) => count(bytes),
                    Ok(Err(_)) | Err(_) => {}
                }
                reactor.end();
            }
            reactors.forget(&reactor);
            while let Ok(Some(bytes)) = response.chunk().await {
                count(bytes);
            }
            drop(taking);
        });
    }
}

/// Whether its server closes the connection behind it.
fn is_last(response: &Response) -> bool {
    let says = |word: &str| {
        let said = response.headers().get_all(header::CONNECTION).iter();
        let mut words = said.filter_map(|said| said.to_str().ok()).flat_map(|said| said.split(','));
        words.any(|one| one.trim().eq_ignore_ascii_case(word))
    };
    says("close") || (response.version() < Version::HTTP_11 && !says("keep-alive"))
}

/// An answer whose head is awaited. Whoever stops waiting may miss it by a moment: what came with it is counted as well.
pub(super) struct Awaited<F: Future<Output = reqwest::Result<Response>>> {
    sent: Pin<Box<F>>,
    account: Account,
    reactors: Reactors,
    has_come: bool,
}

impl<F: Future<Output = reqwest::Result<Response>>> Awaited<F> {
    pub(super) fn new(sent: F, account: &Account, reactors: &Reactors) -> Self {
        let (account, reactors) = (account.clone(), reactors.clone());
        Self { sent: Box::pin(sent), account, reactors, has_come: false }
    }
}

impl<F: Future<Output = reqwest::Result<Response>>> Future for Awaited<F> {
    type Output = reqwest::Result<Answer>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let come = self.sent.as_mut().poll(cx);
        self.has_come = come.is_ready();
        come.map_ok(|response| Answer::new(response, &self.account, &self.reactors))
    }
}

impl<F: Future<Output = reqwest::Result<Response>>> Drop for Awaited<F> {
    fn drop(&mut self) {
        if !self.has_come
            && Handle::try_current().is_ok()
            && let Some(Ok(response)) = self.sent.as_mut().now_or_never()
        {
            drop(Answer::new(response, &self.account, &self.reactors));
        }
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
    use crate::transport::{Pacing, client};

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
        let (account, reactors) = (Account::default(), Reactors::default());
        let client = client::build(&route, &Tls::default(), &Pacing::default(), reactors.clone());
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
            let asked = Awaited::new(client.get(url).send(), &account, &reactors);
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
    async fn a_connection_whose_answer_has_brought_all_that_was_asked_for_is_used_again() {
        let route = Route::new(&Proxy::default()).expect("none");
        let (account, reactors) = (Account::default(), Reactors::default());
        let client = client::build(&route, &Tls::default(), &Pacing::default(), reactors.clone());
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
            let asked = Awaited::new(client.get(&url).send(), &account, &reactors);
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
        let last =
            Awaited::new(client.get(&url).send(), &account, &reactors).await.expect("the same connection");
        assert_eq!(last.status(), StatusCode::NO_CONTENT);
        server.join().expect("one connection");
    }
}
