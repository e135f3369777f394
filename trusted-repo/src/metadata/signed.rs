//! A file with its signatures, and who may have made them.
//!
//! What is signed is kept as the very JSON that came until its signatures were verified: nothing of it is lost on the way
//! to the canonical form, whatever fields a later specification adds.

use std::collections::{BTreeMap, HashMap};
use std::marker::PhantomData;
use std::num::NonZeroU64;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use tough::schema::decoded::{Decoded, Hex};
use tough::schema::key::Key;
use tough::schema::{Role, RoleKeys, RoleType, Root, Signature, Signed};

use super::quorum;

/// A role below root that nobody has vouched for yet. `K` is tough's role of the same kind.
pub(crate) struct Claim<K> {
    envelope: Signed<Raw<K>>,
}

impl<K: Role> Claim<K> {
    /// A file that has signatures and calls itself a role of this kind.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Envelope {
            signed: Value,
            signatures: Vec<Signature>,
        }
        let Envelope { signed, signatures } = serde_json::from_slice(bytes)?;
        let kind = K::TYPE.to_string();
        if signed["_type"] != *kind {
            return Err(serde_json::Error::custom(format!("it does not call itself a {kind} role")));
        }
        Ok(Self { envelope: Signed { signed: Raw::new(signed), signatures } })
    }

    /// Whether a threshold of the keys has signed it that `authority` names for roles of this kind; else why not.
    pub(crate) fn check_signatures(&self, authority: &Root) -> Result<(), String> {
        quorum::verify(authority, &self.envelope)
    }

    /// The signatures, whoever made them.
    pub(crate) fn signatures(&self) -> &[Signature] {
        &self.envelope.signatures
    }

    /// The bytes that signatures are over, where there is such a form of what it says.
    pub(crate) fn canonical_form(&self) -> Option<Vec<u8>> {
        self.envelope.signed.canonical_form().ok()
    }

    /// What it says.
    pub(crate) fn into_content<T: DeserializeOwned>(self) -> Result<T, serde_json::Error> {
        serde_json::from_value(self.envelope.signed.value)
    }
}

/// The signed part of a file, as it is written.
pub(crate) struct Raw<K> {
    value: Value,
    kind: PhantomData<K>,
}

impl<K> Raw<K> {
    pub(crate) fn new(value: Value) -> Self {
        Self { value, kind: PhantomData }
    }
}

impl<K> Serialize for Raw<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

/// tough asks a role that it verifies for nothing but its kind.
impl<K: Role> Role for Raw<K> {
    const TYPE: RoleType = K::TYPE;

    fn expires(&self) -> jiff::Timestamp {
        self.value["expires"].as_str().and_then(|at| at.parse().ok()).unwrap_or(jiff::Timestamp::MIN)
    }

    fn version(&self) -> NonZeroU64 {
        self.value["version"].as_u64().and_then(NonZeroU64::new).unwrap_or(NonZeroU64::MIN)
    }

    fn filename(&self, consistent_snapshot: bool) -> String {
        let plain = format!("{}.json", K::TYPE);
        if consistent_snapshot { format!("{}.{plain}", self.version()) } else { plain }
    }
}

/// Those who may sign a delegated role: the shape of a root role that has no other business.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Delegate(Root);

impl Delegate {
    /// The keys of `ids` among `keys`, `threshold` of which have to sign. A key that is of an unknown kind, or is not the
    /// one that its identity says, signs nothing.
    pub(crate) fn new(keys: &BTreeMap<String, Value>, ids: &[String], threshold: NonZeroU64) -> Self {
        let usable = |id: &String| -> Option<(Decoded<Hex>, Key)> {
            let key = Key::deserialize(keys.get(id)?).ok()?;
            let identity = key.key_id().ok()?;
            (hex::encode(&identity[..]) == *id).then_some((identity, key))
        };
        let keys: HashMap<_, _> = ids.iter().filter_map(usable).collect();
        let role = RoleKeys { keyids: keys.keys().cloned().collect(), threshold, _extra: HashMap::new() };
        Self(Root {
            spec_version: String::new(),
            consistent_snapshot: true,
            version: NonZeroU64::MIN,
            expires: jiff::Timestamp::MAX,
            keys,
            roles: HashMap::from([(RoleType::Targets, role)]),
            _extra: HashMap::new(),
        })
    }

    pub(crate) fn authority(&self) -> &Root {
        &self.0
    }
}
