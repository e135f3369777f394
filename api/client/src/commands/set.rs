//! `set`: changing settings, in a transaction of its own: all of them, or none when one is wrong.

use api_model::KeypairPayload;
use reqwest::Method;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::Value;

use crate::api::{Api, CallError};
use crate::error::Error;

/// What to change.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(
    after_help = "Examples:\n  apiclient set motd=\"hello\" updates.seed=7\n  apiclient set --json '{\"motd\": \"hello\"}'"
)]
pub struct Args {
    /// Settings and values; "settings." may be left out
    #[arg(value_name = "KEY=VALUE", required_unless_present = "json", conflicts_with = "json", value_parser = pair)]
    pub pairs: Vec<String>,

    /// The settings as one JSON object
    #[arg(short, long, value_name = "OBJECT", value_parser = object)]
    pub json: Option<Value>,
}

/// Changes the settings and puts them in force. Says nothing when it is done.
///
/// # Errors
/// When the server refuses or does not answer; nothing is then changed.
pub async fn run(api: &Api, args: Args) -> Result<(), Error> {
    let transaction = transaction()?;
    let (uri, body) = match args.json {
        Some(object) => (format!("/settings?tx={transaction}"), object.to_string()),
        None => {
            let payload = KeypairPayload { request_payload: args.pairs };
            let body = serde_json::to_string(&payload).expect("a list of texts is JSON");
            (format!("/settings/keypair?tx={transaction}"), body)
        }
    };
    let failed = Error::call("change the settings");
    match change(api, &uri, body, &transaction).await {
        Ok(()) => Ok(()),
        Err(error) => {
            // What cannot be committed must not wait for somebody else to do it. The first error is the one to tell.
            let _best_effort = api.send(Method::DELETE, &format!("/tx?tx={transaction}"), None).await;
            Err(failed(error))
        }
    }
}

async fn change(api: &Api, uri: &str, body: String, transaction: &str) -> Result<(), CallError> {
    api.send(Method::PATCH, uri, Some(body)).await?;
    api.post(&format!("/tx/commit_and_apply?tx={transaction}")).await
}

/// A name that no other caller has.
fn transaction() -> Result<String, Error> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0u8; 16];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::Start("the machine gives no random numbers".into()))?;
    let suffix: String =
        bytes.iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect();
    Ok(format!("apiclient-set-{suffix}"))
}

fn pair(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((key, _)) if !key.is_empty() => Ok(text.to_owned()),
        _ => Err("it must be KEY=VALUE".to_owned()),
    }
}

/// The object without an outer `settings`, which people often give.
fn object(text: &str) -> Result<Value, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    match value {
        Value::Object(mut fields)
            if fields.len() == 1 && fields.get("settings").is_some_and(Value::is_object) =>
        {
            Ok(fields.remove("settings").unwrap_or_default())
        }
        Value::Object(fields) => Ok(Value::Object(fields)),
        _ => Err("it must be an object such as {\"motd\": \"hello\"}".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_outer_settings_is_taken_off() {
        assert_eq!(object(r#"{"settings":{"motd":"x"}}"#), Ok(json!({"motd": "x"})));
        assert_eq!(object(r#"{"motd":"x"}"#), Ok(json!({"motd": "x"})));
        assert!(object("[]").is_err());
        assert!(object("{").is_err());
    }

    #[test]
    fn a_pair_has_a_key() {
        assert!(pair("a=").is_ok());
        assert!(pair("a=b=c").is_ok());
        assert!(pair("a").is_err());
        assert!(pair("=a").is_err());
    }

    #[test]
    fn every_transaction_has_a_name_of_its_own() {
        let name = transaction().unwrap();
        assert_eq!(name.len(), "apiclient-set-".len() + 16);
        assert_ne!(name, transaction().unwrap());
    }
}
