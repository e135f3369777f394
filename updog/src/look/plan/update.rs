//! The plan of one update: what is fetched, copied, left alone and written, and in which way.
//!
//! Each image names the way in which it comes. The cheapest by signed sizes is taken, and none that is dearer than the
//! plain stream, which every repository has.

use std::collections::{BTreeMap, BTreeSet};

use semver::Version;
use serde::Serialize;
use signpost::Role;
use thiserror::Error;
use trusted_repo::manifest::is_one;
use update_metadata::Update;

use super::origin::Bytes;

/// How an image gets to its partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Way {
    /// All of it is on this disk already.
    Local,
    /// What leads to it from the running one, and from no other.
    Pack,
    /// Only the frames that are nowhere on this disk.
    Frames,
    /// The whole image as one LZ4 frame, in one stream: what every repository has.
    PlainStream,
}

impl Way {
    /// As it stands in the JSON of a plan.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Pack => "pack",
            Self::Frames => "frames",
            Self::PlainStream => "plain-stream",
        }
    }
}

/// What one image takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImagePlan {
    /// `boot`, `root` or `hash`.
    #[serde(serialize_with = "role_text")]
    pub image: Role,
    /// The signed target that carries it in this way.
    pub target: String,
    /// How it comes.
    pub way: Way,
    /// The bytes. Of an image whose raw size nobody signs only what is fetched is known.
    #[serde(flatten)]
    pub bytes: ImageBytes,
    /// Why it does not come in a cheaper way that the repository has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The bytes of one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ImageBytes {
    /// All of them, by where they come from.
    Known(Bytes),
    /// What is fetched; the rest shows when it is there.
    FetchOnly {
        /// From the repository.
        fetch_bytes: u64,
    },
}

impl ImageBytes {
    /// What is fetched.
    #[must_use]
    pub fn fetch(self) -> u64 {
        match self {
            Self::Known(bytes) => bytes.fetch,
            Self::FetchOnly { fetch_bytes } => fetch_bytes,
        }
    }

    /// All that is known.
    #[must_use]
    pub fn known(self) -> Option<Bytes> {
        match self {
            Self::Known(bytes) => Some(bytes),
            Self::FetchOnly { .. } => None,
        }
    }
}

/// What one small file takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FilePlan {
    /// The signed target.
    pub target: String,
    /// Bytes to fetch.
    pub fetch_bytes: u64,
}

/// What one update takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The running version.
    pub from: Version,
    /// The chosen version.
    pub to: Version,
    /// The images: boot, root, hash.
    pub images: Vec<ImagePlan>,
    /// The indexes of frames, and the headers of packs, that were looked into.
    pub indexes: Vec<FilePlan>,
    /// The manifest and the migrations, in the order in which they run on the way to `to`.
    pub staged: Vec<FilePlan>,
    /// Bytes to fetch in all, metadata apart.
    pub fetch_bytes: u64,
    /// Bytes to copy from the running set in all.
    pub copy_bytes: u64,
    /// Bytes that are right already, as far as that is known.
    pub skip_bytes: u64,
    /// Bytes to write, as far as that is known.
    pub write_bytes: u64,
}

/// The repository signs no target of that name.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("plan the update: the repository has no target {0:?}")]
pub struct Unsigned(pub String);

/// The small files of an update that goes by way of `migrations`: the `manifest`, from which the next boot reads the way
/// back, and these. `lengths` has the signed length of every target that is named.
///
/// # Errors
/// [`Unsigned`] when a length is missing.
pub fn staged(
    manifest: &str,
    migrations: &[String],
    lengths: &BTreeMap<String, u64>,
) -> Result<Vec<FilePlan>, Unsigned> {
    // A migration may stand in several steps of the way; it is one file.
    let mut seen = BTreeSet::new();
    std::iter::once(manifest)
        .chain(migrations.iter().map(String::as_str))
        .filter(|target| seen.insert(*target))
        .map(|target| {
            let length = lengths.get(target).copied().ok_or_else(|| Unsigned(target.to_owned()))?;
            Ok(FilePlan { target: target.to_owned(), fetch_bytes: length })
        })
        .collect()
}

/// The cheapest of the ways in which an image can come, by what each fetches; between equals, the first in the order of
/// [`Way`]. There is always the plain stream.
#[must_use]
pub fn cheapest(ways: impl IntoIterator<Item = (Way, u64)>) -> Way {
    ways.into_iter().min_by_key(|(way, fetch)| (*fetch, *way)).map_or(Way::PlainStream, |(way, _)| way)
}

impl Plan {
    /// Adds up what the images and files of an update take.
    #[must_use]
    pub fn new(
        from: &Version,
        to: &Version,
        images: Vec<ImagePlan>,
        indexes: Vec<FilePlan>,
        staged: Vec<FilePlan>,
    ) -> Self {
        let files = indexes.iter().chain(&staged).map(|file| file.fetch_bytes);
        let fetch_bytes =
            images.iter().map(|image| image.bytes.fetch()).chain(files).fold(0u64, u64::saturating_add);
        let known =
            |of: fn(Bytes) -> u64| images.iter().filter_map(|image| image.bytes.known()).map(of).sum();
        Self {
            from: from.clone(),
            to: to.clone(),
            fetch_bytes,
            copy_bytes: known(|bytes| bytes.copy),
            skip_bytes: known(|bytes| bytes.skip),
            write_bytes: known(|bytes| bytes.write),
            images,
            indexes,
            staged,
        }
    }

    /// What `image` takes.
    #[must_use]
    pub fn image(&self, image: Role) -> &ImagePlan {
        self.images.iter().find(|plan| plan.image == image).expect("a plan has all three images")
    }

    /// Bytes of small files that are fetched after everything was planned: all but the manifest.
    #[must_use]
    pub fn staged_to_come(&self) -> u64 {
        self.staged.iter().filter(|file| !is_one(&file.target)).map(|file| file.fetch_bytes).sum()
    }

    /// Whether the inactive set is known to hold everything: nothing of an image is fetched or written.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        self.images
            .iter()
            .all(|image| image.bytes.known().is_some_and(|bytes| bytes.fetch == 0 && bytes.write == 0))
    }
}

/// The target that carries an image of an update.
#[must_use]
pub fn target_of(update: &Update, image: Role) -> &str {
    match image {
        Role::Boot => &update.images.boot,
        Role::Root => &update.images.root,
        Role::Hash => &update.images.hash,
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn role_text<S: serde::Serializer>(role: &Role, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(role.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(names: &[(&str, u64)]) -> BTreeMap<String, u64> {
        names.iter().map(|(name, length)| ((*name).to_owned(), *length)).collect()
    }

    fn image(image: Role, way: Way, bytes: ImageBytes) -> ImagePlan {
        ImagePlan { image, target: image.to_string(), way, bytes, note: None }
    }

    #[test]
    fn a_plan_counts_every_byte_that_will_be_fetched() {
        let staged = staged(
            "manifest.json",
            &["m.lz4".to_owned()],
            &lengths(&[("manifest.json", 7), ("m.lz4", 5), ("o", 1)]),
        );
        let root = Bytes { fetch: 100, copy: 8192, skip: 4096, write: 12288 };
        let hash = Bytes { fetch: 3, write: 8192, ..Bytes::default() };
        let images = vec![
            image(Role::Boot, Way::PlainStream, ImageBytes::FetchOnly { fetch_bytes: 10 }),
            image(Role::Root, Way::Frames, ImageBytes::Known(root)),
            image(Role::Hash, Way::PlainStream, ImageBytes::Known(hash)),
        ];
        let indexes = vec![FilePlan { target: "r.idx".to_owned(), fetch_bytes: 2 }];
        let (from, to) = (Version::new(1, 0, 0), Version::new(1, 1, 0));
        let plan = Plan::new(&from, &to, images, indexes, staged.unwrap());
        assert_eq!(
            (plan.fetch_bytes, plan.copy_bytes, plan.skip_bytes, plan.write_bytes),
            (127, 8192, 4096, 20480)
        );
        assert!(!plan.is_in_place());
        let json = serde_json::to_value(&plan).unwrap();
        assert_eq!(
            json["images"][1],
            serde_json::json!({
                "image": "root", "target": "root", "way": "frames",
                "fetch_bytes": 100, "copy_bytes": 8192, "skip_bytes": 4096, "write_bytes": 12288,
            })
        );
        assert_eq!(
            json["images"][0],
            serde_json::json!({"image": "boot", "target": "boot", "way": "plain-stream", "fetch_bytes": 10})
        );
    }

    #[test]
    fn only_a_set_of_which_everything_is_known_to_be_right_is_in_place() {
        let right = ImageBytes::Known(Bytes { skip: 4096, ..Bytes::default() });
        let copied = ImageBytes::Known(Bytes { copy: 4096, write: 4096, ..Bytes::default() });
        let of = |boot| {
            let images = vec![
                image(Role::Boot, Way::Local, boot),
                image(Role::Root, Way::Local, right),
                image(Role::Hash, Way::Local, right),
            ];
            let version = Version::new(1, 1, 0);
            Plan::new(&version, &version, images, Vec::new(), Vec::new()).is_in_place()
        };
        assert!(of(right));
        assert!(!of(copied));
        assert!(!of(ImageBytes::FetchOnly { fetch_bytes: 0 }));
    }

    #[test]
    fn the_cheapest_way_is_taken_and_none_above_the_plain_stream() {
        assert_eq!(cheapest([(Way::PlainStream, 100), (Way::Frames, 99)]), Way::Frames);
        assert_eq!(cheapest([(Way::PlainStream, 100), (Way::Frames, 101)]), Way::PlainStream);
        assert_eq!(cheapest([(Way::PlainStream, 100), (Way::Frames, 100)]), Way::Frames);
        assert_eq!(cheapest([(Way::PlainStream, 100)]), Way::PlainStream);
        assert_eq!(cheapest([(Way::Frames, 0), (Way::Local, 0)]), Way::Local);
    }

    #[test]
    fn a_migration_of_two_steps_is_fetched_once() {
        let twice = ["m.lz4".to_owned(), "m.lz4".to_owned()];
        let staged =
            staged("manifest.json", &twice, &lengths(&[("manifest.json", 7), ("m.lz4", 5)])).unwrap();
        let names: Vec<&str> = staged.iter().map(|file| file.target.as_str()).collect();
        assert_eq!(names, ["manifest.json", "m.lz4"]);
    }

    #[test]
    fn a_target_that_is_not_signed_is_named() {
        let missing = staged("manifest.json", &["m.lz4".to_owned()], &lengths(&[("manifest.json", 7)]));
        assert_eq!(missing, Err(Unsigned("m.lz4".to_owned())));
    }

    #[test]
    fn a_failure_is_told_in_these_words() {
        assert_eq!(Unsigned("x".into()).to_string(), "plan the update: the repository has no target \"x\"");
    }
}
