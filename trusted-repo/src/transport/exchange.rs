//! Questions to web servers, each from its beginning to the end of its answer, on one thread that belongs to the client.
//!
//! The HTTP library's tasks run there, and so does what takes from them the pieces that they have read. A task of the
//! library reads the next piece when the last one was taken. As both share a thread, it cannot do so before that one is
//! counted and, where it was above the budget, the connection's reactor is ended: so no more than one read of each open
//! connection is above a budget (`docs/decisions/0023-every-byte-that-was-read-is-counted.md`).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use reqwest::{RequestBuilder, Response, Version, header};
use tokio::sync::{mpsc, oneshot, watch};

use super::account::{Account, Taking};
use super::answer::{Answer, Body, Broken, Next};
use super::given_up::GivenUp;
use super::reactor::{Reactor, Reactors};

/// How long the end of an answer may take that has brought all.
const LONGEST_REST: Duration = Duration::from_secs(1);
/// How many pieces that have come over HTTP/2 are looked for when an answer is given up: as many frames of the common size
/// as its window holds.
const MOST_WAITING: u32 = 64;

/// A client's thread, its connections and its account.
#[derive(Debug)]
pub(super) struct Exchanges {
    thread: Arc<Reactor>,
    reactors: Reactors,
    account: Account,
    given_up: GivenUp,
}

/// One question and its answer.
struct Exchange {
    /// The thread's: it lives until all is counted.
    _thread: Arc<Reactor>,
    reactors: Reactors,
    account: Account,
    given_up: GivenUp,
    taking: Taking,
}

/// An answer on its way to whoever asked.
struct Delivery {
    response: Response,
    account: Account,
    reactors: Reactors,
    /// That of its connection, where no other answer comes: over HTTP/2 others may.
    reactor: Option<Arc<Reactor>>,
    pieces: mpsc::Sender<Next>,
    taking: Taking,
    /// Dropped when all is counted.
    _running: watch::Sender<()>,
}

impl Exchanges {
    /// # Errors
    /// When the system refuses the thread.
    pub(super) fn new(account: &Account) -> io::Result<Self> {
        let thread = Arc::new(Reactor::new("network")?);
        let (reactors, given_up) = (Reactors::default(), GivenUp::default());
        Ok(Self { thread, reactors, account: account.clone(), given_up })
    }

    /// For the client.
    pub(super) fn reactors(&self) -> Reactors {
        self.reactors.clone()
    }

    /// Asks, and waits for the answer's head.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Answer, Broken> {
        // A connection that was ended is none of those that are open.
        self.given_up.counted().await;
        self.account.room_for(0).map_err(Broken::Budget)?;
        let exchange = Exchange {
            _thread: Arc::clone(&self.thread),
            reactors: self.reactors.clone(),
            account: self.account.clone(),
            given_up: self.given_up.clone(),
            taking: self.account.taking(),
        };
        let (tell, told) = oneshot::channel();
        self.thread.spawn(exchange.run(request, tell));
        told.await.expect("the thread lives as long as its client, and tells")
    }
}

impl Exchange {
    async fn run(self, request: RequestBuilder, mut tell: oneshot::Sender<Result<Answer, Broken>>) {
        let mut sent = Box::pin(request.send());
        let come = tokio::select! {
            biased;
            come = &mut sent => Some(come),
            // Whoever stops waiting may miss it by a moment: what came with it is counted as well.
            () = tell.closed() => sent.as_mut().now_or_never(),
        };
        drop(sent);
        let response = match come {
            Some(Ok(response)) => response,
            Some(Err(error)) => {
                drop(self.taking);
                let _nobody_waits = tell.send(Err(Broken::Off(error)));
                return;
            }
            None => return,
        };
        let is_alone = response.version() < Version::HTTP_2;
        let reactor = self.reactors.of(&response).filter(|_| is_alone);
        if response.content_length() == Some(0) {
            if let Some(reactor) = reactor.filter(|_| is_last(&response)) {
                self.reactors.forget(&reactor);
            }
            drop(self.taking);
            let _nobody_waits = tell.send(Ok(Answer::new(&response, None)));
            return;
        }
        // One piece waits for whoever reads it while the next one comes.
        let (pieces, taken) = mpsc::channel(1);
        let (running, is_running) = watch::channel(());
        let (want, wanted) = oneshot::channel();
        let body = Body {
            wanted: Some(want),
            pieces: taken,
            reactor: reactor.clone(),
            running: is_running,
            given_up: self.given_up,
        };
        // Where nobody waits any more it is given up here.
        let _nobody_waits = tell.send(Ok(Answer::new(&response, Some(body))));
        let Self { account, reactors, taking, .. } = self;
        let delivery = Delivery { response, account, reactors, reactor, pieces, taking, _running: running };
        delivery.run(wanted).await;
    }
}

impl Delivery {
    async fn run(mut self, wanted: oneshot::Receiver<()>) {
        if wanted.await.is_err() {
            return self.count_the_rest().await;
        }
        while let Ok(room) = self.pieces.reserve().await {
            let next = tokio::select! {
                biased;
                next = self.response.chunk() => next,
                () = self.pieces.closed() => break,
            };
            let next = match next {
                Ok(Some(bytes)) => match count(&self.account, &bytes) {
                    Ok(()) => {
                        room.send(Ok(Some(bytes)));
                        continue;
                    }
                    Err(fault) => {
                        // Before anything else runs on this thread: nothing above it was read but this.
                        if let Some(reactor) = &self.reactor {
                            reactor.end();
                        }
                        room.send(Err(Broken::Budget(fault)));
                        break;
                    }
                },
                Ok(None) => {
                    if let Some(reactor) = self.reactor.filter(|_| is_last(&self.response)) {
                        self.reactors.forget(&reactor);
                    }
                    Ok(None)
                }
                Err(error) => {
                    if let Some(reactor) = &self.reactor {
                        self.reactors.forget(reactor);
                    }
                    Err(Broken::Off(error))
                }
            };
            drop(self.taking);
            room.send(next);
            return;
        }
        self.count_the_rest().await;
    }

    /// Nobody wants more of it. Where it was given up its connection is ended already.
    async fn count_the_rest(mut self) {
        // Whoever asks for more finds the budget used.
        let count = |bytes: Bytes| drop(count(&self.account, &bytes));
        let Some(reactor) = self.reactor else {
            for _ in 0..MOST_WAITING {
                let Some(Ok(Some(bytes))) = self.response.chunk().now_or_never() else { return };
                count(bytes);
            }
            return;
        };
        match tokio::time::timeout(LONGEST_REST, self.response.chunk()).await {
            // The connection can be used again.
            Ok(Ok(None)) => return,
            Ok(Ok(Some(bytes))) => count(bytes),
            Ok(Err(_)) | Err(_) => {}
        }
        reactor.end();
        self.reactors.forget(&reactor);
        while let Ok(Some(bytes)) = self.response.chunk().await {
            count(bytes);
        }
    }
}

fn count(account: &Account, bytes: &Bytes) -> Result<(), super::Fault> {
    account.take(bytes.len() as u64)
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

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread;

    use testdata::Relay;

    use super::*;
    use crate::place::proxy::{Proxy, Route};
    use crate::place::source::Tls;
    use crate::transport::{Pacing, client};

    /// What answers each connection without an end, in chunks of `size` bytes.
    fn endless(size: usize) -> TcpListener {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let accepting = listener.try_clone().expect("a listener");
        thread::spawn(move || {
            for mut stream in accepting.incoming().map_while(Result::ok) {
                thread::spawn(move || {
                    let _request = stream.read(&mut [0; 4096]);
                    let mut said = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
                    let chunk = format!("{size:x}\r\n{}\r\n", "x".repeat(size));
                    while stream.write_all(&said).is_ok() {
                        said = chunk.clone().into_bytes();
                    }
                });
            }
        });
        listener
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn no_more_than_one_read_of_each_connection_is_above_the_budget() {
        let route = Route::new(&Proxy::default()).expect("none");
        for (size, connections) in [(1_000_000, 1), (1_000_000, 3), (100, 1), (100, 3)] {
            let server = endless(size);
            for round in 0..20 {
                let relay = Relay::before(server.local_addr().expect("bound"));
                let (account, budget) = (Account::default(), 20_000 + round * 517);
                account.limit(Some(budget));
                let exchanges = Exchanges::new(&account).expect("a thread");
                let client = client::build(&route, &Tls::default(), &Pacing::default(), exchanges.reactors());
                let client = client.expect("built");
                let all = (0..connections).map(|_| async {
                    let url = format!("http://{}/", relay.address());
                    let mut answer = exchanges.send(client.get(url)).await?;
                    while answer.piece().await?.is_some() {}
                    Ok(())
                });
                let ended: Vec<Next> = futures_util::future::join_all(all)
                    .await
                    .into_iter()
                    .map(|end: Result<(), _>| end.map(|()| None))
                    .collect();
                assert!(ended.iter().all(|end| matches!(end, Err(Broken::Budget(_)))), "{ended:?}");
                let read = tokio::task::block_in_place(|| relay.bodies());
                assert_eq!(tokio::task::block_in_place(|| account.settled()), read);
                assert!(
                    read > budget && read <= budget + connections * Relay::PIECE,
                    "{read} of {budget} over {connections}, in chunks of {size}"
                );
            }
        }
    }
}
