//! The one place where this program waits: for the network, for another stage, or to be told to stop.
//!
//! A stop signal only sets a flag. Whoever waits here returns at once; whoever is in the middle of a change of the
//! partition table finishes it first, because nothing there asks. What the disk then looks like is always a state that
//! the next run knows.

use std::future::Future;
use std::{io, thread};

use thiserror::Error;
use tokio::runtime::{Builder, EnterGuard, Handle};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};

/// The program was told to stop (SIGTERM or SIGINT).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a signal asked to stop")]
pub struct Stopped;

/// Runs what must be waited for, and watches for the stop signals meanwhile.
#[derive(Debug)]
pub struct Waiter {
    runtime: Handle,
    /// Its thread stays until this is dropped.
    _stay: oneshot::Sender<()>,
    stop: watch::Sender<bool>,
}

impl Waiter {
    /// Starts the thread that carries tasks, and catches SIGTERM and SIGINT from now on.
    ///
    /// # Errors
    /// When the system refuses the thread or the signal handlers.
    pub fn new() -> io::Result<Self> {
        // With a thread of our own: the library panics where the system has none for its workers.
        let driven = Builder::new_current_thread().enable_all().build()?;
        let runtime = driven.handle().clone();
        let (stay, end) = oneshot::channel();
        thread::Builder::new().name("tasks".to_owned()).spawn(move || {
            let _it_is_dropped = driven.block_on(end);
            // Without waiting for streams that nobody reads any more.
            driven.shutdown_background();
        })?;
        let stop = watch::Sender::new(false);
        let (mut term, mut interrupt) = {
            let _inside = runtime.enter();
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
        };
        let told = stop.clone();
        runtime.spawn(async move {
            tokio::select! {
                _ = term.recv() => {}
                _ = interrupt.recv() => {}
            }
            told.send_replace(true);
        });
        Ok(Self { runtime, _stay: stay, stop })
    }

    /// The result of `future`, unless the program is told to stop first; the future is then dropped.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn wait<F: Future>(&self, future: F) -> Result<F::Output, Stopped> {
        let mut stop = self.stop.subscribe();
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                _ = stop.wait_for(|&stop| stop) => Err(Stopped),
                output = future => Ok(output),
            }
        })
    }

    /// Whether to go on: asked between two steps that do not wait.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn check(&self) -> Result<(), Stopped> {
        if *self.stop.borrow() { Err(Stopped) } else { Ok(()) }
    }

    /// While the guard lives, code on this thread can start network streams.
    pub fn enter(&self) -> EnterGuard<'_> {
        self.runtime.enter()
    }

    /// Does what a stop signal does.
    #[cfg(test)]
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Leaves without waiting for streams that nobody reads any more.
    pub fn close(self) {
        drop(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_ever_still_stops() {
        let waiter = Waiter::new().unwrap();
        assert_eq!(waiter.wait(async { 7 }), Ok(7));
        assert_eq!(waiter.check(), Ok(()));
        waiter.stop();
        assert_eq!(waiter.wait(std::future::pending::<()>()), Err(Stopped));
        assert_eq!(waiter.wait(async { 7 }), Err(Stopped), "a stop comes before anything that is ready");
        assert_eq!(waiter.check(), Err(Stopped));
    }
}
