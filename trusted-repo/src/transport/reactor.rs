//! The client's connections, each with a reactor of its own, so that one can be ended from above the HTTP library: from
//! then on nothing is read of it.
//!
//! The library reads a connection of its own accord whenever it has room for another piece, and once more when nobody wants
//! the body any more; it opens connections itself and lets nobody stand around them. But a socket of tokio's belongs to the
//! reactor of the runtime that is current while it is opened, and once that reactor is gone every read of it fails before
//! the kernel is asked. So a layer around the connector opens each connection within a runtime that does nothing else. The
//! library's tasks stay on the thread that they share (`exchange`), and hand out what they had read before they meet the end.

use std::error::Error as StdError;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use std::{future, io, thread};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hyper_util::client::legacy::connect::{Connection, HttpInfo};
use reqwest::Response;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tower_layer::Layer;
use tower_service::Service;

/// How long a reactor is kept of whose connection no answer is under way: longer than a head is waited for and than the
/// library keeps a connection for the next request, as nobody says when it has closed one.
const LONGEST_AT_REST: Duration = Duration::from_secs(150);

type BoxError = Box<dyn StdError + Send + Sync>;

/// A runtime on a thread of its own: one connection's, or that of all tasks. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Reactor {
    runtime: Handle,
    running: Mutex<Option<(oneshot::Sender<()>, thread::JoinHandle<()>)>>,
}

/// Both ends of a connection.
type Ends = (SocketAddr, SocketAddr);

/// The reactors of a client. Clones are the same ones.
#[derive(Debug, Clone, Default)]
pub(super) struct Reactors(Arc<Mutex<Vec<Held>>>);

/// A reactor, and when its connection was opened or brought a head.
#[derive(Debug)]
struct Held {
    ends: Ends,
    reactor: Arc<Reactor>,
    used: Instant,
}

/// The library's connector, each connection of which gets a reactor.
#[derive(Debug, Clone)]
pub(super) struct Opening<S> {
    connector: S,
    reactors: Reactors,
}

impl Reactor {
    pub(super) fn new(name: &str) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let handle = runtime.handle().clone();
        let (stay, end) = oneshot::channel();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _it_is_dropped = runtime.block_on(end);
            // Without waiting for a resolver that still looks for a name.
            runtime.shutdown_background();
        })?;
        Ok(Self { runtime: handle, running: Mutex::new(Some((stay, thread))) })
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.runtime.spawn(task));
    }

    /// Reads nothing more from now on. Waits for the reactor's end, which waits for nothing.
    pub(super) fn end(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((stay, thread)) = running {
            drop(stay);
            let _it_does_not_panic = thread.join();
        }
    }
}

impl Reactors {
    /// The one of the connection that an answer comes on.
    pub(super) fn of(&self, answer: &Response) -> Option<Arc<Reactor>> {
        let ends = ends(answer.extensions().get()?);
        let mut all = self.all();
        let held = all.iter_mut().find(|held| held.ends == ends)?;
        held.used = Instant::now();
        Some(Arc::clone(&held.reactor))
    }

    fn add(&self, ends: Ends, reactor: Reactor) {
        let mut all = self.all();
        // Whoever had the same ends before is gone.
        all.retain(|held| {
            let is_under_way = Arc::strong_count(&held.reactor) > 1;
            held.ends != ends && (is_under_way || held.used.elapsed() < LONGEST_AT_REST)
        });
        all.push(Held { ends, reactor: Arc::new(reactor), used: Instant::now() });
    }

    /// Forgets one whose connection is over.
    pub(super) fn forget(&self, over: &Arc<Reactor>) {
        self.all().retain(|held| !Arc::ptr_eq(&held.reactor, over));
    }

    fn all(&self) -> MutexGuard<'_, Vec<Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ends(info: &HttpInfo) -> Ends {
    (info.local_addr(), info.remote_addr())
}

impl<S> Layer<S> for Reactors {
    type Service = Opening<S>;

    fn layer(&self, connector: S) -> Self::Service {
        Opening { connector, reactors: self.clone() }
    }
}

impl<S, Target> Service<Target> for Opening<S>
where
    S: Service<Target, Error = BoxError>,
    S::Response: Connection,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<S::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(cx)
    }

    fn call(&mut self, target: Target) -> Self::Future {
        let reactors = self.reactors.clone();
        let mut opening = Box::pin(self.connector.call(target));
        async move {
            let reactor = match Reactor::new("connection") {
                Ok(reactor) => reactor,
                Err(error) => {
                    // Better a connection that is counted less exactly than none.
                    tracing::debug!("no reactor for a connection: {error}");
                    return opening.await;
                }
            };
            let opened = future::poll_fn(|cx| {
                let _within = reactor.runtime.enter();
                opening.as_mut().poll(cx)
            })
            .await?;
            let mut known = http::Extensions::new();
            opened.connected().get_extras(&mut known);
            // One that has no ends any more is broken, reactor or not.
            if let Some(info) = known.get() {
                reactors.add(ends(info), reactor);
            }
            Ok(opened)
        }
        .boxed()
    }
}
