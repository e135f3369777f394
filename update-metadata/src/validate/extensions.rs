//! What stands in the fields of ours that others skip. Nothing here makes a manifest unreadable.

use semver::Version;
use serde_json::{Map, Value};

use super::field::kind;
use super::findings::Findings;
use crate::packs::is_root_hash;
use crate::safe_target_name;

/// Looks at the extensions of an update; whether it is a barrier.
pub(super) fn read_update(json: &Value, path: &str, findings: &mut Findings) -> bool {
    let Some(fields) = object(json, path, findings) else { return false };
    let is_version = |value: &Value| value.as_str().is_some_and(|text| text.parse::<Version>().is_ok());
    if let Some(least) = fields.get("min_updater").filter(|value| !is_version(value)) {
        let what = format!("is {least}, and a version like \"1.2.3\" is needed: no host takes the update");
        findings.unwise(format!("{path}.min_updater"), what);
    }
    if let Some(frames) = fields.get("frames") {
        read_frames(frames, &format!("{path}.frames"), findings);
    }
    if let Some(packs) = fields.get("packs") {
        read_packs(packs, &format!("{path}.packs"), findings);
    }
    let Some(barrier) = fields.get("barrier") else { return false };
    if !barrier.is_boolean() {
        let what = format!("is {}, and true or false is needed: no host takes the update", kind(barrier));
        findings.unwise(format!("{path}.barrier"), what);
    }
    barrier != &Value::Bool(false)
}

/// Looks at the names of the targets that have frames. Where there is something wrong, hosts fetch whole images.
fn read_frames(json: &Value, path: &str, findings: &mut Findings) {
    let Some(frames) = object(json, path, findings) else { return };
    for (role, image) in frames.iter().filter(|(role, _)| matches!(role.as_str(), "boot" | "root")) {
        let path = format!("{path}.{role}");
        let Some(image) = object(image, &path, findings) else { continue };
        read_names(image, ["data", "index"], &path, "no frames of the update are read", findings);
    }
}

/// Looks at what leads to the update from older releases. Where there is something wrong, hosts fetch frames.
fn read_packs(json: &Value, path: &str, findings: &mut Findings) {
    let then = "no packs of the update are read";
    let Some(packs) = json.as_array() else {
        findings.unwise(path.to_owned(), format!("is {}, and a list is needed: {then}", kind(json)));
        return;
    };
    for (number, packs) in packs.iter().enumerate() {
        let path = format!("{path}[{number}]");
        let Some(packs) = object(packs, &path, findings) else { continue };
        let text = |name: &str| packs.get(name).and_then(Value::as_str);
        if text("from").is_none_or(|text| text.parse::<Version>().is_err()) {
            let what = format!("is not a version like \"1.2.3\": {then}");
            findings.unwise(format!("{path}.from"), what);
        }
        if !text("base").is_some_and(is_root_hash) {
            findings.unwise(format!("{path}.base"), format!("is not a root hash: {then}"));
        }
        match packs.get("root_hash").map(|hash| hash.as_str().is_some_and(is_root_hash)) {
            Some(false) => {
                findings.unwise(format!("{path}.root_hash"), format!("is not a root hash: {then}"));
            }
            None if packs.contains_key("root") => {
                let what = "is missing: hosts take no pack of the root image".to_owned();
                findings.unwise(format!("{path}.root_hash"), what);
            }
            Some(true) | None => {}
        }
        for (role, image) in packs.iter().filter(|(role, _)| matches!(role.as_str(), "boot" | "root")) {
            let path = format!("{path}.{role}");
            let Some(image) = object(image, &path, findings) else { continue };
            read_names(image, ["header", "body"], &path, then, findings);
        }
    }
}

/// Looks at the names of targets. `then` is what becomes of a wrong one.
fn read_names(image: &Map<String, Value>, names: [&str; 2], path: &str, then: &str, findings: &mut Findings) {
    for name in names {
        let path = format!("{path}.{name}");
        match image.get(name).map(Value::as_str) {
            None => findings.unwise(path, format!("is missing: {then}")),
            Some(None) => findings.unwise(path, format!("is no text: {then}")),
            Some(Some(text)) if !safe_target_name(text) => {
                findings.unwise(path, format!("is {text:?}, which is not a safe target name: {then}"));
            }
            Some(Some(_)) => {}
        }
    }
}

/// The object that ours is to be; anything else is not read.
pub(super) fn object<'a>(
    json: &'a Value,
    path: &str,
    findings: &mut Findings,
) -> Option<&'a Map<String, Value>> {
    let object = json.as_object();
    if object.is_none() {
        findings.unwise(path, format!("is {}, and an object is needed: it is not read", kind(json)));
    }
    object
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Manifest;
    use crate::limits::MAX_UPDATES;
    use crate::validate::problems;

    fn update(version: &str, extensions: Value) -> Value {
        json!({
            "variant": "demo", "arch": "x86_64", "version": version, "max_version": "1.9.0", "waves": {},
            "images": {"boot": "b", "root": "r", "hash": "h"}, "extensions": extensions
        })
    }

    /// The problems of a manifest that hosts read all the same.
    fn found(updates: &[Value], migrations: Value, extensions: Value) -> Vec<String> {
        let json =
            json!({"updates": updates, "migrations": migrations, "extensions": extensions}).to_string();
        assert!(Manifest::parse(json.as_bytes()).is_ok(), "{json}");
        problems(json.as_bytes()).iter().map(ToString::to_string).collect()
    }

    fn of_update(extensions: Value) -> Vec<String> {
        found(&[update("1.0.0", extensions)], json!({}), json!({}))
    }

    #[test]
    fn fields_of_ours_that_are_as_they_should_be_are_no_problem() {
        let sound = json!({"barrier": true, "min_updater": "0.3.0", "later": [1, 2]});
        let paused = json!({"since": "2026-02-01T00:00:00Z", "update": update("1.1.0", json!({}))});
        let none = found(&[update("1.0.0", sound)], json!({}), json!({"paused": [paused], "later": 5}));
        assert_eq!(none, [""; 0]);
    }

    #[test]
    fn fields_of_ours_that_cannot_be_read_are_found() {
        assert_eq!(
            of_update(json!({"barrier": "yes", "min_updater": 1})),
            [
                "$.updates[0].extensions.min_updater is 1, and a version like \"1.2.3\" is needed: no host takes the \
                 update",
                "$.updates[0].extensions.barrier is text, and true or false is needed: no host takes the update",
            ]
        );
        assert_eq!(
            of_update(json!(5)),
            ["$.updates[0].extensions is a number, and an object is needed: it is not read"]
        );
        let of_manifest = |extensions| found(&[], json!({}), extensions);
        assert_eq!(
            of_manifest(json!({"paused": {}})),
            ["$.extensions.paused is an object, and a list is needed: it is not read"]
        );
        let half = json!({"paused": [{"update": {"variant": "demo"}}]});
        let told = of_manifest(half);
        assert_eq!(told[0], "$.extensions.paused[0].since is missing: no paused update is read");
        assert_eq!(told[1], "$.extensions.paused[0].update.arch is missing");
        assert_eq!(
            of_manifest(json!({"paused": vec![json!({}); MAX_UPDATES + 1]})).len(),
            1 + 2 * (MAX_UPDATES + 1)
        );
    }

    #[test]
    fn frames_that_no_host_reads_are_found() {
        let sound = json!({"root": {"data": "r.zst", "index": "r.idx"}, "hash": 5});
        assert_eq!(of_update(json!({"frames": sound})), [""; 0]);
        assert_eq!(
            of_update(json!({"frames": {"boot": {"index": 5}, "root": {"data": "a/b", "index": "i"}}})),
            [
                "$.updates[0].extensions.frames.boot.data is missing: no frames of the update are read",
                "$.updates[0].extensions.frames.boot.index is no text: no frames of the update are read",
                "$.updates[0].extensions.frames.root.data is \"a/b\", which is not a safe target name: no frames of the \
                 update are read",
            ]
        );
        assert_eq!(
            of_update(json!({"frames": {"root": "r.zst"}})),
            ["$.updates[0].extensions.frames.root is text, and an object is needed: it is not read"]
        );
    }

    #[test]
    fn packs_that_no_host_reads_are_found() {
        let hash = "0f".repeat(32);
        let mut sound =
            json!({"from": "1.0.0", "base": hash, "root_hash": hash, "root": {"header": "h", "body": "b"}});
        assert_eq!(of_update(json!({"packs": [sound]})), [""; 0]);
        sound.as_object_mut().unwrap().remove("root_hash");
        assert_eq!(
            of_update(json!({"packs": [sound]})),
            ["$.updates[0].extensions.packs[0].root_hash is missing: hosts take no pack of the root image"]
        );
        assert_eq!(
            of_update(
                json!({"packs": [{"from": 1, "base": "0F", "root_hash": 5, "root": {"header": "../h"}}]})
            ),
            [
                "$.updates[0].extensions.packs[0].from is not a version like \"1.2.3\": no packs of the update are read",
                "$.updates[0].extensions.packs[0].base is not a root hash: no packs of the update are read",
                "$.updates[0].extensions.packs[0].root_hash is not a root hash: no packs of the update are read",
                "$.updates[0].extensions.packs[0].root.header is \"../h\", which is not a safe target name: no packs of \
                 the update are read",
                "$.updates[0].extensions.packs[0].root.body is missing: no packs of the update are read",
            ]
        );
        assert_eq!(
            of_update(json!({"packs": 5})),
            [
                "$.updates[0].extensions.packs is a number, and a list is needed: no packs of the update are read"
            ]
        );
    }

    #[test]
    fn an_update_is_either_offered_or_paused() {
        let both = update("1.0.0", json!({}));
        let paused = json!({"paused": [{"since": "2026-02-01T00:00:00Z", "update": both}]});
        assert_eq!(
            found(&[both], json!({}), paused),
            ["$.extensions.paused[0].update is the same update as $.updates[0], which is offered"]
        );
    }

    #[test]
    fn settings_have_to_get_as_far_as_the_next_barrier() {
        let updates = |barrier| {
            [
                update("1.2.0", json!({})),
                update("1.5.0", json!({"barrier": barrier})),
                update("1.9.0", json!({})),
            ]
        };
        let around = json!({"(1.2.0, 1.9.0)": [], "(1.5.0, 1.9.0)": []});
        assert_eq!(found(&updates(false), around.clone(), json!({})), [""; 0]);
        assert_eq!(
            found(&updates(true), around, json!({})),
            [
                "$.updates[0].version is 1.2.0, and no migrations join it with 1.5.0, the next barrier: from 1.2.0 they \
                 lead no further than 1.2.0"
            ]
        );
    }
}
