//! Signing one role, and verifying at once what was signed.

use aws_lc_rs::rand::SystemRandom;
use futures_util::FutureExt as _;
use tough::schema::{Role, Root, Signature, Signed};

use super::source::Sign;
use super::{Error, KeyPair};
use crate::metadata::quorum;

/// `role` with a signature by each of `keys`. Nothing is verified yet.
pub(super) async fn sign_with<T: Role>(role: T, keys: &[&dyn Sign]) -> Result<Signed<T>, Error> {
    let message =
        role.canonical_form().map_err(|error| refused::<T>(&format!("it cannot be written ({error})")))?;
    let mut signatures = Vec::with_capacity(keys.len());
    for key in keys {
        signatures.push(signature::<T>(*key, &message).await?);
    }
    Ok(Signed { signed: role, signatures })
}

/// One signature, by a key that lies anywhere.
pub(super) async fn signature<T: Role>(key: &dyn Sign, message: &[u8]) -> Result<Signature, Error> {
    let keyid = key.tuf_key().key_id().map_err(|error| refused::<T>(&error.to_string()))?;
    let sig = key.sign(message, &SystemRandom::new()).await.map_err(|error| {
        refused::<T>(&format!("the key {} did not sign: {error}", hex::encode(&keyid[..])))
    })?;
    Ok(Signature { keyid, sig: sig.into() })
}

/// [`sign_with`], for keys at hand.
pub(super) fn sign<T: Role>(role: T, keys: &[&KeyPair]) -> Result<Signed<T>, Error> {
    let keys: Vec<&dyn Sign> = keys.iter().map(|key| *key as &dyn Sign).collect();
    at_once(sign_with(role, &keys))
}

/// What a future comes to that only asks keys in memory: these never wait.
pub(super) fn at_once<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("a key in memory signs at once")
}

/// The bytes of a signed role, if `root` accepts it. A role with too few signatures is never handed out.
pub(super) fn sealed<T: Role>(role: &Signed<T>, root: &Root) -> Result<Vec<u8>, Error> {
    quorum::verify(root, role).map_err(|why| refused::<T>(&why))?;
    let mut bytes = serde_json::to_vec_pretty(role).map_err(|error| refused::<T>(&format!("{error}")))?;
    bytes.push(b'\n');
    Ok(bytes)
}

pub(super) fn refused<T: Role>(reason: &str) -> Error {
    Error::Sign { role: T::TYPE.to_string(), reason: reason.to_owned() }
}
