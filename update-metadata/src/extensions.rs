//! What our manifests say beyond the common format (`docs/compatibility.md`, "Manifest").
//!
//! Everything of ours stands in an object named `extensions`, one in an update and one beside the list of updates.
//! Other readers skip it, and reading is as lenient as with any field that nobody knows: it never makes a manifest
//! unreadable. What is not understood is kept, so that a tool of today does not drop what one of tomorrow has written.
//! A field that is known but cannot be read is not guessed at: see [`UpdateExtensions::misread`].

use semver::Version;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::frames::Frames;
use crate::packs::Packs;

const BARRIER: &str = "barrier";
const MIN_UPDATER: &str = "min_updater";
const FRAMES: &str = "frames";
const PACKS: &str = "packs";

/// What an update says to our hosts alone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Value", into = "Value")]
pub struct UpdateExtensions {
    /// `barrier`: a host below this version takes this one before any newer one (see [`crate::barrier`]).
    pub barrier: bool,
    /// `min_updater`: the oldest `updog` that may install this update.
    pub min_updater: Option<Version>,
    /// `frames`: the images once more, cut up so that a host fetches only what changed. One that cannot be read is no
    /// obstacle: the whole images are always there.
    pub frames: Option<Frames>,
    /// `packs`: what leads to this update from single older releases, one entry for each. Where they cannot be read there
    /// are none.
    pub packs: Vec<Packs>,
    /// Fields that are not understood, as they were found.
    pub other: Map<String, Value>,
}

impl UpdateExtensions {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { barrier, min_updater, frames, packs, other } = self;
        !barrier && min_updater.is_none() && frames.is_none() && packs.is_empty() && other.is_empty()
    }

    /// Whether this update is a barrier. One that is meant to say so and cannot be read counts as one.
    #[must_use]
    pub fn bars(&self) -> bool {
        self.barrier || self.other.contains_key(BARRIER)
    }

    /// A field that is known and could not be read. Whoever wrote it wanted to restrict who takes the update, so an
    /// update that has one is taken by nobody.
    #[must_use]
    pub fn misread(&self) -> Option<&'static str> {
        [BARRIER, MIN_UPDATER].into_iter().find(|name| self.other.contains_key(*name))
    }
}

impl From<Value> for UpdateExtensions {
    fn from(value: Value) -> Self {
        let mut other = fields(value);
        let barrier = take(&mut other, BARRIER).unwrap_or_default();
        let min_updater = take(&mut other, MIN_UPDATER);
        let frames = take(&mut other, FRAMES);
        let packs = take(&mut other, PACKS).unwrap_or_default();
        Self { barrier, min_updater, frames, packs, other }
    }
}

impl From<UpdateExtensions> for Value {
    fn from(extensions: UpdateExtensions) -> Self {
        let mut fields = extensions.other;
        if extensions.barrier {
            fields.insert(BARRIER.to_owned(), Self::Bool(true));
        }
        if let Some(min_updater) = extensions.min_updater {
            fields.insert(MIN_UPDATER.to_owned(), Self::String(min_updater.to_string()));
        }
        if let Some(frames) = extensions.frames {
            let frames = serde_json::to_value(frames);
            fields.insert(FRAMES.to_owned(), frames.expect("text keys and plain values are always JSON"));
        }
        if !extensions.packs.is_empty() {
            let packs = serde_json::to_value(extensions.packs);
            fields.insert(PACKS.to_owned(), packs.expect("text keys and plain values are always JSON"));
        }
        Self::Object(fields)
    }
}

/// The fields of an object; anything else is somebody else's and has none for us.
pub(crate) fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// Takes a field out, if it can be read.
pub(crate) fn take<T: DeserializeOwned>(fields: &mut Map<String, Value>, name: &str) -> Option<T> {
    let read = T::deserialize(fields.get(name)?).ok()?;
    fields.remove(name);
    Some(read)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::limits::MAX_UPDATES;
    use crate::{Manifest, ManifestExtensions};

    fn update() -> Value {
        json!({
            "variant": "demo", "arch": "x86_64", "version": "1.1.0", "max_version": "1.1.0", "waves": {},
            "images": {"boot": "b", "root": "r", "hash": "h"}
        })
    }

    fn manifest(of_update: &Value, of_manifest: &Value) -> Value {
        let mut update = update();
        update["extensions"] = of_update.clone();
        json!({"updates": [update], "migrations": {}, "extensions": of_manifest})
    }

    fn read(json: &Value) -> Manifest {
        Manifest::parse(json.to_string().as_bytes()).unwrap()
    }

    fn written(manifest: &Manifest) -> Value {
        serde_json::from_str(&manifest.to_json()).unwrap()
    }

    #[test]
    fn what_is_known_is_read_and_what_is_not_is_kept() {
        let paused = json!({"since": "2026-02-01T00:00:00Z", "update": update()});
        let json = manifest(
            &json!({"barrier": true, "min_updater": "0.3.0", "later": {"root": "r.new"}}),
            &json!({"paused": [paused], "channel": "beta"}),
        );
        let manifest = read(&json);
        let of_update = &manifest.updates[0].extensions;
        assert!(of_update.barrier && of_update.misread().is_none());
        assert_eq!(of_update.min_updater, Some(Version::new(0, 3, 0)));
        assert_eq!(of_update.other, json!({"later": {"root": "r.new"}}).as_object().unwrap().clone());
        assert_eq!(manifest.extensions.paused[0].update.version, Version::new(1, 1, 0));
        assert_eq!(written(&manifest), json);
    }

    #[test]
    fn nothing_is_written_where_nothing_is_said() {
        for nothing in [json!({}), json!({"barrier": false})] {
            let manifest = read(&manifest(&nothing, &json!({"paused": []})));
            assert_eq!(manifest.updates[0].extensions, UpdateExtensions::default());
            assert_eq!(written(&manifest), json!({"updates": [update()], "migrations": {}}));
        }
    }

    #[test]
    fn an_object_of_somebody_else_with_this_name_is_no_obstacle() {
        for foreign in [json!(null), json!("text"), json!(5), json!([{"barrier": true}])] {
            let manifest = read(&manifest(&foreign, &foreign));
            assert!(manifest.extensions.is_empty() && manifest.updates[0].extensions.is_empty(), "{foreign}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_kept_and_known_to_be_misread() {
        for (name, value) in [
            ("barrier", json!("yes")),
            ("barrier", json!(null)),
            ("barrier", json!(1)),
            ("min_updater", json!("1.0")),
            ("min_updater", json!(1)),
        ] {
            let json = manifest(&json!({name: value}), &json!({"paused": [update()]}));
            let manifest = read(&json);
            assert_eq!(manifest.updates[0].extensions.misread(), Some(name), "{value}");
            assert!(manifest.extensions.paused.is_empty());
            assert_eq!(written(&manifest), json);
        }
    }

    #[test]
    fn frames_are_read_with_whatever_else_stands_beside_them() {
        let frames = json!({
            "boot": {"data": "b.zst", "index": "b.idx"},
            "root": {"data": "r.zst", "index": "r.idx", "level": 9},
            "hash": 5,
        });
        let json = manifest(&json!({"frames": frames}), &json!({}));
        let manifest = read(&json);
        let extensions = &manifest.updates[0].extensions;
        let root = extensions.frames.as_ref().and_then(|frames| frames.root.as_ref()).expect("read");
        assert_eq!((root.data.as_str(), root.index.as_str()), ("r.zst", "r.idx"));
        assert!(extensions.other.is_empty() && !extensions.is_empty());
        assert_eq!(written(&manifest)["updates"], json["updates"]);
    }

    #[test]
    fn frames_that_cannot_be_read_are_kept_and_keep_no_host_from_the_update() {
        for frames in [
            json!("all"),
            json!({"root": "r.zst"}),
            json!({"root": {"data": "r.zst"}}),
            json!({"root": {"data": "r.zst", "index": "../r.idx"}}),
            json!({"root": {"data": "r.zst", "index": "r.idx"}, "boot": {"data": "a/b", "index": "b.idx"}}),
        ] {
            let json = manifest(&json!({"frames": frames}), &json!({}));
            let manifest = read(&json);
            let extensions = &manifest.updates[0].extensions;
            assert_eq!((&extensions.frames, extensions.misread()), (&None, None), "{json}");
            assert_eq!(written(&manifest)["updates"], json["updates"]);
        }
    }

    #[test]
    fn packs_that_cannot_be_read_are_kept_and_keep_no_host_from_the_update() {
        let sound =
            json!({"from": "1.0.0", "base": "0f".repeat(32), "root": {"header": "r.pack", "body": "r.body"}});
        let json = manifest(&json!({"packs": [sound]}), &json!({}));
        let found = read(&json);
        assert_eq!(found.updates[0].extensions.packs.len(), 1);
        assert_eq!(written(&found)["updates"], json["updates"]);
        for packs in [json!("all"), json!([sound, 5]), json!([{"from": "1.0.0"}]), json!({"root": "r"})] {
            let json = manifest(&json!({"packs": packs}), &json!({}));
            let found = read(&json);
            let extensions = &found.updates[0].extensions;
            assert!(extensions.packs.is_empty() && extensions.misread().is_none(), "{json}");
            assert_eq!(written(&found)["updates"], json["updates"]);
        }
    }

    #[test]
    fn there_are_no_more_paused_updates_than_updates() {
        let paused = json!({"since": "2026-02-01T00:00:00Z", "update": update()});
        for (count, read) in [(MAX_UPDATES, MAX_UPDATES), (MAX_UPDATES + 1, 0)] {
            let extensions = ManifestExtensions::from(json!({"paused": vec![paused.clone(); count]}));
            assert_eq!(extensions.paused.len(), read);
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let name = prop::sample::select(vec![
            "barrier",
            "min_updater",
            "paused",
            "since",
            "update",
            "frames",
            "root",
            "data",
            "index",
            "packs",
            "from",
            "base",
        ]);
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(|value| json!(value)),
            Just(json!("1.0.0")),
            Just(update()),
        ];
        leaf.prop_recursive(4, 24, 5, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                proptest::collection::btree_map(name.clone().prop_map(str::to_owned), inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_stands_there_the_manifest_is_read_and_written_once_and_for_all(one in any_json(), two in any_json()) {
            let first = read(&manifest(&one, &two));
            prop_assert_eq!(&read(&written(&first)), &first);
        }
    }
}
