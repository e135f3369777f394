//! What one run takes from the network: how much it took, and how much it may take at all.
//!
//! One account is shared by everything that a run opens, so that its bytes are counted also where nothing came of them:
//! of a repository that was refused, an object that began again, an answer that was no answer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Fault;

/// How long those who take are waited for after they were given up. They only have to be told.
const LONGEST_END: Duration = Duration::from_secs(2);

/// The bytes of bodies that a run has received, and its limit. Clones are the same account.
#[derive(Debug, Clone)]
pub struct Account(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    fetched: AtomicU64,
    /// The limit; [`u64::MAX`] where there is none.
    budget: AtomicU64,
    /// How many take from it by themselves, beside whoever reads what they bring.
    taking: Mutex<usize>,
    one_has_ended: Condvar,
}

/// One who takes from an account by itself: until this is dropped more may come.
#[derive(Debug)]
pub(crate) struct Taking(Account);

impl Default for Account {
    fn default() -> Self {
        let (fetched, budget) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
        Self(Arc::new(Inner { fetched, budget, taking: Mutex::default(), one_has_ended: Condvar::new() }))
    }
}

/// The same account, not one with the same numbers.
impl PartialEq for Account {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Account {}

impl Account {
    /// From now on no more than `budget` bytes may come altogether, what has come included; `None` takes the limit away.
    pub fn limit(&self, budget: Option<u64>) {
        self.0.budget.store(budget.unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Bytes of bodies that have come so far, also those that came twice.
    #[must_use]
    pub fn fetched(&self) -> u64 {
        self.0.fetched.load(Ordering::Relaxed)
    }

    /// [`Account::fetched`] once nobody takes any more whose reader is gone: what was under way to one that failed has come
    /// as well. Not for a thread that runs tasks, as it waits for some; two seconds at most.
    #[must_use]
    pub fn settled(&self) -> u64 {
        let in_use = |taking: &mut usize| *taking > 0;
        let ended = self.0.one_has_ended.wait_timeout_while(self.number_taking(), LONGEST_END, in_use);
        drop(ended.unwrap_or_else(PoisonError::into_inner));
        self.fetched()
    }

    /// Whether nobody takes from it who goes on by itself.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        *self.number_taking() == 0
    }

    pub(super) fn taking(&self) -> Taking {
        *self.number_taking() += 1;
        Taking(self.clone())
    }

    fn number_taking(&self) -> MutexGuard<'_, usize> {
        self.0.taking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes `bytes` that have come. What was asked for by several connections at once may be above the limit by one
    /// read of each of them.
    pub(super) fn take(&self, bytes: u64) -> Result<(), Fault> {
        self.0.fetched.fetch_add(bytes, Ordering::Relaxed);
        self.room_for(0)
    }

    /// Refuses when `bytes` more would be above the limit.
    pub(super) fn room_for(&self, bytes: u64) -> Result<(), Fault> {
        let (budget, needed) = (self.0.budget.load(Ordering::Relaxed), self.fetched().saturating_add(bytes));
        if needed > budget { Err(Fault::OverBudget { budget, needed }) } else { Ok(()) }
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        *self.0.number_taking() -= 1;
        self.0.0.one_has_ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_byte_of_the_budget_may_come_and_no_other() {
        let account = Account::default();
        account.take(60).expect("without a limit");
        account.limit(Some(100));
        account.room_for(40).expect("all of it");
        assert!(matches!(account.room_for(41), Err(Fault::OverBudget { budget: 100, needed: 101 })));
        account.clone().take(40).expect("the last byte");
        assert!(account.take(1).is_err(), "clones are one account");
        assert_eq!(account.fetched(), 101, "what has come is counted, whatever comes of it");
    }
}
