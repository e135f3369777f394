//! Which releases a fleet's roles for holds withhold from this host (`docs/formats.md`, "Holds"): a rule over values.
//!
//! All of them count, whoever signed which, for a hold only takes away. By its version a release is known before anything
//! is fetched of it, by its root as soon as its hash tree is.

use std::fmt;

use semver::Version;
use trusted_repo::SignedHolds;
use update_metadata::explain::instant;
use update_metadata::{Hold, Update};

use crate::flip::record::Entry;

/// Everything that is withheld.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Withheld {
    all: Vec<By>,
    files: Vec<String>,
    /// Whether there may be more: a role for holds cannot be read.
    pub in_part: bool,
}

/// One hold, and who signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// The role for holds.
    pub role: String,
    /// The hold.
    pub hold: Hold,
}

impl Withheld {
    /// What a repository's roles for holds say.
    #[must_use]
    pub fn of(signed: Vec<SignedHolds>) -> Self {
        let files = signed.iter().map(|one| one.file.hashes.hex()).collect();
        let of_role = |SignedHolds { role, holds, .. }| {
            holds.holds.into_iter().map(move |hold| By { role: String::clone(&role), hold })
        };
        Self { all: signed.into_iter().flat_map(of_role).collect(), files, in_part: false }
    }

    /// The digests of the files that say so.
    #[must_use]
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// What withholds an update, as far as its manifest tells.
    #[must_use]
    pub fn update(&self, update: &Update) -> Option<&By> {
        self.all.iter().find(|by| by.hold.withholds(update))
    }

    /// What withholds a release whose root hash is known.
    #[must_use]
    pub fn release(&self, variant: &str, arch: &str, version: &Version, root_hash: &str) -> Option<&By> {
        self.all.iter().find(|by| by.hold.is_of(variant, arch, version, Some(root_hash)))
    }

    /// What withholds what lies in a set.
    #[must_use]
    pub fn entry(&self, entry: &Entry) -> Option<&By> {
        self.release(&entry.variant, &entry.arch, &entry.version, &entry.root_hash.to_string())
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (role, since, reason) = (&self.role, instant(self.hold.since), self.hold.reason_in_a_line());
        write!(f, "{role} withholds it since {since}: {reason}")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;
    use update_metadata::Manifest;

    use super::*;
    use crate::decide::choice::{Choice, NotOffered, Request, Wanted, Waves};
    use crate::decide::choose::{candidates, choose};
    use crate::decide::explain::explain;
    use crate::decide::machine::Machine;
    use crate::decide::standing::{ChosenBy, Kind, Rules, offered};
    use crate::decide::why;
    use crate::testing::{self, entry, hash, update, v};

    /// A hold of `guard` on what these fields name.
    pub(crate) fn withheld(names: &serde_json::Value) -> Withheld {
        let mut hold = json!({
            "variant": "metal", "arch": "x86_64", "reason": "it hangs", "since": "2026-06-01T00:00:00Z",
        });
        hold.as_object_mut().unwrap().extend(names.as_object().unwrap().clone());
        let hold = serde_json::from_value(hold).unwrap();
        Withheld {
            all: vec![By { role: "guard".to_owned(), hold }],
            files: vec!["f".to_owned()],
            in_part: false,
        }
    }

    fn manifest() -> Manifest {
        let updates = ["1.0.0", "1.1.0", "1.2.0"].map(|version| update(version, "1.2.0")).to_vec();
        Manifest { updates, ..Manifest::default() }
    }

    fn machine(withheld: Withheld) -> Machine {
        Machine { withheld, ..testing::machine("1.0.0") }
    }

    fn chosen(machine: &Machine, wanted: Wanted) -> Choice {
        let now = "2026-06-02T00:00:00Z".parse().unwrap();
        choose(&manifest(), machine, &Request { wanted, waves: Waves::Ignore }, now)
    }

    #[test]
    fn a_host_takes_the_next_best_and_nobody_takes_what_is_withheld() {
        let machine = machine(withheld(&json!({ "version": "1.2.0" })));
        let Choice::Update(update) = chosen(&machine, Wanted::Latest) else { panic!("there is one") };
        assert_eq!(update.version, v("1.1.0"));
        for wanted in [Wanted::Locked(v("1.2.0")), Wanted::Image(v("1.2.0"))] {
            let choice = chosen(&machine, wanted);
            assert!(
                matches!(&choice, Choice::NotOffered { reason: NotOffered::Withheld(_), .. }),
                "{choice:?}"
            );
            assert_eq!(
                why::not(&choice, &machine),
                "1.2.0 is not offered: guard withholds it since 2026-06-01T00:00:00Z: it hangs"
            );
        }
        let now = "2026-06-02T00:00:00Z".parse().unwrap();
        let manifest = manifest();
        let all = candidates(&manifest, &machine, Waves::Ignore, now);
        assert_eq!(
            all.iter().map(|update| update.version.to_string()).collect::<Vec<_>>(),
            ["1.1.0", "1.0.0"]
        );
        let request = Request { wanted: Wanted::Latest, waves: Waves::Respect };
        let rows = explain(&manifest, &machine, &request, None, now);
        assert_eq!(
            rows.iter().map(|row| format!("{} {}", row.verdict.as_str(), row.reason)).collect::<Vec<_>>(),
            [
                "withheld guard withholds it since 2026-06-01T00:00:00Z: it hangs",
                "chosen this host takes it",
                "running it runs here",
            ]
        );
    }

    #[test]
    fn a_hold_on_another_kind_of_host_or_on_a_root_says_nothing_of_a_version() {
        for names in [
            json!({ "version": "1.2.0", "variant": "cloud" }),
            json!({ "version": "1.2.0", "arch": "aarch64" }),
            json!({ "version": "1.2.1" }),
            json!({ "root_hash": hash('1').to_string() }),
        ] {
            let Choice::Update(update) = chosen(&machine(withheld(&names)), Wanted::Latest) else {
                panic!("{names}")
            };
            assert_eq!(update.version, v("1.2.0"), "{names}");
        }
    }

    #[test]
    fn what_is_staged_is_withheld_by_its_version_and_by_its_root() {
        let rules = Rules { locked_to: None, minimum: None };
        let staged = entry("1.2.0", hash('1'));
        for (names, speaks) in [
            (json!({ "version": "1.2.0" }), true),
            (json!({ "root_hash": hash('1').to_string() }), true),
            (json!({ "version": "1.1.0", "root_hash": hash('1').to_string() }), true),
            (json!({ "version": "1.1.0", "root_hash": hash('2').to_string() }), false),
        ] {
            let machine = machine(withheld(&names));
            let against = offered(&staged, &manifest(), &machine, &rules);
            assert_eq!(against.map(|against| against.kind), speaks.then_some(Kind::Withheld), "{names}");
            // As with a pause, whoever named it has the last word.
            let named = crate::flip::record::Entry { chosen_by: ChosenBy::Person, ..staged.clone() };
            assert_eq!(offered(&named, &manifest(), &machine, &rules), None, "{names}");
        }
    }
}
