//! The hosts, drawn one after another. A fleet of any size takes no memory: whoever needs it twice draws it twice.

use update_metadata::Seed;

use super::random::Random;
use super::scenario::{Scenario, nanoseconds};

/// One host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Host {
    /// Its place in the fleet.
    pub(super) seed: Seed,
    /// How long after the start it checks first, in nanoseconds.
    first_check: u64,
    /// How long it waits from one check to the next, in nanoseconds.
    poll: u64,
    /// Whether the release fails on it.
    pub(super) fails: bool,
}

impl Host {
    /// When it takes an update that opens for it at `opens`: at the first check from then on.
    pub(super) fn takes_at(&self, opens: u64) -> u64 {
        self.first_check + opens.saturating_sub(self.first_check).div_ceil(self.poll) * self.poll
    }
}

/// All hosts of a scenario, always the same ones in the same order.
pub(super) fn hosts(scenario: &Scenario) -> impl Iterator<Item = Host> + use<> {
    let poll = nanoseconds(scenario.poll).max(1);
    let rate = scenario.failures.map_or(0.0, |failures| failures.rate);
    let mut random = Random::new(scenario.rng_seed);
    (0..scenario.hosts).map(move |_| Host {
        seed: Seed::from_random(random.bits()),
        first_check: random.below(poll),
        poll,
        fails: random.happens(rate),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_takes_an_update_at_its_first_check_after_its_turn() {
        let host = Host { seed: Seed::new(1).unwrap(), first_check: 30, poll: 100, fails: false };
        for (opens, takes) in [(0, 30), (30, 30), (31, 130), (130, 130), (131, 230), (1000, 1030)] {
            assert_eq!(host.takes_at(opens), takes, "{opens}");
        }
    }
}
