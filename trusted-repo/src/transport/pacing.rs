//! The patience of a client, and when to try again.

use std::time::Duration;

use chrono::DateTime;
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
    /// For how long altogether, over all attempts, nothing new may come before giving up: whoever waits for us is told
    /// why within this and a little more.
    pub silence: Duration,
    /// The longest wait that a server may ask for. Whoever is asked for more gives up, and comes again another day.
    pub longest_wait: Duration,
}

impl Pacing {
    /// How long an object of `length` bytes may take altogether, the reader's own time left out: as long as at the
    /// least speed, and a few windows for connections and pauses.
    fn deadline(&self, length: u64) -> Duration {
        let windows = length.div_ceil(self.slow_floor.max(1)).saturating_add(5);
        self.slow_window.saturating_mul(u32::try_from(windows).unwrap_or(u32::MAX))
    }
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
            silence: Duration::from_secs(90),
            longest_wait: Duration::from_secs(60),
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
    spent: Duration,
    /// How much of it since the last new byte.
    silent: Duration,
    deadline: Duration,
}

impl Patience {
    /// For an object of at most `length` bytes.
    pub(crate) fn new(pacing: Pacing, length: u64) -> Self {
        Self {
            pacing,
            failures: 0,
            since_failure: 0,
            waited: Duration::ZERO,
            while_waiting: 0,
            spent: Duration::ZERO,
            silent: Duration::ZERO,
            deadline: pacing.deadline(length),
        }
    }

    /// Goes on after so many failures in a row.
    pub(crate) fn after(self, failures: u32) -> Self {
        Self { failures, ..self }
    }

    /// Failures in a row so far.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// Notes that this much of the whole time is gone.
    pub(crate) fn spend(&mut self, time: Duration) {
        self.spent = self.spent.saturating_add(time);
        self.silent = self.silent.saturating_add(time);
    }

    /// What is left of the whole time.
    pub(crate) fn left(&self) -> Duration {
        self.deadline.saturating_sub(self.spent)
    }

    /// The whole time.
    pub(crate) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Notes bytes that had not come before. They refill the attempts.
    pub(crate) fn progress(&mut self, bytes: u64) {
        if bytes > 0 {
            self.silent = Duration::ZERO;
        }
        self.since_failure = self.since_failure.saturating_add(bytes);
        if self.since_failure >= REFILL {
            self.failures = 0;
        }
    }

    /// How long to pause before the next attempt; `None` when it is time to give up. `jitter` is in `0.0..=1.0`, and
    /// `asked` is how long the server wants to be left alone.
    pub(crate) fn after_failure(&mut self, jitter: f64, asked: Option<Duration>) -> Option<Duration> {
        self.failures += 1;
        self.since_failure = 0;
        let asked = asked.unwrap_or_default();
        if self.failures >= self.pacing.attempts
            || self.silent >= self.pacing.silence
            || asked > self.pacing.longest_wait
        {
            return None;
        }
        let doubled = self.pacing.first_pause.saturating_mul(1 << (self.failures - 1).min(16));
        let pause = doubled.min(self.pacing.longest_pause);
        // Between half and all of it: a fleet that lost its server together does not come back together.
        Some(asked + pause.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0))
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

/// What `Retry-After` asks for: seconds, or a date, which counts from the server's own `Date`.
pub(crate) fn wait_of(retry_after: &str, date: Option<&str>) -> Option<Duration> {
    if let Ok(seconds) = retry_after.trim().parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = |text: &str| DateTime::parse_from_rfc2822(text).ok();
    Some((at(retry_after)? - at(date?)?).to_std().unwrap_or_default())
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
        let mut patience = Patience::new(pacing, 0);
        let pauses: Vec<_> =
            std::iter::from_fn(|| patience.after_failure(1.0, None)).map(|p| p.as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 5000]);
    }

    #[test]
    fn a_server_that_stalls_each_time_is_given_up_on_while_somebody_still_waits() {
        let mut patience = Patience::new(Pacing::default(), 0);
        let mut waited = Duration::ZERO;
        loop {
            patience.spend(Duration::from_secs(30));
            waited += Duration::from_secs(30);
            let Some(pause) = patience.after_failure(1.0, None) else { break };
            patience.spend(pause);
            waited += pause;
        }
        assert!(waited < Duration::from_secs(100), "{waited:?}");
        let mut patience = Patience::new(Pacing::default(), 0);
        for _ in 0..20 {
            patience.spend(Duration::from_secs(30));
            patience.progress(REFILL);
            assert!(patience.after_failure(1.0, None).is_some(), "bytes keep coming");
        }
    }

    #[test]
    fn attempts_refill_on_progress_only() {
        let mut patience = Patience::new(Pacing::default(), 0);
        for _ in 0..100 {
            assert!(patience.after_failure(0.0, None).is_some());
            patience.progress(REFILL);
        }
        for _ in 0..4 {
            patience.progress(1);
            assert!(patience.after_failure(0.0, None).is_some());
        }
        patience.progress(1);
        assert!(patience.after_failure(0.0, None).is_none(), "a trickle is no progress");
    }

    #[test]
    fn a_slow_trickle_is_told_from_a_slow_link() {
        let mut trickle = Patience::new(Pacing::default(), 0);
        assert!((0..59).all(|_| trickle.fast_enough(Duration::from_secs(1), 100)));
        assert!(!trickle.fast_enough(Duration::from_secs(1), 100));
        let mut link = Patience::new(Pacing::default(), 0);
        assert!((0..600).all(|_| link.fast_enough(Duration::from_secs(1), 2048)));
    }

    #[test]
    fn a_server_that_asks_to_be_left_alone_is_left_alone_within_reason() {
        let mut patience = Patience::new(Pacing::default(), 0);
        let pause = patience.after_failure(0.0, Some(Duration::from_secs(30))).expect("within reason");
        assert_eq!(pause.as_millis(), 30_050);
        assert_eq!(patience.after_failure(0.0, Some(Duration::from_secs(61))), None);
    }

    #[test]
    fn a_wait_is_seconds_or_a_date_by_the_clock_of_the_server() {
        let noon = "Sun, 06 Nov 1994 12:00:00 GMT";
        assert_eq!(wait_of(" 7", None), Some(Duration::from_secs(7)));
        assert_eq!(wait_of("Sun, 06 Nov 1994 12:01:00 GMT", Some(noon)), Some(Duration::from_secs(60)));
        assert_eq!(wait_of("Sun, 06 Nov 1994 11:00:00 GMT", Some(noon)), Some(Duration::ZERO));
        assert_eq!(wait_of("Sun, 06 Nov 1994 12:01:00 GMT", None), None);
        assert_eq!(wait_of("-1", Some(noon)), None);
    }

    #[test]
    fn an_object_has_as_long_as_its_size_takes_at_the_least_speed() {
        let mut patience = Patience::new(Pacing::default(), 600 * 1024);
        assert_eq!(patience.deadline(), Duration::from_secs(15 * 60));
        patience.spend(Duration::from_secs(14 * 60));
        assert_eq!(patience.left(), Duration::from_secs(60));
        patience.spend(Duration::from_secs(14 * 60));
        assert_eq!(patience.left(), Duration::ZERO);
        assert!(Patience::new(Pacing::default(), u64::MAX).deadline() > Duration::from_secs(1 << 32));
    }

    #[test]
    fn jitter_stays_in_its_bounds() {
        assert!((0..100).map(|_| jitter()).all(|value| (0.0..=1.0).contains(&value)));
    }
}
