//! Keys that lie elsewhere: in a key management service, a token, another program.
//!
//! The seam is tough's own, so that what was written for other TUF tools plugs in here. A [`KeySource`] gives a
//! [`Sign`]; this one tells its public half and signs a message. [`KeyPair`] is both.

use std::error::Error as StdError;

pub use aws_lc_rs::rand::SecureRandom;
pub use tough::async_trait;
pub use tough::key_source::KeySource;
pub use tough::schema::key::Key as TufKey;
pub use tough::sign::Sign;

use super::{Error, KeyPair, Signers};

/// What a source of keys may fail with.
pub type SourceError = Box<dyn StdError + Send + Sync + 'static>;

/// Who signs the three roles below root, wherever the keys lie.
#[derive(Debug)]
pub struct KeySources {
    /// The targets role.
    pub targets: Box<dyn KeySource>,
    /// The snapshot role.
    pub snapshot: Box<dyn KeySource>,
    /// The timestamp role.
    pub timestamp: Box<dyn KeySource>,
}

impl From<Signers> for KeySources {
    fn from(signers: Signers) -> Self {
        let Signers { targets, snapshot, timestamp } = signers;
        Self { targets: Box::new(targets), snapshot: Box::new(snapshot), timestamp: Box::new(timestamp) }
    }
}

/// The key that a source gives.
pub(super) async fn open(source: &dyn KeySource) -> Result<Box<dyn Sign>, Error> {
    source.as_sign().await.map_err(Error::Source)
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
