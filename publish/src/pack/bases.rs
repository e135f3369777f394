//! From which releases packs lead to a new one.

use semver::Version;
use update_metadata::{Manifest, Update};

use crate::Error;

/// How many releases packs lead on from, if nothing else is said.
const NEWEST: usize = 3;

/// From which releases packs are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bases {
    /// None.
    None,
    /// The newest ones below the release, so many.
    Newest(usize),
    /// Just these.
    These(Vec<Version>),
}

impl Default for Bases {
    fn default() -> Self {
        Self::Newest(NEWEST)
    }
}

impl Bases {
    /// The releases of a manifest that this means for one version, newest first. What is paused may run on hosts as well.
    pub(crate) fn of(
        &self,
        manifest: &Manifest,
        variant: &str,
        arch: &str,
        version: &Version,
    ) -> Result<Vec<Update>, Error> {
        let paused = manifest.extensions.paused.iter().map(|paused| &paused.update);
        let siblings = manifest.updates.iter().chain(paused);
        let mut siblings: Vec<Update> = siblings
            .filter(|update| update.variant == variant && update.arch == arch && update.version != *version)
            .cloned()
            .collect();
        siblings.sort_by(|one, other| other.version.cmp(&one.version));
        match self {
            Self::None => Ok(Vec::new()),
            Self::Newest(count) => {
                siblings.retain(|update| update.version < *version);
                siblings.truncate(*count);
                Ok(siblings)
            }
            Self::These(versions) => {
                if let Some(missing) =
                    versions.iter().find(|version| siblings.iter().all(|update| update.version != **version))
                {
                    return Err(Error::PackBase {
                        version: missing.clone(),
                        reason: "the manifest has no other release of this version".to_owned(),
                    });
                }
                siblings.retain(|update| versions.contains(&update.version));
                Ok(siblings)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn manifest(versions: &[&str]) -> Manifest {
        let update = |version: &&str| {
            json!({
                "variant": "metal", "arch": "x86_64", "version": version, "max_version": "9.0.0", "waves": {},
                "images": {"boot": "b", "root": "r", "hash": "h"}
            })
        };
        let mut updates: Vec<_> = versions.iter().map(update).collect();
        let mut other = update(&"1.3.0");
        other["variant"] = json!("cloud");
        updates.push(other);
        let paused = json!([{"since": "2026-02-01T00:00:00Z", "update": update(&"1.2.0")}]);
        let json = json!({"updates": updates, "migrations": {}, "extensions": {"paused": paused}});
        Manifest::parse(json.to_string().as_bytes()).expect("sound")
    }

    fn chosen(bases: &Bases) -> Result<Vec<String>, Error> {
        let manifest = manifest(&["1.0.0", "2.0.0", "1.1.0", "1.4.0", "0.9.0"]);
        let found = bases.of(&manifest, "metal", "x86_64", &"1.4.0".parse().expect("a version"))?;
        Ok(found.iter().map(|update| update.version.to_string()).collect())
    }

    #[test]
    fn the_newest_ones_below_are_chosen_and_those_that_are_named() {
        assert_eq!(chosen(&Bases::None).expect("none"), [""; 0]);
        assert_eq!(chosen(&Bases::default()).expect("three"), ["1.2.0", "1.1.0", "1.0.0"]);
        let these = |versions: &[&str]| {
            Bases::These(versions.iter().map(|text| text.parse().expect("a version")).collect())
        };
        assert_eq!(chosen(&these(&["0.9.0", "2.0.0"])).expect("named"), ["2.0.0", "0.9.0"]);
        for wrong in ["1.4.0", "1.3.0"] {
            assert!(matches!(chosen(&these(&[wrong])), Err(Error::PackBase { .. })), "{wrong}");
        }
    }
}
