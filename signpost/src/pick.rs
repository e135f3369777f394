//! The boot program's choice (`docs/compatibility.md`, "GRUB").

use alloc::vec::Vec;

use crate::bits::{Attempts, BootBits};
use crate::set::SetName;

/// Which of `candidates`, the boot partitions in the order of their table entries, is started: the one with the highest
/// priority among those that would boot, the earlier one at a tie. `None` when none would.
#[must_use]
pub fn pick(candidates: impl IntoIterator<Item = BootBits>) -> Option<usize> {
    let mut best = None;
    let mut highest = 0;
    for (index, bits) in candidates.into_iter().enumerate() {
        // Strictly above: a tie stays with the earlier entry, and priority 0 never gets in.
        if bits.is_valid() && bits.priority > highest {
            highest = bits.priority;
            best = Some(index);
        }
    }
    best
}

/// [`pick`] by a boot program that counts: a proven set that did not reach its root in as many starts as can be counted is
/// left for another proven one that may boot and is not worn out itself. Where there is none, it is started all the same:
/// counting never takes away the last set that boots.
#[must_use]
pub fn pick_counting(candidates: impl IntoIterator<Item = (BootBits, Attempts)>) -> Option<usize> {
    let candidates: Vec<(BootBits, Attempts)> = candidates.into_iter().collect();
    let worn = |(bits, attempts): (BootBits, Attempts)| bits.successful && attempts == Attempts::MOST;
    let first = pick(candidates.iter().map(|&(bits, _)| bits))?;
    if !worn(candidates[first]) {
        return Some(first);
    }
    let fresh = |&candidate: &(BootBits, Attempts)| match candidate {
        (bits, _) if bits.successful && !worn(candidate) => bits,
        _ => BootBits::CLEAR,
    };
    Some(pick(candidates.iter().map(fresh)).unwrap_or(first))
}

/// What a boot program that counts leaves in the table before it starts a set: an unproven one spends a try, the start of
/// a proven one is counted.
#[must_use]
pub const fn started(bits: BootBits, attempts: Attempts) -> (BootBits, Attempts) {
    if bits.successful { (bits, attempts.one_more()) } else { (spend_try(bits), attempts) }
}

/// [`pick`] between the two sets.
#[must_use]
pub fn next(a: BootBits, b: Option<BootBits>) -> Option<SetName> {
    pick([a].into_iter().chain(b)).map(|index| if index == 0 { SetName::A } else { SetName::B })
}

/// What the boot program leaves in the table before it starts a set: one try is spent where there is one, also on a
/// proven set.
#[must_use]
pub const fn spend_try(bits: BootBits) -> BootBits {
    BootBits { tries: bits.tries.saturating_sub(1), ..bits }
}

/// What a boot program that counts leaves of the count before it starts a set with these bits: a start that costs no try
/// is one more attempt. [`pick`] does not look at it.
#[must_use]
pub const fn count_attempt(bits: BootBits, attempts: Attempts) -> Attempts {
    if bits.tries == 0 { attempts.one_more() } else { attempts }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROVEN: BootBits = BootBits { priority: 1, tries: 0, successful: true };

    #[test]
    fn priority_zero_never_boots_even_when_proven() {
        assert_eq!(next(BootBits { priority: 0, ..PROVEN }, None), None);
        assert_eq!(next(BootBits { priority: 0, ..PROVEN }, Some(PROVEN)), Some(SetName::B));
    }

    #[test]
    fn a_tie_goes_to_the_lower_entry() {
        assert_eq!(next(PROVEN, Some(PROVEN)), Some(SetName::A));
    }

    #[test]
    fn a_set_without_tries_and_without_proof_is_passed_over() {
        let spent = BootBits { priority: 2, tries: 0, successful: false };
        assert_eq!(next(PROVEN, Some(spent)), Some(SetName::A));
        assert_eq!(next(PROVEN, Some(BootBits { tries: 1, ..spent })), Some(SetName::B));
        assert_eq!(next(spent, None), None);
    }

    #[test]
    fn a_start_spends_one_try_and_nothing_else() {
        let granted = BootBits { priority: 2, tries: 1, successful: true };
        assert_eq!(spend_try(granted), BootBits { tries: 0, ..granted });
        assert_eq!(spend_try(PROVEN), PROVEN);
    }
    #[test]
    fn a_start_costs_a_try_or_counts_as_an_attempt() {
        let granted = BootBits { priority: 2, tries: 1, successful: true };
        assert_eq!(count_attempt(granted, Attempts::NONE), Attempts::NONE);
        assert_eq!(count_attempt(PROVEN, Attempts::NONE).get(), 1);
        assert_eq!(count_attempt(PROVEN, Attempts::MOST), Attempts::MOST);
    }
}
