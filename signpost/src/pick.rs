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
    next_counting((a, Attempts::NONE), b.map(|b| (b, Attempts::NONE)))
}

/// [`pick_counting`] between the two sets. Where no boot program counts, all counts are 0, and it is [`pick`].
#[must_use]
pub fn next_counting(a: (BootBits, Attempts), b: Option<(BootBits, Attempts)>) -> Option<SetName> {
    pick_counting([a].into_iter().chain(b)).map(|index| if index == 0 { SetName::A } else { SetName::B })
}

/// What a boot program that does not count leaves in the table before it starts a set: one try is spent where there is
/// one, also on a proven set.
#[must_use]
pub const fn spend_try(bits: BootBits) -> BootBits {
    BootBits { tries: bits.tries.saturating_sub(1), ..bits }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROVEN: BootBits = BootBits { priority: 1, tries: 0, successful: true };
    const FRESH: Attempts = Attempts::NONE;
    const WORN: Attempts = Attempts::MOST;

    #[test]
    fn priority_zero_never_boots_even_when_proven() {
        let parked = BootBits { priority: 0, ..PROVEN };
        assert_eq!(next_counting((parked, FRESH), None), None);
        assert_eq!(next_counting((parked, FRESH), Some((PROVEN, FRESH))), Some(SetName::B));
        // Nor for want of another: that set was left on purpose.
        assert_eq!(next_counting((parked, FRESH), Some((PROVEN, WORN))), Some(SetName::B));
    }

    #[test]
    fn a_tie_goes_to_the_lower_entry() {
        assert_eq!(next_counting((PROVEN, FRESH), Some((PROVEN, FRESH))), Some(SetName::A));
    }

    #[test]
    fn a_set_without_tries_and_without_proof_is_passed_over() {
        let spent = BootBits { priority: 2, tries: 0, successful: false };
        assert_eq!(next_counting((PROVEN, FRESH), Some((spent, FRESH))), Some(SetName::A));
        assert_eq!(
            next_counting((PROVEN, FRESH), Some((BootBits { tries: 1, ..spent }, FRESH))),
            Some(SetName::B)
        );
        assert_eq!(next_counting((spent, FRESH), None), None);
    }

    #[test]
    fn a_proven_set_that_never_reaches_its_root_is_left_for_another_proven_one() {
        let newer = BootBits { priority: 2, ..PROVEN };
        assert_eq!(
            next_counting((PROVEN, FRESH), Some((newer, Attempts::NONE.one_more().one_more()))),
            Some(SetName::B)
        );
        assert_eq!(next_counting((PROVEN, FRESH), Some((newer, WORN))), Some(SetName::A));
        assert_eq!(next_counting((PROVEN, Attempts::NONE.one_more()), Some((newer, WORN))), Some(SetName::A));
    }

    #[test]
    fn counting_never_takes_away_the_last_set_that_boots() {
        let newer = BootBits { priority: 2, ..PROVEN };
        let untried = BootBits { priority: 1, tries: 1, successful: false };
        assert_eq!(next_counting((BootBits::CLEAR, FRESH), Some((newer, WORN))), Some(SetName::B));
        assert_eq!(next_counting((PROVEN, WORN), Some((newer, WORN))), Some(SetName::B));
        assert_eq!(
            next_counting((untried, FRESH), Some((newer, WORN))),
            Some(SetName::B),
            "nobody has seen it work"
        );
        let tried = BootBits { priority: 3, ..untried };
        assert_eq!(
            next_counting((PROVEN, FRESH), Some((tried, WORN))),
            Some(SetName::B),
            "its tries count, not its attempts"
        );
    }

    #[test]
    fn a_start_spends_one_try_and_nothing_else() {
        let granted = BootBits { priority: 2, tries: 1, successful: true };
        assert_eq!(spend_try(granted), BootBits { tries: 0, ..granted });
        assert_eq!(spend_try(PROVEN), PROVEN);
    }

    #[test]
    fn a_start_costs_an_unproven_set_a_try_and_counts_for_a_proven_one() {
        let granted = BootBits { priority: 2, tries: 1, successful: false };
        assert_eq!(started(granted, FRESH), (BootBits { tries: 0, ..granted }, FRESH));
        let proven = BootBits { successful: true, ..granted };
        assert_eq!(started(proven, FRESH), (proven, FRESH.one_more()));
        assert_eq!(started(PROVEN, WORN), (PROVEN, WORN));
    }
}
