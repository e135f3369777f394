//! What an update will move, as data, before it moves anything.
//!
//! A plan is made from signed lengths alone, so it can be printed, weighed and refused before the disk changes. Each
//! image names the way in which it will come. Today there is one way, and it is always there; others stand beside it
//! in [`Way`] and compete by their signed sizes (`docs/design.md`, "Images").

use std::collections::{BTreeMap, BTreeSet};

use semver::Version;
use serde::Serialize;
use signpost::Role;
use thiserror::Error;
use update_metadata::Update;

/// How an image gets from the repository to its partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Way {
    /// The whole image as one LZ4 frame, in one stream: what every repository has.
    PlainStream,
}

/// What one image takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImagePlan {
    /// `boot`, `root` or `hash`.
    #[serde(serialize_with = "role_text")]
    pub image: Role,
    /// The signed target that carries it.
    pub target: String,
    /// How it comes.
    pub way: Way,
    /// Bytes to fetch.
    pub fetch_bytes: u64,
}

/// What one small file takes that the next boot needs.
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
    /// The images, in the order in which they are written.
    pub images: Vec<ImagePlan>,
    /// The manifest and the migrations, in the order in which they run on the way to `to`.
    pub staged: Vec<FilePlan>,
    /// Bytes to fetch in all.
    pub fetch_bytes: u64,
}

/// The repository signs no target of that name.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("plan the update: the repository has no target {0:?}")]
pub struct Unsigned(pub String);

/// The manifest's own target name: the next boot reads the way back from it.
pub const MANIFEST: &str = "manifest.json";

/// Plans the update of a host on `from` to `update` by way of `migrations`, where `lengths` has the signed length of
/// every target that is named.
///
/// # Errors
/// [`Unsigned`] when a length is missing.
pub fn plan(
    from: &Version,
    update: &Update,
    migrations: &[String],
    lengths: &BTreeMap<String, u64>,
) -> Result<Plan, Unsigned> {
    let length = |name: &str| lengths.get(name).copied().ok_or_else(|| Unsigned(name.to_owned()));
    let image = |image: Role| -> Result<ImagePlan, Unsigned> {
        let target = target_of(update, image);
        // The one way that there is; the cheapest of several, once there are more.
        let fetch_bytes = length(target)?;
        Ok(ImagePlan { image, target: target.to_owned(), way: Way::PlainStream, fetch_bytes })
    };
    let images = Role::ALL.into_iter().map(image).collect::<Result<Vec<_>, _>>()?;
    // A migration may stand in several steps of the way; it is one file.
    let mut seen = BTreeSet::new();
    let staged = std::iter::once(MANIFEST)
        .chain(migrations.iter().map(String::as_str))
        .filter(|target| seen.insert(*target))
        .map(|target| Ok(FilePlan { target: target.to_owned(), fetch_bytes: length(target)? }))
        .collect::<Result<Vec<_>, _>>()?;
    let fetch_bytes = images
        .iter()
        .map(|image| image.fetch_bytes)
        .chain(staged.iter().map(|file| file.fetch_bytes))
        .fold(0u64, u64::saturating_add);
    Ok(Plan { from: from.clone(), to: update.version.clone(), images, staged, fetch_bytes })
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

impl Plan {
    /// What `image` takes.
    #[must_use]
    pub fn image(&self, image: Role) -> &ImagePlan {
        self.images.iter().find(|plan| plan.image == image).expect("a plan has all three images")
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn role_text<S: serde::Serializer>(role: &Role, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(role.as_str())
}

#[cfg(test)]
mod tests {
    use update_metadata::{Images, UpdateExtensions};

    use super::*;

    fn update() -> Update {
        Update {
            variant: "metal".to_owned(),
            arch: "x86_64".to_owned(),
            version: Version::new(1, 1, 0),
            max_version: Version::new(1, 1, 0),
            waves: BTreeMap::new(),
            images: Images { boot: "b".to_owned(), root: "r".to_owned(), hash: "h".to_owned() },
            extensions: UpdateExtensions::default(),
        }
    }

    fn lengths(names: &[(&str, u64)]) -> BTreeMap<String, u64> {
        names.iter().map(|(name, length)| ((*name).to_owned(), *length)).collect()
    }

    #[test]
    fn a_plan_counts_every_byte_that_will_be_fetched() {
        let lengths =
            lengths(&[("b", 10), ("r", 100), ("h", 3), ("manifest.json", 7), ("m.lz4", 5), ("other", 1)]);
        let plan = plan(&Version::new(1, 0, 0), &update(), &["m.lz4".to_owned()], &lengths).unwrap();
        assert_eq!(plan.fetch_bytes, 125);
        assert_eq!(plan.image(Role::Root).target, "r");
        let staged: Vec<&str> = plan.staged.iter().map(|file| file.target.as_str()).collect();
        assert_eq!(staged, ["manifest.json", "m.lz4"]);
        let json = serde_json::to_value(&plan).unwrap();
        assert_eq!(
            json["images"][1],
            serde_json::json!({"image": "root", "target": "r", "way": "plain-stream", "fetch_bytes": 100})
        );
    }

    #[test]
    fn a_migration_of_two_steps_is_fetched_once() {
        let lengths = lengths(&[("b", 10), ("r", 100), ("h", 3), ("manifest.json", 7), ("m.lz4", 5)]);
        let twice = ["m.lz4".to_owned(), "m.lz4".to_owned()];
        let plan = plan(&Version::new(1, 0, 0), &update(), &twice, &lengths).unwrap();
        assert_eq!((plan.staged.len(), plan.fetch_bytes), (2, 125));
    }

    #[test]
    fn a_target_that_is_not_signed_is_named() {
        let lengths = lengths(&[("b", 10), ("r", 100), ("h", 3), ("manifest.json", 7)]);
        let missing = plan(&Version::new(1, 0, 0), &update(), &["m.lz4".to_owned()], &lengths);
        assert_eq!(missing, Err(Unsigned("m.lz4".to_owned())));
    }
}
