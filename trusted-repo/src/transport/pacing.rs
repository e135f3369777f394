//! The patience of a client, and when to try again.

use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};

/// So many bytes in a row make good for earlier failures: the attempts are full again.
const REFILL: u64 = 16 * 1024;

/// How long a client waits, and how often it tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pacing {
    /// For a connection to come about.
    pub connect: Duration,
    /// For the next byte. There is no limit on a whole request: a slow link is not a broken one.
    pub idle: Duration,
    /// Attempts in a row without progress before giving up.
    pub attempts: u32,
    /// The pause after the first failure; it doubles from there.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// The time over which the least speed is measured.
    pub slow_window: Duration,
    /// The least number of bytes in that time.
    pub slow_floor: u64,
}

impl Default for Pacing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            attempts: 5,
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(5),
            slow_window: Duration::from_secs(60),
            slow_floor: 60 * 1024,
        }
    }
}

/// What is left of a client's patience for one object.
#[derive(Debug, Clone)]
pub(crate) struct Patience {
    pacing: Pacing,
    failures: u32,
    since_failure: u64,
    waited: Duration,
    while_waiting: u64,
}

impl Patience {
    pub(crate) fn new(pacing: Pacing) -> Self {
        Self { pacing, failures: 0, since_failure: 0, waited: Duration::ZERO, while_waiting: 0 }
    }

    /// Notes bytes that had not come before. They refill the attempts.
    pub(crate) fn progress(&mut self, bytes: u64) {
        self.since_failure = self.since_failure.saturating_add(bytes);
        if self.since_failure >= REFILL {
            self.failures = 0;
        }
    }

    /// How long to pause before the next attempt; `None` when it is time to give up. `jitter` is in `0.0..=1.0`.
    pub(crate) fn after_failure(&mut self, jitter: f64) -> Option<Duration> {
        self.failures += 1;
        self.since_failure = 0;
        if self.failures >= self.pacing.attempts {
            return None;
        }
        let doubled = self.pacing.first_pause.saturating_mul(1 << (self.failures - 1).min(16));
        let pause = doubled.min(self.pacing.longest_pause);
        // Between half and all of it: a fleet that lost its server together does not come back together.
        Some(pause.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0))
    }

    /// Notes that `waited` was spent on the network until `bytes` came; false when that is too slow to ever end.
    pub(crate) fn fast_enough(&mut self, waited: Duration, bytes: u64) -> bool {
        self.waited += waited;
        self.while_waiting = self.while_waiting.saturating_add(bytes);
        if self.waited < self.pacing.slow_window {
            return true;
        }
        let enough = self.while_waiting >= self.pacing.slow_floor;
        self.waited = Duration::ZERO;
        self.while_waiting = 0;
        enough
    }
}

/// A number in `0.0..=1.0` that nobody can foresee.
pub(crate) fn jitter() -> f64 {
    let mut bytes = [0; 4];
    match SystemRandom::new().fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_attempts_end() {
        let pacing = Pacing { attempts: 8, ..Pacing::default() };
        let mut patience = Patience::new(pacing);
        let pauses: Vec<_> =
            std::iter::from_fn(|| patience.after_failure(1.0)).map(|p| p.as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 5000]);
    }

    #[test]
    fn attempts_refill_on_progress_only() {
        let mut patience = Patience::new(Pacing::default());
        for _ in 0..100 {
            assert!(patience.after_failure(0.0).is_some());
            patience.progress(REFILL);
        }
        for _ in 0..4 {
            patience.progress(1);
            assert!(patience.after_failure(0.0).is_some());
        }
        patience.progress(1);
        assert!(patience.after_failure(0.0).is_none(), "a trickle is no progress");
    }

    #[test]
    fn a_slow_trickle_is_told_from_a_slow_link() {
        let mut trickle = Patience::new(Pacing::default());
        assert!((0..59).all(|_| trickle.fast_enough(Duration::from_secs(1), 100)));
        assert!(!trickle.fast_enough(Duration::from_secs(1), 100));
        let mut link = Patience::new(Pacing::default());
        assert!((0..600).all(|_| link.fast_enough(Duration::from_secs(1), 2048)));
    }

    #[test]
    fn jitter_stays_in_its_bounds() {
        assert!((0..100).map(|_| jitter()).all(|value| (0.0..=1.0).contains(&value)));
    }
}
