//! Where tough gets its metadata files from: the repository, with what is remembered beside it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream;
use serde_json::Value;
use tough::schema::{Signed, Snapshot, Targets};
use tough::{Transport, TransportError, TransportErrorKind, TransportStream, async_trait};
use tracing::{debug, warn};
use url::Url;

use crate::Error;
use crate::memory::roots::{KnownRoot, forgets};
use crate::memory::start::LONGEST_ROOT;
use crate::memory::store::{Remembered, expiry_of, version_of};
use crate::now::{EffectiveNow, from_jiff};
use crate::source::Place;
use crate::transport::carrier::Changed;
use crate::transport::download::{Expected, Size};
use crate::transport::validator::Validator;
use crate::transport::{Carrier, Fault};

/// The one role below root whose file never has a version in its name.
const TIMESTAMP: &str = "timestamp.json";
/// The longest timestamp and snapshot roles that are accepted, in bytes.
pub(super) const LONGEST_SMALL_ROLE: u64 = 1024 * 1024;
/// The longest targets role that is accepted, in bytes.
pub(super) const LONGEST_TARGETS: u64 = 10 * 1024 * 1024;

/// The metadata of one opening. Clones share one shelf.
#[derive(Debug, Clone)]
pub(super) struct Shelf {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    supply: Supply,
    given: Mutex<BTreeMap<String, Bytes>>,
    refusal: Mutex<Option<Error>>,
    /// By what the server recognises the timestamp that was handed out.
    validator: Mutex<Option<Validator>>,
}

#[derive(Debug)]
enum Supply {
    /// A repository, and what was verified of it before: the root to start from and the other roles.
    Repository {
        carrier: Carrier,
        place: Box<Place>,
        root: Box<KnownRoot>,
        remembered: BTreeMap<String, Bytes>,
        /// By what the server recognises the timestamp that is remembered.
        validator: Box<Option<Validator>>,
        now: EffectiveNow,
    },
    /// A set of files that was read beforehand.
    Held(BTreeMap<String, Bytes>),
}

impl Shelf {
    pub(super) fn of_repository(
        carrier: Carrier,
        place: Place,
        root: KnownRoot,
        remembered: &Remembered,
        now: EffectiveNow,
    ) -> Self {
        let Remembered { roles, validator, .. } = remembered.clone();
        Self::new(Supply::Repository {
            carrier,
            place: Box::new(place),
            root: Box::new(root),
            remembered: roles,
            validator: Box::new(validator),
            now,
        })
    }

    pub(super) fn of_files(files: BTreeMap<String, Bytes>) -> Self {
        Self::new(Supply::Held(files))
    }

    fn new(supply: Supply) -> Self {
        Self {
            inner: Arc::new(Inner {
                supply,
                given: Mutex::default(),
                refusal: Mutex::default(),
                validator: Mutex::default(),
            }),
        }
    }

    /// Every file that was handed out, under its name in the repository, as exact bytes.
    pub(super) fn given(&self) -> BTreeMap<String, Bytes> {
        self.inner.given.lock().expect("no panic while held").clone()
    }

    /// Why the walk was ended here, if it was.
    pub(super) fn refusal(&self) -> Option<Error> {
        self.inner.refusal.lock().expect("no panic while held").clone()
    }

    /// Why nothing more is handed out: tough asks for a role only after it has accepted the one above, and a walk ends
    /// at the first of those that has expired. An expired delegated role ends nothing; its targets do not count.
    fn refuses(&self, name: &str) -> Option<Error> {
        let Supply::Repository { place, root, now, .. } = &self.inner.supply else { return None };
        let plain = plain_name(name);
        if plain == "root.json" && split_version(name).is_some() {
            return None;
        }
        let given = self.given();
        if given.keys().any(|given| plain_name(given) == plain) {
            let reason = format!("a delegated role calls itself {:?}", plain.trim_end_matches(".json"));
            return Some(Error::Untrusted { place: place.describe(""), reason });
        }
        let newest = self.newest_root(root);
        let mut above = vec![("root".to_owned(), from_jiff(newest.role.signed.expires))];
        for role in ["timestamp", "snapshot", "targets"] {
            let file = format!("{role}.json");
            let bytes = given.iter().find(|(name, _)| plain_name(name) == file).map(|(_, bytes)| bytes);
            above.extend(bytes.and_then(|bytes| expiry_of(bytes)).map(|expires| (role.to_owned(), expires)));
        }
        let (role, expired) = above.into_iter().find(|(_, expires)| now.is_after(*expires))?;
        Some(Error::Expired { role, place: place.describe(""), expired, now: *now })
    }

    /// By what the server recognises the timestamp that was handed out, if it said so.
    pub(super) fn validator(&self) -> Option<Validator> {
        self.inner.validator.lock().expect("no panic while held").clone()
    }

    fn set_validator(&self, validator: Option<Validator>) {
        *self.inner.validator.lock().expect("no panic while held") = validator;
    }

    /// The timestamp as the repository has it: the remembered one, if the server says that it still is that one.
    async fn timestamp(
        &self,
        carrier: &Carrier,
        place: &Place,
        kept: Option<&Bytes>,
        known: Option<&Validator>,
    ) -> Result<Bytes, Fault> {
        let asked = kept.and(known).cloned();
        match (carrier.changed(place, TIMESTAMP, expected(TIMESTAMP), asked).await?, kept) {
            (Changed::Unchanged, Some(kept)) => {
                debug!("the timestamp is unchanged, taken from memory");
                self.set_validator(known.cloned());
                Ok(kept.clone())
            }
            (Changed::Unchanged, None) => Err(Fault::Missing),
            (Changed::Fresh(fetched, validator), _) => {
                self.set_validator(validator);
                Ok(fetched)
            }
        }
    }

    async fn take(&self, name: &str) -> Result<Bytes, Fault> {
        let bytes = match &self.inner.supply {
            Supply::Held(files) => files.get(name).cloned().ok_or(Fault::Missing)?,
            Supply::Repository { carrier, place, root, remembered, validator, .. } => {
                if let Some(known) = self.still_current(name, root, remembered) {
                    debug!(name, "unchanged, taken from memory");
                    known
                } else {
                    let fetched = if name == TIMESTAMP {
                        // Under other keys what is remembered is void, whatever the server says.
                        let kept = remembered.get(name).filter(|_| !self.keys_changed_since(root));
                        self.timestamp(carrier, place, kept, (**validator).as_ref()).await?
                    } else {
                        carrier.whole(place, name, expected(name)).await?
                    };
                    match remembered.get(name) {
                        Some(kept) if self.contradicts(root, kept, &fetched) => {
                            warn!(
                                name,
                                "the repository offers other content under a version that was seen before: ignored"
                            );
                            self.set_validator(None);
                            kept.clone()
                        }
                        _ => fetched,
                    }
                }
            }
        };
        self.inner.given.lock().expect("no panic while held").insert(name.to_owned(), bytes.clone());
        Ok(bytes)
    }

    /// A remembered role below timestamp, if it is the very file that the role above it names now. Where only its version
    /// is named, the keys that count now must have signed it as well: else it is fetched again.
    fn still_current(
        &self,
        name: &str,
        start: &KnownRoot,
        remembered: &BTreeMap<String, Bytes>,
    ) -> Option<Bytes> {
        let plain = plain_name(name);
        let above = match plain {
            "root.json" | "timestamp.json" => return None,
            "snapshot.json" => "timestamp.json",
            _ => "snapshot.json",
        };
        let known = remembered.get(plain)?;
        let given = self.given();
        let above = given.iter().find(|(name, _)| plain_name(name) == above).map(|(_, bytes)| bytes)?;
        let above: Value = serde_json::from_slice(above).ok()?;
        let file = decoded(plain)?;
        let meta = above.get("signed")?.get("meta")?.get(&file)?;
        if meta.get("version")?.as_u64() != version_of(known)
            || meta.get("length").and_then(Value::as_u64).is_some_and(|most| known.len() as u64 > most)
        {
            return None;
        }
        let same = match meta.get("hashes") {
            Some(hashes) => {
                hashes.get("sha256")?.as_str()?
                    == hex::encode(ring::digest::digest(&ring::digest::SHA256, known))
            }
            None => self.is_signed(&file, known, &given, &self.newest_root(start)),
        };
        same.then(|| known.clone())
    }

    /// Whether the keys that count now have signed `bytes`, the content of the role file `file`.
    fn is_signed(&self, file: &str, bytes: &[u8], given: &BTreeMap<String, Bytes>, root: &KnownRoot) -> bool {
        if file == "snapshot.json" {
            return serde_json::from_slice::<Signed<Snapshot>>(bytes)
                .is_ok_and(|role| root.role.signed.verify_role(&role).is_ok());
        }
        let Ok(role) = serde_json::from_slice::<Signed<Targets>>(bytes) else { return false };
        if file == "targets.json" {
            return root.role.signed.verify_role(&role).is_ok();
        }
        let name = file.trim_end_matches(".json");
        given
            .values()
            .filter_map(|bytes| serde_json::from_slice::<Signed<Targets>>(bytes).ok()?.signed.delegations)
            .any(|delegations| delegations.verify_role(&role, name).is_ok())
    }

    /// Whether `fetched` says something else under the version of `kept`, while the keys are still the same.
    fn contradicts(&self, start: &KnownRoot, kept: &[u8], fetched: &[u8]) -> bool {
        let same_version = version_of(kept).is_some_and(|version| version_of(fetched) == Some(version));
        same_version && content(kept) != content(fetched) && !self.keys_changed_since(start)
    }

    fn keys_changed_since(&self, start: &KnownRoot) -> bool {
        forgets(&start.role.signed, &self.newest_root(start).role.signed)
    }

    /// The newest root so far. Where more than roots was asked for, tough has accepted it.
    fn newest_root(&self, start: &KnownRoot) -> KnownRoot {
        let given = self.inner.given.lock().expect("no panic while held");
        let newest = given
            .iter()
            .filter_map(|(name, bytes)| {
                split_version(name).filter(|(_, plain)| *plain == "root.json").map(|(v, _)| (v, bytes))
            })
            .max_by_key(|(version, _)| *version);
        newest.and_then(|(_, bytes)| KnownRoot::parse(bytes).ok()).unwrap_or_else(|| start.clone())
    }
}

#[async_trait]
impl Transport for Shelf {
    async fn fetch(&self, url: Url) -> Result<TransportStream, TransportError> {
        let name = url.path_segments().and_then(|mut all| all.next_back()).unwrap_or_default().to_owned();
        if let Some(error) = self.refuses(&name) {
            let told = TransportError::new_with_cause(TransportErrorKind::Other, url.as_str(), error.clone());
            *self.inner.refusal.lock().expect("no panic while held") = Some(error);
            return Err(told);
        }
        match self.take(&name).await {
            Ok(bytes) => Ok(Box::pin(stream::iter([Ok(bytes)]))),
            // A store whose contents may not be listed denies what is not there; the next root usually is not.
            Err(Fault::Denied { status: 403, .. }) if plain_name(&name) == "root.json" => {
                Err(TransportError::new_with_cause(
                    TransportErrorKind::FileNotFound,
                    url.as_str(),
                    Fault::Missing,
                ))
            }
            Err(fault) if fault.is_missing() => {
                Err(TransportError::new_with_cause(TransportErrorKind::FileNotFound, url.as_str(), fault))
            }
            // tough takes a root that cannot be opened for one that does not exist, and would go on with an old one;
            // a stream that fails is a failure to it.
            Err(fault) => Ok(Box::pin(stream::iter([Err(TransportError::new_with_cause(
                TransportErrorKind::Other,
                url.as_str(),
                fault,
            ))]))),
        }
    }
}

fn expected(name: &str) -> Expected {
    let limit = match plain_name(name) {
        "root.json" => LONGEST_ROOT,
        "timestamp.json" | "snapshot.json" => LONGEST_SMALL_ROLE,
        _ => LONGEST_TARGETS,
    };
    Expected { what: "TUF metadata".to_owned(), size: Size::AtMost(limit) }
}

fn content(role: &[u8]) -> Option<Value> {
    serde_json::from_slice::<Value>(role).ok()?.get_mut("signed").map(Value::take)
}

/// A file's name as a role above it writes it: without the escapes that addresses want.
fn decoded(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((plain, escaped)) = rest.split_once('%') {
        bytes.extend_from_slice(plain.as_bytes());
        bytes.push(u8::from_str_radix(escaped.get(..2)?, 16).ok()?);
        rest = &escaped[2..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).ok()
}

/// `12.snapshot.json` as `(12, "snapshot.json")`.
pub(super) fn split_version(name: &str) -> Option<(u64, &str)> {
    let (version, plain) = name.split_once('.')?;
    Some((version.parse().ok()?, plain)).filter(|(_, plain)| plain.contains('.'))
}

/// The name of a role's file without its version.
pub(super) fn plain_name(name: &str) -> &str {
    split_version(name).map_or(name, |(_, plain)| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_split_from_names() {
        assert_eq!(split_version("12.snapshot.json"), Some((12, "snapshot.json")));
        assert_eq!(split_version("timestamp.json"), None);
        assert_eq!(split_version("12.json"), None);
        assert_eq!(plain_name("timestamp.json"), "timestamp.json");
    }

    #[test]
    fn names_of_roles_lose_their_escapes() {
        assert_eq!(decoded("..%2Fa%20b.json").as_deref(), Some("../a b.json"));
        assert_eq!(decoded("targets.json").as_deref(), Some("targets.json"));
        for damaged in ["%", "%2", "%zz.json", "%ff.json", "%\u{e4}"] {
            assert_eq!(decoded(damaged), None, "{damaged}");
        }
    }
}
