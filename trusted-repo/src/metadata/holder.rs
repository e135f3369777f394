//! What tells the holders of keys apart.
//!
//! The identity of a key is a digest of how it is written down, fields that mean nothing included, and whoever verifies
//! takes more than one encoding and passes over bytes behind some: one key has as many right identities as somebody
//! likes. So only keys in an exact encoding are told apart, by what nobody shares who cannot sign in their place.

use std::collections::BTreeSet;

use pkcs8::der::asn1::UintRef;
use pkcs8::der::{Decode as _, Reader as _, SliceReader};
use pkcs8::spki::SubjectPublicKeyInfoRef;
use tough::schema::key::Key;

/// What stands in front of the 32 bytes of an Ed25519 public key (RFC 8410).
pub(crate) const ED25519_SPKI: &[u8] =
    &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// What stands in front of a whole point of P-256 (RFC 5480).
const P256_SPKI: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// What stands in front of a compressed one.
const P256_SPKI_COMPRESSED: &[u8] = &[
    0x30, 0x39, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x22, 0x00,
];

/// The kinds of keys; a holder of one has none of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Rsa,
    Ecdsa,
    Ed25519,
}

/// What a key is told apart by: the same for all exact encodings of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Material<'k> {
    kind: Kind,
    /// `None` where it is written in any other way: it may be any key of its kind.
    exact: Option<&'k [u8]>,
}

/// How many holders these keys have at least. One in an encoding that is not exact counts only where no other of its
/// kind is there, for it may be that one.
pub(crate) fn holders<'k>(keys: impl IntoIterator<Item = &'k Key>) -> u64 {
    let all: BTreeSet<Material<'_>> = keys.into_iter().map(material).collect();
    let exact = |kind| all.iter().any(|key| key.kind == kind && key.exact.is_some());
    all.iter().filter(|key| key.exact.is_some() || !exact(key.kind)).count() as u64
}

/// Whether both keys may be of one holder.
pub(crate) fn may_be_one(a: &Key, b: &Key) -> bool {
    holders([a, b]) == 1
}

fn material(key: &Key) -> Material<'_> {
    match key {
        Key::Rsa { keyval, .. } => Material { kind: Kind::Rsa, exact: modulus(&keyval.public) },
        Key::Ecdsa { keyval, .. } | Key::EcdsaOld { keyval, .. } => {
            Material { kind: Kind::Ecdsa, exact: x_coordinate(&keyval.public) }
        }
        Key::Ed25519 { keyval, .. } => Material { kind: Kind::Ed25519, exact: raw(&keyval.public) },
    }
}

fn raw(key: &[u8]) -> Option<&[u8]> {
    let raw = key.strip_prefix(ED25519_SPKI).unwrap_or(key);
    (raw.len() == 32).then_some(raw)
}

/// Of a point, whole or compressed: whoever signs with one of the two points that share it can sign with the other one.
fn x_coordinate(key: &[u8]) -> Option<&[u8]> {
    let point = key.strip_prefix(P256_SPKI).or_else(|| key.strip_prefix(P256_SPKI_COMPRESSED)).unwrap_or(key);
    match (point.len(), point.split_first()?) {
        (33, (2 | 3, x)) => Some(x),
        (65, (4, both)) => Some(&both[..32]),
        _ => None,
    }
}

/// Of a key in DER: whoever knows its factors can sign with any exponent.
fn modulus(key: &[u8]) -> Option<&[u8]> {
    let of_spki = || SubjectPublicKeyInfoRef::from_der(key).ok()?.subject_public_key.as_bytes();
    let mut reader = SliceReader::new(of_spki().unwrap_or(key)).ok()?;
    let modulus = reader.sequence(|fields| {
        let modulus = UintRef::decode(fields)?;
        UintRef::decode(fields)?;
        Ok(modulus)
    });
    reader.finish(modulus.ok()?).ok().map(|modulus| modulus.as_bytes())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(kind: &str, scheme: &str, public: &[u8]) -> Key {
        let public = hex::encode(public);
        let key = json!({ "keytype": kind, "scheme": scheme, "keyval": { "public": public } });
        serde_json::from_value(key).unwrap()
    }

    fn ed25519(public: &[&[u8]]) -> Key {
        key("ed25519", "ed25519", &public.concat())
    }

    fn ecdsa(public: &[&[u8]]) -> Key {
        key("ecdsa", "ecdsa-sha2-nistp256", &public.concat())
    }

    /// A key whose bit string has these bytes, as tough writes it.
    fn rsa(public: Vec<u8>) -> Key {
        let keyval = tough::schema::key::RsaKey { public: public.into(), _extra: Default::default() };
        let scheme = tough::schema::key::RsaScheme::RsassaPssSha256;
        Key::Rsa { keyval, scheme, _extra: Default::default() }
    }

    /// DER of up to 127 bytes.
    fn der(tag: u8, content: &[&[u8]]) -> Vec<u8> {
        let content = content.concat();
        [&[tag, u8::try_from(content.len()).unwrap()], &content[..]].concat()
    }

    #[test]
    fn the_exact_encodings_of_a_key_are_one_holder_and_another_key_is_another() {
        let (x, y, other) = ([7; 32], [9; 32], [8; 32]);
        let ed = [ed25519(&[&x]), ed25519(&[ED25519_SPKI, &x])];
        let ec = [
            ecdsa(&[&[4], &x, &y]),
            ecdsa(&[&[2], &x]),
            ecdsa(&[&[3], &x]),
            ecdsa(&[P256_SPKI, &[4], &x, &y]),
            ecdsa(&[P256_SPKI_COMPRESSED, &[3], &x]),
            key("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", &[&[2][..], &x].concat()),
        ];
        let plain = |modulus: &[u8], exponent: u8| der(0x30, &[&der(2, &[modulus]), &der(2, &[&[exponent]])]);
        let oid = [0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];
        let spki = der(0x30, &[&oid, &der(3, &[&[0], &plain(&x, 3)])]);
        let rs = [rsa(plain(&x, 3)), rsa(plain(&x, 5)), rsa(spki)];
        for (kind, same, another) in [
            ("ed25519", &ed[..], ed25519(&[&other])),
            ("ecdsa", &ec, ecdsa(&[&[4], &other, &y])),
            ("rsa", &rs, rsa(plain(&other, 3))),
        ] {
            assert!(same.iter().all(|key| material(key).exact.is_some()), "{kind}");
            assert_eq!(holders(same), 1, "{kind}");
            assert_eq!(holders(same.iter().chain([&another])), 2, "{kind}");
            assert!(same.iter().all(|key| may_be_one(key, &same[0]) && !may_be_one(key, &another)), "{kind}");
        }
        assert_eq!(holders(ed.iter().chain(&ec).chain(&rs)), 3, "one of each kind");
    }

    #[test]
    fn a_key_in_any_other_encoding_may_be_any_of_its_kind() {
        let (x, y, behind) = ([7; 32], [4; 32], [5; 32]);
        let long = der(0x30, &[&der(2, &[&x]), &der(2, &[&[3]]), &[5, 0]]);
        let padded = der(0x30, &[&der(2, &[&[0], &x]), &der(2, &[&[3]])]);
        let trailed = [&der(0x30, &[&der(2, &[&x]), &der(2, &[&[3]])])[..], &behind].concat();
        for (exact, odd) in [
            (
                ed25519(&[&x]),
                vec![ed25519(&[ED25519_SPKI, &x, &behind]), ed25519(&[&x, &behind]), ed25519(&[&[]])],
            ),
            (
                ecdsa(&[&[4], &x, &y]),
                vec![
                    ecdsa(&[P256_SPKI, &[4], &x, &y, &behind]),
                    ecdsa(&[&[6], &x, &y]),
                    ecdsa(&[&[2], &x, &[4], &x]),
                    ecdsa(&[P256_SPKI, &[2], &x, &behind]),
                    ecdsa(&[&[]]),
                ],
            ),
            (
                rsa(der(0x30, &[&der(2, &[&x]), &der(2, &[&[3]])])),
                vec![rsa(long), rsa(padded), rsa(trailed), rsa(vec![])],
            ),
        ] {
            for odd in &odd {
                assert!(may_be_one(&exact, odd), "{odd:?}");
            }
            assert_eq!(holders(&odd), 1, "without an exact one");
            assert_eq!(holders(odd.iter().chain([&exact])), 1);
        }
    }
}
