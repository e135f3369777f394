//! `set`: changing settings.

use serde_json::Value;

use crate::api::Api;
use crate::error::Error;
use crate::transaction::{Patch, change};

/// What to change.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(
    after_help = "Examples:\n  apiclient set motd=\"hello\" updates.seed=7\n  apiclient set --json '{\"motd\": \"hello\", \"network\": {\"https-proxy\": null}}'"
)]
pub struct Args {
    /// Settings and values; "settings." may be left out
    #[arg(value_name = "KEY=VALUE", required_unless_present = "json", conflicts_with = "json", value_parser = pair)]
    pub pairs: Vec<String>,

    /// The settings as one JSON object; null takes one away
    #[arg(short, long, value_name = "OBJECT", value_parser = object)]
    pub json: Option<Value>,
}

/// Changes the settings and puts them in force. Says nothing when it is done.
///
/// # Errors
/// When the server refuses or does not answer; nothing is then changed.
pub async fn run(api: &Api, args: Args) -> Result<(), Error> {
    let patch = match args.json {
        Some(object) => Patch::merge(&object),
        None => Patch::pairs(args.pairs),
    };
    change(api, "apiclient-set", vec![patch]).await
}

fn pair(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((key, _)) if !key.is_empty() => Ok(text.to_owned()),
        _ => Err("it must be KEY=VALUE".to_owned()),
    }
}

/// What stands in an outer `settings`, which people often give, as `get` prints it; what stands beside it, as `os` does then,
/// is no setting.
fn object(text: &str) -> Result<Value, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    match value {
        Value::Object(mut fields) if fields.get("settings").is_some_and(Value::is_object) => {
            let settings = fields.remove("settings").unwrap_or_default();
            // `get` prints it there, and nobody means it.
            fields.remove("os");
            let beside: Vec<&str> = fields.keys().map(String::as_str).collect();
            if !beside.is_empty() {
                host_io::say::line(&format!(
                    "apiclient: {} beside \"settings\" is ignored",
                    beside.join(", ")
                ));
            }
            Ok(settings)
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
        assert_eq!(object(r#"{"settings":{"motd":"x"},"os":{},"seed":1}"#), Ok(json!({"motd": "x"})));
        assert_eq!(object(r#"{"settings":7,"motd":"x"}"#), Ok(json!({"settings": 7, "motd": "x"})));
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
}
