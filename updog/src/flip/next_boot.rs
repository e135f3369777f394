//! Which set boots next, where that is not the running one, and why: a rule over the boot bits.

use serde::Serialize;
use signpost::{Set, Status};

/// Why the set that does not run boots next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// It holds an update that was activated.
    Update,
    /// It ran here before, and a person goes back to it.
    Rollback,
    /// This boot is not marked good, and without that it is left.
    FallbackExpected,
}

impl Why {
    /// The word for it, the same as in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Update => "update",
            Self::Rollback => "rollback",
            Self::FallbackExpected => "fallback-expected",
        }
    }
}

/// The other set, where it boots next, and why.
#[must_use]
pub fn other(status: &Status) -> Option<(&Set, Why)> {
    let set = status.inactive().filter(|set| status.next == Some(set.name))?;
    let why = match (status.active().bits.successful, set.bits.successful) {
        (false, _) => Why::FallbackExpected,
        (true, true) => Why::Rollback,
        (true, false) => Why::Update,
    };
    Some((set, why))
}

#[cfg(test)]
mod tests {
    use signpost::BootBits;

    use super::*;
    use crate::testing::status;

    #[test]
    fn the_bits_tell_which_set_boots_next_and_why() {
        let bits = |priority, tries, successful| BootBits { priority, tries, successful };
        let (proven, unproven) = (bits(1, 0, true), bits(2, 0, false));
        let why = |active, inactive| other(&status(active, inactive)).map(|(_, why)| why.as_str());
        assert_eq!(why(proven, Some(bits(2, 1, false))), Some("update"));
        assert_eq!(why(proven, Some(bits(2, 0, true))), Some("rollback"));
        assert_eq!(why(unproven, Some(proven)), Some("fallback-expected"));
        for inactive in [None, Some(BootBits::CLEAR), Some(bits(0, 1, false)), Some(bits(2, 0, false))] {
            assert_eq!(why(proven, inactive), None, "{inactive:?}");
        }
        assert_eq!(why(bits(2, 0, true), Some(proven)), None);
    }
}
