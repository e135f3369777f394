//! What was signed of the targets role, kept beside the memory, so that an unchanged repository is not parsed, put into its
//! canonical form and parsed again by every check of every host.
//!
//! Signatures are over the canonical form of a role, not over its file. That form is kept here with its signatures, and
//! both are verified whenever it is used, under the root that counts then: nothing is believed because it lies here. It
//! has to name the file that the verified snapshot names, by its SHA-256, and to have the version that is named. One that is
//! gone, damaged, forged, of another file or under other keys costs the time that it was to save, and is made again. That a
//! line names the file is not signed: whoever may write to the trust directory could put another role there that the same
//! keys have signed with the same version. So could they put away the memory as a whole.
//!
//! It is good enough to say that there is nothing to do. Before a target is told of, the file itself is verified
//! ([`Anew`]): canonical forms are alike for names that are not, and what is installed goes by the signed copy.

use std::path::PathBuf;
use std::sync::OnceLock;

use bytes::Bytes;
use host_io::{Fs, swap};
use serde::{Deserialize, Serialize};
use tough::schema::{self, RoleType, Root, Signature};
use tracing::debug;

use super::store::{Store, lock};
use crate::metadata::quorum;
use crate::metadata::signed::Claim;
use crate::metadata::targets::Targets;
use crate::transport::carrier::read_up_to;

/// The longest one that is kept, in bytes: some thousand releases. A longer role is worked out by each check, so that what is
/// only there to spare time takes little of a partition that others need.
const MAX_LEN: u64 = 2 << 20;
/// What the canonical form of a targets role begins with: names are sorted, and no other field of a role comes before.
const KIND: &[u8] = b"{\"_type\":\"targets\",";

/// The canonical form of one targets role, and who signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Extract {
    about: About,
    signed: Bytes,
}

/// What stands on its first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct About {
    /// The SHA-256 of the role's file, in hex.
    sha256: String,
    signatures: Vec<Signature>,
}

impl Extract {
    /// That of a claim whose signatures were checked, which came as a file with this SHA-256.
    pub(crate) fn of(claim: &Claim<schema::Targets>, sha256: &[u8; 32]) -> Option<Self> {
        let about = About { sha256: hex::encode(sha256), signatures: claim.signatures().to_vec() };
        Some(Self { about, signed: claim.canonical_form()?.into() })
    }

    /// Whether it is worth being kept: short enough, and read back it says what the file does, which `said`. A canonical form
    /// need not: control characters stand in it as they are, and names are normalised.
    pub(crate) fn is_sound(&self, said: &Targets, authority: &Root) -> bool {
        let mut sha256 = [0; 32];
        let has_sum = hex::decode_to_slice(&self.about.sha256, &mut sha256).is_ok();
        has_sum
            && self.encode().len() as u64 <= MAX_LEN
            && self.content(&sha256, authority).as_ref() == Some(said)
    }

    /// What the role says whose file has this SHA-256, if a threshold of the keys has signed it that `authority` names.
    pub(crate) fn content(&self, sha256: &[u8; 32], authority: &Root) -> Option<Targets> {
        let is_of_it = self.about.sha256 == hex::encode(sha256) && self.signed.starts_with(KIND);
        if !is_of_it
            || !quorum::have_signed(authority, RoleType::Targets, &self.about.signatures, &self.signed)
        {
            return None;
        }
        serde_json::from_slice(&self.signed).ok()
    }

    /// The one that is kept beside a memory.
    pub(crate) fn load(fs: &dyn Fs, store: &Store) -> Option<Self> {
        let bytes = read_up_to(fs.open(&path(store)).ok()?, MAX_LEN).ok()??;
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let about = serde_json::from_slice(&bytes[..end]).ok()?;
        Some(Self { about, signed: bytes.slice(end + 1..) })
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(&self.about).expect("texts are always JSON");
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.signed);
        bytes
    }

    /// Keeps it. It is a convenience: a disk that refuses is not an error, and nothing is synced.
    pub(crate) fn save(&self, fs: &dyn Fs, store: &Store) {
        let bytes = self.encode();
        let kept = lock(store.dir()).map_err(|error| error.to_string()).and_then(|_alone| {
            swap::replace_volatile(fs, &path(store), &bytes, 0o644).map_err(|error| error.to_string())
        });
        match kept {
            Ok(()) => debug!("what is signed of the targets role is kept"),
            Err(reason) => {
                debug!(reason, "what is signed of the targets role is not kept, and is worked out again");
                // A full partition has no room for half of it either.
                if let Err(error) = swap::discard(fs, &swap::beside(&path(store))) {
                    debug!(%error, "a piece of it stays until the next check");
                }
            }
        }
    }
}

/// Beside the memory's directory and not inside of it, which is replaced as a whole.
fn path(store: &Store) -> PathBuf {
    store.dir().with_extension("targets.signed")
}

/// The targets role as it lies in its file, of which only the extract was looked at so far.
#[derive(Debug)]
pub(crate) struct Anew {
    file: Bytes,
    authority: Root,
    outcome: OnceLock<Result<(), String>>,
}

impl Anew {
    pub(crate) fn new(file: Bytes, authority: Root) -> Self {
        Self { file, authority, outcome: OnceLock::new() }
    }

    /// Verifies the file, once: its signatures hold, and it says what `extracted` does. Else why not.
    pub(crate) fn verify(&self, extracted: &Targets) -> Result<(), String> {
        let verify = || {
            let claim = Claim::<schema::Targets>::parse(&self.file).map_err(|error| error.to_string())?;
            claim.check_signatures(&self.authority)?;
            let said: Targets = claim.into_content().map_err(|error| error.to_string())?;
            let same = said == *extracted;
            same.then_some(()).ok_or_else(|| "its canonical form says something else".to_owned())
        };
        self.outcome.get_or_init(verify).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::num::NonZeroU64;

    use ring::digest::{SHA256, digest};
    use serde_json::{Value, json};
    use tough::schema::RoleKeys;
    use tough::schema::decoded::{Decoded, Hex};
    use tough::schema::key::Key;

    use super::*;
    use crate::author::KeyPair;

    fn key(pair: &KeyPair) -> (Decoded<Hex>, Key) {
        let key: Key =
            serde_json::from_value(serde_json::to_value(pair.public_key().tuf_key()).unwrap()).unwrap();
        (key.key_id().unwrap(), key)
    }

    /// A root role that names one key for the targets role.
    fn authority(pair: &KeyPair) -> Root {
        let (id, key) = key(pair);
        let role = RoleKeys { keyids: vec![id.clone()], threshold: NonZeroU64::MIN, _extra: HashMap::new() };
        Root {
            spec_version: "1.0.0".to_owned(),
            consistent_snapshot: true,
            version: NonZeroU64::MIN,
            expires: jiff::Timestamp::MAX,
            keys: HashMap::from([(id, key)]),
            roles: HashMap::from([(RoleType::Targets, role)]),
            _extra: HashMap::new(),
        }
    }

    fn listing(names: &[&str]) -> Value {
        let target = json!({"length": 7, "hashes": {"sha256": "ab".repeat(32)}});
        let targets: serde_json::Map<_, _> =
            names.iter().map(|name| ((*name).to_owned(), target.clone())).collect();
        json!({
            "_type": "targets", "spec_version": "1.0.0", "version": 3, "expires": "2030-01-01T00:00:00Z",
            "targets": targets
        })
    }

    /// A role as its file, signed.
    fn file(role: &Value, pair: &KeyPair) -> Vec<u8> {
        let unsigned = json!({"signed": role, "signatures": []});
        // Only the kind that is asked for can be put into its form here.
        let message = match role["_type"].as_str() {
            Some("targets") => {
                Claim::<schema::Targets>::parse(unsigned.to_string().as_bytes()).unwrap().canonical_form()
            }
            _ => Claim::<schema::Snapshot>::parse(unsigned.to_string().as_bytes()).unwrap().canonical_form(),
        };
        let signature = json!({"keyid": pair.id(), "sig": hex::encode(pair.signature(&message.unwrap()))});
        serde_json::to_vec_pretty(&json!({"signed": role, "signatures": [signature]})).unwrap()
    }

    fn sha256(bytes: &[u8]) -> [u8; 32] {
        digest(&SHA256, bytes).as_ref().try_into().unwrap()
    }

    fn extract(file: &[u8]) -> Extract {
        Extract::of(&Claim::parse(file).unwrap(), &sha256(file)).unwrap()
    }

    #[test]
    fn an_extract_says_what_the_file_says() {
        let pair = KeyPair::generate().unwrap();
        let file = file(&listing(&["a", "b"]), &pair);
        let said = extract(&file).content(&sha256(&file), &authority(&pair)).unwrap();
        assert_eq!(said, Claim::<schema::Targets>::parse(&file).unwrap().into_content().unwrap());
        Anew::new(Bytes::from(file), authority(&pair)).verify(&said).unwrap();
    }

    #[test]
    fn a_form_that_does_not_say_what_its_file_says_is_not_kept() {
        let pair = KeyPair::generate().unwrap();
        let keys = authority(&pair);
        let is_kept = |role: &Value| {
            let told = file(role, &pair);
            let claim = Claim::<schema::Targets>::parse(&told).unwrap();
            claim.check_signatures(&keys).unwrap();
            let extract = extract(&told);
            extract.is_sound(&claim.into_content().unwrap(), &keys)
        };
        assert!(is_kept(&listing(&["a", "b"])));
        // Normalised it is another name, and a control character makes it no JSON; a field may come before the kind.
        assert!(!is_kept(&listing(&["a", "cafe\u{301}"])));
        let mut with_text = listing(&["a"]);
        with_text["custom"] = json!("two\nlines");
        assert!(!is_kept(&with_text));
        let mut with_field = listing(&["a"]);
        with_field["X"] = json!(1);
        assert!(!is_kept(&with_field));
        // One that is long is not kept either.
        let names: Vec<String> = (0..20_000).map(|number| format!("target-{number}")).collect();
        assert!(!is_kept(&listing(&names.iter().map(String::as_str).collect::<Vec<_>>())));
    }

    #[test]
    fn a_forged_stale_or_foreign_extract_says_nothing() {
        let (pair, thief) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let told = file(&listing(&["a", "b"]), &pair);
        let (good, sum, keys) = (extract(&told), sha256(&told), authority(&pair));
        let says = |extract: &Extract| extract.content(&sum, &keys);
        assert!(says(&good).is_some());
        // Of another file, or under other keys.
        assert_eq!(good.content(&[7; 32], &keys), None);
        assert_eq!(good.content(&sum, &authority(&thief)), None);
        // Another listing under the name of this file: by a thief, with this one's signatures, and with none.
        let hiding = file(&listing(&["a"]), &thief);
        let forged = Extract {
            about: About { sha256: hex::encode(sum), ..extract(&hiding).about },
            ..extract(&hiding)
        };
        assert_eq!(says(&forged), None);
        assert_eq!(says(&Extract { about: good.about.clone(), ..forged.clone() }), None);
        assert_eq!(
            says(&Extract { about: About { signatures: Vec::new(), ..good.about.clone() }, ..forged }),
            None
        );
        // Any bit of what is signed.
        for at in 0..good.signed.len() {
            let mut signed = good.signed.to_vec();
            signed[at] ^= 1;
            assert_eq!(says(&Extract { signed: signed.into(), ..good.clone() }), None, "{at}");
        }
        // Another role that the same key has signed.
        let snapshot = json!({"_type": "snapshot", "version": 3, "expires": "2030-01-01T00:00:00Z", "meta": {}, "targets": {}});
        let other = file(&snapshot, &pair);
        let claim = Claim::<schema::Snapshot>::parse(&other).unwrap();
        let about = About { sha256: hex::encode(sum), signatures: claim.signatures().to_vec() };
        assert_eq!(says(&Extract { about, signed: claim.canonical_form().unwrap().into() }), None);
    }

    #[test]
    fn what_is_chosen_goes_by_the_file_and_not_by_its_extract() {
        let (pair, thief) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let of = |names: &[&str], by: &KeyPair| Bytes::from(file(&listing(names), by));
        let said =
            |file: &Bytes| Claim::<schema::Targets>::parse(file).unwrap().into_content::<Targets>().unwrap();
        let (whole, less) = (of(&["a", "b"], &pair), of(&["a"], &pair));
        let why = Anew::new(whole.clone(), authority(&pair)).verify(&said(&less)).unwrap_err();
        assert_eq!(why, "its canonical form says something else");
        Anew::new(of(&["a", "b"], &thief), authority(&pair)).verify(&said(&whole)).unwrap_err();
        Anew::new(whole.slice(1..), authority(&pair)).verify(&said(&whole)).unwrap_err();
    }
}
