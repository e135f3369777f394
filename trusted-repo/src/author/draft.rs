//! The next root role while it goes from one key holder to the next.
//!
//! A draft is a plain file: `{"signed": …, "signatures": […]}` as hosts read it, with too few signatures so far. Each
//! holder adds one, without seeing anybody else's key. It becomes a [`SignedRoot`] only when the keys of the root before
//! and its own keys both have signed it often enough.

use std::collections::HashMap;
use std::num::NonZeroU64;

use chrono::{DateTime, Utc};
use tough::schema::{Role as _, RoleKeys, RoleType, Root, Signed};

use super::keys::PublicKey;
use super::root::SPEC_VERSION;
use super::sign::{at_once, signature};
use super::source::{self, KeySource, Sign};
use super::{Error, KeyPair, SignedRoot};
use crate::metadata::holder::{holders as number_of_holders, may_be_one};
use crate::metadata::now::{from_jiff, to_jiff};
use crate::metadata::quorum;

/// What changes from one root role to the next.
#[derive(Debug, Clone)]
pub struct RootChange {
    /// When the next one expires.
    pub expires: DateTime<Utc>,
    /// Holders that come.
    pub add: Vec<PublicKey>,
    /// The identities of the keys of holders that go.
    pub remove: Vec<String>,
    /// How many have to sign from now on; as before where there is none.
    pub threshold: Option<u32>,
    /// The new keys of roles below root: `targets`, `snapshot` or `timestamp`.
    pub replace: Vec<(String, PublicKey)>,
}

/// The first root role of holders who keep their keys where they are.
#[derive(Debug, Clone)]
pub struct FirstRoot {
    /// When it expires.
    pub expires: DateTime<Utc>,
    /// The holders.
    pub root: Vec<PublicKey>,
    /// How many of them have to sign.
    pub threshold: u32,
    /// The keys of the roles below root; one of them signs for each.
    pub targets: PublicKey,
    /// Of the snapshot role.
    pub snapshot: PublicKey,
    /// Of the timestamp role.
    pub timestamp: PublicKey,
}

/// A root role on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootDraft {
    signed: Signed<Root>,
}

/// How often a draft is signed, and how often it has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Count {
    /// Valid signatures of different keys.
    pub have: u64,
    /// The threshold.
    pub need: u64,
}

impl Count {
    /// How many are missing.
    #[must_use]
    pub fn missing(self) -> u64 {
        self.need.saturating_sub(self.have)
    }
}

/// What a root role says of one role, for people and programs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RoleSummary {
    /// Its name.
    pub role: String,
    /// The identities of its keys.
    pub keys: Vec<String>,
    /// How many of them have to sign.
    pub threshold: u64,
}

impl RootDraft {
    /// The first root role of a chain, signed by nobody yet.
    ///
    /// # Errors
    /// When a holder stands there twice, or the threshold would be out of reach.
    pub fn first(spec: &FirstRoot) -> Result<Self, Error> {
        let refused = |reason: String| Error::Root { version: 1, reason };
        for (at, key) in spec.root.iter().enumerate() {
            // By another name perhaps: how it is written down is no part of a key.
            if spec.root[..at].iter().any(|before| may_be_one(&before.tuf_key(), &key.tuf_key())) {
                return Err(refused(format!("the key {} is there twice", key.id())));
            }
        }
        let holders: Vec<_> = spec.root.iter().map(PublicKey::key_id).collect();
        let threshold = NonZeroU64::new(spec.threshold.into())
            .ok_or_else(|| refused("no signature at all would be asked for".to_owned()))?;
        if threshold.get() > holders.len() as u64 {
            return Err(refused("more signatures would be asked for than there are keys".to_owned()));
        }
        let role = |keyids, threshold| RoleKeys { keyids, threshold, _extra: HashMap::new() };
        let below = [
            (RoleType::Targets, &spec.targets),
            (RoleType::Snapshot, &spec.snapshot),
            (RoleType::Timestamp, &spec.timestamp),
        ];
        let mut roles: HashMap<_, _> =
            below.map(|(kind, key)| (kind, role(vec![key.key_id()], NonZeroU64::MIN))).into();
        roles.insert(RoleType::Root, role(holders, threshold));
        let keys = spec.root.iter().chain(below.map(|(_, key)| key));
        let root = Root {
            spec_version: SPEC_VERSION.to_owned(),
            consistent_snapshot: true,
            version: NonZeroU64::MIN,
            expires: to_jiff(spec.expires)
                .ok_or_else(|| refused("its date of expiry is out of range".to_owned()))?,
            keys: keys.map(|key| (key.key_id(), key.tuf_key())).collect(),
            roles,
            _extra: HashMap::new(),
        };
        Ok(Self { signed: Signed { signed: root, signatures: Vec::new() } })
    }

    /// The successor of `previous`, signed by nobody yet.
    ///
    /// # Errors
    /// When a key that goes is not there, or the threshold would be out of reach.
    pub fn successor(previous: &SignedRoot, change: &RootChange) -> Result<Self, Error> {
        let mut root = previous.role();
        root.version = root.version.saturating_add(1);
        let version = root.version.get();
        let refused = |reason: String| Error::Root { version, reason };
        root.expires = to_jiff(change.expires)
            .ok_or_else(|| refused("its date of expiry is out of range".to_owned()))?;
        let holders =
            root.roles.get_mut(&RoleType::Root).ok_or_else(|| refused("it has no root role".to_owned()))?;
        for id in &change.remove {
            let before = holders.keyids.len();
            holders.keyids.retain(|known| hex::encode(&known[..]) != *id);
            if holders.keyids.len() == before {
                return Err(refused(format!("no root key has the identity {id}")));
            }
        }
        for key in &change.add {
            let coming = key.tuf_key();
            let mut known = holders.keyids.iter().filter_map(|id| root.keys.get(id));
            if known.any(|known| may_be_one(known, &coming)) {
                return Err(refused(format!("the key {} is a root key already", key.id())));
            }
            holders.keyids.push(key.key_id());
            root.keys.insert(key.key_id(), coming);
        }
        if let Some(threshold) = change.threshold {
            holders.threshold = NonZeroU64::new(threshold.into())
                .ok_or_else(|| refused("no signature at all would be asked for".to_owned()))?;
        }
        let keys = holders.keyids.iter().filter_map(|id| root.keys.get(id));
        if holders.threshold.get() > number_of_holders(keys) {
            return Err(refused("more signatures would be asked for than there are keys".to_owned()));
        }
        for (role, key) in &change.replace {
            let role = match role.as_str() {
                "targets" => RoleType::Targets,
                "snapshot" => RoleType::Snapshot,
                "timestamp" => RoleType::Timestamp,
                other => return Err(refused(format!("there is no role {other} below root"))),
            };
            let keys =
                RoleKeys { keyids: vec![key.key_id()], threshold: NonZeroU64::MIN, _extra: HashMap::new() };
            root.roles.insert(role, keys);
        }
        root.keys.extend(change.replace.iter().map(|(_, key)| (key.key_id(), key.tuf_key())));
        // A key that signs for nobody is not carried on.
        let roles = root.roles.clone();
        root.keys.retain(|id, _| roles.values().any(|role| role.keyids.contains(id)));
        Ok(Self { signed: Signed { signed: root, signatures: Vec::new() } })
    }

    /// A draft, or a finished root role, from its file.
    ///
    /// # Errors
    /// When it is no root role.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let signed = serde_json::from_slice(bytes)
            .map_err(|error| Error::Root { version: 0, reason: format!("it is no root role ({error})") })?;
        Ok(Self { signed })
    }

    /// The file.
    ///
    /// # Panics
    /// Never: a root role is plain data.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        // By way of a value, whose maps are sorted: the same draft is the same file for every holder.
        let value = serde_json::to_value(&self.signed).expect("a root role is plain data");
        let mut bytes = serde_json::to_vec_pretty(&value).expect("a value is JSON");
        bytes.push(b'\n');
        bytes
    }

    /// Adds the signature of one holder; signing twice changes nothing. `previous` is the version before, if there is
    /// one.
    ///
    /// # Errors
    /// When neither `previous` nor the draft names the key as a root key.
    pub fn sign(&mut self, previous: Option<&SignedRoot>, key: &KeyPair) -> Result<(), Error> {
        at_once(self.sign_by(previous, key))
    }

    /// [`RootDraft::sign`] with a key that may lie anywhere.
    ///
    /// # Errors
    /// As [`RootDraft::sign`], and when the key cannot be reached or does not sign.
    pub async fn sign_from(
        &mut self,
        previous: Option<&SignedRoot>,
        source: &dyn KeySource,
    ) -> Result<(), Error> {
        let key = source::open(source).await?;
        self.sign_by(previous, &*key).await
    }

    async fn sign_by(&mut self, previous: Option<&SignedRoot>, key: &dyn Sign) -> Result<(), Error> {
        let refused = |reason: String| Error::Sign { role: "root".to_owned(), reason };
        let id = key.tuf_key().key_id().map_err(|error| refused(error.to_string()))?;
        let names =
            |root: &Root| root.roles.get(&RoleType::Root).is_some_and(|role| role.keyids.contains(&id));
        if !previous.is_some_and(|previous| names(&previous.role())) && !names(&self.signed.signed) {
            let id = hex::encode(&id[..]);
            return Err(refused(format!("the key {id} is none of its root keys, nor of the version before")));
        }
        let message = self
            .signed
            .signed
            .canonical_form()
            .map_err(|error| refused(format!("it cannot be written ({error})")))?;
        let signature = signature::<Root>(key, &message).await?;
        self.signed.signatures.retain(|signature| signature.keyid != id);
        self.signed.signatures.push(signature);
        Ok(())
    }

    /// How often the keys of `previous` have signed, and how often its own.
    #[must_use]
    pub fn counts(&self, previous: &SignedRoot) -> (Count, Count) {
        (count(&previous.role(), &self.signed), self.own_count())
    }

    /// How often its own keys have signed.
    #[must_use]
    pub fn own_count(&self) -> Count {
        count(&self.signed.signed, &self.signed)
    }

    /// A root role that hosts accept after `previous`.
    ///
    /// # Errors
    /// When either threshold is not reached, or it is not the next version.
    pub fn finish(&self, previous: &SignedRoot) -> Result<SignedRoot, Error> {
        let version = self.version();
        let (old, new) = self.counts(previous);
        if version != previous.version() + 1 {
            let reason = format!("it does not follow version {}", previous.version());
            return Err(Error::Root { version, reason });
        }
        if old.missing() + new.missing() > 0 {
            let reason = format!(
                "{} of {} holders of version {} have signed it, and {} of {} of its own",
                old.have,
                old.need,
                previous.version(),
                new.have,
                new.need
            );
            return Err(Error::Sign { role: "root".to_owned(), reason });
        }
        SignedRoot::parse(&self.bytes())
    }

    /// The first root role of a chain.
    ///
    /// # Errors
    /// When its own threshold is not reached, or it is not version 1.
    pub fn finish_first(&self) -> Result<SignedRoot, Error> {
        let version = self.version();
        let own = self.own_count();
        if version != 1 {
            return Err(Error::Root { version, reason: "a chain begins with version 1".to_owned() });
        }
        if own.missing() > 0 {
            let reason = format!("{} of {} of its holders have signed it", own.have, own.need);
            return Err(Error::Sign { role: "root".to_owned(), reason });
        }
        SignedRoot::parse(&self.bytes())
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.signed.signed.version.get()
    }

    /// When it expires.
    #[must_use]
    pub fn expires(&self) -> DateTime<Utc> {
        from_jiff(self.signed.signed.expires)
    }

    /// Who may sign what, in the order of trust.
    #[must_use]
    pub fn roles(&self) -> Vec<RoleSummary> {
        let order = [RoleType::Root, RoleType::Timestamp, RoleType::Snapshot, RoleType::Targets];
        let known = order.into_iter().filter_map(|role| Some((role, self.signed.signed.roles.get(&role)?)));
        known
            .map(|(role, keys)| RoleSummary {
                role: role.to_string(),
                keys: keys.keyids.iter().map(|id| hex::encode(&id[..])).collect(),
                threshold: keys.threshold.get(),
            })
            .collect()
    }

    /// The identities of the keys that have signed it, whether their signatures hold or not.
    #[must_use]
    pub fn signed_by(&self) -> Vec<String> {
        self.signed.signatures.iter().map(|signature| hex::encode(&signature.keyid[..])).collect()
    }
}

/// Valid signatures on `draft` by different root keys of `root`.
fn count(root: &Root, draft: &Signed<Root>) -> Count {
    let need = root.roles.get(&RoleType::Root).map_or(1, |role| role.threshold.get());
    Count { have: quorum::count(root, draft), need }
}

#[cfg(test)]
mod tests {
    use tough::schema::key::Key;

    use super::*;
    use crate::author::RootSpec;
    use crate::author::sign::sign;

    fn key() -> KeyPair {
        KeyPair::generate().expect("random")
    }

    fn first(root: &[KeyPair], other: &[KeyPair]) -> SignedRoot {
        let spec = RootSpec {
            version: 1,
            expires: DateTime::UNIX_EPOCH,
            root,
            root_threshold: 2,
            targets: other,
            snapshot: other,
            timestamp: other,
        };
        SignedRoot::first(&spec, &[&root[0], &root[1]]).expect("signed")
    }

    fn change() -> RootChange {
        let expires = DateTime::UNIX_EPOCH + chrono::TimeDelta::days(365);
        RootChange { expires, add: vec![], remove: vec![], threshold: None, replace: vec![] }
    }

    #[test]
    fn holders_sign_one_after_another_and_both_thresholds_count() {
        let (old, other, new) = ([key(), key(), key()], [key()], key());
        let first = first(&old, &other);
        let swap = RootChange { add: vec![new.public_key()], remove: vec![old[0].id()], ..change() };
        let mut draft = RootDraft::successor(&first, &swap).expect("a draft");
        assert!(draft.finish(&first).is_err(), "nobody has signed");
        draft.sign(Some(&first), &new).expect("a new holder");
        draft.sign(Some(&first), &new).expect("twice is once");
        draft.sign(Some(&first), &old[0]).expect("a holder who goes");
        let (before, own) = draft.counts(&first);
        assert_eq!((before.missing(), own.missing()), (1, 1));
        assert!(draft.finish(&first).expect_err("too few").to_string().contains("1 of 2"));
        // On the way it is a file.
        let mut draft = RootDraft::parse(&draft.bytes()).expect("the same");
        draft.sign(Some(&first), &old[1]).expect("a holder who stays");
        let next = draft.finish(&first).expect("both thresholds");
        assert_eq!(next.version(), 2);
        assert!(draft.sign(Some(&first), &other[0]).is_err(), "a key of another role");
    }

    fn first_spec(root: &[KeyPair], other: &KeyPair) -> FirstRoot {
        let other = || other.public_key();
        FirstRoot {
            expires: DateTime::UNIX_EPOCH,
            root: root.iter().map(KeyPair::public_key).collect(),
            threshold: 2,
            targets: other(),
            snapshot: other(),
            timestamp: other(),
        }
    }

    #[test]
    fn holders_who_never_meet_make_the_first_root_role() {
        let (holders, other) = ([key(), key(), key()], key());
        let mut draft = RootDraft::first(&first_spec(&holders, &other)).expect("a draft");
        draft.sign(None, &holders[2]).expect("a holder");
        assert!(draft.finish_first().expect_err("too few").to_string().contains("1 of 2"));
        let mut draft = RootDraft::parse(&draft.bytes()).expect("it travelled as a file");
        assert!(draft.sign(None, &other).is_err(), "a key of another role");
        draft.sign(None, &holders[0]).expect("another holder");
        let first = draft.finish_first().expect("two of three");
        assert_eq!(first.version(), 1);
        let second = RootDraft::successor(&first, &change()).expect("it goes on from there");
        assert!(
            second.finish_first().expect_err("not the first").to_string().contains("begins with version 1")
        );
    }

    #[test]
    fn a_first_root_role_that_nobody_could_sign_is_no_draft() {
        let (holders, other) = ([key(), key()], key());
        let spec = first_spec(&holders, &other);
        for spec in [
            FirstRoot { threshold: 0, ..spec.clone() },
            FirstRoot { threshold: 3, ..spec.clone() },
            FirstRoot { root: vec![spec.root[0].clone(), spec.root[0].clone()], ..spec },
        ] {
            assert!(RootDraft::first(&spec).is_err(), "{spec:?}");
        }
    }

    #[test]
    fn a_changed_draft_loses_its_signatures() {
        let (old, other) = ([key(), key()], [key()]);
        let first = first(&old, &other);
        let mut draft = RootDraft::successor(&first, &change()).expect("a draft");
        draft.sign(Some(&first), &old[0]).expect("signed");
        draft.sign(Some(&first), &old[1]).expect("signed");
        let text = String::from_utf8(draft.bytes()).expect("text");
        let later = text.replace(r#""expires": "1971-"#, r#""expires": "2971-"#);
        assert_ne!(later, text);
        let forged = RootDraft::parse(later.as_bytes()).expect("still a root role");
        assert_eq!(forged.counts(&first).0.have, 0);
        assert!(forged.finish(&first).is_err());
    }

    #[test]
    fn a_holder_whose_key_was_written_down_in_another_way_is_no_new_one() {
        let (old, other) = ([key(), key()], [key()]);
        let mut role = first(&old, &other).role();
        let mut odd = serde_json::to_value(old[0].public()).expect("plain data");
        odd["x-remark"] = "written by another tool".into();
        let odd: Key = serde_json::from_value(odd).expect("a key");
        let holders = role.roles.get_mut(&RoleType::Root).expect("a root role");
        (holders.keyids[0], holders.threshold) = (odd.key_id().expect("plain data"), NonZeroU64::MIN);
        role.keys.insert(odd.key_id().expect("plain data"), odd);
        role.keys.remove(&old[0].key_id());
        let root = sign(role, &[&old[1]]).expect("signed");
        let root = SignedRoot::parse(&serde_json::to_vec(&root).expect("plain data")).expect("by one of two");
        let again = RootChange { add: vec![old[0].public_key()], ..change() };
        let why = RootDraft::successor(&root, &again).expect_err("it is there").to_string();
        assert!(why.contains("is a root key already"), "{why}");
    }

    #[test]
    fn a_first_root_role_with_one_key_in_two_writings_is_no_draft() {
        let (holders, other) = ([key(), key()], key());
        let mut spec = first_spec(&holders, &other);
        let mut odd = serde_json::to_value(holders[0].public()).expect("plain data");
        odd["x-remark"] = "written by another tool".into();
        spec.root[1].key = serde_json::from_value(odd).expect("a key");
        assert_ne!(spec.root[0].id(), spec.root[1].id());
        let why = RootDraft::first(&spec).expect_err("one holder").to_string();
        assert!(why.contains("is there twice"), "{why}");
    }

    #[test]
    fn what_nobody_could_sign_is_no_draft() {
        let (old, other) = ([key(), key()], [key()]);
        let first = first(&old, &other);
        for change in [
            RootChange { remove: vec![old[0].id()], ..change() },
            RootChange { remove: vec!["00".to_owned()], ..change() },
            RootChange { add: vec![old[0].public_key()], ..change() },
            RootChange { threshold: Some(0), ..change() },
            RootChange { threshold: Some(3), ..change() },
            RootChange { replace: vec![("mirrors".to_owned(), key().public_key())], ..change() },
        ] {
            assert!(RootDraft::successor(&first, &change).is_err(), "{change:?}");
        }
    }
}
