//! The first root role and the next: written offline, signed by one key holder at a time, published when enough have
//! signed.

use std::fmt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use host_io::{SystemFs, swap};
use serde::Serialize;
use trusted_repo::author::{Count, FirstRoot, KeyPair, RoleSummary, RootChange, RootDraft, SignedRoot};

use crate::check::finding::day;
use crate::layout::ROOT;
use crate::refresh::{still_missing, tell_missing};
use crate::session::{Desk, Session};
use crate::{Error, Lifetimes};

/// A root role, finished or not, as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RootReport {
    /// The file.
    pub file: PathBuf,
    /// Its version.
    pub version: u64,
    /// When it expires.
    pub expires: DateTime<Utc>,
    /// Who may sign what.
    pub roles: Vec<RoleSummary>,
    /// Whose signatures it has, valid or not.
    pub signed_by: Vec<String>,
    /// Valid signatures by its own root keys.
    pub own: Count,
    /// Valid signatures by the root keys of the version before, where that was given.
    pub previous: Option<Count>,
    /// Why hosts still cannot use the repository, a sentence each; only where it was published.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub still_missing: Vec<String>,
}

/// Writes the first root role of a chain to `out`, signed by nobody.
///
/// # Errors
/// When nobody could ever sign it, or `out` exists.
pub fn begin(out: &Path, first: &FirstRoot) -> Result<RootReport, Error> {
    let draft = RootDraft::first(first)?;
    write_new(out, &draft.bytes())?;
    Ok(report(out, &draft, None))
}

/// Writes the successor of the root role in `from` to `out`, signed by nobody.
///
/// # Errors
/// When `from` is no signed root role, the change cannot be made, or `out` exists.
pub fn rotate(from: &Path, out: &Path, change: &RootChange) -> Result<RootReport, Error> {
    let previous = load_signed(from)?;
    let draft = RootDraft::successor(&previous, change)?;
    write_new(out, &draft.bytes())?;
    Ok(report(out, &draft, Some(&previous)))
}

/// Adds the signature of one key holder to the draft in `file`. `from` is the root role before it; only the first one
/// has none.
///
/// # Errors
/// When either file is no root role, neither names the key, or the one before is wanted and not given.
pub fn sign(from: Option<&Path>, file: &Path, key: &KeyPair) -> Result<RootReport, Error> {
    let mut draft = load_draft(file)?;
    let previous = from.map(load_signed).transpose()?;
    if previous.is_none() && draft.version() > 1 {
        return Err(Error::NoPrevious { file: file.to_owned(), version: draft.version() });
    }
    draft.sign(previous.as_ref(), key)?;
    write(file, &draft.bytes())?;
    Ok(report(file, &draft, previous.as_ref()))
}

/// Tells what a root role says, and who has signed it.
///
/// # Errors
/// When a file is no root role.
pub fn show(file: &Path, from: Option<&Path>) -> Result<RootReport, Error> {
    let previous = from.map(load_signed).transpose()?;
    Ok(report(file, &load_draft(file)?, previous.as_ref()))
}

/// Publishes the next root role, and everything below it signed again: its keys may be new.
///
/// # Errors
/// When too few have signed it, it does not follow the published one, or the keys at hand are not the ones it names.
pub async fn publish(
    desk: &Desk,
    file: &Path,
    lifetimes: Lifetimes,
    now: DateTime<Utc>,
) -> Result<RootReport, Error> {
    let mut session = Session::open(desk).await?;
    let previous = session.editor.newest_root().clone();
    let draft = load_draft(file)?;
    let next = draft.finish(&previous)?;
    session.editor.add_root(next.clone())?;
    let expiries = lifetimes.from(now);
    session.commit(&expiries).await?;
    let still_missing = still_missing(&session, &expiries, now);
    // For the images to come. Those of the field find the chain by its numbers.
    write(&session.layout.metadata.join(ROOT), next.bytes())?;
    Ok(RootReport { still_missing, ..report(file, &draft, Some(&previous)) })
}

fn report(file: &Path, draft: &RootDraft, previous: Option<&SignedRoot>) -> RootReport {
    RootReport {
        file: file.to_owned(),
        version: draft.version(),
        expires: draft.expires(),
        roles: draft.roles(),
        signed_by: draft.signed_by(),
        own: draft.own_count(),
        previous: previous.map(|previous| draft.counts(previous).0),
        still_missing: Vec::new(),
    }
}

fn load_signed(path: &Path) -> Result<SignedRoot, Error> {
    Ok(SignedRoot::parse(&read(path)?)?)
}

fn load_draft(path: &Path) -> Result<RootDraft, Error> {
    Ok(RootDraft::parse(&read(path)?)?)
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|error| Error::file("read the root role", path, error))
}

/// Writes a file that is not there yet.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    refuse_existing(path)?;
    write(path, bytes)
}

pub(crate) fn refuse_existing(path: &Path) -> Result<(), Error> {
    if path.exists() { Err(Error::DraftExists { path: path.to_owned() }) } else { Ok(()) }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    swap::replace_file(&SystemFs, path, bytes, 0o644).map_err(|error| Error::file("write", path, error))
}

impl RootReport {
    /// How many signatures are missing before it can be published.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.own.missing().max(self.previous.map_or(0, Count::missing))
    }
}

impl fmt::Display for RootReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: root version {}, expires {}", self.file.display(), self.version, day(self.expires))?;
        for RoleSummary { role, keys, threshold } in &self.roles {
            writeln!(f, "{role}: {threshold} of {} keys", keys.len())?;
            for key in keys {
                let signed = if self.signed_by.contains(key) { " (has signed)" } else { "" };
                writeln!(f, "  {key}{signed}")?;
            }
        }
        if let Some(previous) = self.previous {
            writeln!(
                f,
                "signed by the holders of the version before: {} of {}",
                previous.have, previous.need
            )?;
        }
        write!(f, "signed by its own holders: {} of {}", self.own.have, self.own.need)?;
        tell_missing(f, &self.still_missing)
    }
}
