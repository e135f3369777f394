//! Everything that is wrong with a manifest, with its place.
//!
//! Hosts read leniently; whoever signs should not rely on that. This looks at the JSON itself, so that one mistake does
//! not hide the next, and at what the parts say together: an update that no host is offered, a schedule that does not
//! pace, a version that nobody can leave.
//!
//! - `findings`: what was found, with its place
//! - `field`: one field, whatever it belongs to
//! - `extensions`: what stands in the fields of ours that others skip
//! - `shape`: what each field of an update is, one by one
//! - `whole`: the same of a manifest
//! - `meaning`: what the updates and migrations say together

mod extensions;
mod field;
mod findings;
mod meaning;
mod shape;
mod whole;

use serde_json::Value;

pub use findings::Problem;

use findings::Findings;

use crate::Manifest;
use crate::manifest::MAX_LEN;

/// Everything that is wrong with the bytes of a manifest: field by field first, then what the parts say together. A
/// manifest without a problem is read by every host and means what it says.
#[must_use]
pub fn problems(bytes: &[u8]) -> Vec<Problem> {
    let mut findings = Findings::default();
    if bytes.len() > MAX_LEN {
        findings.unreadable("$", format!("is longer than {MAX_LEN} bytes"));
        return findings.problems;
    }
    match serde_json::from_slice::<Value>(bytes) {
        Err(error) => findings.unreadable("$", format!("is not JSON: {error}")),
        Ok(json) => {
            let known = whole::read(&json, &mut findings);
            meaning::check(&known, &mut findings);
        }
    }
    // A name that stands twice is lost on the way to a JSON value; the reader itself sees it.
    if let (false, Err(error)) = (findings.unreadable, Manifest::parse(bytes)) {
        let reason = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        findings.unreadable("$", format!("is not read by hosts: {reason}"));
    }
    findings.problems
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn update(version: &str) -> Value {
        json!({
            "variant": "demo", "arch": "x86_64", "version": version, "max_version": "1.2.0",
            "waves": {"0": "2020-01-01T01:00:00Z", "102": "2020-01-01T04:00:00Z", "2048": "2020-01-02T00:00:00Z"},
            "images": {"boot": "b.lz4", "root": "r.lz4", "hash": "h.lz4"}
        })
    }

    fn sample() -> Value {
        json!({
            "updates": [update("1.0.0"), update("1.1.0")],
            "migrations": {"(1.0.0, 1.1.0)": ["migrate_v1.1.0_a.lz4"]}
        })
    }

    fn found(value: &Value) -> Vec<String> {
        problems(value.to_string().as_bytes()).iter().map(ToString::to_string).collect()
    }

    /// The problems of the sample after one change.
    fn after(change: impl FnOnce(&mut Value)) -> Vec<String> {
        let mut manifest = sample();
        change(&mut manifest);
        found(&manifest)
    }

    #[test]
    fn a_sound_manifest_has_no_problem() {
        assert_eq!(found(&sample()), [""; 0]);
        assert_eq!(found(&json!({"updates": [], "migrations": {}})), [""; 0]);
    }

    #[test]
    fn one_mistake_does_not_hide_the_next() {
        let problems = after(|manifest| {
            manifest["updates"][0]["version"] = json!("v1");
            manifest["updates"][0].as_object_mut().unwrap().remove("waves");
            manifest["updates"][1]["arch"] = json!(5);
            manifest["updates"][1]["waves"] = json!({"00": "soon", "x": 1});
            manifest["updates"][1]["images"]["root"] = Value::Null;
            manifest["migrations"]["(1.0, 1.1)"] = json!(["a", 5]);
        });
        assert_eq!(
            problems,
            [
                "$.updates[0].version is \"v1\", and a version like 1.2.3 is needed",
                "$.updates[0].waves is missing",
                "$.updates[1].arch is a number, and text is needed",
                "$.updates[1].waves[\"00\"] is \"soon\", and a date like 2026-01-31T09:00:00Z is needed",
                "$.updates[1].waves[\"00\"] is read as wave 0; write it so",
                "$.updates[1].waves[\"x\"] is not the number of a seed",
                "$.updates[1].waves[\"x\"] is a number, and text is needed",
                "$.updates[1].images.root is null, and text is needed",
                "$.migrations[\"(1.0, 1.1)\"] is not a pair of versions like \"(1.0.0, 1.1.0)\"",
                "$.migrations[\"(1.0, 1.1)\"][1] is a number, and text is needed",
            ]
        );
    }

    #[test]
    fn what_is_no_manifest_at_all_is_one_problem() {
        assert_eq!(found(&json!([])), ["$ is a list, and an object is needed"]);
        assert_eq!(found(&json!({})), ["$.updates is missing", "$.migrations is missing"]);
        assert_eq!(found(&json!({"updates": {}, "migrations": []})).len(), 2);
        assert!(problems(b"<html>")[0].what.starts_with("is not JSON"));
        assert!(problems(b"")[0].what.starts_with("is not JSON"));
        assert!(problems(&vec![b' '; MAX_LEN + 1])[0].what.contains("longer than"));
    }

    #[test]
    fn waves_that_do_not_pace_are_found() {
        let waves = |waves: Value| after(|manifest| manifest["updates"][0]["waves"] = waves);
        let date = "2020-01-01T01:00:00Z";
        assert_eq!(waves(json!({})), [""; 0]);
        assert_eq!(
            waves(json!({"0": date, "5": date})),
            ["$.updates[0].waves[\"5\"] does not start after the wave before it"]
        );
        assert_eq!(
            waves(json!({"0": date, "4096": "2021-01-01T00:00:00Z"})),
            ["$.updates[0].waves[\"4096\"] is above the last seed, 2048"]
        );
        assert_eq!(
            waves(json!({"100": date})),
            ["$.updates[0].waves begins at 100, so that seeds up to there wait for nothing"]
        );
        assert_eq!(
            waves(json!({"0": "2020-01-01 01:00:00 UTC"})),
            [
                "$.updates[0].waves[\"0\"] is read as 2020-01-01T01:00:00Z but not by the standard (RFC 3339); write it so"
            ]
        );
        assert_eq!(
            waves(json!({"+0": date, "0": date})),
            [
                "$.updates[0].waves[\"+0\"] is read as wave 0; write it so",
                "$.updates[0].waves[\"0\"] is wave 0, which is there already"
            ]
        );
    }

    #[test]
    fn updates_that_nobody_is_offered_and_updates_listed_twice_are_found() {
        assert_eq!(
            after(|manifest| manifest["updates"][1]["version"] = json!("1.3.0")),
            [
                "$.updates[1].version is above its max_version, 1.2.0: no host is offered it",
                "$.updates[1].version is 1.3.0, and no migrations join it with 1.0.0, the newest on offer: from 1.0.0 \
              they lead no further than 1.1.0"
            ]
        );
        assert_eq!(
            after(|manifest| manifest["updates"][1]["version"] = json!("1.0.0")),
            ["$.updates[1] is the same update as $.updates[0]"]
        );
        let other = after(|manifest| {
            manifest["updates"][1]["version"] = json!("1.0.0");
            manifest["updates"][1]["arch"] = json!("aarch64");
        });
        assert_eq!(other, [""; 0]);
        assert_eq!(
            after(|manifest| manifest["updates"][1]["max_version"] = json!("1.1.0")),
            ["$.updates[1].max_version is 1.1.0, and 1.2.0 at another update of demo x86_64"]
        );
    }

    #[test]
    fn unsafe_and_empty_names_are_found() {
        assert_eq!(
            after(|manifest| manifest["updates"][0]["images"]["boot"] = json!("../b")),
            ["$.updates[0].images.boot is \"../b\", which is not a safe target name"]
        );
        assert_eq!(
            after(|manifest| manifest["migrations"]["(1.0.0, 1.1.0)"] = json!(["ok", ""])),
            ["$.migrations[\"(1.0.0, 1.1.0)\"][1] is \"\", which is not a safe target name"]
        );
        assert_eq!(after(|manifest| manifest["updates"][0]["variant"] = json!("")).len(), 1);
    }

    #[test]
    fn steps_that_are_not_followed_and_versions_without_a_way_are_found() {
        let step = |key: &str| {
            after(|manifest| {
                manifest["migrations"][key] = json!([]);
            })
        };
        assert_eq!(
            step("(1.1.0, 1.0.0)"),
            ["$.migrations[\"(1.1.0, 1.0.0)\"] does not lead to a newer version: no host follows it"]
        );
        assert_eq!(step("(1.1.0, 1.1.0)").len(), 1);
        assert_eq!(
            step("x(1.1.0, 1.2.0) (1.2.0, 1.3.0)"),
            ["$.migrations[\"x(1.1.0, 1.2.0) (1.2.0, 1.3.0)\"] is read as (1.1.0, 1.2.0); write it so"]
        );
        let twice = step("(1.0.0,1.1.0)");
        assert_eq!(twice.len(), 2, "{twice:?}");
        assert_eq!(
            after(|manifest| manifest["migrations"] = json!({})),
            [
                "$.updates[0].version is 1.0.0, and no migrations join it with 1.1.0, the newest on offer: from 1.0.0 \
              they lead no further than 1.0.0"
            ]
        );
    }

    #[test]
    fn names_that_stand_twice_in_an_object_are_found() {
        let text = sample().to_string();
        let twice = text.replacen(r#""arch":"x86_64""#, r#""arch":"x86_64","arch":"x86_64""#, 1);
        let problems = problems(twice.as_bytes());
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].what.contains("duplicate field `arch`"), "{problems:?}");
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let key = prop_oneof![
            Just("updates".to_owned()),
            Just("migrations".to_owned()),
            Just("waves".to_owned()),
            Just("version".to_owned()),
            Just("(1.0.0, 1.1.0)".to_owned()),
            "[0-9(), .+]{0,12}",
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(|number| json!(number)),
            "[0-9TZ:. -]{0,20}".prop_map(|text| json!(text)),
            Just(json!("1.0.0")),
        ];
        leaf.prop_recursive(5, 40, 6, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
                proptest::collection::vec((key.clone(), inner), 0..6)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic_and_what_it_accepts_is_read(
            updates in any_json(), migrations in any_json(), place in any_json(),
            field in prop_oneof![Just("version"), Just("waves"), Just("images"), Just("extra")],
        ) {
            let mut inside = sample();
            inside["updates"][0][field] = place;
            for json in [json!({"updates": updates.clone(), "migrations": migrations}), updates, inside] {
                let bytes = json.to_string().into_bytes();
                if problems(&bytes).is_empty() {
                    prop_assert!(Manifest::parse(&bytes).is_ok());
                }
            }
        }

        #[test]
        fn a_text_that_is_not_read_has_a_problem(text in any::<String>()) {
            prop_assert!(Manifest::parse(text.as_bytes()).is_ok() || !problems(text.as_bytes()).is_empty());
        }
    }
}
