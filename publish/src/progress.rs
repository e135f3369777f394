//! Who is told how far it is.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use host_io::bar::{self, Part};

/// Told about bytes of images as they are worked through.
pub trait Progress: Send + Sync {
    /// `bytes` more are done.
    fn done(&self, bytes: u64);
    /// `bytes` are to be done altogether.
    fn total(&self, bytes: u64);
    /// Nothing more comes.
    fn finish(&self);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn done(&self, _bytes: u64) {}
    fn total(&self, _bytes: u64) {}
    fn finish(&self) {}
}

/// A bar on stderr where somebody watches it; otherwise silent.
#[derive(Debug)]
pub struct Bar {
    what: &'static str,
    state: Option<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    done: u64,
    total: u64,
    began: Instant,
    drawn: Option<Instant>,
}

/// How far two drawings are apart at least.
const APART: Duration = Duration::from_millis(100);

impl Bar {
    /// A bar that does not show yet. `what` is being done.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "a rate needs a monotonic clock")]
    pub fn new(what: &'static str) -> Self {
        let state = State { done: 0, total: 0, began: Instant::now(), drawn: None };
        Self { what, state: bar::is_watched().then_some(Mutex::new(state)) }
    }

    #[expect(clippy::disallowed_methods, reason = "a rate needs a monotonic clock")]
    fn change(&self, change: impl FnOnce(&mut State)) {
        let Some(state) = &self.state else { return };
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        let now = Instant::now();
        if state.drawn.is_some_and(|drawn| now.duration_since(drawn) < APART) {
            return;
        }
        state.drawn = Some(now);
        let State { done, total, began, .. } = *state;
        let spent = u64::try_from(now.duration_since(began).as_millis()).unwrap_or(u64::MAX);
        let rate = done.saturating_mul(1000).checked_div(spent).unwrap_or_default();
        let left = total.saturating_sub(done).checked_div(rate);
        bar::draw(&Part { what: self.what, done, total: (total > 0).then_some(total), rate, left });
    }
}

impl Progress for Bar {
    fn done(&self, bytes: u64) {
        self.change(|state| state.done += bytes);
    }

    fn total(&self, bytes: u64) {
        self.change(|state| state.total = bytes);
    }

    fn finish(&self) {
        bar::hide();
    }
}

/// Whatever ends the work takes the bar away.
impl Drop for Bar {
    fn drop(&mut self) {
        if self.state.is_some() {
            bar::hide();
        }
    }
}

/// A reader that tells how much was read from it.
pub(crate) struct Counted<R> {
    pub(crate) inner: R,
    pub(crate) progress: Arc<dyn Progress>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buf)?;
        self.progress.done(count as u64);
        Ok(count)
    }
}
