//! The bits of both sets and which of them is running: all that a transition looks at.

use crate::bits::{Attempts, BootBits};
use crate::pick;
use crate::set::SetName;

/// The boot state of one disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    /// The set that is running.
    pub active: SetName,
    /// The bits of set A.
    pub a: BootBits,
    /// The bits of set B, on a disk that has one.
    pub b: Option<BootBits>,
    /// Starts of set A, while it was proven, that did not reach its root.
    pub attempts_a: Attempts,
    /// Starts of set B, while it was proven, that did not reach its root.
    pub attempts_b: Attempts,
    /// Whether some boot of this disk has succeeded once.
    pub boot_has_ever_succeeded: bool,
}

impl State {
    /// The bits of a set; `None` for set B of a disk that has only one set.
    #[must_use]
    pub const fn bits(&self, name: SetName) -> Option<BootBits> {
        match name {
            SetName::A => Some(self.a),
            SetName::B => self.b,
        }
    }

    /// The bits of the running set. A disk with one set always runs set A.
    #[must_use]
    pub fn active_bits(&self) -> BootBits {
        self.bits(self.active).unwrap_or(self.a)
    }

    /// The bits of the other set, where there is one.
    #[must_use]
    pub fn inactive_bits(&self) -> Option<BootBits> {
        self.b.and_then(|_| self.bits(self.active.other()))
    }

    /// How often a set was started, while it was proven, without reaching its root.
    #[must_use]
    pub const fn attempts(&self, name: SetName) -> Attempts {
        match name {
            SetName::A => self.attempts_a,
            SetName::B => self.attempts_b,
        }
    }

    /// The set that the boot program starts next.
    #[must_use]
    pub fn next(&self) -> Option<SetName> {
        pick::next_counting((self.a, self.attempts_a), self.b.map(|b| (b, self.attempts_b)))
    }

    /// This state with other bits of the running set.
    #[must_use]
    pub fn with_active(self, bits: BootBits) -> Self {
        match self.active {
            SetName::A => Self { a: bits, ..self },
            SetName::B => Self { b: Some(bits), ..self },
        }
    }

    /// This state with another count of the running set's starts.
    #[must_use]
    pub const fn with_active_attempts(self, attempts: Attempts) -> Self {
        match self.active {
            SetName::A => Self { attempts_a: attempts, ..self },
            SetName::B => Self { attempts_b: attempts, ..self },
        }
    }

    /// This state with another count of the starts of the set that is not running.
    #[must_use]
    pub const fn with_inactive_attempts(self, attempts: Attempts) -> Self {
        match self.active {
            SetName::A => Self { attempts_b: attempts, ..self },
            SetName::B => Self { attempts_a: attempts, ..self },
        }
    }

    /// This state with other bits of the set that is not running.
    #[must_use]
    pub fn with_inactive(self, bits: BootBits) -> Self {
        match self.active {
            SetName::A => Self { b: Some(bits), ..self },
            SetName::B => Self { a: bits, ..self },
        }
    }
}
