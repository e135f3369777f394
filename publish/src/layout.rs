//! Where things lie, and what targets are called.
//!
//! A repository is a directory as a web server serves it: `VARIANT/ARCH/*.json` and `targets/SHA256.NAME`. Keys lie in a
//! directory of their own, which must not be served.

use std::path::{Path, PathBuf};

use semver::Version;

/// The roles below root, in the order in which they sign.
pub(crate) const ROLES: [&str; 3] = ["targets", "snapshot", "timestamp"];

/// The file that images ship, beside the keys and in the repository.
pub const ROOT: &str = "root.json";
pub use trusted_repo::manifest::OF_ALL as MANIFEST;

/// One repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoLayout {
    /// Metadata of one variant and architecture.
    pub metadata: PathBuf,
    /// Targets of all of them.
    pub targets: PathBuf,
}

impl RepoLayout {
    /// The layout below `repo`.
    #[must_use]
    pub fn new(repo: &Path, variant: &str, arch: &str) -> Self {
        Self { metadata: repo.join(variant).join(arch), targets: repo.join("targets") }
    }
}

/// The directory of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyLayout {
    dir: PathBuf,
}

impl KeyLayout {
    /// The layout below `dir`.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// The root role that images ship.
    #[must_use]
    pub fn root_role(&self) -> PathBuf {
        self.dir.join(ROOT)
    }

    /// The key of holder `number` of the root role, from 1 on.
    #[must_use]
    pub fn root(&self, number: u32) -> PathBuf {
        self.dir.join(format!("root-{number}.pem"))
    }

    /// The key of a role below root.
    #[must_use]
    pub fn role(&self, role: &str) -> PathBuf {
        self.dir.join(format!("{role}.pem"))
    }

    /// The program that holds the key of a role below root, where there is one.
    #[must_use]
    pub fn program(&self, role: &str) -> PathBuf {
        self.dir.join(format!("{role}.sign"))
    }
}

/// The target name of one image of a release.
#[must_use]
pub fn image_target(variant: &str, arch: &str, version: &Version, image: &str) -> String {
    format!("{}.lz4", stem(variant, arch, version, image))
}

/// The target name of the frames of an image.
#[must_use]
pub fn frames_target(variant: &str, arch: &str, version: &Version, image: &str) -> String {
    format!("{}.zst", stem(variant, arch, version, image))
}

/// The target name of the index of these frames.
#[must_use]
pub fn index_target(variant: &str, arch: &str, version: &Version, image: &str) -> String {
    format!("{}.idx", stem(variant, arch, version, image))
}

/// The target name of the header of a pack that leads from `base` to an image.
#[must_use]
pub fn pack_target(variant: &str, arch: &str, version: &Version, image: &str, base: &Version) -> String {
    format!("{}-from-{base}.pack", stem(variant, arch, version, image))
}

/// The target name of the body of that pack.
#[must_use]
pub fn body_target(variant: &str, arch: &str, version: &Version, image: &str, base: &Version) -> String {
    format!("{}-from-{base}.body", stem(variant, arch, version, image))
}

fn stem(variant: &str, arch: &str, version: &Version, image: &str) -> String {
    format!("ours-{variant}-{arch}-{version}-{image}")
}
