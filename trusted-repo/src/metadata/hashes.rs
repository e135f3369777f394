//! The digests of a file: SHA-256, SHA-512 or both. Each one that is given and known has to be right; unknown kinds say
//! nothing, as long as there is one that is known.

use std::collections::BTreeMap;

use ring::digest::{Context, SHA256, SHA512};
use serde::Deserialize;
use serde_json::Value;

/// What the digests of a file have to be. At least one of them is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashes {
    sha256: Option<[u8; 32]>,
    sha512: Option<Box<[u8; 64]>>,
}

impl Hashes {
    /// A SHA-256 and nothing else.
    #[must_use]
    pub fn sha256(digest: [u8; 32]) -> Self {
        Self { sha256: Some(digest), sha512: None }
    }

    /// A SHA-512 and nothing else.
    #[must_use]
    pub fn sha512(digest: [u8; 64]) -> Self {
        Self { sha256: None, sha512: Some(Box::new(digest)) }
    }

    /// The same, and a SHA-512 that has to be right as well.
    #[must_use]
    pub fn and_sha512(self, digest: [u8; 64]) -> Self {
        Self { sha512: Some(Box::new(digest)), ..self }
    }

    /// The SHA-256, where there is one.
    #[must_use]
    pub fn get_sha256(&self) -> Option<&[u8; 32]> {
        self.sha256.as_ref()
    }

    /// The SHA-512, where there is one.
    #[must_use]
    pub fn get_sha512(&self) -> Option<&[u8; 64]> {
        self.sha512.as_deref()
    }

    /// The digest that names a published file, in hex: the SHA-256, or the SHA-512 where there is no other.
    #[must_use]
    pub fn hex(&self) -> String {
        self.all_hex().next().expect("at least one of them is there")
    }

    /// Every digest that may name a published file, in hex.
    pub(crate) fn all_hex(&self) -> impl Iterator<Item = String> {
        let long = self.sha512.as_ref().map(|digest| hex::encode(&digest[..]));
        self.sha256.map(hex::encode).into_iter().chain(long)
    }

    /// Whether these are the digests of `bytes`.
    #[must_use]
    pub fn are_of(&self, bytes: &[u8]) -> bool {
        self.differ(bytes).is_none()
    }

    /// What is another one, if `bytes` are others.
    pub(crate) fn differ(&self, bytes: &[u8]) -> Option<Difference> {
        let mut seen = Digesting::new(self);
        seen.update(bytes);
        seen.differ()
    }
}

/// What is not as it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) what: &'static str,
    pub(crate) found: String,
    pub(crate) signed: String,
}

impl Difference {
    /// As a sentence about the file `name`.
    pub(crate) fn of(&self, name: &str) -> String {
        format!("the {} of {name} is {}, and {} is signed", self.what, self.found, self.signed)
    }

    /// As a sentence about what was spoken of before.
    pub(crate) fn its(&self) -> String {
        format!("its {} is {}, and {} is signed", self.what, self.found, self.signed)
    }
}

/// Digests on the way through a file.
#[derive(Clone)]
pub struct Digesting {
    wanted: Hashes,
    sha256: Option<Context>,
    sha512: Option<Context>,
}

impl Digesting {
    /// Digests of nothing yet, of the kinds that `wanted` has.
    #[must_use]
    pub fn new(wanted: &Hashes) -> Self {
        Self {
            wanted: wanted.clone(),
            sha256: wanted.sha256.map(|_| Context::new(&SHA256)),
            sha512: wanted.sha512.as_ref().map(|_| Context::new(&SHA512)),
        }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        for digest in [&mut self.sha256, &mut self.sha512].into_iter().flatten() {
            digest.update(bytes);
        }
    }

    /// Whether all bytes so far are what is signed.
    #[must_use]
    pub fn agree(&self) -> bool {
        self.differ().is_none()
    }

    /// Which digest is not the wanted one.
    pub(crate) fn differ(&self) -> Option<Difference> {
        let Hashes { sha256, sha512 } = &self.wanted;
        let wanted = [
            ("SHA-256", sha256.as_ref().map(|digest| &digest[..]), &self.sha256),
            ("SHA-512", sha512.as_ref().map(|digest| &digest[..]), &self.sha512),
        ];
        wanted.into_iter().find_map(|(what, wanted, seen)| {
            let (wanted, found) = (wanted?, seen.clone()?.finish());
            (found.as_ref() != wanted).then(|| Difference {
                what,
                found: hex::encode(found),
                signed: hex::encode(wanted),
            })
        })
    }
}

/// Digests as metadata has them. What is wrong with them is of interest to whoever needs that file, and to nobody else.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "BTreeMap<String, Value>")]
pub(crate) struct SignedHashes(Result<Hashes, Box<str>>);

impl SignedHashes {
    pub(crate) fn known(&self) -> Result<&Hashes, &str> {
        self.0.as_ref().map_err(|reason| &**reason)
    }
}

impl From<BTreeMap<String, Value>> for SignedHashes {
    fn from(given: BTreeMap<String, Value>) -> Self {
        Self(known(&given).map_err(String::into_boxed_str))
    }
}

fn known(given: &BTreeMap<String, Value>) -> Result<Hashes, String> {
    let sha256 = one::<32>(given, "sha256", "SHA-256")?;
    let sha512 = one::<64>(given, "sha512", "SHA-512")?.map(Box::new);
    if sha256.is_none() && sha512.is_none() {
        return Err("it is signed without a SHA-256 or SHA-512".to_owned());
    }
    Ok(Hashes { sha256, sha512 })
}

fn one<const N: usize>(
    given: &BTreeMap<String, Value>,
    key: &str,
    kind: &str,
) -> Result<Option<[u8; N]>, String> {
    let Some(text) = given.get(key) else { return Ok(None) };
    let bytes = text.as_str().and_then(|text| hex::decode(text).ok());
    let digest = bytes.and_then(|bytes| <[u8; N]>::try_from(bytes).ok());
    digest.map(Some).ok_or_else(|| format!("its signed {kind} does not have {N} bytes"))
}

#[cfg(test)]
mod tests {
    use ring::digest::digest;
    use serde_json::json;

    use super::*;

    fn signed(hashes: Value) -> SignedHashes {
        serde_json::from_value(hashes).expect("an object")
    }

    fn of(bytes: &[u8]) -> (String, String) {
        (hex::encode(digest(&SHA256, bytes)), hex::encode(digest(&SHA512, bytes)))
    }

    #[test]
    fn each_digest_that_is_given_and_known_counts() {
        let (short, long) = of(b"bytes");
        let (other_short, other_long) = of(b"other");
        for (hashes, differs) in [
            (json!({ "sha256": short }), None),
            (json!({ "sha512": long }), None),
            (json!({ "sha256": short, "sha512": long, "blake3": "00" }), None),
            (json!({ "sha256": short, "sha512": other_long }), Some("SHA-512")),
            (json!({ "sha256": other_short, "sha512": long }), Some("SHA-256")),
        ] {
            let hashes = signed(hashes);
            let found = hashes.known().expect("one of them is known").differ(b"bytes");
            assert_eq!(found.map(|difference| difference.what), differs);
        }
    }

    #[test]
    fn digests_that_cannot_be_used_are_told_to_whoever_needs_them() {
        let (short, long) = of(b"bytes");
        for (hashes, why) in [
            (json!({}), "without a SHA-256 or SHA-512"),
            (json!({ "blake3": short }), "without a SHA-256 or SHA-512"),
            (json!({ "sha256": long }), "SHA-256 does not have 32 bytes"),
            (json!({ "sha256": short, "sha512": short }), "SHA-512 does not have 64 bytes"),
            (json!({ "sha256": "no hex" }), "SHA-256"),
            (json!({ "sha256": 1 }), "SHA-256"),
        ] {
            let hashes = signed(hashes);
            assert!(hashes.known().expect_err("not usable").contains(why), "{hashes:?}");
        }
    }

    #[test]
    fn a_file_is_named_by_its_shorter_digest() {
        let (short, long) = of(b"bytes");
        let both = signed(json!({ "sha256": short, "sha512": long }));
        assert_eq!(both.known().expect("both").hex(), short);
        let alone = signed(json!({ "sha512": long }));
        assert_eq!(alone.known().expect("one").hex(), long);
    }
}
