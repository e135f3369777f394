//! Whether an endpoint keeps conditions. Some that call themselves compatible take the header and ignore it, and then two
//! publishers would write over each other without a word. So it is tried with an object of our own before anything is
//! published.

use object_store::{
    Error as StoreError, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, UpdateVersion,
};
use ring::rand::{SecureRandom as _, SystemRandom};

use super::{Bucket, Refused};

/// Tries both kinds of wrong puts, and takes what it put away again.
///
/// # Errors
/// When the endpoint lets one of them through, or does not work at all.
pub async fn prove(bucket: &Bucket) -> Result<(), Refused> {
    let mut random = [0; 16];
    SystemRandom::new().fill(&mut random).expect("the system has random numbers");
    let below = format!(".pubrepo-probe-{}", hex::encode(random));
    let name = bucket.name(&below);
    let proved = attempt(bucket, &below).await;
    // A probe that stays is in nobody's way: no host asks for it.
    let removed = bucket.store.delete(&name).await;
    proved?;
    match removed {
        Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
        Err(error) => {
            tracing::warn!("the probe {below} could not be taken away: {error}");
            Ok(())
        }
    }
}

async fn attempt(bucket: &Bucket, below: &str) -> Result<(), Refused> {
    let put = async |bytes: &'static [u8], mode| {
        let options = PutOptions { mode, ..PutOptions::default() };
        bucket.store.put_opts(&bucket.name(below), PutPayload::from_static(bytes), options).await
    };
    let failed = |error| Refused::store("put", below, error);
    let first = put(b"first", PutMode::Create).await.map_err(failed)?;
    match put(b"second", PutMode::Create).await {
        Err(StoreError::AlreadyExists { .. }) => {}
        Ok(_) => return Err(Refused::NoConditions { what: "wrote over an object that was only to be made" }),
        Err(error) => return Err(failed(error)),
    }
    let other =
        UpdateVersion { e_tag: Some("\"00000000000000000000000000000000\"".to_owned()), version: None };
    match put(b"third", PutMode::Update(other)).await {
        Err(StoreError::Precondition { .. }) => {}
        Ok(_) => return Err(Refused::NoConditions { what: "replaced an object that had another version" }),
        Err(error) => return Err(failed(error)),
    }
    // And the right one goes through, or no release ever would.
    put(b"fourth", PutMode::Update(first.into())).await.map(|_| ()).map_err(failed)
}
