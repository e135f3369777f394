//! Whether enough different keys have signed.
//!
//! A threshold asks for so many holders, so each key counts once, whatever it is called. Whoever names the keys of a role
//! may name one of them a thousand times: what is signed is canonicalised once here, and each signature verified once.

use std::collections::HashSet;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use tough::schema::key::Key;
use tough::schema::{Role, RoleKeys, RoleType, Root, Signature, Signed};

use super::holder::holders;

/// Whether a threshold of the keys has signed `signed` that `authority` names for roles of its kind; else why not.
pub(crate) fn verify<T: Role>(authority: &Root, signed: &Signed<T>) -> Result<(), String> {
    authority.verify_role(signed).map_err(|error| error.to_string())?;
    let Some(role) = authority.roles.get(&T::TYPE) else {
        return Err("nobody is named who could have signed it".to_owned());
    };
    let ids: HashSet<_> = role.keyids.iter().collect();
    let keys: Vec<&Key> = ids.into_iter().filter_map(|id| authority.keys.get(id)).collect();
    if holders(keys.iter().copied()) == keys.len() as u64 {
        return Ok(());
    }
    let (have, need) = (count(authority, signed), role.threshold.get());
    if have < need {
        return Err(format!("{have} of {need} keys have signed it; a key that is named twice counts once"));
    }
    Ok(())
}

/// How many different keys have signed `signed` that `authority` names for roles of its kind.
pub(crate) fn count<T: Role>(authority: &Root, signed: &Signed<T>) -> u64 {
    let (Some(role), Ok(message)) = (authority.roles.get(&T::TYPE), signed.signed.canonical_form()) else {
        return 0;
    };
    count_over(authority, role, &signed.signatures, &message)
}

/// Whether a threshold of the keys that `authority` names for roles of this kind has signed these very bytes.
pub(crate) fn have_signed(
    authority: &Root,
    kind: RoleType,
    signatures: &[Signature],
    message: &[u8],
) -> bool {
    let role = authority.roles.get(&kind);
    role.is_some_and(|role| count_over(authority, role, signatures, message) >= role.threshold.get())
}

fn count_over(authority: &Root, role: &RoleKeys, signatures: &[Signature], message: &[u8]) -> u64 {
    let ids: HashSet<_> = role.keyids.iter().collect();
    let named = signatures.iter().filter(|signature| ids.contains(&signature.keyid));
    let keys = named.filter_map(|signature| Some((authority.keys.get(&signature.keyid)?, &signature.sig)));
    holders(keys.filter(|(key, signature)| has_signed(key, message, signature)).map(|(key, _)| key))
}

/// As tough verifies, which says of a threshold only whether it is reached.
fn has_signed(key: &Key, message: &[u8], signature: &[u8]) -> bool {
    let (algorithm, public): (&'static dyn VerificationAlgorithm, &[u8]) = match key {
        Key::Rsa { keyval, .. } => (&RSA_PSS_2048_8192_SHA256, &keyval.public),
        Key::Ecdsa { keyval, .. } | Key::EcdsaOld { keyval, .. } => (&ECDSA_P256_SHA256_ASN1, &keyval.public),
        Key::Ed25519 { keyval, .. } => (&ED25519, &keyval.public),
    };
    UnparsedPublicKey::new(algorithm, public).verify(message, signature).is_ok()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::HashMap;
    use std::num::NonZeroU64;

    use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
    use serde::{Serialize, Serializer};
    use serde_json::{Value, json};
    use tough::schema::decoded::{Decoded, Hex};

    use super::*;
    use crate::author::KeyPair;
    use crate::metadata::holder::ED25519_SPKI;

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

    /// `role`, signed by one key that is called by each of the role's identities.
    fn signed_under_all(role: Root, sign: impl Fn(&[u8]) -> Vec<u8>) -> Signed<Root> {
        let message = role.canonical_form().unwrap();
        let sign = |id: &Decoded<Hex>| Signature { keyid: id.clone(), sig: sign(&message).into() };
        let signatures = role.keys.keys().map(sign).collect();
        Signed { signed: role, signatures }
    }

    fn in_hex(kind: &str, scheme: &str, public: &[&[u8]]) -> Value {
        json!({ "keytype": kind, "scheme": scheme, "keyval": { "public": hex::encode(public.concat()) } })
    }

    #[test]
    fn bytes_behind_an_ed25519_key_make_no_other_holder() {
        let pair = KeyPair::generate().unwrap();
        let raw = hex::decode(written(&pair, None)["keyval"]["public"].as_str().unwrap()).unwrap();
        let packed = |behind: &[u8]| in_hex("ed25519", "ed25519", &[ED25519_SPKI, &raw, behind]);
        for keys in [
            [written(&pair, None), packed(&[])],
            [written(&pair, None), packed(&[1; 32])],
            [packed(&[1; 32]), packed(&[2; 32])],
        ] {
            let asked = root(&keys, 2);
            let signed = signed_under_all(asked.clone(), |message| pair.signature(message));
            assert!(asked.verify_role(&signed).is_ok(), "tough takes both: {keys:?}");
            let why = verify(&asked, &signed).unwrap_err();
            assert!(why.contains("1 of 2 keys"), "{why}");
            verify(&root(&keys, 1), &signed_under_all(root(&keys, 1), |message| pair.signature(message)))
                .unwrap();
        }
    }

    #[test]
    fn bytes_behind_an_ecdsa_key_and_its_packings_make_no_other_holder() {
        let (pair, random) = (
            EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap(),
            aws_lc_rs::rand::SystemRandom::new(),
        );
        let sign = |message: &[u8]| pair.sign(&random, message).unwrap().as_ref().to_vec();
        let point = pair.public_key().as_ref();
        let spki: Vec<u8> =
            AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).unwrap().as_ref().to_vec();
        let form = [2 + (point[64] & 1)];
        let key = |public: &[&[u8]]| in_hex("ecdsa", "ecdsa-sha2-nistp256", public);
        let again = in_hex("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", &[point]);
        for other in [key(&[&spki]), key(&[&form, &point[1..33]]), key(&[&spki, &[4; 65]]), again] {
            let asked = root(&[key(&[point]), other.clone()], 2);
            let signed = signed_under_all(asked.clone(), sign);
            assert!(asked.verify_role(&signed).is_ok(), "tough takes both: {other}");
            assert!(verify(&asked, &signed).unwrap_err().contains("1 of 2 keys"), "{other}");
        }
    }

    #[test]
    fn holders_with_keys_of_different_kinds_are_different_holders() {
        let (one, two) =
            (KeyPair::generate().unwrap(), EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING));
        let (two, random) = (two.unwrap(), aws_lc_rs::rand::SystemRandom::new());
        let ecdsa = in_hex("ecdsa", "ecdsa-sha2-nistp256", &[two.public_key().as_ref()]);
        // The second name of the first key has them counted.
        let asked = root(&[written(&one, None), written(&one, Some("again")), ecdsa.clone()], 2);
        let id = serde_json::from_value::<Key>(ecdsa).unwrap().key_id().unwrap();
        let mut both = signed(asked.clone(), &[&one]);
        let sig = two.sign(&random, &asked.canonical_form().unwrap()).unwrap().as_ref().to_vec();
        both.signatures.push(Signature { keyid: id, sig: sig.into() });
        verify(&asked, &both).unwrap();
        both.signatures.last_mut().unwrap().sig = vec![0; 70].into();
        assert!(verify(&asked, &both).is_err(), "its signature does not hold");
    }

    /// A role that counts how often it is written.
    struct Counted(Root, Cell<usize>);

    impl Serialize for Counted {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.1.set(self.1.get() + 1);
            self.0.serialize(serializer)
        }
    }

    impl Role for Counted {
        const TYPE: RoleType = RoleType::Root;

        fn expires(&self) -> jiff::Timestamp {
            self.0.expires()
        }

        fn version(&self) -> NonZeroU64 {
            self.0.version()
        }

        fn filename(&self, consistent_snapshot: bool) -> String {
            self.0.filename(consistent_snapshot)
        }
    }

    #[test]
    fn a_key_with_many_names_costs_no_more_than_many_keys() {
        let pairs = [KeyPair::generate().unwrap(), KeyPair::generate().unwrap()];
        let names = |pair| (0..50).map(move |name| written(pair, Some(&format!("name {name}"))));
        let asked = root(&pairs.iter().flat_map(names).collect::<Vec<_>>(), 2);
        let signed = signed(asked.clone(), &[&pairs[0], &pairs[1]]);
        assert_eq!(signed.signatures.len(), 100);
        let role = Counted(asked.clone(), Cell::new(0));
        let signed = Signed { signed: role, signatures: signed.signatures };
        verify(&asked, &signed).unwrap();
        assert_eq!(signed.signed.1.get(), 2, "once by tough, and once to count");
    }
}
