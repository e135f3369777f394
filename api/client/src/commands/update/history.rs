//! `update history`: what became of earlier updates.

use chrono::{DateTime, Utc};
use host_io::bar::mib;
use serde::Deserialize;

use crate::api::Api;
use crate::error::Error;
use crate::screen::{table, time};
use crate::tell::{answer, answer_json};
use crate::update::form::Form;
use crate::update::progress::span;

/// How to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
#[command(
    after_help = "With --json each attempt is told in full: digests, bytes by their source, and times by phase."
)]
pub struct Args {
    #[command(flatten)]
    pub(super) form: Form,
}

/// One attempt, as far as people are told.
#[derive(Debug, Deserialize)]
struct Attempt {
    started: DateTime<Utc>,
    ended: Option<DateTime<Utc>>,
    command: String,
    from: Option<String>,
    to: Option<String>,
    outcome: String,
    #[serde(default)]
    bytes: Bytes,
    error: Option<Failure>,
    /// How many before it went the same way and are not listed.
    #[serde(default)]
    repeats: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Bytes {
    fetched: u64,
    written: u64,
}

#[derive(Debug, Deserialize)]
struct Failure {
    message: String,
}

/// Prints it, newest first.
///
/// # Errors
/// When the server cannot tell, or does not answer.
pub async fn run(api: &Api, args: Args) -> Result<(), Error> {
    let uri = "/updates/history";
    let failed = Error::call("read what became of earlier updates");
    let value = match api.get(uri).await {
        Ok(value) => value,
        Err(error) => return Err(failed(error)),
    };
    if args.form.is_json() {
        return answer_json(&value);
    }
    match Vec::<Attempt>::deserialize(value) {
        Ok(attempts) => answer(&screen(&attempts)),
        Err(error) => Err(failed(Api::nonsense(uri, &error))),
    }
}

fn screen(attempts: &[Attempt]) -> String {
    if attempts.is_empty() {
        return "No update was tried on this host yet.".to_owned();
    }
    let rows: Vec<[String; 7]> = attempts.iter().map(row).collect();
    table(["STARTED", "COMMAND", "FROM", "TO", "FETCHED", "TOOK", "OUTCOME"], &rows)
}

fn row(attempt: &Attempt) -> [String; 7] {
    let or_unknown = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let took = attempt.ended.map(|ended| (ended - attempt.started).num_seconds());
    let took = took.and_then(|seconds| u64::try_from(seconds).ok()).map_or_else(|| "-".to_owned(), span);
    let fetched = match (attempt.bytes.fetched, attempt.bytes.written) {
        (0, 0) => "-".to_owned(),
        // What is known of one that did not end is from before its first change.
        (fetched, _) if attempt.outcome == "unfinished" => format!("at least {}", mib(fetched)),
        (fetched, _) => mib(fetched),
    };
    let why = attempt.error.as_ref().map(|error| format!(": {}", error.message)).unwrap_or_default();
    let repeats = match attempt.repeats {
        0 => String::new(),
        1 => " (as once before)".to_owned(),
        more => format!(" (as {more} times before)"),
    };
    let outcome = format!("{}{why}{repeats}", attempt.outcome);
    [
        time(attempt.started),
        attempt.command.clone(),
        or_unknown(&attempt.from),
        or_unknown(&attempt.to),
        fetched,
        took,
        outcome,
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_one_that_did_not_end_has_fetched_is_a_least() {
        let fetched = |outcome: &str| {
            let bytes = json!({"fetched": 3 << 20, "written": 0});
            let attempt = json!({"started": "2024-06-01T01:02:03Z", "ended": null, "command": "update", "from": null, "to": null, "outcome": outcome, "bytes": bytes, "error": null});
            let [_, _, _, _, fetched, ..] = row(&serde_json::from_value(attempt).unwrap());
            fetched
        };
        assert_eq!(fetched("unfinished"), "at least 3.0 MiB");
        assert_eq!(fetched("failed"), "3.0 MiB");
    }
}
