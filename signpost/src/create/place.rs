//! Where each partition lies on a disk of a given size. Everything starts on a mebibyte; the first and the last one of a
//! disk belong to the table.

use super::blueprint::{Length, Wanted};
use super::size::MIB;

/// A partition's place, in mebibytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Where it starts.
    pub start: u64,
    /// How long it is.
    pub len: u64,
}

/// A disk that is too small for what is wanted on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the partitions need {needed} MiB with the table, and it has {there} MiB")]
pub struct TooSmall {
    /// How much is needed at least.
    pub needed: u64,
    /// How much there is.
    pub there: u64,
}

/// Places the partitions on a disk of `bytes` bytes, one after the other.
///
/// # Errors
/// When they do not fit.
pub fn place(wanted: &[Wanted], bytes: u64) -> Result<Vec<Place>, TooSmall> {
    let there = bytes / MIB;
    let least = |length: Length| match length {
        Length::Fixed(size) => size.get(),
        Length::Rest => 1,
    };
    let needed = wanted.iter().fold(2u64, |sum, wanted| sum.saturating_add(least(wanted.length)));
    if needed > there {
        return Err(TooSmall { needed, there });
    }
    let rest = there - needed + 1;
    let mut start = 1;
    let places = wanted.iter().map(|wanted| {
        let len = match wanted.length {
            Length::Fixed(size) => size.get(),
            Length::Rest => rest,
        };
        let place = Place { start, len };
        start += len;
        place
    });
    Ok(places.collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::blueprint::Kind;
    use super::super::size::Mebibytes;
    use super::*;

    fn wanted(length: Option<u64>) -> Wanted {
        let length = length.map_or(Length::Rest, |len| Length::Fixed(Mebibytes::new(len).unwrap()));
        Wanted { kind: Kind::Data, label: String::new(), length, guid: None }
    }

    #[test]
    fn a_disk_that_is_a_mebibyte_too_small_is_refused_with_both_sizes() {
        let all = [wanted(Some(3)), wanted(None)];
        assert_eq!(place(&all, 6 * MIB - 1), Err(TooSmall { needed: 6, there: 5 }));
        assert_eq!(place(&all, 6 * MIB).unwrap()[1], Place { start: 4, len: 1 });
        let huge = [wanted(Some(u64::MAX / MIB)), wanted(Some(u64::MAX / MIB))];
        assert!(place(&huge, u64::MAX).is_err());
    }

    proptest! {
        #[test]
        fn partitions_lie_one_after_the_other_and_leave_the_ends_alone(
            mut lengths in proptest::collection::vec(1u64..50, 0..9),
            rest_at in proptest::option::of(0usize..9),
            spare in 0u64..100,
        ) {
            let sum: u64 = lengths.iter().sum();
            let mut all: Vec<Wanted> = lengths.iter().map(|&len| wanted(Some(len))).collect();
            if let Some(at) = rest_at.filter(|&at| at <= all.len()) {
                all.insert(at, wanted(None));
                lengths.insert(at, spare + 1);
            }
            let there = 2 + sum + spare + 1;
            let places = place(&all, there * MIB + 12345).unwrap();
            let mut at = 1;
            for (place, len) in places.iter().zip(lengths) {
                prop_assert_eq!(*place, Place { start: at, len });
                at += len;
            }
            prop_assert!(at < there);
        }
    }
}
