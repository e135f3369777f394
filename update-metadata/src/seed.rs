//! A host's place in the fleet.

use std::fmt;

use thiserror::Error;

/// The last place.
pub const LAST: u32 = 2048;

/// A host's place in the fleet, 0 to 2048. It is drawn once and kept, so that a host is early or late for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seed(u32);

/// A number is no seed.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("use {0} as a seed: it must be between 0 and {LAST}")]
pub struct NotASeed(pub u32);

impl Seed {
    /// A seed that was drawn before. 0, which older hosts may have drawn, is the first of the first wave.
    ///
    /// # Errors
    /// Above 2048.
    pub fn new(seed: u32) -> Result<Self, NotASeed> {
        if seed > LAST { Err(NotASeed(seed)) } else { Ok(Self(seed)) }
    }

    /// A fresh seed from 64 random bits, uniform over 1 to 2048.
    #[must_use]
    pub fn from_random(random: u64) -> Self {
        // 2048 divides 2^64, so that the remainder is as uniform as the bits are.
        Self(u32::try_from(random % u64::from(LAST)).expect("a remainder of 2048 is small") + 1)
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_lies_between_0_and_2048() {
        assert_eq!(Seed::new(0).map(Seed::get), Ok(0));
        assert_eq!(Seed::new(2048).map(Seed::get), Ok(2048));
        assert_eq!(Seed::new(2049), Err(NotASeed(2049)));
        assert_eq!(Seed::new(u32::MAX), Err(NotASeed(u32::MAX)));
    }

    #[test]
    fn a_drawn_seed_is_uniform_over_1_to_2048() {
        let mut drawn: Vec<_> = (0..2048).map(|random| Seed::from_random(random).get()).collect();
        drawn.sort_unstable();
        assert_eq!(drawn, (1..=2048).collect::<Vec<_>>());
        assert_eq!(Seed::from_random(u64::MAX).get(), 2048);
    }

    #[test]
    fn a_failure_is_told_in_these_words() {
        assert_eq!(NotASeed(7).to_string(), "use 7 as a seed: it must be between 0 and 2048");
    }
}
