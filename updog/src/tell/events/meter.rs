//! Counting the bytes of one stage.

use std::time::{Duration, Instant};

use super::event::{Event, Phase, Progress};
use super::outlet::Events;
use super::pace::{self, Pace};

/// Counts the bytes of one stage and tells them, at most a hundred times.
pub struct Meter<'a> {
    events: &'a Events,
    started: Instant,
    pace: Pace,
    progress: Progress,
    told: u64,
}

impl Events {
    /// A meter for one stage, which tells how far it is.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "how fast it goes is told, never decided on")]
    pub fn meter(&self, phase: Phase, image: &'static str, total: Option<u64>) -> Meter<'_> {
        let eta = pace::left(0, total, 0);
        let progress = Progress { phase, image, bytes: 0, total, rate: 0, eta };
        self.tell(&Event::Progress(progress));
        Meter { events: self, started: Instant::now(), pace: Pace::default(), progress, told: 0 }
    }
}

impl Meter<'_> {
    /// How often an unknown total is told.
    const STEP: u64 = 4 << 20;

    /// `count` more bytes are done.
    pub fn add(&mut self, count: u64) {
        self.progress.bytes += count;
        let step = self.progress.total.map_or(Self::STEP, |total| (total / 100).max(1));
        if self.progress.bytes >= self.told + step {
            self.tell();
        }
    }

    /// The stage is over: whatever was counted is all there is.
    pub fn finish(mut self) {
        let before = self.progress.total;
        self.progress.total = Some(self.progress.bytes);
        if self.progress.bytes != self.told || before != self.progress.total {
            self.tell();
        }
    }

    fn tell(&mut self) {
        let Progress { phase, bytes, total, .. } = self.progress;
        let passed: Duration = self.started.elapsed();
        let rate = match phase {
            // All that is known is that it is over: how much there was to do, only the device knows.
            Phase::Sync => 0,
            _ => self.pace.seen(passed, bytes),
        };
        self.progress = Progress { rate, eta: pace::left(bytes, total, rate), ..self.progress };
        self.told = bytes;
        self.events.tell(&Event::Progress(self.progress));
    }
}
