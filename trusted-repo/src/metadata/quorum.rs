//! Whether enough different keys have signed.
//!
//! The identity of a key is a digest of how it is written down, fields that mean nothing included: one key has as many
//! right identities as somebody likes. A threshold asks for so many holders, so each key counts once, whatever it is
//! called.

use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroU64;

use tough::schema::decoded::{Decoded, Hex};
use tough::schema::key::Key;
use tough::schema::{Role, RoleKeys, Root, Signed};

/// What a signature is judged by: the same for all ways to write one key down.
pub(crate) fn material(key: &Key) -> &[u8] {
    match key {
        Key::Rsa { keyval, .. } => &keyval.public,
        Key::Ecdsa { keyval, .. } | Key::EcdsaOld { keyval, .. } => x_coordinate(&keyval.public),
        Key::Ed25519 { keyval, .. } => last(&keyval.public),
    }
}

/// Of a point, however it is packed: whoever signs with one of the two points that share it can sign with the other one.
fn x_coordinate(point: &[u8]) -> &[u8] {
    match point.split_last_chunk::<64>() {
        Some((head, both)) if head.last().is_some_and(|form| matches!(form, 4 | 6 | 7)) => &both[..32],
        _ => last(point),
    }
}

/// The raw key behind whatever says what it is.
fn last(key: &[u8]) -> &[u8] {
    key.last_chunk::<32>().map_or(key, |raw| raw)
}

/// Whether a threshold of the keys has signed `signed` that `authority` names for roles of its kind; else why not.
pub(crate) fn verify<T: Role>(authority: &Root, signed: &Signed<T>) -> Result<(), String> {
    authority.verify_role(signed).map_err(|error| error.to_string())?;
    let Some(role) = authority.roles.get(&T::TYPE) else { return Ok(()) };
    let mut names: BTreeMap<&[u8], Vec<&Decoded<Hex>>> = BTreeMap::new();
    for id in role.keyids.iter().collect::<HashSet<_>>() {
        if let Some(key) = authority.keys.get(id) {
            names.entry(material(key)).or_default().push(id);
        }
    }
    if names.values().all(|names| names.len() == 1) {
        return Ok(());
    }
    let counted = names.values().filter_map(|names| {
        // It may have signed under any of its names.
        names.iter().find(|id| is_signed_by(authority, role, id, signed)).map(|id| (*id).clone())
    });
    let once_each = RoleKeys { keyids: counted.collect(), ..role.clone() };
    narrowed::<T>(authority, once_each)
        .verify_role(signed)
        .map_err(|error| format!("{error}; a key that is named twice counts once"))
}

fn is_signed_by<T: Role>(authority: &Root, role: &RoleKeys, id: &Decoded<Hex>, signed: &Signed<T>) -> bool {
    let alone = RoleKeys { keyids: vec![id.clone()], threshold: NonZeroU64::MIN, ..role.clone() };
    narrowed::<T>(authority, alone).verify_role(signed).is_ok()
}

/// `authority` with other keys for roles of one kind.
fn narrowed<T: Role>(authority: &Root, role: RoleKeys) -> Root {
    let mut narrowed = authority.clone();
    narrowed.roles.insert(T::TYPE, role);
    narrowed
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::{Value, json};
    use tough::schema::{RoleType, Signature};

    use super::*;
    use crate::author::KeyPair;

    /// A root role whose root keys are these, as they are written.
    fn root(keys: &[Value], threshold: u64) -> Root {
        let key = |value: &Value| -> (Decoded<Hex>, Key) {
            let key: Key = serde_json::from_value(value.clone()).unwrap();
            (key.key_id().unwrap(), key)
        };
        let keys: HashMap<_, _> = keys.iter().map(key).collect();
        let role = RoleKeys {
            keyids: keys.keys().cloned().collect(),
            threshold: NonZeroU64::new(threshold).unwrap(),
            _extra: HashMap::new(),
        };
        Root {
            spec_version: "1.0.0".to_owned(),
            consistent_snapshot: true,
            version: NonZeroU64::MIN,
            expires: jiff::Timestamp::MAX,
            keys,
            roles: HashMap::from([(RoleType::Root, role)]),
            _extra: HashMap::new(),
        }
    }

    /// `role` with a signature of each pair under each identity of `root` that has its key.
    fn signed(role: Root, pairs: &[&KeyPair]) -> Signed<Root> {
        let message = role.canonical_form().unwrap();
        let mut signatures: Vec<Signature> = Vec::new();
        for pair in pairs {
            let public = serde_json::to_value(pair.public_key().tuf_key()).unwrap();
            let same = |key: &Key| {
                serde_json::to_value(key).unwrap()["keyval"]["public"] == public["keyval"]["public"]
            };
            for (id, _) in role.keys.iter().filter(|(_, key)| same(key)) {
                signatures.push(Signature { keyid: id.clone(), sig: pair.signature(&message).into() });
            }
        }
        Signed { signed: role, signatures }
    }

    fn written(pair: &KeyPair, extra: Option<&str>) -> Value {
        let mut value = serde_json::to_value(pair.public_key().tuf_key()).unwrap();
        if let Some(extra) = extra {
            value["comment"] = json!(extra);
        }
        value
    }

    #[test]
    fn one_key_under_two_identities_is_one_signature() {
        let (one, two) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let keys = [written(&one, None), written(&one, Some("again")), written(&two, None)];
        let asked = root(&keys, 2);
        assert_eq!(asked.keys.len(), 3);
        let alone = signed(asked.clone(), &[&one]);
        assert_eq!(alone.signatures.len(), 2);
        assert!(asked.verify_role(&alone).is_ok(), "tough counts identities");
        let why = verify(&asked, &alone).unwrap_err();
        assert!(why.contains("a key that is named twice counts once"), "{why}");
        verify(&asked, &signed(asked.clone(), &[&one, &two])).unwrap();
    }

    #[test]
    fn a_key_may_sign_under_any_of_its_identities() {
        let (one, two) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let asked = root(&[written(&one, None), written(&one, Some("again")), written(&two, None)], 2);
        let whole = signed(asked.clone(), &[&one, &two]);
        for left_out in 0..2 {
            let mut part = whole.clone();
            part.signatures.remove(left_out);
            assert_eq!(part.signatures.len(), 2);
            verify(&asked, &part).unwrap();
        }
    }

    #[test]
    fn the_ways_to_pack_a_key_are_one_key() {
        let key = |kind: &str, scheme: &str, public: &[&[u8]]| {
            let public = hex::encode(public.concat());
            let key = json!({ "keytype": kind, "scheme": scheme, "keyval": { "public": public } });
            serde_json::from_value::<Key>(key).unwrap()
        };
        let (x, y) = ([7; 32], [9; 32]);
        for public in
            [&[&[4][..], &x, &y][..], &[&[2], &x], &[&[3], &x], &[&[1, 2, 3, 4], &x, &y], &[&[8; 27], &x]]
        {
            assert_eq!(material(&key("ecdsa", "ecdsa-sha2-nistp256", public)), x, "{public:?}");
        }
        for public in [&[&x[..]][..], &[&[5; 12], &x]] {
            assert_eq!(material(&key("ed25519", "ed25519", public)), x, "{public:?}");
        }
    }
}
