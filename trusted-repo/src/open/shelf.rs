//! Where tough gets its metadata files from: the repository, with what is remembered beside it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream;
use serde_json::Value;
use tough::{Transport, TransportError, TransportErrorKind, TransportStream, async_trait};
use tracing::{debug, warn};
use url::Url;

use crate::memory::roots::{KnownRoot, forgets};
use crate::memory::start::LONGEST_ROOT;
use crate::memory::store::version_of;
use crate::source::Place;
use crate::transport::download::{Expected, Size};
use crate::transport::{Carrier, Fault};

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
}

#[derive(Debug)]
enum Supply {
    /// A repository, and what was verified of it before: the root to start from and the other roles.
    Repository { carrier: Carrier, place: Place, root: Box<KnownRoot>, remembered: BTreeMap<String, Bytes> },
    /// A set of files that was read beforehand.
    Held(BTreeMap<String, Bytes>),
}

impl Shelf {
    pub(super) fn of_repository(
        carrier: Carrier,
        place: Place,
        root: KnownRoot,
        remembered: BTreeMap<String, Bytes>,
    ) -> Self {
        Self::new(Supply::Repository { carrier, place, root: Box::new(root), remembered })
    }

    pub(super) fn of_files(files: BTreeMap<String, Bytes>) -> Self {
        Self::new(Supply::Held(files))
    }

    fn new(supply: Supply) -> Self {
        Self { inner: Arc::new(Inner { supply, given: Mutex::default() }) }
    }

    /// Every file that was handed out, under its name in the repository, as exact bytes.
    pub(super) fn given(&self) -> BTreeMap<String, Bytes> {
        self.inner.given.lock().expect("no panic while held").clone()
    }

    async fn take(&self, name: &str) -> Result<Bytes, Fault> {
        let bytes = match &self.inner.supply {
            Supply::Held(files) => files.get(name).cloned().ok_or(Fault::Missing)?,
            Supply::Repository { carrier, place, root, remembered } => {
                if let Some(known) = self.still_current(name, remembered) {
                    debug!(name, "unchanged, taken from memory");
                    known
                } else {
                    let fetched = carrier.whole(place, name, expected(name)).await?;
                    match remembered.get(name) {
                        Some(kept) if self.contradicts(root, kept, &fetched) => {
                            warn!(
                                name,
                                "the repository offers other content under a version that was seen before: ignored"
                            );
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

    /// A remembered snapshot or targets role, if it is the very file that the role above it names now.
    fn still_current(&self, name: &str, remembered: &BTreeMap<String, Bytes>) -> Option<Bytes> {
        let (version, plain) = split_version(name)?;
        let above = match plain {
            "snapshot.json" => "timestamp.json",
            "targets.json" => "snapshot.json",
            _ => return None,
        };
        let known = remembered.get(plain)?;
        let given = self.inner.given.lock().expect("no panic while held");
        let above = given.iter().find(|(name, _)| plain_name(name) == above).map(|(_, bytes)| bytes)?;
        let above: Value = serde_json::from_slice(above).ok()?;
        let meta = above.get("signed")?.get("meta")?.get(plain)?;
        let signed = meta.get("hashes")?.get("sha256")?.as_str()?;
        let same = meta.get("version")?.as_u64()? == version
            && signed == hex::encode(ring::digest::digest(&ring::digest::SHA256, known));
        same.then(|| known.clone())
    }

    /// Whether `fetched` says something else under the version of `kept`, while the keys are still the same.
    fn contradicts(&self, start: &KnownRoot, kept: &[u8], fetched: &[u8]) -> bool {
        let same_version = version_of(kept).is_some_and(|version| version_of(fetched) == Some(version));
        same_version && content(kept) != content(fetched) && !self.keys_changed_since(start)
    }

    fn keys_changed_since(&self, start: &KnownRoot) -> bool {
        let given = self.inner.given.lock().expect("no panic while held");
        let newest = given
            .iter()
            .filter_map(|(name, bytes)| {
                split_version(name).filter(|(_, plain)| *plain == "root.json").map(|(v, _)| (v, bytes))
            })
            .max_by_key(|(version, _)| *version);
        newest
            .and_then(|(_, bytes)| KnownRoot::parse(bytes).ok())
            .is_some_and(|newest| forgets(&start.role.signed, &newest.role.signed))
    }
}

#[async_trait]
impl Transport for Shelf {
    async fn fetch(&self, url: Url) -> Result<TransportStream, TransportError> {
        let name = url.path_segments().and_then(|mut all| all.next_back()).unwrap_or_default().to_owned();
        match self.take(&name).await {
            Ok(bytes) => Ok(Box::pin(stream::iter([Ok(bytes)]))),
            Err(Fault::Missing) => Err(TransportError::new_with_cause(
                TransportErrorKind::FileNotFound,
                url.as_str(),
                Fault::Missing,
            )),
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
}
