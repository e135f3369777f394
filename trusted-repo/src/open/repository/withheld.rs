//! What the roles for holds of an open repository withhold.

use std::sync::Arc;

use update_metadata::{Holds, holds};

use super::Repository;
use crate::Error;
use crate::memory::kept::Slot;
use crate::open::search::holds::OfRoles;
use crate::target::proof::{TargetInfo, VerifiedBytes};

/// One file of holds, and who signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHolds {
    /// The role for holds.
    pub role: String,
    /// What is signed of the file.
    pub file: TargetInfo,
    /// What it says.
    pub holds: Holds,
}

/// What is known of everything that is withheld.
#[derive(Debug, Default)]
pub struct KnownHolds {
    /// The files that could be read.
    pub signed: Vec<SignedHolds>,
    /// What could not be had, trusted or understood, each an [`Error::Withheld`].
    pub unknown: Vec<Error>,
}

impl Repository {
    /// Everything that is withheld from hosts: all files of all roles for holds, in the order of the roles.
    ///
    /// # Errors
    /// [`Error::Withheld`] when one of them cannot be had, trusted or understood. Nobody knows then what may be taken.
    pub async fn holds(&self) -> Result<Vec<SignedHolds>, Error> {
        let KnownHolds { signed, unknown } = self.known_holds().await;
        match unknown.into_iter().next() {
            Some(error) => Err(error),
            None => Ok(signed),
        }
    }

    /// [`Repository::holds`], as far as they can be read. For whoever takes something away by them: to take something, all
    /// of them have to be known.
    pub async fn known_holds(&self) -> KnownHolds {
        let OfRoles { known, unknown } = self.opened.search.holds().await;
        let mut all = KnownHolds { signed: Vec::new(), unknown };
        let files =
            known.into_iter().flat_map(|of| of.files.into_iter().map(move |file| (of.role.clone(), file)));
        for (number, (role, file)) in (0..).zip(files) {
            match self.read_holds(&file, Slot::Holds(number)).await {
                Ok(holds) => all.signed.push(SignedHolds { role, file, holds }),
                Err(source) => all.unknown.push(Error::Withheld { role, source: Box::new(source) }),
            }
        }
        all
    }

    async fn read_holds(&self, file: &TargetInfo, slot: Slot) -> Result<Holds, Error> {
        let limit = holds::MAX_LEN as u64;
        if file.length > limit {
            return Err(Error::TooLarge { name: file.name.clone(), limit });
        }
        let bytes: VerifiedBytes = match self.kept(slot, file) {
            Some(known) => known,
            None => {
                let fetched = self.fetch_whole(file).await?;
                self.keep(slot, &fetched);
                fetched
            }
        };
        Holds::parse(bytes.bytes()).map_err(|source| Error::Holds {
            name: file.name.clone(),
            place: self.opened.metadata.describe(""),
            source: Arc::new(source),
        })
    }
}
