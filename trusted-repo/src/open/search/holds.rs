//! Roles for holds: those to which the top-level role delegates `hold-*.json` and nothing else.
//!
//! They are not searched. What they list takes releases away and gives none, so each of them counts, whatever the others
//! say: the first answer alone would let one role hide what another withholds. They are needed as soon as the top-level
//! role delegates to them: one that a snapshot could make disappear would withhold nothing.

use std::collections::BTreeSet;

use bytes::Bytes;
use update_metadata::safe_target_name;

use super::{Loaded, Search, TARGETS};
use crate::Error;
use crate::metadata::pattern::Asked;
use crate::metadata::targets::{Delegation, Listed};
use crate::target::proof::TargetInfo;

/// So many roles for holds count at most, and so many files of all of them. What is beyond that is no fleet's.
const MOST_ROLES: usize = 8;
const MOST_FILES: usize = 16;

/// What one role for holds lists.
pub(crate) struct OfRole {
    pub(crate) role: String,
    pub(crate) files: Vec<TargetInfo>,
}

/// What all roles for holds list.
#[derive(Default)]
pub(crate) struct OfRoles {
    pub(crate) known: Vec<OfRole>,
    /// The roles that cannot be had or trusted, or are too many, each an [`Error::Withheld`].
    pub(crate) unknown: Vec<Error>,
}

impl Search {
    /// What the roles for holds list. One that cannot be had hides nothing of what the others list.
    pub(crate) async fn holds(&self) -> OfRoles {
        let needed = self.needed_for_holds();
        let mut found = OfRoles::default();
        if needed.is_empty() {
            return found;
        }
        let mut loaded = self.loaded.lock().await;
        let mut fresh = Vec::new();
        for (number, delegation) in needed.into_iter().enumerate() {
            let role = delegation.name.clone();
            let listed = if number < MOST_ROLES {
                self.listed_by(delegation, &found.known, &mut loaded, &mut fresh).await
            } else {
                Err(self.untrusted(format!("it has more than {MOST_ROLES} roles for holds")))
            };
            match listed {
                Ok(files) => found.known.push(OfRole { role, files }),
                Err(source) => found.unknown.push(Error::Withheld { role, source: Box::new(source) }),
            }
            if number == MOST_ROLES {
                break;
            }
        }
        self.remember(fresh, &loaded);
        found
    }

    /// Each role once, under the first delegation that names it.
    fn needed_for_holds(&self) -> Vec<&Delegation> {
        let mut met = BTreeSet::new();
        let of_holds = self.targets.delegations().filter(|delegation| delegation.is_for_holds());
        of_holds.filter(|delegation| met.insert(&delegation.name)).collect()
    }

    /// The files that a role lists beside those of the roles before it. What lies outside of its paths is not its to say.
    async fn listed_by(
        &self,
        delegation: &Delegation,
        before: &[OfRole],
        loaded: &mut Loaded,
        fresh: &mut Vec<(String, Bytes)>,
    ) -> Result<Vec<TargetInfo>, Error> {
        let (targets, _) = self.load(loaded, fresh, &self.targets, delegation, TARGETS).await?;
        let own = targets.targets.iter().filter(|(name, _)| delegation.has(&Asked::new(name)));
        let files = own.map(|(name, listed)| described(name, listed)).collect::<Result<Vec<_>, Error>>()?;
        let others: usize = before.iter().map(|of| of.files.len()).sum();
        if others + files.len() > MOST_FILES {
            return Err(self.untrusted(format!("it lists more than {MOST_FILES} files of holds")));
        }
        Ok(files)
    }
}

fn described(name: &str, listed: &Listed) -> Result<TargetInfo, Error> {
    let missing =
        |reason: &str| Error::MissingTarget { name: name.to_owned(), reason: reason.to_owned(), dir: None };
    if !safe_target_name(name) {
        return Err(missing("a name may only have letters, digits and ._+-"));
    }
    let hashes = listed.hashes.known().map_err(missing)?.clone();
    Ok(TargetInfo { name: name.to_owned(), length: listed.length, hashes })
}
