//! What was done, for people and programs.

use std::fmt;
use std::path::PathBuf;

use semver::Version;
use serde::Serialize;
use trusted_repo::TargetInfo;

use crate::pack::PackReport;

/// What `init` made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InitReport {
    /// The metadata directory.
    pub metadata: PathBuf,
    /// The directory of targets.
    pub targets: PathBuf,
    /// The root role that images ship.
    pub root: PathBuf,
    /// Its version.
    pub root_version: u64,
    /// The key files, whether made now or before.
    pub keys: Vec<PathBuf>,
    /// Whether the keys were made now.
    pub keys_are_new: bool,
}

/// What `add` published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AddReport {
    /// The variant.
    pub variant: String,
    /// The architecture.
    pub arch: String,
    /// The version.
    pub version: Version,
    /// The highest version that hosts may run.
    pub max_version: Version,
    /// The root hash of the root image, as hexadecimal digits.
    pub root_hash: String,
    /// The salt of its hash tree, as hexadecimal digits.
    pub salt: String,
    /// The targets of this release, the manifest last.
    pub targets: Vec<TargetReport>,
    /// What came of the packs that were made.
    pub packs: Vec<PackReport>,
    /// How many waves it has; 0 means that every host may take it at once.
    pub waves: usize,
    /// Migrations that the release names and nobody has; only with the option that allows them.
    pub missing_migrations: Vec<String>,
    /// What a person should know beside it, a sentence each.
    pub notes: Vec<String>,
    /// Whether it was published, and not only looked at.
    pub published: bool,
    /// The version of the timestamp role, which counts the changes of the repository; 0 when nothing was published.
    pub timestamp_version: u64,
}

/// One target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetReport {
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub length: u64,
    /// Its SHA-256, as hexadecimal digits.
    pub sha256: String,
}

impl From<&TargetInfo> for TargetReport {
    fn from(info: &TargetInfo) -> Self {
        Self { name: info.name.clone(), length: info.length, sha256: info.hashes.hex() }
    }
}

impl fmt::Display for InitReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "repository: {}", self.metadata.display())?;
        writeln!(f, "targets:    {}", self.targets.display())?;
        writeln!(f, "for images: {} (root version {})", self.root.display(), self.root_version)?;
        let made = if self.keys_are_new { "made now" } else { "made before" };
        write!(f, "keys:       {} files, {made}", self.keys.len())
    }
}

impl fmt::Display for AddReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = if self.published { "published" } else { "would publish" };
        writeln!(f, "{done} {} {} {}", self.variant, self.arch, self.version)?;
        for target in &self.targets {
            writeln!(f, "  {:>12} {}", target.length, target.name)?;
        }
        for pack in &self.packs {
            writeln!(f, "{pack}")?;
        }
        for name in &self.missing_migrations {
            writeln!(f, "  {:>12} {name}", "missing")?;
        }
        writeln!(f, "root hash: {}", self.root_hash)?;
        match self.waves {
            0 => write!(f, "waves: none, every host may take it at once")?,
            waves => write!(f, "waves: {waves}")?,
        }
        for note in &self.notes {
            write!(f, "\nnote: {note}")?;
        }
        if !self.published {
            write!(f, "\nnothing was written; without --dry-run it is published")?;
        }
        Ok(())
    }
}
