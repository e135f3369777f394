//! Everything that is withheld in a repository, as hosts see it.

use std::fmt;

use serde::Serialize;
use update_metadata::Hold;

use crate::Error;
use crate::check::finding::day;
use crate::place::Place;

/// What `hold list` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldReport {
    /// Each hold, with the role that signed it.
    pub held: Vec<Held>,
}

/// One hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// The role that signed it.
    pub role: String,
    /// The hold. What it has beside what is understood may have any name, so it stands on its own.
    pub hold: Hold,
}

/// Tells what is withheld, whether the roles have expired or not.
///
/// # Errors
/// When the repository cannot be opened, or a role for holds cannot be had, trusted or understood.
pub async fn held(place: &Place) -> Result<HeldReport, Error> {
    let opened = place.open_expired().await?;
    let all = opened.repository.holds().await?;
    let of_role = all.into_iter().flat_map(|signed| {
        let role = signed.role;
        signed.holds.holds.into_iter().map(move |hold| Held { role: role.clone(), hold })
    });
    Ok(HeldReport { held: of_role.collect() })
}

impl fmt::Display for HeldReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(last) = self.held.len().checked_sub(1) else { return write!(f, "nothing is withheld") };
        for (number, Held { role, hold }) in self.held.iter().enumerate() {
            let (subject, since, reason) = (hold.subject(), day(hold.since), hold.reason_in_a_line());
            write!(f, "{subject} by {role} since {since}: {reason}")?;
            if number < last {
                writeln!(f)?;
            }
        }
        Ok(())
    }
}
