//! Expiration policies: how long each role below root holds (`docs/compatibility.md`, "Publishing").

use std::path::Path;

use chrono::Duration;
use serde::Deserialize;
use update_metadata::span;

use crate::{Error, Lifetimes};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    snapshot_expiration: String,
    targets_expiration: String,
    timestamp_expiration: String,
}

/// Reads a policy file.
///
/// # Errors
/// When it cannot be read, lacks a field, has one that nobody knows, or a length that is none.
pub fn load(path: &Path) -> Result<Lifetimes, Error> {
    let text = std::fs::read_to_string(path).map_err(|error| Error::file("read", path, error))?;
    parse(&text).map_err(|reason| Error::Expiration { path: path.to_owned(), reason })
}

fn parse(text: &str) -> Result<Lifetimes, String> {
    let policy: Policy = toml::from_str(text).map_err(|error| host_io::report::toml(text, &error))?;
    let length = |field: &str, text: &str| -> Result<Duration, String> {
        // The common tools write an offset from now on: "in 2 weeks" is the same as "2 weeks".
        let offset = text.trim().strip_prefix("in ").unwrap_or(text);
        match span::parse(offset) {
            Ok(span) if span > Duration::zero() => Ok(span),
            Ok(_) => Err(format!("{field} is over at once")),
            Err(error) => Err(format!("{field}: {error}")),
        }
    };
    Ok(Lifetimes {
        snapshot: length("snapshot_expiration", &policy.snapshot_expiration)?,
        targets: length("targets_expiration", &policy.targets_expiration)?,
        timestamp: length("timestamp_expiration", &policy.timestamp_expiration)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_policy_is_two_two_and_one_week() {
        let usual = "snapshot_expiration = '2 weeks'\ntargets_expiration = 'in 14 days'\ntimestamp_expiration = '1w'\n";
        assert_eq!(parse(usual), Ok(Lifetimes::default()));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (text, says) in [
            ("snapshot_expiration = '1 day'\ntargets_expiration = '1 day'\n", "timestamp_expiration"),
            (
                "snapshot_expiration = '1 day'\ntargets_expiration = '1 day'\ntimestamp_expiration = '1 day'\nroot_expiration = '1 day'\n",
                "root_expiration",
            ),
            (
                "snapshot_expiration = 'soon'\ntargets_expiration = '1 day'\ntimestamp_expiration = '1 day'\n",
                "snapshot_expiration",
            ),
            (
                "snapshot_expiration = '1 day'\ntargets_expiration = '0 days'\ntimestamp_expiration = '1 day'\n",
                "at once",
            ),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(says), "{error}");
        }
    }
}
