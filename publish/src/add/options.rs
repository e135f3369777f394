//! What to publish.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use semver::Version;
use update_metadata::Pace;
use verity::Salt;

use crate::doubts::Doubts;
use crate::framing::Framing;
use crate::image::ImagePaths;
use crate::keys::Keys;
use crate::lifetimes::Lifetimes;
use crate::pack::Bases;

/// What to publish.
#[derive(Debug, Clone)]
pub struct AddOptions {
    /// The repository.
    pub repo: PathBuf,
    /// The keys.
    pub keys: Keys,
    /// The variant.
    pub variant: String,
    /// The architecture.
    pub arch: String,
    /// The version.
    pub version: Version,
    /// The highest version that hosts may run; by default the highest so far, and at least `version`.
    pub max_version: Option<Version>,
    /// The raw images.
    pub images: ImagePaths,
    /// Whether frames are made of them as well. A known release keeps those that it has.
    pub framing: Framing,
    /// From which releases packs lead to it. A known release keeps those that it has; without frames none are made.
    pub bases: Bases,
    /// The salt of a hash tree that is built here; by default the one of the newest release, so that equal blocks keep
    /// equal digests.
    pub salt: Option<Salt>,
    /// `Release.toml`: its migrations are added to those of the repository.
    pub release_config: Option<PathBuf>,
    /// A directory of migration programs; each becomes the target of its name and `.lz4`.
    pub migrations: Option<PathBuf>,
    /// The wave policy; without one every host may take a new release at once, and a known one keeps its waves.
    pub waves: Option<PathBuf>,
    /// How finely the waves are written, and over how long the last one is spread.
    pub pace: Pace,
    /// When the waves begin; by default now.
    pub start_at: Option<DateTime<Utc>>,
    /// Whether every host is led through this release before newer ones. A release that is a barrier stays one.
    pub barrier: bool,
    /// The oldest `updog` that may install it; without one a known release keeps its own.
    pub min_updater: Option<Version>,
    /// How long the signed roles hold.
    pub lifetimes: Lifetimes,
    /// Whether settings stay as they are: the step from the release before has no migrations.
    pub no_migrations: bool,
    /// What becomes of a release that hosts will stumble over.
    pub doubts: Doubts,
    /// Whether it is only looked at.
    pub dry_run: bool,
}

/// What becomes of a release that names migrations which nobody has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissingMigrations {
    /// It is refused.
    #[default]
    Refuse,
    /// It is published. Hosts then refuse it, which is what a test may want to see.
    Allow,
}
