//! What becomes of a boot that nobody has marked good in time (`docs/design.md`, "Boot").

use crate::bits::BootBits;
use crate::set::SetName;

/// What to do with the running set once its time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overdue {
    /// Nothing: it is proven. Whatever else is wrong, a reset would not mend it.
    Proven,
    /// Reset the machine. The other set boots, so that it is never left without a system.
    Reset {
        /// The set that the boot program starts then.
        next: SetName,
    },
    /// Stay: it is not proven, and there is nothing better to go back to.
    Degraded,
}

/// What to do with the running set once its time is over, by its bits, those of the other set, and the set that the boot
/// program starts next.
#[must_use]
pub fn overdue(active: BootBits, other: Option<BootBits>, next: Option<SetName>) -> Overdue {
    if active.successful {
        return Overdue::Proven;
    }
    let other_boots = other.is_some_and(|bits| bits.would_boot());
    match next {
        Some(next) if other_boots => Overdue::Reset { next },
        Some(_) | None => Overdue::Degraded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pick;

    const PROVEN: BootBits = BootBits { priority: 1, tries: 0, successful: true };
    const SPENT: BootBits = BootBits { priority: 2, tries: 0, successful: false };

    /// With set B running.
    fn running_b(a: BootBits, b: BootBits) -> Overdue {
        overdue(b, Some(a), pick::next(a, Some(b)))
    }

    #[test]
    fn an_unproven_set_gives_way_to_one_that_boots() {
        assert_eq!(running_b(PROVEN, SPENT), Overdue::Reset { next: SetName::A });
        // With a try left it is tried once more, and then gives way.
        assert_eq!(running_b(PROVEN, BootBits { tries: 1, ..SPENT }), Overdue::Reset { next: SetName::B });
    }

    #[test]
    fn a_proven_set_is_never_reset() {
        assert_eq!(running_b(PROVEN, BootBits { priority: 2, ..PROVEN }), Overdue::Proven);
    }

    #[test]
    fn a_machine_is_not_reset_into_nothing() {
        assert_eq!(running_b(SPENT, SPENT), Overdue::Degraded);
        assert_eq!(running_b(BootBits { priority: 0, ..PROVEN }, SPENT), Overdue::Degraded);
        assert_eq!(overdue(SPENT, None, None), Overdue::Degraded);
        // Not even for a try of its own: an image that hangs may hang for good.
        let granted = BootBits { tries: 3, ..SPENT };
        assert_eq!(overdue(granted, None, pick::next(granted, None)), Overdue::Degraded);
    }
}
