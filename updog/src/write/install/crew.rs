//! Several threads behind one short queue: who decodes, hashes, checks and writes.
//!
//! One side hands out jobs, which may mean to wait for the network; the other side does them, as many at a time as there
//! are cores. Whoever is slower sets the pace, so memory stays at a few jobs. When no more comes, because the network failed
//! or a signal asked to stop, the few jobs that wait are still done: their bytes were paid for. A job that fails ends all
//! of it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::sync::{mpsc, watch};

use super::error::Error;
use crate::tell::events::Events;
use crate::wait::Waiter;

/// Jobs that may wait for each thread.
const QUEUE_PER_THREAD: usize = 1;
/// Threads for each core: at any moment most of them wait for the disk, which takes several requests at a time.
const THREADS_PER_CORE: usize = 4;
/// The most threads: each has its own piece of memory.
const MOST_THREADS: usize = 8;

/// Who works, and whom they tell.
#[derive(Clone, Copy)]
pub struct Crew<'a> {
    /// Waits, and is told to stop.
    pub waiter: &'a Waiter,
    /// Is told how far it is.
    pub events: &'a Events,
    threads: usize,
}

/// Where jobs are put.
pub(super) struct Queue<J>(mpsc::Sender<J>);

impl<J> Queue<J> {
    /// Waits until there is room for `job`.
    pub(super) async fn put(&self, job: J) {
        self.put_made(|| job).await;
    }

    /// Waits until there is room, and makes the job then: who gives up waiting has lost nothing.
    pub(super) async fn put_made(&self, make: impl FnOnce() -> J) {
        // It ends only with the crew, which then does not wait for this any more.
        if let Ok(room) = self.0.reserve().await {
            room.send(make());
        }
    }
}

impl<'a> Crew<'a> {
    /// A crew for this machine.
    #[must_use]
    pub fn new(waiter: &'a Waiter, events: &'a Events) -> Self {
        let cores = thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self { waiter, events, threads: (cores * THREADS_PER_CORE).min(MOST_THREADS) }
    }

    /// The same with so many threads at most, for work that takes much memory on each.
    pub(super) fn at_most(self, threads: usize) -> Self {
        Self { threads: self.threads.min(threads), ..self }
    }

    /// Does `each` job that `feed` hands out. Every thread has a state of its own.
    ///
    /// # Errors
    /// What `feed` or the first failing job says, and [`Error::Stopped`].
    pub(super) fn work<J: Send, S>(
        &self,
        feed: impl AsyncFnOnce(Queue<J>) -> Result<(), Error>,
        begin: impl Fn() -> S + Sync,
        each: impl Fn(&mut S, J) -> Result<(), Error> + Sync,
    ) -> Result<(), Error> {
        let (sender, receiver) = mpsc::channel(self.threads * QUEUE_PER_THREAD);
        let shift =
            Shift { jobs: Mutex::new(receiver), over: watch::Sender::new(false), failure: Mutex::new(None) };
        let fed = thread::scope(|scope| {
            for _ in 0..self.threads {
                let (shift, begin, each) = (&shift, &begin, &each);
                thread::Builder::new()
                    .name("crew".to_owned())
                    .spawn_scoped(scope, move || shift.work(begin(), each))
                    .map_err(Error::Thread)?;
            }
            let mut over = shift.over.subscribe();
            let fed = self.waiter.wait(async {
                tokio::select! {
                    biased;
                    _ = over.wait_for(|over| *over) => Ok(()),
                    fed = feed(Queue(sender)) => fed,
                }
            });
            fed.map_err(Error::from).flatten()
        });
        match shift.failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => fed,
        }
    }
}

/// What the threads of one run share.
struct Shift<J> {
    jobs: Mutex<mpsc::Receiver<J>>,
    over: watch::Sender<bool>,
    failure: Mutex<Option<Error>>,
}

impl<J> Shift<J> {
    fn work<S>(&self, mut state: S, each: impl Fn(&mut S, J) -> Result<(), Error>) {
        let _told_when_this_thread_dies = Watch(&self.over);
        loop {
            let Some(job) = self.next() else { return };
            if let Err(error) = each(&mut state, job) {
                lock(&self.failure).get_or_insert(error);
                self.over.send_replace(true);
            }
        }
    }

    /// The next job, while none has failed. One waits for the queue and the others for the lock, under which it is asked
    /// whether one has failed, too: so what was handed out before that one is done, however the threads take turns.
    fn next(&self) -> Option<J> {
        let mut jobs = lock(&self.jobs);
        let job = jobs.blocking_recv()?;
        (!*self.over.borrow()).then_some(job)
    }
}

/// Ends the run when a thread panics, so that nobody waits for it.
struct Watch<'a>(&'a watch::Sender<bool>);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.send_replace(true);
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io;

    use super::*;

    #[test]
    fn every_job_is_done_once() {
        let (waiter, events) = (Waiter::new().unwrap(), Events::silent());
        let done = Mutex::new(BTreeSet::new());
        let feed = async |queue: Queue<u32>| {
            for job in 0..1000 {
                queue.put(job).await;
            }
            Ok(())
        };
        let each = |(): &mut (), job| {
            assert!(lock(&done).insert(job), "{job} was done before");
            Ok(())
        };
        Crew::new(&waiter, &events).work(feed, || (), each).unwrap();
        assert_eq!(lock(&done).len(), 1000);
    }

    #[test]
    fn what_comes_before_a_job_that_fails_is_done() {
        let (waiter, events) = (Waiter::new().unwrap(), Events::silent());
        for _ in 0..2000 {
            let done = Mutex::new(BTreeSet::new());
            let feed = async |queue: Queue<u32>| {
                for job in 0..8 {
                    queue.put(job).await;
                }
                Ok(())
            };
            let each = |(): &mut (), job| match job {
                3 => Err(Error::Thread(io::Error::other("job 3"))),
                _ => {
                    lock(&done).insert(job);
                    Ok(())
                }
            };
            Crew::new(&waiter, &events).work(feed, || (), each).unwrap_err();
            assert!(lock(&done).is_superset(&BTreeSet::from([0, 1, 2])), "{:?}", lock(&done));
        }
    }

    #[test]
    fn a_failing_job_ends_a_feed_that_waits_for_ever() {
        let (waiter, events) = (Waiter::new().unwrap(), Events::silent());
        let feed = async |queue: Queue<u32>| {
            queue.put(7).await;
            std::future::pending().await
        };
        let each = |(): &mut (), _| Err(Error::Thread(io::Error::other("job 7")));
        let error = Crew::new(&waiter, &events).work(feed, || (), each).unwrap_err();
        assert!(matches!(error, Error::Thread(source) if source.to_string() == "job 7"));
    }

    #[test]
    fn a_stop_ends_it_after_the_job_that_is_under_way() {
        let (waiter, events) = (Waiter::new().unwrap(), Events::silent());
        let feed = async |queue: Queue<()>| {
            queue.put(()).await;
            std::future::pending().await
        };
        let each = |(): &mut (), ()| {
            waiter.stop();
            Ok(())
        };
        let ended = Crew::new(&waiter, &events).work(feed, || (), each);
        assert!(matches!(ended, Err(Error::Stopped(_))));
    }
}
