//! The manifest itself, from bytes and back.

use std::collections::BTreeMap;

use semver::Version;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use crate::limits::{MAX_LEN, MAX_UPDATES, MAX_WAVES};
use crate::paused::ManifestExtensions;
use crate::read;
use crate::update::Update;

/// What a repository offers: `manifest.json` (`docs/compatibility.md`, "Manifest").
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Manifest {
    /// The updates, in the order of the file.
    #[serde(deserialize_with = "read::updates")]
    pub updates: Vec<Update>,
    /// Names of the migration targets for each step between two versions, in the order in which they run.
    #[serde(serialize_with = "read::write_migrations", deserialize_with = "read::migrations")]
    pub migrations: BTreeMap<(Version, Version), Vec<String>>,
    /// What only our tools know.
    #[serde(default, skip_serializing_if = "ManifestExtensions::is_empty")]
    pub extensions: ManifestExtensions,
}

/// Why bytes are not a manifest.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// More than [`MAX_LEN`] bytes.
    #[error("parse the update manifest: it is longer than {MAX_LEN} bytes")]
    TooLong,
    /// Not JSON, a field missing or malformed, something listed twice, or more entries than are read.
    #[error("parse the update manifest")]
    Json(#[source] serde_json::Error),
}

impl Manifest {
    /// Reads a manifest, leniently as hosts in the field do. Fields that are not known are skipped.
    ///
    /// # Errors
    /// When the bytes are too many or not a manifest.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MAX_LEN {
            return Err(ManifestError::TooLong);
        }
        serde_json::from_slice(bytes).map_err(ManifestError::Json)
    }

    /// The manifest as it is published: indented, without a final line break.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("text keys and plain values are always JSON")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use chrono::{DateTime, Utc};

    use super::*;

    fn sample() -> Value {
        json!({
            "updates": [{
                "variant": "demo", "arch": "x86_64", "version": "1.1.0", "max_version": "1.2.0",
                "waves": {"0": "2020-01-01T15:00:00Z", "102": "2020-01-02T15:00:00.5+02:00"},
                "images": {"boot": "b.lz4", "root": "r.lz4", "hash": "h.lz4"}
            }],
            "migrations": {"(1.0.0, 1.1.0)": ["a.lz4", "b.lz4"], "(1.0.0,1.0.9)": []}
        })
    }

    fn parse(value: &Value) -> Result<Manifest, ManifestError> {
        Manifest::parse(value.to_string().as_bytes())
    }

    fn with_waves(waves: &Value) -> Result<Manifest, ManifestError> {
        let mut manifest = sample();
        manifest["updates"][0]["waves"] = waves.clone();
        parse(&manifest)
    }

    fn date(text: &str) -> Result<DateTime<Utc>, ManifestError> {
        with_waves(&json!({"0": text})).map(|manifest| manifest.updates[0].waves[&0])
    }

    #[test]
    fn a_manifest_is_written_in_the_order_that_readers_know() {
        let expected = r#"{
  "updates": [
    {
      "variant": "demo",
      "arch": "x86_64",
      "version": "1.1.0",
      "max_version": "1.2.0",
      "waves": {
        "0": "2020-01-01T15:00:00Z",
        "102": "2020-01-02T13:00:00.500Z"
      },
      "images": {
        "boot": "b.lz4",
        "root": "r.lz4",
        "hash": "h.lz4"
      }
    }
  ],
  "migrations": {
    "(1.0.0, 1.0.9)": [],
    "(1.0.0, 1.1.0)": [
      "a.lz4",
      "b.lz4"
    ]
  }
}"#;
        let manifest = parse(&sample()).unwrap();
        assert_eq!(manifest.to_json(), expected);
        assert_eq!(Manifest::parse(expected.as_bytes()).unwrap(), manifest);
    }

    #[test]
    fn migrations_are_sorted_as_text_when_written() {
        let manifest = json!({"updates": [], "migrations": {"(1.9.0, 1.10.0)": [], "(1.10.0, 1.11.0)": []}});
        let json = parse(&manifest).unwrap().to_json();
        assert!(json.find("(1.10.0, 1.11.0)") < json.find("(1.9.0, 1.10.0)"), "{json}");
    }

    #[test]
    fn every_field_is_needed() {
        for field in ["updates", "migrations"] {
            let mut manifest = sample();
            manifest.as_object_mut().unwrap().remove(field);
            assert!(parse(&manifest).is_err(), "without {field}");
            manifest[field] = Value::Null;
            assert!(parse(&manifest).is_err(), "null {field}");
        }
        for field in ["variant", "arch", "version", "max_version", "waves", "images"] {
            let mut manifest = sample();
            manifest["updates"][0].as_object_mut().unwrap().remove(field);
            assert!(parse(&manifest).is_err(), "without {field}");
            manifest["updates"][0][field] = Value::Null;
            assert!(parse(&manifest).is_err(), "null {field}");
        }
        for image in ["boot", "root", "hash"] {
            let mut manifest = sample();
            manifest["updates"][0]["images"].as_object_mut().unwrap().remove(image);
            assert!(parse(&manifest).is_err(), "without {image}");
        }
    }

    #[test]
    fn empty_lists_are_fine() {
        let manifest = Manifest::parse(br#"{"updates": [], "migrations": {}}"#).unwrap();
        assert_eq!(manifest, Manifest::default());
        assert!(with_waves(&json!({})).unwrap().updates[0].waves.is_empty());
    }

    #[test]
    fn unknown_fields_are_skipped_at_every_level_and_not_written_again() {
        let mut manifest = sample();
        manifest["datastore_versions"] = json!({"1.0": "2.0"});
        manifest["updates"][0]["status"] = json!("ready");
        manifest["updates"][0]["images"]["kernel"] = json!("k");
        assert_eq!(parse(&manifest).unwrap(), parse(&sample()).unwrap());
    }

    #[test]
    fn the_same_update_twice_is_read_but_the_same_field_twice_is_not() {
        let mut manifest = sample();
        let again = manifest["updates"][0].clone();
        manifest["updates"].as_array_mut().unwrap().push(again);
        assert_eq!(parse(&manifest).unwrap().updates.len(), 2);
        let text = sample().to_string();
        let twice = text.replace(r#""arch":"x86_64""#, r#""arch":"x86_64","arch":"x86_64""#);
        assert_ne!(text, twice);
        assert!(Manifest::parse(twice.as_bytes()).is_err());
    }

    #[test]
    fn versions_are_strict_and_may_exceed_the_maximum() {
        for (version, accepted) in [
            ("1.1.0", true),
            ("9.9.9", true),
            ("1.1.0-rc.1+build.5", true),
            ("v1.1.0", false),
            ("1.1", false),
            ("1", false),
            ("01.1.0", false),
            ("", false),
        ] {
            for field in ["version", "max_version"] {
                let mut manifest = sample();
                manifest["updates"][0][field] = json!(version);
                assert_eq!(parse(&manifest).is_ok(), accepted, "{field} {version:?}");
            }
        }
    }

    #[test]
    fn wave_bounds_are_read_as_numbers() {
        for (bound, value) in [("0", 0), ("+5", 5), ("007", 7), ("4096", 4096), ("4294967295", u32::MAX)] {
            let manifest = with_waves(&json!({bound: "2020-01-01T00:00:00Z"})).unwrap();
            assert_eq!(manifest.updates[0].waves.keys().collect::<Vec<_>>(), [&value], "{bound:?}");
        }
        for bound in ["4294967296", "-1", "1.0", " 1", "", "234ab"] {
            assert!(with_waves(&json!({bound: "2020-01-01T00:00:00Z"})).is_err(), "{bound:?}");
        }
    }

    #[test]
    fn the_same_bound_twice_is_an_error_however_it_is_spelled() {
        let date = "2020-01-01T00:00:00Z";
        let error = with_waves(&json!({"0": date, "00": date})).unwrap_err();
        assert!(host_io::report::chain(&error).contains("wave 0 twice"), "{error:?}");
        let twice = sample().to_string().replace(r#""102":"#, r#""0":"2020-01-01T15:00:00Z","102":"#);
        assert!(Manifest::parse(twice.as_bytes()).is_err());
    }

    #[test]
    fn wave_dates_are_read_leniently_and_may_be_out_of_order() {
        let expected = "2020-01-02T15:00:00Z".parse::<DateTime<Utc>>().unwrap();
        for text in [
            "2020-01-02T15:00:00Z",
            "2020-01-02t15:00:00z",
            "2020-01-02 15:00:00Z",
            "2020-1-02T15:00:00Z",
            "2020-01-02T17:00:00+02:00",
            "2020-01-02T17:00:00+0200",
            " 2020-01-02T15:00:00Z",
            "2020-01-02T15:00:00 UTC",
            "2020-01-02T15:00:00 +00:00",
        ] {
            assert_eq!(date(text).ok(), Some(expected), "{text:?}");
        }
        assert_eq!(date("2020-01-02T15:00:00.123456789Z").unwrap().timestamp_subsec_nanos(), 123_456_789);
        assert_eq!(date("+12020-01-02T15:00:00Z").unwrap().to_rfc3339(), "+12020-01-02T15:00:00+00:00");
        let unordered = with_waves(&json!({"0": "2021-01-01T00:00:00Z", "5": "2020-01-01T00:00:00Z"}));
        assert_eq!(unordered.unwrap().updates[0].waves.len(), 2);
    }

    #[test]
    fn dates_at_the_ends_of_the_calendar_are_read_or_refused() {
        for year in ["-262144", "-262143", "+262142", "+262143", "+999999999999", "0000", "-0001"] {
            for rest in ["-01-01T00:00:00", "-12-31T23:59:60.999999999"] {
                for zone in ["Z", "+23:59", "-23:59", "+99:99", "-0000"] {
                    let text = format!("{year}{rest}{zone}");
                    if let Ok(manifest) = with_waves(&json!({"0": text, "2048": "2020-01-01T00:00:00Z"})) {
                        assert!(Manifest::parse(manifest.to_json().as_bytes()).is_ok(), "{text}");
                        let seed = crate::Seed::new(1024).unwrap();
                        let _any_answer = manifest.updates[0].readiness(seed, DateTime::UNIX_EPOCH);
                    }
                }
            }
        }
    }

    #[test]
    fn a_leap_second_is_kept() {
        let leap = with_waves(&json!({"0": "2016-12-31T23:59:60Z"})).unwrap();
        assert!(leap.to_json().contains("\"2016-12-31T23:59:60Z\""), "{}", leap.to_json());
        assert_eq!(Manifest::parse(leap.to_json().as_bytes()).unwrap(), leap);
    }

    #[test]
    fn what_is_no_moment_in_time_is_refused() {
        for value in [
            json!("2020-01-02T15:00:00"),
            json!("2020-01-02"),
            json!("2020-01-02T15:00Z"),
            json!("1577977200"),
            json!(1_577_977_200),
            json!(""),
            json!(null),
        ] {
            assert!(with_waves(&json!({"0": value})).is_err(), "{value}");
        }
    }

    #[test]
    fn the_same_step_twice_is_an_error_however_it_is_spelled() {
        let manifest = json!({"updates": [], "migrations": {"(1.0.0, 1.1.0)": [], "(1.0.0,1.1.0)": []}});
        let error = parse(&manifest).unwrap_err();
        assert!(host_io::report::chain(&error).contains("(1.0.0, 1.1.0) twice"), "{error:?}");
    }

    #[test]
    fn migrations_are_lists_of_names() {
        for names in [json!("a"), json!([1]), json!(null), json!({})] {
            let manifest = json!({"updates": [], "migrations": {"(1.0.0, 1.1.0)": names}});
            assert!(parse(&manifest).is_err(), "{names}");
        }
    }

    #[test]
    fn counts_and_sizes_have_limits() {
        let mut manifest = sample();
        let update = manifest["updates"][0].clone();
        manifest["updates"] = json!(vec![update.clone(); MAX_UPDATES]);
        assert!(parse(&manifest).is_ok());
        manifest["updates"] = json!(vec![update; MAX_UPDATES + 1]);
        assert!(parse(&manifest).is_err());

        let waves = |count: usize| {
            let wave = |bound: usize| (bound.to_string(), json!("2020-01-01T00:00:00Z"));
            with_waves(&Value::Object((0..count).map(wave).collect()))
        };
        assert!(waves(MAX_WAVES).is_ok());
        assert!(waves(MAX_WAVES + 1).is_err());

        let mut long = sample().to_string();
        long.push_str(&" ".repeat(MAX_LEN - long.len()));
        assert!(Manifest::parse(long.as_bytes()).is_ok());
        long.push(' ');
        assert!(matches!(Manifest::parse(long.as_bytes()), Err(ManifestError::TooLong)));
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for bytes in
            [&b""[..], b"<html></html>", b"[]", b"{", b"\xff\xfe", b"{\"updates\":[],\"migrations\":{}}x"]
        {
            assert!(Manifest::parse(bytes).is_err());
        }
    }

    #[test]
    fn a_failure_is_told_in_these_words() {
        assert_eq!(
            ManifestError::Json(serde_json::from_str::<u8>("x").unwrap_err()).to_string(),
            "parse the update manifest"
        );
    }
}
