//! Keys of the three types that the specification names, and JSON in the canonical form that is signed.

use std::sync::Arc;

use ring::digest::{SHA256, SHA512, digest};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PSS_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};

/// Everything in front of the point in the DER of a P-256 public key.
const P256_SPKI: &str = "3059301306072a8648ce3d020106082a8648ce3d030107034200";

/// A key that signs.
pub(crate) struct Key {
    pair: Arc<Pair>,
    pub(crate) public: Value,
    pub(crate) id: String,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    Ecdsa(EcdsaKeyPair),
    Rsa(Box<RsaKeyPair>),
}

impl Key {
    pub(crate) fn ed25519() -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        let public = hex(pair.public_key().as_ref());
        Self::new(Pair::Ed25519(pair), "ed25519", "ed25519", &public)
    }

    /// A key in a file of ours.
    pub(crate) fn of_pem(text: &str) -> Self {
        let document = pem::parse(text).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(document.contents()).unwrap();
        let public = hex(pair.public_key().as_ref());
        Self::new(Pair::Ed25519(pair), "ed25519", "ed25519", &public)
    }

    pub(crate) fn ecdsa() -> Self {
        let (algorithm, random) = (&ECDSA_P256_SHA256_ASN1_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
        let mut der = unhex(P256_SPKI);
        der.extend_from_slice(pair.public_key().as_ref());
        let public = pem::encode(&pem::Pem::new("PUBLIC KEY", der)).replace("\r\n", "\n");
        Self::new(Pair::Ecdsa(pair), "ecdsa", "ecdsa-sha2-nistp256", &public)
    }

    /// The one RSA key of these tests: ring makes none.
    pub(crate) fn rsa() -> Self {
        let private = pem::parse(include_str!("../../../../testdata/keys/throw-away-rsa.pem")).unwrap();
        let pair = RsaKeyPair::from_pkcs8(private.contents()).unwrap();
        let public = include_str!("../../../../testdata/keys/throw-away-rsa.pub.pem");
        Self::new(Pair::Rsa(Box::new(pair)), "rsa", "rsassa-pss-sha256", public)
    }

    fn new(pair: Pair, keytype: &str, scheme: &str, public: &str) -> Self {
        let public = json!({ "keytype": keytype, "scheme": scheme, "keyval": { "public": public } });
        Self::written(Arc::new(pair), public)
    }

    fn written(pair: Arc<Pair>, public: Value) -> Self {
        let id = sha256(&canonical(&public));
        Self { pair, public, id }
    }

    /// The same key with a remark, which makes another identity that is as right.
    pub(crate) fn remarked(&self, remark: &str) -> Self {
        let mut public = self.public.clone();
        public["x-remark"] = json!(remark);
        Self::written(Arc::clone(&self.pair), public)
    }

    /// The same key of the older kind: an ECDSA key had its scheme for a type once.
    pub(crate) fn of_old(&self) -> Self {
        let mut public = self.public.clone();
        public["keytype"] = public["scheme"].clone();
        Self::written(Arc::clone(&self.pair), public)
    }

    fn sign(&self, message: &[u8]) -> String {
        let random = SystemRandom::new();
        match &*self.pair {
            Pair::Ed25519(pair) => hex(pair.sign(message).as_ref()),
            Pair::Ecdsa(pair) => hex(pair.sign(&random, message).unwrap().as_ref()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PSS_SHA256, &random, message, &mut signature).unwrap();
                hex(&signature)
            }
        }
    }
}

/// A role with a signature by each of `keys`.
pub(crate) fn signed<'a>(role: &Value, keys: impl IntoIterator<Item = &'a Key>) -> Value {
    let message = canonical(role);
    let signatures: Vec<Value> =
        keys.into_iter().map(|key| json!({ "keyid": key.id, "sig": key.sign(&message) })).collect();
    json!({ "signed": role, "signatures": signatures })
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

pub(crate) fn sha512(bytes: &[u8]) -> String {
    hex(digest(&SHA512, bytes).as_ref())
}

/// Names sorted, no space, and in texts nothing escaped but quotes and backslashes.
fn canonical(value: &Value) -> Vec<u8> {
    let text = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    match value {
        Value::String(content) => text(content).into_bytes(),
        Value::Array(items) => {
            let items: Vec<Vec<u8>> = items.iter().map(canonical).collect();
            [&b"["[..], &items.join(&b','), b"]"].concat()
        }
        Value::Object(fields) => {
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort();
            let field = |name: &String| [text(name).as_bytes(), b":", &canonical(&fields[name])].concat();
            let fields: Vec<Vec<u8>> = names.into_iter().map(field).collect();
            [&b"{"[..], &fields.join(&b','), b"}"].concat()
        }
        plain => plain.to_string().into_bytes(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}
