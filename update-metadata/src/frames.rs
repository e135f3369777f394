//! Images once more, as frames: which targets have them (`docs/formats.md`, "Frames").

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::safe_target_name;

/// The images of an update as frames.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Frames {
    /// Those of the boot image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<FramedImage>,
    /// Those of the root image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<FramedImage>,
    /// Fields that are not understood, as they were found.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// One image as frames: two targets, whose names are safe ([`safe_target_name`]).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "AnyFramedImage")]
pub struct FramedImage {
    /// The target that has the frames, one after another.
    pub data: String,
    /// The target that says where each frame lies and what is in it.
    pub index: String,
    /// Fields that are not understood, as they were found.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The same, whatever the names are.
#[derive(Deserialize)]
struct AnyFramedImage {
    data: String,
    index: String,
    #[serde(flatten)]
    other: Map<String, Value>,
}

impl TryFrom<AnyFramedImage> for FramedImage {
    type Error = &'static str;

    fn try_from(any: AnyFramedImage) -> Result<Self, Self::Error> {
        let AnyFramedImage { data, index, other } = any;
        if !safe_target_name(&data) || !safe_target_name(&index) {
            return Err("a target name is not safe");
        }
        Ok(Self { data, index, other })
    }
}

impl Frames {
    /// The images that there are, each with the role of its partition.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &FramedImage)> {
        [("boot", &self.boot), ("root", &self.root)]
            .into_iter()
            .filter_map(|(role, image)| Some((role, image.as_ref()?)))
    }

    /// The names of all their targets.
    pub fn targets(&self) -> impl Iterator<Item = &str> {
        self.named().flat_map(|(_, image)| [image.data.as_str(), image.index.as_str()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_of_frames_is_two_targets() {
        let json = r#"{"root":{"data":"r.zst","index":"r.idx"}}"#;
        let frames: Frames = serde_json::from_str(json).unwrap();
        assert_eq!(frames.named().map(|(role, _)| role).collect::<Vec<_>>(), ["root"]);
        assert_eq!(frames.targets().collect::<Vec<_>>(), ["r.zst", "r.idx"]);
        assert_eq!(serde_json::to_string(&frames).unwrap(), json);
    }
}
