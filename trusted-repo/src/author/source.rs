//! Keys that lie elsewhere: in a key management service, a token, another program.
//!
//! The seam is tough's own, so that what was written for other TUF tools plugs in here. A [`KeySource`] gives a
//! [`Sign`]; this one tells its public half and signs a message. A [`KeyPair`](super::KeyPair) is both.

pub use aws_lc_rs::rand::SecureRandom;
pub use tough::async_trait;
pub use tough::key_source::KeySource;
pub use tough::schema::key::Key as TufKey;
pub use tough::sign::Sign;

use super::Error;
pub use super::error::SourceError;

/// The key that a source gives.
pub(super) async fn open(source: &dyn KeySource) -> Result<Box<dyn Sign>, Error> {
    source.as_sign().await.map_err(Error::Source)
}
