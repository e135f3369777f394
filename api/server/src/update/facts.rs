//! What `updog status --json` says of the two sets. Unknown fields are ignored: a newer `updog` may say more.

use api_model::{FailedUpdate, HeldUpdate, NextBoot, NextBootWhy, RebootTurn, UpdateImage};
use chrono::{DateTime, Utc};
use semver::Version;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

/// The sets of this host's disk.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Facts {
    /// The set that runs.
    pub active: Active,
    /// The other one; `None` on a host with one set.
    pub inactive: Option<Inactive>,
    /// The release that failed here last; `None` when none did, or when `updog` tells it in words of a later day.
    #[serde(default, deserialize_with = "where_understood")]
    pub failed: Option<Failed>,
    /// The other set where it boots next, and why; `None` when the running set boots again, or `updog` does not say.
    #[serde(default, deserialize_with = "where_understood")]
    pub next_boot: Option<NextBoot>,
    /// Whether a boot of the running set was marked good; `None` when `updog` does not say.
    #[serde(default, deserialize_with = "where_understood")]
    pub proven: Option<bool>,
    /// The releases that this host does not take now; `None` when `updog` does not say.
    #[serde(default, deserialize_with = "where_understood")]
    pub held: Option<Vec<HeldUpdate>>,
    /// What is wrong with the disk or its sets, a sentence each; `None` when `updog` does not say.
    #[serde(default, deserialize_with = "where_understood")]
    pub disk: Option<Vec<String>>,
    /// The turn to reboot that has not ended; `None` when there is none, or `updog` tells it in words of a later day.
    #[serde(default, deserialize_with = "where_understood")]
    pub turn: Option<RebootTurn>,
}

/// A release that did not come up on this host.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Failed {
    /// Which flavour of the system.
    pub variant: String,
    /// For which architecture.
    pub arch: String,
    /// Its version.
    pub version: Version,
    /// How far it came.
    pub stage: String,
    /// Why it failed.
    #[serde(default)]
    pub reason: String,
    /// How often it was tried.
    #[serde(default)]
    pub attempts: u32,
    /// Whether it is not tried again by itself.
    #[serde(default)]
    pub held: bool,
    /// From when on it may be tried again.
    #[serde(default)]
    pub retry_after: Option<DateTime<Utc>>,
}

impl Facts {
    /// Whether `image` failed here and may not be tried again yet.
    #[must_use]
    pub fn bars(&self, image: &UpdateImage, now: DateTime<Utc>) -> bool {
        let failed = self.failed.as_ref().is_some_and(|failed| {
            let same = failed.version == image.version && failed.variant == image.variant;
            same && (failed.held || failed.retry_after.is_some_and(|then| now < then))
        });
        failed
            || self.held.iter().flatten().any(|held| {
                let same = held.version == image.version && held.variant == image.variant;
                same && held.until.is_none_or(|until| now < until)
            })
    }

    /// What the host goes back to with the next boot, where a person said so.
    #[must_use]
    pub fn rollback(&self) -> Option<&NextBoot> {
        self.next_boot.as_ref().filter(|next| next.why == NextBootWhy::Rollback)
    }
}

impl Failed {
    /// The same in the words of the API.
    #[must_use]
    pub fn told(&self) -> FailedUpdate {
        FailedUpdate {
            image: UpdateImage {
                arch: self.arch.clone(),
                version: self.version.clone(),
                variant: self.variant.clone(),
            },
            stage: self.stage.clone(),
            reason: self.reason.clone(),
            attempts: self.attempts,
            held: self.held,
            retry_after: self.retry_after,
        }
    }
}

/// What cannot be understood here must not hide the rest.
fn where_understood<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let told = serde_json::Value::deserialize(deserializer)?;
    if told.is_null() {
        return Ok(None);
    }
    Ok(serde_json::from_value(told)
        .inspect_err(|error| {
            tracing::warn!("failed to understand a part of what updog says of the sets: {error}")
        })
        .ok())
}

/// The set that runs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Active {
    /// Which flavour of the system.
    pub variant: String,
    /// For which architecture.
    pub arch: String,
    /// Its version.
    pub version: Version,
    /// Whether the next boot starts it again.
    pub next_to_boot: bool,
}

/// The set that does not run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Inactive {
    /// Which flavour of the system it holds; `None` when nobody knows.
    #[serde(default)]
    pub variant: Option<String>,
    /// For which architecture; `None` when nobody knows.
    #[serde(default)]
    pub arch: Option<String>,
    /// Which version; `None` when nobody knows.
    pub version: Option<Version>,
    /// Whether it could be booted: it has a try left, or has been proven.
    pub valid: bool,
    /// Whether the next boot starts it.
    pub next_to_boot: bool,
    /// Whether it was activated and its boot failed.
    pub failed_boot: bool,
    /// Whether a boot of it was marked good once: then it is an earlier system to go back to, not a staged image.
    /// `None` when `updog` does not say.
    #[serde(default)]
    pub proven: Option<bool>,
    /// Why it may not be booted any more, where it waits for its first boot and something speaks against it.
    #[serde(default)]
    pub against: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_of_updog_is_read_with_and_without_what_newer_ones_say() {
        let json = r#"{"active":{"set":"A","variant":"metal","arch":"x86_64","version":"1.0.0","proven":true,"next_to_boot":true},
            "inactive":{"set":"B","version":"1.1.0","valid":true,"next_to_boot":false,"failed_boot":false,"proven":false,"new":1}}"#;
        let facts: Facts = serde_json::from_str(json).unwrap();
        let inactive = facts.inactive.unwrap();
        assert_eq!(inactive.version, Some(Version::new(1, 1, 0)));
        assert_eq!(inactive.proven, Some(false));

        let json = r#"{"active":{"variant":"metal","arch":"x86_64","version":"1.0.0","next_to_boot":true},"inactive":null}"#;
        assert_eq!(serde_json::from_str::<Facts>(json).unwrap().inactive, None);
    }
    #[test]
    fn what_boots_next_and_what_is_held_is_read_where_it_is_understood() {
        let json = |more: &str| {
            let json = format!(
                r#"{{"active":{{"variant":"metal","arch":"x86_64","version":"1.1.0","next_to_boot":false}},"inactive":null,{more}}}"#
            );
            serde_json::from_str::<Facts>(&json).unwrap()
        };
        let facts = json(
            r#""proven":true,"next_boot":{"set":"A","version":"1.0.0","why":"rollback"},
               "held":[{"variant":"metal","arch":"x86_64","version":"1.2.0","until":null,"reason":"it is misnamed"}]"#,
        );
        assert_eq!(facts.rollback().unwrap().version, Some(Version::new(1, 0, 0)));
        let image = |minor| UpdateImage {
            arch: "x86_64".to_owned(),
            version: Version::new(1, minor, 0),
            variant: "metal".to_owned(),
        };
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        assert!(facts.bars(&image(2), now) && !facts.bars(&image(3), now));
        assert_eq!(json(r#""disk":["rot"]"#).disk, Some(vec!["rot".to_owned()]));
        let facts = json(r#""proven":7,"next_boot":"A","held":{},"disk":5"#);
        assert_eq!((facts.proven, facts.next_boot, facts.held, facts.disk), (None, None, None, None));
    }

    #[test]
    fn a_release_that_failed_is_barred_until_its_time_or_for_good() {
        let json = |failed: &str| {
            format!(
                r#"{{"active":{{"variant":"metal","arch":"x86_64","version":"1.0.0","next_to_boot":true}},"inactive":null,"failed":{failed}}}"#
            )
        };
        let facts = |failed: &str| serde_json::from_str::<Facts>(&json(failed)).unwrap();
        let failed = |held: bool, retry: &str| {
            facts(&format!(
                r#"{{"variant":"metal","arch":"x86_64","version":"1.1.0","root_hash":"ab","stage":"kernel","reason":"panic","attempts":2,"held":{held},"retry_after":{retry},"recorded":"2024-10-24T12:00:00Z"}}"#
            ))
        };
        let image = |minor| UpdateImage {
            arch: "x86_64".to_owned(),
            version: Version::new(1, minor, 0),
            variant: "metal".to_owned(),
        };
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        assert!(failed(true, "null").bars(&image(1), now));
        assert!(!failed(true, "null").bars(&image(2), now), "another release is not meant");
        assert!(failed(false, "\"2030-01-01T00:00:00Z\"").bars(&image(1), now));
        assert!(!failed(false, "\"2020-01-01T00:00:00Z\"").bars(&image(1), now));
        assert!(!failed(false, "null").bars(&image(1), now));
        assert_eq!(facts("null").failed, None);
        assert_eq!(facts("[7]").failed, None, "words of a later day do not hide the rest");
    }
}
