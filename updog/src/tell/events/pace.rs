//! How fast a stage is, and how long it will still take: a rule over times and bytes.

use std::time::Duration;

/// How far back the rate looks. Shorter, it jumps; longer, it does not notice that a link got slow.
const MEMORY: Duration = Duration::from_secs(5);

/// The pace of one stage. Times are counted from its start.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Pace {
    at: Duration,
    bytes: u64,
    rate: f64,
}

impl Pace {
    /// At `now` the stage has done `bytes` in all. Returns bytes a second, lately.
    #[expect(clippy::cast_precision_loss, reason = "a rate is told in round numbers")]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate is finite and not negative"
    )]
    pub(super) fn seen(&mut self, now: Duration, bytes: u64) -> u64 {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        if passed > 0.0 {
            let rate = bytes.saturating_sub(self.bytes) as f64 / passed;
            // The first stretch counts whole; later ones replace what is older than the memory.
            let weight = if self.at.is_zero() { 1.0 } else { 1.0 - (-passed / MEMORY.as_secs_f64()).exp() };
            *self = Self { at: now, bytes, rate: self.rate + weight * (rate - self.rate) };
        }
        self.rate.round() as u64
    }
}

/// Seconds until `total` at `rate`; `None` where one of the two is not known.
pub(super) fn left(bytes: u64, total: Option<u64>, rate: u64) -> Option<u64> {
    match total?.saturating_sub(bytes) {
        0 => Some(0),
        _ if rate == 0 => None,
        missing => Some(missing.div_ceil(rate)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_steady_stage_has_its_rate_from_the_first_second() {
        let mut pace = Pace::default();
        for second in 1..20 {
            assert_eq!(pace.seen(seconds(second), second * 1000), 1000);
        }
        // Asked twice at the same time it says the same.
        assert_eq!(pace.seen(seconds(19), 30_000), 1000);
    }

    #[test]
    fn a_link_that_gets_slow_is_noticed_and_one_that_stops_goes_to_nothing() {
        let mut pace = Pace::default();
        pace.seen(seconds(1), 1_000_000);
        let slower = pace.seen(seconds(2), 1_000_000);
        assert!((500_000..1_000_000).contains(&slower), "{slower}");
        assert!(pace.seen(seconds(60), 1_000_000) < 100);
    }

    #[test]
    fn what_is_not_known_is_not_told() {
        assert_eq!(left(10, None, 5), None);
        assert_eq!(left(10, Some(20), 0), None);
        assert_eq!(left(10, Some(20), 3), Some(4));
        assert_eq!(left(20, Some(20), 0), Some(0));
        assert_eq!(left(30, Some(20), 1), Some(0), "more than was expected is no negative time");
    }
}
