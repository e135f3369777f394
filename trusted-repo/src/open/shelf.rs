//! Where a walk gets its metadata files from: the repository with what is remembered beside it, or a set of files that was
//! read beforehand. Every file that was handed out stays here, as exact bytes.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use serde_json::Value;
use tracing::{debug, warn};

use crate::memory::extract::Extract;
use crate::memory::start::LONGEST_ROOT;
use crate::memory::store::{Remembered, version_of};
use crate::metadata::named::Named;
use crate::place::source::Place;
use crate::transport::carrier::Changed;
use crate::transport::download::{Expected, Size};
use crate::transport::validator::Validator;
use crate::transport::{Carrier, Fault};

/// The one role below root whose file never has a version in its name.
pub(super) const TIMESTAMP: &str = "timestamp.json";
/// The longest timestamp and snapshot roles that are accepted, in bytes.
pub(super) const LONGEST_SMALL_ROLE: u64 = 1024 * 1024;
/// The longest targets role that is accepted, in bytes.
pub(crate) const LONGEST_TARGETS: u64 = 10 * 1024 * 1024;

/// The metadata of one opening.
pub(super) struct Shelf {
    supply: Supply,
    given: Mutex<BTreeMap<String, Bytes>>,
}

enum Supply {
    /// A repository, and what was verified of it before.
    Repository {
        carrier: Carrier,
        place: Box<Place>,
        remembered: BTreeMap<String, Bytes>,
        /// By what the server recognises the timestamp that is remembered.
        validator: Box<Option<Validator>>,
        /// What was signed of the targets role that is remembered.
        extract: Option<Box<Extract>>,
    },
    /// A set of files that was read beforehand.
    Held(BTreeMap<String, Bytes>),
}

/// Whether what is remembered of timestamp and snapshot still counts, under the keys of the newest root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Past {
    /// It does.
    Counts,
    /// Their keys have changed since.
    IsVoid,
}

impl Shelf {
    pub(super) fn of_repository(
        carrier: Carrier,
        place: Place,
        remembered: &Remembered,
        extract: Option<Extract>,
    ) -> Self {
        let Remembered { roles, validator, .. } = remembered.clone();
        Self::new(Supply::Repository {
            carrier,
            place: Box::new(place),
            remembered: roles,
            validator: Box::new(validator),
            extract: extract.map(Box::new),
        })
    }

    pub(super) fn of_files(files: BTreeMap<String, Bytes>) -> Self {
        Self::new(Supply::Held(files))
    }

    fn new(supply: Supply) -> Self {
        Self { supply, given: Mutex::default() }
    }

    /// Every file that was handed out, under its name in the repository, as exact bytes.
    pub(super) fn given(&self) -> BTreeMap<String, Bytes> {
        self.log().clone()
    }

    /// A role that is remembered, under its plain name.
    pub(super) fn remembered(&self, plain: &str) -> Option<&Bytes> {
        match &self.supply {
            Supply::Repository { remembered, .. } => remembered.get(plain),
            Supply::Held(_) => None,
        }
    }

    /// What was signed of the targets role that is remembered.
    pub(super) fn extract(&self) -> Option<&Extract> {
        match &self.supply {
            Supply::Repository { extract, .. } => extract.as_deref(),
            Supply::Held(_) => None,
        }
    }

    /// Whether whoever opened this remembers what was signed.
    pub(super) fn remembers(&self) -> bool {
        matches!(self.supply, Supply::Repository { .. })
    }

    /// Hands out the remembered bytes of a role under its name in the repository.
    pub(super) fn hand_out(&self, name: &str, bytes: &Bytes) {
        debug!(name, "unchanged, taken from memory");
        self.log().insert(name.to_owned(), bytes.clone());
    }

    /// The root role of this version, if the repository has it.
    pub(super) async fn root(&self, version: u64) -> Result<Option<Bytes>, Fault> {
        match self.fetch(&format!("{version}.root.json"), LONGEST_ROOT).await {
            Ok(bytes) => Ok(Some(bytes)),
            // A store whose contents may not be listed denies what is not there; the next root usually is not.
            Err(Fault::Denied { status: 403, .. }) => Ok(None),
            Err(fault) if fault.is_missing() => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// The timestamp as the repository has it, and by what the server recognises it: the remembered one, if the server
    /// says that it still is that one, or if another one bears its version.
    pub(super) async fn timestamp(&self, past: Past) -> Result<(Bytes, Option<Validator>), Fault> {
        let Supply::Repository { carrier, place, remembered, validator, .. } = &self.supply else {
            return Ok((self.fetch(TIMESTAMP, LONGEST_SMALL_ROLE).await?, None));
        };
        // Under other keys what is remembered is void, whatever the server says.
        let kept = remembered.get(TIMESTAMP).filter(|_| past == Past::Counts);
        let known = (**validator).as_ref().filter(|_| kept.is_some());
        let expected = expected(LONGEST_SMALL_ROLE);
        let (bytes, validator) = match carrier.changed(place, TIMESTAMP, expected, known.cloned()).await? {
            Changed::Unchanged => {
                debug!("the timestamp is unchanged, taken from memory");
                (kept.cloned().ok_or(Fault::Missing)?, known.cloned())
            }
            Changed::Fresh(fetched, validator) => match kept {
                Some(kept) if contradicts(kept, &fetched) => (said_and_kept(TIMESTAMP, kept), None),
                _ => (fetched, validator),
            },
        };
        self.log().insert(TIMESTAMP.to_owned(), bytes.clone());
        Ok((bytes, validator))
    }

    /// The file `name` of the role that another one names as `named`: the remembered one, if it is the very file. Where
    /// only a version is named, `is_signed` says whether the keys that count now have signed it as well; else it is
    /// fetched again. `kept` is what is remembered under its plain name, if that counts.
    pub(super) async fn role(
        &self,
        name: &str,
        named: &Named,
        limit: u64,
        kept: Option<&Bytes>,
        is_signed: impl Fn(&Bytes) -> bool,
    ) -> Result<Bytes, Fault> {
        // Where its bytes are named, their version is whatever they say, and that is looked at later.
        let current = |kept: &&Bytes| {
            named.fits(kept)
                && (named.has_hashes() || (version_of(kept) == Some(named.version.get()) && is_signed(kept)))
        };
        let bytes = if let Some(known) = kept.filter(current) {
            debug!(name, "unchanged, taken from memory");
            known.clone()
        } else {
            let fetched = self.fetch(name, named.at_most(limit)).await?;
            match kept {
                Some(kept) if contradicts(kept, &fetched) && is_signed(kept) => said_and_kept(name, kept),
                _ => fetched,
            }
        };
        self.log().insert(name.to_owned(), bytes.clone());
        Ok(bytes)
    }

    async fn fetch(&self, name: &str, limit: u64) -> Result<Bytes, Fault> {
        let bytes = match &self.supply {
            Supply::Held(files) => files.get(name).cloned().ok_or(Fault::Missing)?,
            Supply::Repository { carrier, place, .. } => carrier.whole(place, name, expected(limit)).await?,
        };
        self.log().insert(name.to_owned(), bytes.clone());
        Ok(bytes)
    }

    fn log(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        self.given.lock().expect("no panic while held")
    }
}

/// A metadata file of at most so many bytes.
pub(crate) fn expected(limit: u64) -> Expected {
    Expected { what: "TUF metadata".to_owned(), size: Size::AtMost(limit) }
}

/// Whether `fetched` says something else under the version of `kept`.
fn contradicts(kept: &[u8], fetched: &[u8]) -> bool {
    let same_version = version_of(kept).is_some_and(|version| version_of(fetched) == Some(version));
    same_version && content(kept) != content(fetched)
}

fn said_and_kept(name: &str, kept: &Bytes) -> Bytes {
    warn!(name, "the repository offers other content under a version that was seen before: ignored");
    kept.clone()
}

fn content(role: &[u8]) -> Option<Value> {
    serde_json::from_slice::<Value>(role).ok()?.get_mut("signed").map(Value::take)
}
