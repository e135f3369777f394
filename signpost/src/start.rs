//! A boot program's work on the table: which set it starts and why, and what that start costs (`docs/boot-bits.md`,
//! "Who boots"). The UEFI program and `signpost pick` share it.
//!
//! It looks at boot partitions only, as every boot program does: a table whose other partitions are in disorder is no
//! reason not to boot.

use alloc::vec::Vec;
use core::fmt;

use uuid::Uuid;

use crate::bits::{Attempts, BootBits, Role};
use crate::pick;
use crate::set::SetName;
use crate::table::{Copies, Entries, Sectors, WriteError, replace};

/// One boot partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Its number.
    pub number: u32,
    /// The set that it belongs to: A for the first boot partition of the table, B for the second.
    pub set: Option<SetName>,
    /// Its PARTUUID.
    pub guid: Uuid,
    /// Its first sector.
    pub first_lba: u64,
    /// Its last sector.
    pub last_lba: u64,
    /// Its bits.
    pub bits: BootBits,
    /// How often it was started, while it was proven, without reaching its root.
    pub attempts: Attempts,
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.set {
            Some(set) => write!(f, "set {set} (partition {})", self.number),
            None => write!(f, "partition {}", self.number),
        }
    }
}

/// The boot partitions of a table, in the order of their entries.
#[must_use]
pub fn candidates(entries: &Entries) -> Vec<Candidate> {
    let boot = entries.used().filter(|entry| entry.type_guid == Role::Boot.type_guid());
    boot.zip([Some(SetName::A), Some(SetName::B)].into_iter().chain(core::iter::repeat(None)))
        .map(|(entry, set)| Candidate {
            number: entry.number,
            set,
            guid: entry.guid,
            first_lba: entry.first_lba,
            last_lba: entry.last_lba,
            bits: BootBits::from_attributes(entry.attributes),
            attempts: Attempts::from_attributes(entry.attributes),
        })
        .collect()
}

/// Why a set is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It has the highest priority of those that may boot.
    Priority,
    /// What has a higher priority could not be started in this boot.
    Aside,
    /// What has a higher priority is proven, and yet did not reach its root in as many starts as can be counted.
    Attempts,
}

impl Why {
    /// The word that stands for it where programs read it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Priority => "priority",
            Self::Aside => "aside",
            Self::Attempts => "attempts",
        }
    }

    /// The meaning of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Priority, Self::Aside, Self::Attempts].into_iter().find(|why| why.as_str() == word)
    }
}

/// Which of `candidates` is started when those with a number in `aside` were tried in this boot and cannot be. It is the
/// place in `candidates`; `None` when nothing is left.
#[must_use]
pub fn choose(candidates: &[Candidate], aside: &[u32]) -> Option<(usize, Why)> {
    let set_aside = |candidate: &Candidate| aside.contains(&candidate.number);
    let left = candidates.iter().map(|candidate| {
        let bits = if set_aside(candidate) { BootBits::CLEAR } else { candidate.bits };
        (bits, candidate.attempts)
    });
    let chosen = pick::pick_counting(left.clone())?;
    // Without its try, which it has spent, what was put aside would not boot any more; it was before this one all the same.
    let (best, highest) = (chosen, candidates[chosen].bits.priority);
    let was_before = |(at, candidate): (usize, &Candidate)| {
        set_aside(candidate) && (candidate.bits.priority, best) > (highest, at)
    };
    let why = if candidates.iter().enumerate().any(was_before) {
        Why::Aside
    } else if pick::pick(left.map(|(bits, _)| bits)) == Some(chosen) {
        Why::Priority
    } else {
        Why::Attempts
    };
    Some((chosen, why))
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Try { left } => write!(f, "one of its tries, {left} left"),
            Self::Attempt(attempts) => {
                write!(f, "start {} that is counted until its root is there", attempts.get())
            }
            Self::Nothing => f.write_str("nothing"),
        }
    }
}

/// What a start costs, so that a set that does not come up is left in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// An unproven set spends one of its tries.
    Try {
        /// How many are left.
        left: u8,
    },
    /// A start of a proven set is counted until it has reached its root.
    Attempt(Attempts),
    /// Nothing is left to count.
    Nothing,
}

/// What starting `candidate` costs.
#[must_use]
pub fn cost(candidate: &Candidate) -> Cost {
    let (bits, attempts) = pick::started(candidate.bits, candidate.attempts);
    if bits != candidate.bits {
        Cost::Try { left: bits.tries }
    } else if attempts != candidate.attempts {
        Cost::Attempt(attempts)
    } else {
        Cost::Nothing
    }
}

/// Writes what the start of `candidate` costs, by the write rule: both copies are whole, equal and durable afterwards,
/// also when it costs nothing. `copies` must be what the medium holds; the answer is what it holds then. Only after this
/// may the set be started.
///
/// # Errors
/// When the table cannot be used, or the disk refuses.
pub fn pay<S: Sectors, R>(
    disk: &mut S,
    copies: &Copies,
    candidate: &Candidate,
) -> Result<Copies, WriteError<S::Error, R>> {
    let (table, _) = copies.current().map_err(WriteError::Unusable)?;
    let mut entries = table.entries().clone();
    if let Some(entry) = entries.get(candidate.number) {
        let (bits, attempts) = pick::started(candidate.bits, candidate.attempts);
        entries.set_attributes(candidate.number, attempts.patch(bits.patch(entry.attributes)));
    }
    replace(disk, copies, &entries)
}
