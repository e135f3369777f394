//! Changing settings in a transaction of our own: all of them, or none when one is wrong.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::Value;

use crate::api::{Api, CallError, JSON, MERGE_PATCH};
use crate::error::Error;

/// One part of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    kind: &'static str,
    method: Method,
    /// What it is sent to, up to the name of the transaction.
    uri: String,
    body: Option<String>,
}

impl Patch {
    /// Settings as an object, without an outer `settings`.
    #[must_use]
    pub fn object(settings: &Value) -> Self {
        Self::of(JSON, "/settings?", settings.to_string())
    }

    /// The same, and a null takes a setting away.
    #[must_use]
    pub fn merge(settings: &Value) -> Self {
        Self::of(MERGE_PATCH, "/settings?", settings.to_string())
    }

    /// Settings, or groups of them, that are taken away.
    #[must_use]
    pub fn away(keys: &[String]) -> Self {
        let keys: Vec<String> =
            keys.iter().map(|key| utf8_percent_encode(key, NON_ALPHANUMERIC).to_string()).collect();
        let uri = format!("/settings?keys={}&", keys.join(","));
        Self { kind: JSON, method: Method::DELETE, uri, body: None }
    }

    /// Settings as `key=value` pairs.
    #[must_use]
    pub fn pairs(pairs: Vec<String>) -> Self {
        let payload = api_model::KeypairPayload { request_payload: pairs };
        Self::of(
            JSON,
            "/settings/keypair?",
            serde_json::to_string(&payload).expect("a list of texts is JSON"),
        )
    }

    fn of(kind: &'static str, uri: &str, body: String) -> Self {
        Self { kind, method: Method::PATCH, uri: uri.to_owned(), body: Some(body) }
    }
}

/// Makes the changes in their order, later ones over earlier ones, and puts them in force. `name` begins the
/// transaction's name, so that a pending one tells who made it.
///
/// # Errors
/// When the server refuses or does not answer; nothing is then changed and nothing stays pending.
pub async fn change(api: &Api, name: &str, patches: Vec<Patch>) -> Result<(), Error> {
    let transaction = unique(name)?;
    match attempt(api, &transaction, patches).await {
        Ok(()) => Ok(()),
        Err(error) => {
            // What cannot be committed must not wait for somebody else to do it. The first error is the one to tell.
            let _best_effort = api.send(Method::DELETE, &format!("/tx?tx={transaction}"), None).await;
            Err(Error::call("change the settings")(error))
        }
    }
}

async fn attempt(api: &Api, transaction: &str, patches: Vec<Patch>) -> Result<(), CallError> {
    for Patch { kind, method, uri, body } in patches {
        api.send_as(kind, method, &format!("{uri}tx={transaction}"), body).await?;
    }
    api.post(&format!("/tx/commit_and_apply?tx={transaction}")).await
}

/// A name that no other caller has.
fn unique(name: &str) -> Result<String, Error> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0u8; 16];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::Start("the machine gives no random numbers".into()))?;
    let suffix: String =
        bytes.iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect();
    Ok(format!("{name}-{suffix}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_transaction_has_a_name_of_its_own() {
        let name = unique("apiclient-set").unwrap();
        assert_eq!(name.len(), "apiclient-set-".len() + 16);
        assert_ne!(name, unique("apiclient-set").unwrap());
    }
}
