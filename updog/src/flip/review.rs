//! What was decided, looked at again when a repository has said something new or a setting has changed: a release that
//! may not run any more does not boot next, and stays where it is, so that a resume needs no download.
//!
//! What was judged is remembered: a check that brings nothing new changes nothing, whatever a person did in between.

use std::path::PathBuf;

use host_io::{Access, OperationLock, swap};
use semver::Version;
use signpost::{OsDisk, Role, SetName, Status};

use crate::after::observe;
use crate::context::Context;
use crate::decide::attempts::{Release, Settled};
use crate::decide::standing::{self, Against, Judged, Rules};
use crate::error::Error;
use crate::flip::apply;
use crate::flip::next_boot::{self, Why};
use crate::flip::record::{self, Entry, Record};
use crate::look::fetch::Opened;

/// A release that does not boot next any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenBack {
    /// Its version.
    pub version: Version,
    /// Why.
    pub against: Against,
}

/// [`review`], where nothing else holds the operation lock. Whoever holds it looks for itself.
///
/// # Errors
/// As there.
pub fn alone(context: &Context, opened: &Opened) -> Result<Option<TakenBack>, Error> {
    match OperationLock::acquire(&context.paths) {
        Ok(_lock) => review(context, opened),
        Err(host_io::lock::Error::Held { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Judges what waits in the inactive set by what `opened` says now, and takes its flip back where it may not run. The
/// operation lock must be held.
///
/// # Errors
/// When the disk cannot be used. What cannot be remembered is said, and judged again the next time.
pub fn review(context: &Context, opened: &Opened) -> Result<Option<TakenBack>, Error> {
    let Opened { manifest, signed, machine, config, .. } = opened;
    let rules = Rules::of(&config.version_lock, config.minimum_version.as_ref());
    let now = Judged::new(signed.hashes.hex(), rules.clone(), machine);
    let known = before(context).as_ref() == Some(&now);
    if known && !observe::awaits_any(context) {
        return Ok(None);
    }
    let Some((disk, status, set, entry)) = waiting(context)? else { return Ok(None) };
    // A flip that was taken back, by whomever, and cut before that was noted: no boot of it is awaited any more. What was
    // judged before tells nothing of that.
    if next_boot::other(&status).is_none() {
        observe::change(context, |attempts| attempts.settled(&Release::from(&entry), Settled::TakenBack));
    }
    if known {
        return Ok(None);
    }
    let against = standing::offered(&entry, manifest, machine, &rules);
    // The flip first: cut after it, the same is found again. What is noted of a release that then starts would never be
    // looked at again, and stays.
    let is_taken_back = against.is_some() && matches!(next_boot::other(&status), Some((_, Why::Update)));
    if is_taken_back {
        let _left = apply::revert(context, &disk)?;
    }
    note(context, set, &entry, against.as_ref());
    let taken_back = against.filter(|_| is_taken_back).map(|against| {
        tracing::warn!("{} does not boot next any more: {}", entry.version, against.why);
        TakenBack { version: entry.version, against }
    });
    keep(context, &now);
    Ok(taken_back)
}

/// The release that is installed in the inactive set and was never started.
fn waiting(context: &Context) -> Result<Option<(OsDisk, Status, SetName, Entry)>, Error> {
    let disk = OsDisk::discover(&context.paths)?;
    let status = disk.status()?;
    let Some((name, bits)) = status.inactive().map(|set| (set.name, set.bits)) else { return Ok(None) };
    if bits.successful || bits.tries == 0 || !status.active().bits.successful {
        return Ok(None);
    }
    let found = record::top_hash_if_known(&*disk.open_partition(name, Role::Hash, Access::Read)?);
    let entry = Record::load_or_empty(&*context.fs, &context.paths).holds(name, found).cloned();
    Ok(entry.map(|entry| (disk, status, name, entry)))
}

/// Notes in the record what speaks against the release in `set`, or that nothing does any more.
pub fn note(context: &Context, set: SetName, entry: &Entry, against: Option<&Against>) {
    change(context, set, entry, Entry { against: against.cloned(), ..entry.clone() });
}

/// Replaces what the record says of `set`.
pub fn change(context: &Context, set: SetName, before: &Entry, after: Entry) {
    if *before == after {
        return;
    }
    let (fs, paths) = (&*context.fs, &context.paths);
    let saved = Record::load(fs, paths).and_then(|record| record.with(set, after).save(fs, paths));
    if let Err(error) = saved {
        tracing::warn!(
            "what is known of the release in set {set} is forgotten: {}",
            host_io::report::chain(&error)
        );
    }
}

fn file(context: &Context) -> PathBuf {
    context.paths.record().join("judged.json")
}

fn before(context: &Context) -> Option<Judged> {
    serde_json::from_slice(&context.fs.read(&file(context)).ok()?).ok()
}

fn keep(context: &Context, judged: &Judged) {
    let text = serde_json::to_vec(judged).expect("a judgement is plain data");
    if let Err(error) = swap::replace_file(&*context.fs, &file(context), &text, 0o644) {
        tracing::warn!(
            "it is judged again the next time: failed to write {}: {error}",
            file(context).display()
        );
    }
}
