//! What a run makes: version, time, whom it names; and where it lies.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use crate::bench::tools::{command, said};
use crate::cargo::workspace;

/// What a run of it builds, and as what.
pub(super) struct Release {
    /// Of the programs, as their manifests have it.
    pub(super) version: String,
    /// The second that stands for every time in the files: that of the commit.
    pub(super) epoch: i64,
    /// Whom the packages name, where it is not the one of their manifests.
    pub(super) maintainer: Option<String>,
    /// Whether the programs are not optimised.
    pub(super) quick: bool,
}

impl Release {
    /// The release of this source.
    pub(super) fn read(quick: bool, maintainer: Option<&str>) -> Result<Self, Box<dyn Error>> {
        let said = said(command("git").current_dir(workspace()).args(["log", "-1", "--format=%ct"]));
        // A copy of the source without its history is told the time.
        let epoch = std::env::var("SOURCE_DATE_EPOCH")
            .ok()
            .map_or(said, Ok)
            .map_err(|error| format!("find the time of this commit: {error}; SOURCE_DATE_EPOCH gives one"))?
            .trim()
            .parse()?;
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Ok(Self { version, epoch, maintainer: maintainer.map(str::to_owned), quick })
    }

    /// Whom the packages name.
    pub(super) fn named(&self) -> Result<String, Box<dyn Error>> {
        if let Some(maintainer) = &self.maintainer {
            return Ok(maintainer.clone());
        }
        let manifest = fs::read_to_string(workspace().join("updog/Cargo.toml"))?;
        let line = manifest.lines().find_map(|line| line.strip_prefix("maintainer = \""));
        let name = line.and_then(|line| line.strip_suffix('"'));
        Ok(name.ok_or("find the maintainer in updog/Cargo.toml")?.to_owned())
    }

    /// As packages call it. What is not optimised is older than the release of the same number.
    pub(super) fn debian(&self) -> String {
        if self.quick { format!("{}~quick-1", self.version) } else { format!("{}-1", self.version) }
    }
}

/// Where everything of this task lies.
pub(super) fn place() -> PathBuf {
    workspace().join("target/dist")
}
