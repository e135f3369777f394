//! Why there is no update: one sentence for each choice that is none.

use update_metadata::explain::instant;

use crate::decide::choice::{Choice, Held, NotOffered};
use crate::decide::machine::Machine;

/// Why `choice` is no update for `machine`, as a sentence without a final stop.
#[must_use]
pub fn not(choice: &Choice, machine: &Machine) -> String {
    match choice {
        Choice::Update(update) => format!("{} is offered to this host", update.version),
        Choice::UpToDate => {
            let Machine { variant, arch, version, .. } = machine;
            format!("{version} runs here, and nothing else is due for {variant} on {arch}")
        }
        Choice::Held(Held { version, until }) => format!(
            "{version} is held until {} for seed {}; --ignore-waves takes it now",
            instant(*until),
            machine.seed
        ),
        Choice::NotOffered { version, reason: reason @ NotOffered::Failed(_) } => {
            format!(
                "{version} did not stay when it ran here; {reason}; \"updog clear-failed\" lets it be tried now"
            )
        }
        Choice::NotOffered { version, reason } => format!("{version} is not offered: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use semver::Version;
    use update_metadata::Seed;
    use update_metadata::offer::Obstacle;

    use super::*;
    use crate::decide::withheld::Withheld;

    fn machine() -> Machine {
        Machine {
            variant: "metal".to_owned(),
            arch: "x86_64".to_owned(),
            version: Version::new(1, 0, 0),
            seed: Seed::new(1042).unwrap(),
            barred: Vec::new(),
            withheld: Withheld::default(),
        }
    }

    #[test]
    fn a_held_update_says_from_when_and_for_whom() {
        let until = "2024-06-01T12:00:00.25Z".parse().unwrap();
        let said = not(&Choice::Held(Held { version: Version::new(1, 1, 0), until }), &machine());
        assert_eq!(
            said,
            "1.1.0 is held until 2024-06-01T12:00:01Z for seed 1042; --ignore-waves takes it now"
        );
    }

    #[test]
    fn a_version_that_is_not_offered_says_why() {
        let reason = NotOffered::Kept(Obstacle::TakenBack { max_version: Version::new(1, 1, 0) });
        let said = not(&Choice::NotOffered { version: Version::new(1, 2, 0), reason }, &machine());
        assert_eq!(said, "1.2.0 is not offered: it was taken back: nothing above 1.1.0 may run");
    }
}
