//! Teams with keys of their own: the targets role delegates the manifest of a variant and some names to a role that a team
//! signs, without the key of the targets role.

use std::fmt;
use std::path::Path;

use chrono::{DateTime, Utc};
use host_io::{Fs as _, SystemFs};
use serde::Serialize;
use trusted_repo::author::{Delegation, KeyPair, KeySource, first_delegated};

use crate::root::{refuse_existing, write_new};
use crate::session::{Desk, Session};
use crate::{Error, Lifetimes};

/// What a change of delegations left behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DelegateReport {
    /// The roles that the targets role delegates to, in the order in which they are asked, with their paths.
    pub delegated: Vec<(String, Vec<String>)>,
    /// The version of the timestamp role, which counts the changes of the repository.
    pub timestamp_version: u64,
}

/// Writes the first version of a team's role: it lists nothing yet. Whoever delegates to the team asks for it, so that no
/// host looks for a role that is not there.
///
/// # Errors
/// When the name is one that no role may have, the file is there already, or cannot be written.
pub async fn first(name: &str, keys: &[KeyPair], out: &Path, expires: DateTime<Utc>) -> Result<(), Error> {
    refuse_existing(out)?;
    let keys: Vec<&dyn KeySource> = keys.iter().map(|key| key as &dyn KeySource).collect();
    let bytes = first_delegated(name, &keys, expires).await?;
    write_new(out, &bytes)
}

/// Delegates to a team, whose first version lies in a file.
///
/// # Errors
/// When the repository cannot be read, somebody else changes it, the team would reach for what is not its own, or its file
/// is not signed by its keys.
pub async fn add(
    desk: &Desk,
    delegation: &Delegation,
    first: &Path,
    lifetimes: Lifetimes,
    now: DateTime<Utc>,
) -> Result<DelegateReport, Error> {
    let first = SystemFs.read(first).map_err(|error| Error::file("read the team's role", first, error))?;
    let mut session = Session::open(desk).await?;
    session.editor.delegate(delegation, first, now)?;
    commit(&session, lifetimes, now).await
}

/// Delegates to a team no longer. What it has published is offered to nobody any more; its files stay.
///
/// # Errors
/// When the repository cannot be read, somebody else changes it, or nothing is delegated to a team of that name.
pub async fn remove(
    desk: &Desk,
    name: &str,
    lifetimes: Lifetimes,
    now: DateTime<Utc>,
) -> Result<DelegateReport, Error> {
    let mut session = Session::open(desk).await?;
    session.editor.undelegate(name)?;
    commit(&session, lifetimes, now).await
}

async fn commit(
    session: &Session,
    lifetimes: Lifetimes,
    now: DateTime<Utc>,
) -> Result<DelegateReport, Error> {
    let signed = session.commit(&lifetimes.from(now)).await?;
    Ok(DelegateReport {
        delegated: session.editor.delegated(),
        timestamp_version: signed.versions().timestamp,
    })
}

impl fmt::Display for DelegateReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "signed, timestamp version {}", self.timestamp_version)?;
        if self.delegated.is_empty() {
            return write!(f, "\nnothing is delegated");
        }
        for (name, paths) in &self.delegated {
            write!(f, "\n{name}: {}", paths.join(" "))?;
        }
        Ok(())
    }
}
