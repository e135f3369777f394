//! Moments and victims, the same for the same seed.

use std::time::Duration;

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Victim {
    /// The API server alone: its worker goes on.
    Server,
    /// The worker alone.
    Worker,
    /// Both, as a power cut without the disk.
    Both,
}

impl std::fmt::Display for Victim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Server => "apiserver",
            Self::Worker => "updog",
            Self::Both => "both",
        })
    }
}

/// SplitMix64: small, and good enough to spread moments.
pub(crate) struct Dice(u64);

impl Dice {
    /// Dice that fall the same way for the same seed.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A moment before `end` or shortly after it.
    pub(super) fn moment(&mut self, end: Duration) -> Duration {
        let permille = u32::try_from(self.below(1200)).expect("below 1200");
        end * permille / 1000
    }

    /// Somebody.
    pub(super) fn victim(&mut self) -> Victim {
        [Victim::Server, Victim::Worker, Victim::Both][usize::try_from(self.below(3)).expect("below 3")]
    }

    /// A number below `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_and_everybody_is_drawn() {
        let draw = |seed| {
            let mut dice = Dice::new(seed);
            (0..50).map(|_| (dice.moment(Duration::from_secs(1)), dice.victim())).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        for victim in [Victim::Server, Victim::Worker, Victim::Both] {
            assert!(draw(7).iter().any(|(_, drawn)| *drawn == victim), "{victim}");
        }
        assert!(draw(7).iter().all(|(moment, _)| *moment < Duration::from_millis(1200)));
    }
}
