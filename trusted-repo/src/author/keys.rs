//! Ed25519 keys in files: PKCS#8 in PEM, plain or encrypted, readable by their owner alone.

use std::fmt;
use std::path::Path;

use host_io::{Fs, swap};
use pkcs8::pkcs5::pbes2;
use pkcs8::{EncryptedPrivateKeyInfo, PrivateKeyInfo};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use tough::schema::decoded::{Decoded, Hex};
use tough::schema::key::{EcdsaKey, Ed25519Key, Ed25519Scheme, Key as TufKey, RsaKey};

use super::Error;
use super::source::{self, KeySource, SecureRandom, Sign, SourceError, async_trait};
use crate::metadata::holder::ED25519_SPKI;

const PEM_TAG: &str = "PRIVATE KEY";
const ENCRYPTED_TAG: &str = "ENCRYPTED PRIVATE KEY";
/// What guessing a passphrase costs; OWASP's advice for PBKDF2 with SHA-256.
const ITERATIONS: u32 = 600_000;
const PUBLIC_TAG: &str = "PUBLIC KEY";
/// Nobody but the owner reads a key.
const MODE: u32 = 0o600;

/// A key that signs.
pub struct KeyPair {
    pair: Ed25519KeyPair,
    pkcs8: Vec<u8>,
}

impl KeyPair {
    /// A new key.
    ///
    /// # Errors
    /// When the machine gives no random numbers.
    pub fn generate() -> Result<Self, Error> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| Error::Random)?;
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).map_err(|_| Error::Random)?;
        Ok(Self { pair, pkcs8: document.as_ref().to_vec() })
    }

    /// Reads a key from a PEM file. Files of OpenSSL, which leave out the public half, are taken as well.
    ///
    /// # Errors
    /// When the file cannot be read, or holds no Ed25519 private key.
    pub fn load(fs: &dyn Fs, path: &Path) -> Result<Self, Error> {
        let bytes = fs.read(path).map_err(|error| Error::file("read the key", path, error))?;
        Self::from_pem(&bytes).map_err(|reason| Error::Key { path: path.to_owned(), reason })
    }

    /// Reads a key from a PEM file that may be encrypted (PKCS#8 with PBES2, as OpenSSL writes it). A key that is not is
    /// read without the passphrase.
    ///
    /// # Errors
    /// As [`KeyPair::load`], and when the passphrase is another one.
    pub fn load_encrypted(fs: &dyn Fs, path: &Path, passphrase: &str) -> Result<Self, Error> {
        Self::load_asking(fs, path, || Ok(Some(passphrase.to_owned())))
    }

    /// Reads a key from a PEM file; `ask` is asked for the passphrase only if the file is encrypted.
    ///
    /// # Errors
    /// As [`KeyPair::load_encrypted`], and when there is no passphrase.
    pub fn load_asking(
        fs: &dyn Fs,
        path: &Path,
        ask: impl FnOnce() -> std::io::Result<Option<String>>,
    ) -> Result<Self, Error> {
        let bytes = fs.read(path).map_err(|error| Error::file("read the key", path, error))?;
        let refused = |reason: String| Error::Key { path: path.to_owned(), reason };
        let pem = pem::parse(&bytes).map_err(|error| refused(format!("it is no PEM file ({error})")))?;
        if pem.tag() != ENCRYPTED_TAG {
            return Self::from_pem(&bytes).map_err(refused);
        }
        let passphrase = ask().map_err(|error| Error::file("ask for the passphrase of", path, error))?;
        let Some(passphrase) = passphrase else { return Self::from_pem(&bytes).map_err(refused) };
        let sealed = EncryptedPrivateKeyInfo::try_from(pem.contents())
            .map_err(|error| refused(format!("it is encrypted in a way that nobody here knows ({error})")))?;
        let opened = sealed
            .decrypt(passphrase)
            .map_err(|_| refused("the passphrase is another one, or the file is damaged".to_owned()))?;
        Self::from_pkcs8(opened.as_bytes()).map_err(refused)
    }

    /// Writes the key as an encrypted PEM file with mode 0600: PBES2 with PBKDF2-HMAC-SHA-256 and AES-256-CBC.
    ///
    /// # Errors
    /// When the machine gives no random numbers, or the file cannot be written.
    pub fn save_encrypted(&self, fs: &dyn Fs, path: &Path, passphrase: &str) -> Result<(), Error> {
        let refused = |reason: String| Error::Key { path: path.to_owned(), reason };
        let (mut salt, mut iv) = ([0; 16], [0; 16]);
        let random = SystemRandom::new();
        random.fill(&mut salt).and_then(|()| random.fill(&mut iv)).map_err(|_| Error::Random)?;
        let parameters = pbes2::Parameters::pbkdf2_sha256_aes256cbc(ITERATIONS, &salt, &iv)
            .map_err(|error| refused(format!("it cannot be encrypted ({error})")))?;
        let sealed = PrivateKeyInfo::try_from(self.pkcs8.as_slice())
            .and_then(|key| key.encrypt_with_params(parameters, passphrase))
            .map_err(|error| refused(format!("it cannot be encrypted ({error})")))?;
        let text = pem::encode(&pem::Pem::new(ENCRYPTED_TAG, sealed.as_bytes()));
        swap::replace_file(fs, path, text.as_bytes(), MODE)
            .map_err(|error| Error::file("write the key", path, error))
    }

    /// Writes the key as a PEM file with mode 0600.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, fs: &dyn Fs, path: &Path) -> Result<(), Error> {
        swap::replace_file(fs, path, self.to_pem().as_bytes(), MODE)
            .map_err(|error| Error::file("write the key", path, error))
    }

    fn from_pem(bytes: &[u8]) -> Result<Self, String> {
        let pem = pem::parse(bytes).map_err(|error| format!("it is no PEM file ({error})"))?;
        if pem.tag() == ENCRYPTED_TAG {
            return Err("it is encrypted, and no passphrase was given".to_owned());
        }
        if pem.tag() != PEM_TAG {
            return Err(format!("it holds a {:?}, not a {PEM_TAG:?}", pem.tag()));
        }
        Self::from_pkcs8(pem.contents())
    }

    fn from_pkcs8(document: &[u8]) -> Result<Self, String> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(document)
            .map_err(|error| format!("it holds no Ed25519 key ({error})"))?;
        Ok(Self { pair, pkcs8: document.to_vec() })
    }

    fn to_pem(&self) -> String {
        pem::encode(&pem::Pem::new(PEM_TAG, self.pkcs8.clone()))
    }

    /// The key's identity in TUF metadata, as hex digits.
    #[must_use]
    pub fn id(&self) -> String {
        hex::encode(&self.key_id()[..])
    }

    pub(super) fn key_id(&self) -> Decoded<Hex> {
        self.public().key_id().expect("a public key is plain data")
    }

    pub(super) fn public(&self) -> TufKey {
        ed25519(self.pair.public_key().as_ref())
    }

    /// The half that everybody may have, as a PEM file.
    #[must_use]
    pub fn public_pem(&self) -> String {
        pem::encode(&pem::Pem::new(PUBLIC_TAG, [ED25519_SPKI, self.pair.public_key().as_ref()].concat()))
    }

    /// The half that everybody may have.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey { key: self.public() }
    }

    pub(crate) fn signature(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }

    pub(super) fn duplicate(&self) -> Self {
        Self::from_pkcs8(&self.pkcs8).expect("it was read from these bytes")
    }
}

/// The half of a key that everybody may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    pub(super) key: TufKey,
}

impl PublicKey {
    /// Reads `PUBLIC KEY` PEM, as OpenSSL and key management services write it, or takes the public half of a private
    /// key. A holder's key is an Ed25519 key; one that lies elsewhere may be an ECDSA key on P-256 or an RSA key too.
    ///
    /// # Errors
    /// When the file cannot be read, or holds no such key.
    pub fn load(fs: &dyn Fs, path: &Path) -> Result<Self, Error> {
        let bytes = fs.read(path).map_err(|error| Error::file("read the key", path, error))?;
        if let Ok(pair) = KeyPair::from_pem(&bytes) {
            return Ok(pair.public_key());
        }
        Self::from_pem(&bytes).map_err(|reason| Error::Key { path: path.to_owned(), reason })
    }

    /// The public key in `PUBLIC KEY` PEM.
    ///
    /// # Errors
    /// With a fragment that says why it is none.
    pub fn from_pem(text: &[u8]) -> Result<Self, String> {
        let pem = pem::parse(text).map_err(|error| format!("it is no PEM file ({error})"))?;
        if pem.tag() != PUBLIC_TAG {
            return Err(format!("it holds a {:?}, not a {PUBLIC_TAG:?}", pem.tag()));
        }
        if let Some(raw) = pem.contents().strip_prefix(ED25519_SPKI).filter(|raw| raw.len() == 32) {
            return Ok(Self { key: ed25519(raw) });
        }
        // Written again from its bytes: the identity of a key depends on its text.
        match pem::encode(&pem).parse() {
            Ok(TufKey::Rsa { keyval, scheme, .. }) => {
                let keyval = RsaKey { public: keyval.public.into_vec().into(), _extra: Default::default() };
                Ok(Self { key: TufKey::Rsa { keyval, scheme, _extra: Default::default() } })
            }
            Ok(TufKey::Ecdsa { keyval, scheme, .. }) => {
                let keyval = EcdsaKey { public: keyval.public.into_vec().into(), _extra: Default::default() };
                Ok(Self { key: TufKey::Ecdsa { keyval, scheme, _extra: Default::default() } })
            }
            _ => Err("it holds neither an Ed25519, nor a P-256, nor an RSA key".to_owned()),
        }
    }

    /// The public half of a key that lies elsewhere.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn of(source: &dyn KeySource) -> Result<Self, Error> {
        Ok(Self { key: source::open(source).await?.tuf_key() })
    }

    /// The key as TUF metadata describes it.
    #[must_use]
    pub fn tuf_key(&self) -> TufKey {
        self.key.clone()
    }

    /// The key's identity in TUF metadata, as hex digits.
    #[must_use]
    pub fn id(&self) -> String {
        hex::encode(&self.key_id()[..])
    }

    pub(super) fn key_id(&self) -> Decoded<Hex> {
        self.key.key_id().expect("a public key is plain data")
    }
}

fn ed25519(public: &[u8]) -> TufKey {
    TufKey::Ed25519 {
        keyval: Ed25519Key { public: public.to_vec().into(), _extra: Default::default() },
        scheme: Ed25519Scheme::Ed25519,
        _extra: Default::default(),
    }
}

/// Never shows the private half.
impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("id", &self.id()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Sign for KeyPair {
    fn tuf_key(&self) -> TufKey {
        self.public()
    }

    async fn sign(
        &self,
        message: &[u8],
        _random: &(dyn SecureRandom + Sync),
    ) -> Result<Vec<u8>, SourceError> {
        Ok(self.signature(message))
    }
}

#[async_trait]
impl KeySource for KeyPair {
    async fn as_sign(&self) -> Result<Box<dyn Sign>, SourceError> {
        Ok(Box::new(self.duplicate()))
    }

    async fn write(&self, _value: &str, _key_id: &str) -> Result<(), SourceError> {
        Err("a key in memory is not written over".into())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use host_io::SystemFs;

    use super::*;

    #[test]
    fn a_key_comes_back_from_its_file_and_nobody_else_may_read_it() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("keys/root-1.pem");
        let key = KeyPair::generate().expect("random");
        key.save(&SystemFs, &path).expect("written");
        assert_eq!(KeyPair::load(&SystemFs, &path).expect("read").id(), key.id());
        let mode = std::fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn an_encrypted_key_opens_with_its_passphrase_alone() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("key.pem");
        let key = KeyPair::generate().expect("random");
        key.save_encrypted(&SystemFs, &path, "open sesame").expect("written");
        let text = std::fs::read_to_string(&path).expect("text");
        assert!(text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"), "{text}");
        assert_eq!(KeyPair::load_encrypted(&SystemFs, &path, "open sesame").expect("read").id(), key.id());
        let error = KeyPair::load_encrypted(&SystemFs, &path, "open").expect_err("another passphrase");
        assert!(error.to_string().contains("passphrase is another one"), "{error}");
        let error = KeyPair::load(&SystemFs, &path).expect_err("no passphrase");
        assert!(error.to_string().contains("no passphrase was given"), "{error}");
    }

    #[test]
    fn a_public_key_comes_back_from_either_file() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let key = KeyPair::generate().expect("random");
        let (private, public) = (dir.path().join("key.pem"), dir.path().join("key.pub"));
        key.save(&SystemFs, &private).expect("written");
        std::fs::write(&public, key.public_pem()).expect("written");
        for path in [private, public] {
            assert_eq!(PublicKey::load(&SystemFs, &path).expect("read").id(), key.id());
        }
    }

    #[test]
    fn a_file_that_holds_something_else_is_refused_with_its_path() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("key.pem");
        for text in ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            std::fs::write(&path, text).expect("written");
            let error = KeyPair::load(&SystemFs, &path).expect_err("no key");
            assert!(error.to_string().contains("key.pem"), "{error}");
        }
    }
}
