//! Between the stages and a reader that may stand still.
//!
//! The stages leave messages here and go on; one thread says them. Of one stage only the newest state waits, so the
//! queue stays short however long a reader stands still, and nothing but progress is ever left out.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::event::Phase;

/// One stage: what is done to what.
pub(super) type Stage = (Phase, &'static str);

/// How long the end of a run waits for a reader that stands still.
const PATIENCE: Duration = Duration::from_secs(5);

/// What waits to be said.
#[derive(Debug)]
struct State<M> {
    waiting: VecDeque<(Option<Stage>, M)>,
    /// A message was taken and is not said yet.
    speaking: bool,
    closed: bool,
}

/// Messages on their way to one thread that says them.
#[derive(Debug)]
pub(super) struct Queue<M>(Arc<(Mutex<State<M>>, Condvar)>);

impl<M: Send + 'static> Queue<M> {
    /// Starts the thread, which calls `say` for each message in turn.
    pub(super) fn start(mut say: impl FnMut(M) + Send + 'static) -> Self {
        let state = State { waiting: VecDeque::new(), speaking: false, closed: false };
        let shared = Arc::new((Mutex::new(state), Condvar::new()));
        let theirs = Arc::clone(&shared);
        // Without a thread nothing is said, and the work goes on.
        let spawned = std::thread::Builder::new().name("events".to_owned()).spawn(move || {
            while let Some(message) = next(&theirs) {
                say(message);
            }
        });
        if let Err(error) = spawned {
            tracing::warn!("events will not be told: failed to start a thread for them: {error}");
            lock(&shared.0).closed = true;
        }
        Self(shared)
    }

    /// Leaves a message. One about the same stage that waits still is replaced, unless something else was left since.
    pub(super) fn leave(&self, stage: Option<Stage>, message: M) {
        let mut state = lock(&self.0.0);
        if state.closed {
            return;
        }
        let recent = state.waiting.iter_mut().rev().take_while(|(waiting, _)| waiting.is_some());
        let same = recent.into_iter().find(|(waiting, _)| stage.is_some() && *waiting == stage);
        match same {
            Some((_, waiting)) => *waiting = message,
            None => state.waiting.push_back((stage, message)),
        }
        self.0.1.notify_all();
    }

    /// Waits until everything is said; not longer than a few seconds.
    pub(super) fn drain(&self) {
        let _rest = self.drained();
    }

    /// [`Queue::drain`], after which nothing more is said.
    pub(super) fn close(&self) {
        let mut state = self.drained();
        state.closed = true;
        state.waiting.clear();
        self.0.1.notify_all();
    }
}

impl<M> Queue<M> {
    #[expect(clippy::disallowed_methods, reason = "a bounded wait needs a monotonic clock")]
    fn drained(&self) -> MutexGuard<'_, State<M>> {
        let give_up = Instant::now() + PATIENCE;
        let mut state = lock(&self.0.0);
        while !state.closed && (state.speaking || !state.waiting.is_empty()) {
            let Some(left) = give_up.checked_duration_since(Instant::now()) else { break };
            state = self.0.1.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }
}

fn next<M>(shared: &(Mutex<State<M>>, Condvar)) -> Option<M> {
    let mut state = lock(&shared.0);
    state.speaking = false;
    shared.1.notify_all();
    loop {
        if let Some((_, message)) = state.waiting.pop_front() {
            state.speaking = true;
            return Some(message);
        }
        if state.closed {
            return None;
        }
        state = shared.1.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
}

fn lock<M>(state: &Mutex<State<M>>) -> MutexGuard<'_, State<M>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_reader_that_stands_still_holds_nobody_up_and_misses_only_progress() {
        let (said, heard) = mpsc::channel();
        let (go, gate) = mpsc::channel::<()>();
        let (begun, has_begun) = mpsc::channel();
        let queue = Queue::start(move |message: String| {
            begun.send(()).unwrap();
            gate.recv().unwrap();
            said.send(message).unwrap();
        });
        queue.leave(None, "started".to_owned());
        has_begun.recv().unwrap();
        for bytes in 0..10_000 {
            queue.leave(Some((Phase::Write, "boot")), format!("boot {bytes}"));
            queue.leave(Some((Phase::Write, "root")), format!("root {bytes}"));
        }
        queue.leave(None, "plan".to_owned());
        queue.leave(Some((Phase::Write, "boot")), "boot again".to_owned());
        queue.leave(None, "done".to_owned());
        for _ in 0..6 {
            go.send(()).unwrap();
        }
        queue.close();
        let heard: Vec<String> = heard.try_iter().collect();
        assert_eq!(heard, ["started", "boot 9999", "root 9999", "plan", "boot again", "done"]);
    }
}
