//! What the roles for holds of an open repository withhold.

use std::sync::Arc;

use update_metadata::{Holds, holds};

use super::Repository;
use crate::Error;
use crate::memory::kept::Slot;
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

impl Repository {
    /// Everything that is withheld from hosts: all files of all roles for holds that the snapshot names, in the order of
    /// the roles.
    ///
    /// # Errors
    /// [`Error::Withheld`] when one of them cannot be had, trusted or understood. Nobody knows then what may be taken.
    pub async fn holds(&self) -> Result<Vec<SignedHolds>, Error> {
        let mut all = Vec::new();
        for of in self.opened.search.holds().await? {
            for file in of.files {
                let number = u8::try_from(all.len()).expect("there are few files of holds");
                let holds = self.read_holds(&file, Slot::Holds(number)).await;
                let holds = holds
                    .map_err(|source| Error::Withheld { role: of.role.clone(), source: Box::new(source) })?;
                all.push(SignedHolds { role: of.role.clone(), file, holds });
            }
        }
        Ok(all)
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
