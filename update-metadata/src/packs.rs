//! What leads to an update from one known image in few bytes: which targets have it (`docs/formats.md`, "Packs").

use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::safe_target_name;

/// Hexadecimal digits of a root hash.
const ROOT_HASH: usize = 64;

/// Leads from the images of one release to those of an update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "AnyPacks")]
pub struct Packs {
    /// The release that it leads on from, for people: hosts go by the root hash.
    pub from: Version,
    /// The root hash of that release, as lower-case hexadecimal digits.
    pub base: String,
    /// The root hash of the update that all of this leads to, in the same form. Hosts take no pack of a root image without
    /// it: what comes out of one would be held against nothing that is said of the update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_hash: Option<String>,
    /// From boot image to boot image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<PackedImage>,
    /// From root image to root image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<PackedImage>,
    /// Fields that are not understood, as they were found.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// One pack: two targets, whose names are safe ([`safe_target_name`]).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PackedImage {
    /// The target that says what is copied and where the rest lies.
    pub header: String,
    /// The target that has the rest.
    pub body: String,
    /// Fields that are not understood, as they were found.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The same, whatever stands there.
#[derive(Deserialize)]
struct AnyPacks {
    from: Version,
    base: String,
    #[serde(default)]
    root_hash: Option<String>,
    #[serde(default)]
    boot: Option<PackedImage>,
    #[serde(default)]
    root: Option<PackedImage>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

impl TryFrom<AnyPacks> for Packs {
    type Error = &'static str;

    fn try_from(any: AnyPacks) -> Result<Self, Self::Error> {
        let AnyPacks { from, base, root_hash, boot, root, other } = any;
        if ![Some(&base), root_hash.as_ref()].into_iter().flatten().all(|hash| is_root_hash(hash)) {
            return Err("the base, or what it leads to, is no root hash");
        }
        let packs = Self { from, base, root_hash, boot, root, other };
        if packs.targets().all(safe_target_name) { Ok(packs) } else { Err("a target name is not safe") }
    }
}

/// Whether a text is a root hash as it stands in a manifest.
#[must_use]
pub fn is_root_hash(text: &str) -> bool {
    text.len() == ROOT_HASH && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl Packs {
    /// The images that there are, each with the role of its partition.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &PackedImage)> {
        [("boot", &self.boot), ("root", &self.root)]
            .into_iter()
            .filter_map(|(role, image)| Some((role, image.as_ref()?)))
    }

    /// The names of all their targets.
    pub fn targets(&self) -> impl Iterator<Item = &str> {
        self.named().flat_map(|(_, image)| [image.header.as_str(), image.body.as_str()])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn packs_name_their_base_by_its_root_hash() {
        let json = json!({
            "from": "1.0.0", "base": "ab".repeat(32), "root_hash": "cd".repeat(32),
            "root": {"header": "r.pack", "body": "r.body"}, "later": 5
        });
        let packs: Packs = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(packs.named().map(|(role, _)| role).collect::<Vec<_>>(), ["root"]);
        assert_eq!(packs.targets().collect::<Vec<_>>(), ["r.pack", "r.body"]);
        assert_eq!(serde_json::to_value(&packs).unwrap(), json);
        for (field, value) in [
            ("base", json!("AB".repeat(32))),
            ("base", json!("ab")),
            ("root_hash", json!("CD".repeat(32))),
            ("root_hash", json!(5)),
            ("from", json!("1.0")),
            ("boot", json!({"header": "../b", "body": "b"})),
            ("root", json!({"header": "r"})),
        ] {
            let mut other = json.clone();
            other[field] = value;
            assert!(serde_json::from_value::<Packs>(other.clone()).is_err(), "{other}");
        }
    }
}
