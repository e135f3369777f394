//! `get`: settings and what the host says of itself, as one JSON object.

use host_io::say;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::api::Api;
use crate::error::Error;
use crate::tell::answer_json;

/// What is shown when nothing is named.
const ALL: [&str; 2] = ["os.", "settings."];

/// What to show.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(
    after_help = "Examples:\n  apiclient get\n  apiclient get settings.updates os.version_id\n  apiclient get /settings"
)]
pub struct Args {
    /// Beginnings of names, such as settings.motd or os.; or one URI, such as /settings
    #[arg(value_name = "PREFIX|/URI")]
    pub what: Vec<String>,
}

/// Prints it.
///
/// # Errors
/// When the server refuses or does not answer.
pub async fn run(api: &Api, args: Args) -> Result<(), Error> {
    let uris = match uri(&args.what) {
        Some(uri) => vec![uri.to_owned()],
        None if args.what.is_empty() => ALL.map(by_prefix).to_vec(),
        None => args.what.iter().map(|prefix| by_prefix(prefix)).collect(),
    };
    let mut answer = Value::Null;
    for (number, uri) in uris.iter().enumerate() {
        let found = api.get(uri).await.map_err(Error::call("read from the API"))?;
        // An empty answer is right, and most likely a typing mistake.
        if let (true, Some(prefix)) = (found == json!({}), args.what.get(number)) {
            say::line(&format!(
                "apiclient: nothing begins with {prefix:?}; \"apiclient get\" shows all there is"
            ));
        }
        merge(&mut answer, found);
    }
    answer_json(&answer)
}

/// Whether these words are one URI, or prefixes only.
///
/// # Errors
/// With what is wrong about them.
pub fn check(args: &Args) -> Result<(), &'static str> {
    if args.what.len() > 1 && args.what.iter().any(|what| what.starts_with('/')) {
        return Err("a URI stands alone; prefixes may be several");
    }
    Ok(())
}

fn uri(what: &[String]) -> Option<&str> {
    what.first().map(String::as_str).filter(|first| first.starts_with('/'))
}

fn by_prefix(prefix: &str) -> String {
    format!("/?prefix={}", utf8_percent_encode(prefix, NON_ALPHANUMERIC))
}

/// Lays `other` over `value`: objects by their fields, everything else as a whole.
fn merge(value: &mut Value, other: Value) {
    match (value, other) {
        (Value::Object(fields), Value::Object(others)) => {
            for (name, other) in others {
                merge(fields.entry(name).or_insert(Value::Null), other);
            }
        }
        (value, other) => *value = other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_laid_over_one_another() {
        let mut value = Value::Null;
        merge(&mut value, json!({"settings": {"a": 1, "b": {"c": [1]}}}));
        merge(&mut value, json!({"settings": {"a": 2, "b": {"d": 3}}, "os": {"arch": "x"}}));
        merge(&mut value, json!({}));
        assert_eq!(value, json!({"settings": {"a": 2, "b": {"c": [1], "d": 3}}, "os": {"arch": "x"}}));
    }

    #[test]
    fn a_prefix_is_escaped_and_a_uri_stands_alone() {
        assert_eq!(by_prefix("a b&keys=\"x\""), "/?prefix=a%20b%26keys%3D%22x%22");
        let args = |what: &[&str]| Args { what: what.iter().map(|&what| what.to_owned()).collect() };
        assert!(check(&args(&["/settings"])).is_ok());
        assert!(check(&args(&["os.", "settings."])).is_ok());
        assert!(check(&args(&["os.", "/settings"])).is_err());
        assert!(check(&args(&["/os", "/settings"])).is_err());
    }
}
