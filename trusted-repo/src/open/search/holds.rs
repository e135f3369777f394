//! Roles for holds: those to which the top-level role delegates `hold-*.json` and nothing else.
//!
//! They are not searched. What they list takes releases away and gives none, so each of them counts, whatever the others
//! say: the first answer alone would let one role hide what another withholds. They count as needed as soon as the
//! snapshot names them: one that could be made to disappear would withhold nothing.

use std::collections::BTreeSet;

use bytes::Bytes;
use tracing::warn;
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

impl Search {
    /// What the roles for holds list that the snapshot names.
    ///
    /// # Errors
    /// [`Error::Withheld`] when one of them cannot be had or trusted, or there is too much.
    pub(crate) async fn holds(&self) -> Result<Vec<OfRole>, Error> {
        let needed = self.needed_for_holds();
        if needed.is_empty() {
            return Ok(Vec::new());
        }
        let mut loaded = self.loaded.lock().await;
        let (mut found, mut fresh) = (Vec::new(), Vec::new());
        let mut outcome = Ok(());
        for delegation in needed {
            let files = self.listed_by(delegation, &found, &mut loaded, &mut fresh).await;
            let role = delegation.name.clone();
            match files {
                Ok(files) => found.push(OfRole { role, files }),
                Err(source) => {
                    outcome = Err(Error::Withheld { role, source: Box::new(source) });
                    break;
                }
            }
        }
        self.remember(fresh, &loaded);
        outcome.map(|()| found)
    }

    /// Each role once, under the first delegation that names it.
    fn needed_for_holds(&self) -> Vec<&Delegation> {
        let mut met = BTreeSet::new();
        let named = |delegation: &&Delegation| {
            let role = &delegation.name;
            let named = self.snapshot.contains_key(&format!("{role}.json"));
            if !named {
                warn!("the snapshot does not name the role for holds {role:?}, which withholds nothing yet");
            }
            named
        };
        let of_holds = self.targets.delegations().filter(|delegation| delegation.is_for_holds());
        of_holds.filter(named).filter(|delegation| met.insert(&delegation.name)).collect()
    }

    /// The files that a role lists beside those of the roles before it. What lies outside of its paths is not its to say.
    async fn listed_by(
        &self,
        delegation: &Delegation,
        before: &[OfRole],
        loaded: &mut Loaded,
        fresh: &mut Vec<(String, Bytes)>,
    ) -> Result<Vec<TargetInfo>, Error> {
        if before.len() == MOST_ROLES {
            return Err(self.untrusted(format!("it has more than {MOST_ROLES} roles for holds")));
        }
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
    let missing = |reason: &str| Error::MissingTarget { name: name.to_owned(), reason: reason.to_owned() };
    if !safe_target_name(name) {
        return Err(missing("a name may only have letters, digits and ._+-"));
    }
    let hashes = listed.hashes.known().map_err(missing)?.clone();
    Ok(TargetInfo { name: name.to_owned(), length: listed.length, hashes })
}
