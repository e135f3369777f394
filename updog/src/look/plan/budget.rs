//! How much may be fetched at all.

use host_io::Advise;
use thiserror::Error;

/// The most bytes that one update may take from the network, metadata included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Budget(Option<u64>);

/// An update would take more than it may. Nothing falls back to another way silently.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("stay within the data budget of {budget} bytes: the update takes at least {needed}")]
pub struct OverBudget {
    /// What it may take.
    pub budget: u64,
    /// What it takes, together with what it took already.
    pub needed: u64,
}

impl Budget {
    /// No limit.
    pub const NONE: Self = Self(None);

    /// The smaller one of what was asked for and what is set.
    #[must_use]
    pub fn smallest(asked: Option<u64>, set: Option<u64>) -> Self {
        Self(asked.into_iter().chain(set).min())
    }

    /// The limit, if there is one.
    #[must_use]
    pub fn bytes(self) -> Option<u64> {
        self.0
    }

    /// Refuses when `fetched` bytes and `to_come` more are above it.
    ///
    /// # Errors
    /// [`OverBudget`] with both numbers.
    pub fn check(self, fetched: u64, to_come: u64) -> Result<(), OverBudget> {
        let needed = fetched.saturating_add(to_come);
        match self.0 {
            Some(budget) if needed > budget => Err(OverBudget { budget, needed }),
            _ => Ok(()),
        }
    }
}

impl Advise for OverBudget {
    fn help(&self) -> Option<String> {
        Some(
            "allow more with --max-bytes or the setting updates.data-budget; \"updog plan\" shows what takes how much"
                .to_owned(),
        )
    }

    fn code(&self) -> &'static str {
        "over_budget"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_limit_counts_and_the_last_byte_is_allowed() {
        assert_eq!(Budget::NONE.check(u64::MAX, u64::MAX), Ok(()));
        assert_eq!(Budget::smallest(None, None), Budget::NONE);
        let budget = Budget::smallest(Some(100), Some(200));
        assert_eq!(budget, Budget::smallest(Some(200), Some(100)));
        assert_eq!(budget.check(40, 60), Ok(()));
        assert_eq!(budget.check(40, 61), Err(OverBudget { budget: 100, needed: 101 }));
        assert_eq!(Budget::smallest(None, Some(0)).check(0, 1), Err(OverBudget { budget: 0, needed: 1 }));
    }

    #[test]
    fn a_failure_is_told_in_these_words() {
        assert_eq!(
            OverBudget { budget: 1000, needed: 2000 }.to_string(),
            "stay within the data budget of 1000 bytes: the update takes at least 2000"
        );
    }
}
