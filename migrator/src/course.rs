//! Link the kept store again, or run migrations: a rule over versions and boot bits.
//!
//! The order is that of `docs/design.md`, "Settings and migrations": falling back runs no migration. A set that was
//! never marked good leaves its store behind when the host returns to the other set, whichever of the two is newer.

use std::cmp::Ordering;

use datastore::links::Chain;
use semver::Version;

/// Which way settings are to be carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To a newer version.
    Forward,
    /// To an older version.
    Backward,
}

impl Direction {
    /// The other one.
    #[must_use]
    pub fn back(self) -> Self {
        match self {
            Self::Forward => Self::Backward,
            Self::Backward => Self::Forward,
        }
    }

    /// The way from a store of version `store` to a system of version `target`; `None` when they fit.
    #[must_use]
    pub fn between(store: &Version, target: &Version) -> Option<Self> {
        match store.cmp(target) {
            Ordering::Less => Some(Self::Forward),
            Ordering::Equal => None,
            Ordering::Greater => Some(Self::Backward),
        }
    }
}

/// Whether a set's boot was ever marked good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// It was.
    Proven,
    /// It was, but the boot program gave up starting it: too many starts without a good end.
    Worn,
    /// It was not: it is on its first try, it failed, or it was cleared.
    Unproven,
}

/// What the boot bits say of the two sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sets {
    /// Both are known.
    Known {
        /// The set that is running.
        running: Proof,
        /// The other set: the store's version came from there.
        other: Proof,
    },
    /// There is no disk to ask, or it has one set only.
    Unknown,
}

/// What whoever asked for this boot wants of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Nothing but that they fit.
    Carry,
    /// Those that were kept, as they were.
    AsKept,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Course {
    /// The other set's boot was never marked good: its store is dropped and this one, which was kept, is linked.
    /// Nothing is run.
    FallBack(Chain),
    /// The other set was good once and does not start any more: this store, which was kept, is linked, and that of the
    /// other set stays, for it may start again. Nothing is run.
    StandIn(Chain),
    /// This store, which was kept, is wanted as it is. Nothing is run.
    AsKept(Chain),
    /// Run the migrations. When they fail, the boot fails.
    Migrate,
    /// Run the migrations; when they fail, link this store, which was kept, so that the system comes up.
    MigrateOrRestore(Chain),
    /// Run the migrations though the host falls back: the kept store that would spare it is missing.
    MigrateForWantOfKept,
}

/// Decides what to do when the store and the system that boots are of different versions. `kept` is the store that the
/// system's version left behind when settings were carried away from it.
#[must_use]
pub fn course(direction: Direction, sets: Sets, kept: Option<Chain>, wish: Wish) -> Course {
    use Proof::{Proven, Unproven, Worn};
    let kept = match (wish, kept) {
        (Wish::AsKept, Some(kept)) => return Course::AsKept(kept),
        (Wish::Carry | Wish::AsKept, kept) => kept,
    };
    match (direction, sets, kept) {
        (Direction::Backward, Sets::Known { other: Unproven, .. }, Some(kept)) => Course::FallBack(kept),
        (Direction::Backward | Direction::Forward, Sets::Known { other: Worn, .. }, Some(kept)) => {
            Course::StandIn(kept)
        }
        (Direction::Backward, Sets::Known { other: Unproven | Worn, .. }, None) => {
            Course::MigrateForWantOfKept
        }
        (Direction::Backward, Sets::Known { other: Proven, .. } | Sets::Unknown, Some(kept)) => {
            Course::MigrateOrRestore(kept)
        }
        (Direction::Backward, Sets::Known { other: Proven, .. } | Sets::Unknown, None) => Course::Migrate,
        // Whoever went back by hand comes forward again: a proven release with older settings is better than none.
        (Direction::Forward, Sets::Known { running: Proven, other: Proven }, Some(kept)) => {
            Course::MigrateOrRestore(kept)
        }
        // A failed try of an older release: the newer, proven one is back and finds its own store.
        (Direction::Forward, Sets::Known { running: Proven, other: Unproven }, Some(kept)) => {
            Course::FallBack(kept)
        }
        // The ordinary update. A kept store of a release that comes again is old: settings have moved on since.
        (Direction::Forward, Sets::Known { .. } | Sets::Unknown, _) => Course::Migrate,
    }
}

#[cfg(test)]
mod tests {
    use super::Direction::{Backward, Forward};
    use super::*;

    fn kept() -> Chain {
        Chain::fresh(&semver::Version::new(1, 0, 0))
    }

    fn sets(running: Proof, other: Proof) -> Sets {
        Sets::Known { running, other }
    }

    #[test]
    fn a_pre_release_is_older_than_its_release() {
        let way =
            |store: &str, target: &str| Direction::between(&store.parse().unwrap(), &target.parse().unwrap());
        assert_eq!(way("1.1.0", "1.1.0"), None);
        assert_eq!(way("1.1.0-rc1", "1.1.0"), Some(Forward));
        assert_eq!(way("1.1.0", "1.1.0-rc1"), Some(Backward));
        assert_eq!(way("1.9.0", "1.10.0"), Some(Forward));
    }

    #[test]
    fn an_update_migrates_forward() {
        for bits in [sets(Proof::Unproven, Proof::Proven), Sets::Unknown] {
            assert_eq!(course(Forward, bits, Some(kept()), Wish::Carry), Course::Migrate);
            assert_eq!(course(Forward, bits, None, Wish::Carry), Course::Migrate);
        }
    }

    #[test]
    fn falling_back_runs_no_migration() {
        let fell_back = sets(Proof::Proven, Proof::Unproven);
        let kept = kept();
        assert_eq!(
            course(Backward, fell_back, Some(kept.clone()), Wish::Carry),
            Course::FallBack(kept.clone())
        );
        assert_eq!(course(Backward, fell_back, None, Wish::Carry), Course::MigrateForWantOfKept);
        // Also when the release that failed was an older one.
        assert_eq!(course(Forward, fell_back, Some(kept.clone()), Wish::Carry), Course::FallBack(kept));
        assert_eq!(course(Forward, fell_back, None, Wish::Carry), Course::Migrate);
    }

    #[test]
    fn a_set_that_does_not_start_any_more_leaves_its_store_and_runs_nothing() {
        let kept = kept();
        for direction in [Backward, Forward] {
            let stand_in =
                course(direction, sets(Proof::Proven, Proof::Worn), Some(kept.clone()), Wish::Carry);
            assert_eq!(stand_in, Course::StandIn(kept.clone()));
        }
        let none = course(Backward, sets(Proof::Proven, Proof::Worn), None, Wish::Carry);
        assert_eq!(none, Course::MigrateForWantOfKept);
    }

    #[test]
    fn a_manual_rollback_from_a_proven_boot_migrates_back() {
        let kept = kept();
        for bits in [sets(Proof::Proven, Proof::Proven), sets(Proof::Unproven, Proof::Proven), Sets::Unknown]
        {
            assert_eq!(
                course(Backward, bits, Some(kept.clone()), Wish::Carry),
                Course::MigrateOrRestore(kept.clone())
            );
            assert_eq!(course(Backward, bits, None, Wish::Carry), Course::Migrate);
        }
    }

    #[test]
    fn a_way_forward_by_hand_to_a_proven_release_migrates_and_has_its_kept_store() {
        let (kept, proven) = (kept(), sets(Proof::Proven, Proof::Proven));
        let by_hand = course(Forward, proven, Some(kept.clone()), Wish::Carry);
        assert_eq!(by_hand, Course::MigrateOrRestore(kept));
        assert_eq!(course(Forward, proven, None, Wish::Carry), Course::Migrate);
    }

    #[test]
    fn settings_are_as_they_were_kept_where_that_is_wished_and_one_is_kept() {
        let kept = kept();
        let by_hand = sets(Proof::Proven, Proof::Proven);
        for direction in [Backward, Forward] {
            assert_eq!(
                course(direction, by_hand, Some(kept.clone()), Wish::AsKept),
                Course::AsKept(kept.clone())
            );
            assert_eq!(course(direction, by_hand, None, Wish::AsKept), Course::Migrate);
        }
    }
}
