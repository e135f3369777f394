//! The host's place in the fleet.

use ring::rand::{SecureRandom as _, SystemRandom};
use settings_model::known;
use thiserror::Error;

/// The machine gives no random numbers.
#[derive(Debug, Error)]
#[error("draw a random number")]
pub struct NoRandom;

/// A place in the fleet, each as likely as any other. 0 is left to those who choose it: it goes first everywhere.
///
/// # Errors
/// When there are no random numbers.
pub fn draw() -> Result<u32, NoRandom> {
    let mut bytes = [0; 2];
    SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandom)?;
    let max = u32::try_from(known::MAX_SEED).expect("a small constant");
    // The number of places is a power of two, so the remainder favours none.
    Ok(u32::from(u16::from_ne_bytes(bytes)) % max + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawn_seed_is_a_place_in_the_fleet_and_not_the_first() {
        let seeds: Vec<u32> = (0..200).map(|_| draw().unwrap()).collect();
        assert!(seeds.iter().all(|seed| (1..=2048).contains(seed)), "{seeds:?}");
        assert!(seeds.iter().any(|seed| *seed != seeds[0]));
    }

    #[test]
    fn a_failure_is_told_in_these_words() {
        assert_eq!(NoRandom.to_string(), "draw a random number");
    }
}
