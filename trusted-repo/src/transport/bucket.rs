//! A cap on bandwidth: bytes are paid for after they came, so that nothing waits before it is asked for.

use std::num::NonZeroU64;
use std::time::Duration;

/// So much of a second may come at once.
const BURST: f64 = 0.25;

/// What may still come at a rate. A pure rule: time is passed in, counted from any moment that stays the same.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    /// Bytes per second.
    rate: f64,
    /// Bytes that may come now; below zero after more came than was due.
    level: f64,
    /// When the level was that.
    at: Duration,
}

impl Bucket {
    #[expect(clippy::cast_precision_loss, reason = "nobody has a link of 2^53 bytes a second")]
    pub(super) fn new(rate: NonZeroU64) -> Self {
        let rate = rate.get() as f64;
        Self { rate, level: rate * BURST, at: Duration::ZERO }
    }

    /// Takes `bytes` out at `now`, and says how long to wait before more is read.
    #[expect(clippy::cast_precision_loss, reason = "a piece of a download is small")]
    pub(super) fn take(&mut self, bytes: u64, now: Duration) -> Duration {
        let came_in = now.saturating_sub(self.at).as_secs_f64() * self.rate;
        self.at = self.at.max(now);
        self.level = (self.level + came_in).min(self.rate * BURST) - bytes as f64;
        Duration::try_from_secs_f64(-self.level.min(0.0) / self.rate).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bucket(rate: u64) -> Bucket {
        Bucket::new(NonZeroU64::new(rate).expect("not zero"))
    }

    #[test]
    fn the_first_bytes_are_free_and_a_rest_earns_no_more_than_a_burst() {
        let mut bucket = bucket(1000);
        assert_eq!(bucket.take(250, Duration::ZERO), Duration::ZERO);
        assert_eq!(bucket.take(1000, Duration::ZERO), Duration::from_secs(1));
        assert_eq!(bucket.take(1250, Duration::from_secs(3600)), Duration::from_secs(1));
    }

    proptest! {
        #[test]
        fn whoever_waits_as_told_is_never_faster_than_the_cap(pieces in prop::collection::vec(1_u64..50_000, 1..50)) {
            let mut bucket = bucket(10_000);
            let mut now = Duration::ZERO;
            for piece in &pieces {
                now += bucket.take(*piece, now);
            }
            let total: u64 = pieces.iter().sum();
            let due = total.saturating_sub(2_500) as f64 / 10_000.0;
            prop_assert!((now.as_secs_f64() - due).abs() < 0.001, "{now:?} for {total}, due {due}");
        }
    }
}
