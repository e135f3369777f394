//! Ed25519 keys in files: PKCS#8 in PEM, readable by their owner alone.

use std::fmt;
use std::path::Path;

use host_io::{Fs, swap};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use tough::schema::decoded::{Decoded, Hex};
use tough::schema::key::{Ed25519Key, Ed25519Scheme, Key};

use super::Error;

const PEM_TAG: &str = "PRIVATE KEY";
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
        if pem.tag() != PEM_TAG {
            return Err(format!("it holds a {:?}, not a {PEM_TAG:?}", pem.tag()));
        }
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pem.contents())
            .map_err(|error| format!("it holds no Ed25519 key ({error})"))?;
        Ok(Self { pair, pkcs8: pem.into_contents() })
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

    pub(super) fn public(&self) -> Key {
        Key::Ed25519 {
            keyval: Ed25519Key {
                public: self.pair.public_key().as_ref().to_vec().into(),
                _extra: Default::default(),
            },
            scheme: Ed25519Scheme::Ed25519,
            _extra: Default::default(),
        }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

/// Never shows the private half.
impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("id", &self.id()).finish_non_exhaustive()
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
