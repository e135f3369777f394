//! Signing one role, and verifying at once what was signed.

use tough::schema::{Role, Root, Signature, Signed};

use super::{Error, KeyPair};

/// `role` with a signature by each of `keys`. Nothing is verified yet.
pub(super) fn sign<T: Role>(role: T, keys: &[&KeyPair]) -> Result<Signed<T>, Error> {
    let message =
        role.canonical_form().map_err(|error| refused::<T>(&format!("it cannot be written ({error})")))?;
    let signatures =
        keys.iter().map(|key| Signature { keyid: key.key_id(), sig: key.sign(&message).into() }).collect();
    Ok(Signed { signed: role, signatures })
}

/// The bytes of a signed role, if `root` accepts it. A role with too few signatures is never handed out.
pub(super) fn sealed<T: Role>(role: &Signed<T>, root: &Root) -> Result<Vec<u8>, Error> {
    root.verify_role(role).map_err(|error| refused::<T>(&error.to_string()))?;
    let mut bytes = serde_json::to_vec_pretty(role).map_err(|error| refused::<T>(&format!("{error}")))?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn refused<T: Role>(reason: &str) -> Error {
    Error::Sign { role: T::TYPE.to_string(), reason: reason.to_owned() }
}
