//! `apply`: settings from files, from the network or from stdin, all in one change.

use std::io::Read as _;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;

use crate::api::Api;
use crate::error::Error;
use crate::fetch::{Source, fetch};
use crate::transaction::{Patch, change};

/// How many sources are read at a time.
const AT_ONCE: usize = 4;

/// Where the settings are.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(
    after_help = "A source is TOML or JSON with the settings below \"settings\". Later ones win, and one that is wrong leaves
everything as it was.

Examples:
  apiclient apply < settings.toml
  apiclient apply file:///etc/site.toml https://config.example/host-7.json"
)]
pub struct Args {
    /// https://, http:// or file:// addresses, and "-" for stdin, which is also read when there are none
    #[arg(value_name = "URI")]
    pub sources: Vec<Source>,
}

/// Reads the settings, changes them and puts them in force. Says nothing when it is done.
///
/// # Errors
/// When a source cannot be had or is no settings, or the server refuses or does not answer; nothing is then changed.
pub async fn run(api: &Api, args: Args) -> Result<(), Error> {
    let sources = if args.sources.is_empty() { vec![Source::Stdin] } else { args.sources };
    let patches = stream::iter(sources).map(read).buffered(AT_ONCE).try_collect().await?;
    change(api, "apiclient-apply", patches).await
}

async fn read(source: Source) -> Result<Patch, Error> {
    let failed = |reason: String| Error::Source { source_name: source.to_string(), reason };
    let text = match &source {
        Source::Stdin => {
            let mut text = String::new();
            std::io::stdin()
                .lock()
                .read_to_string(&mut text)
                .map(|_| text)
                .map_err(|e| failed(e.to_string()))?
        }
        Source::File(path) => std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?,
        Source::Web(url) => fetch(url).await.map_err(failed)?,
    };
    settings(&text).map(|settings| Patch::object(&settings)).map_err(failed)
}

/// The settings in a text, which is TOML or else JSON.
fn settings(text: &str) -> Result<Value, String> {
    let value: Value = toml::from_str(text).or_else(|toml| {
        serde_json::from_str(text).map_err(|json| {
            // Of the two complaints, that of the language which it seems to be.
            if text.trim_start().starts_with('{') {
                format!("it is no JSON: {json}")
            } else {
                format!("it is no TOML: {}", host_io::report::toml(text, &toml))
            }
        })
    })?;
    match value {
        Value::Object(mut fields) => match fields.remove("settings") {
            Some(settings @ Value::Object(_)) => Ok(settings),
            Some(_) => Err("what it has below \"settings\" is no table".to_owned()),
            None => Err("it has no \"settings\"".to_owned()),
        },
        _ => Err("it is no table of settings".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_are_toml_or_json_below_their_name() {
        assert_eq!(settings("[settings]\nmotd = 'x'\n[settings.updates]\nseed = 7"), {
            Ok(json!({"motd": "x", "updates": {"seed": 7}}))
        });
        assert_eq!(settings(r#"{"settings": {"motd": "x"}, "other": 1}"#), Ok(json!({"motd": "x"})));
    }

    #[test]
    fn what_is_no_settings_is_told_in_the_language_that_it_seems_to_be() {
        assert_eq!(settings("motd = 'x'"), Err("it has no \"settings\"".to_owned()));
        assert_eq!(settings(""), Err("it has no \"settings\"".to_owned()));
        assert_eq!(settings("settings = 1"), Err("what it has below \"settings\" is no table".to_owned()));
        assert_eq!(settings("[1]"), Err("it has no \"settings\"".to_owned()));
        assert_eq!(settings("7"), Err("it is no table of settings".to_owned()));
        assert!(settings(" {\"settings\": ").unwrap_err().starts_with("it is no JSON: "));
        assert!(settings("settings = ").unwrap_err().starts_with("it is no TOML: "));
    }
}
