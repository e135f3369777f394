//! `updata set-migrations`: the migrations of a release.

use std::path::PathBuf;

use crate::ReleaseConfig;
use crate::author::{dropped_steps, replace_migrations};
use host_io::Fs;
use serde_json::json;
use tracing::warn;

use super::answer::Answer;
use super::exit::Error;
use super::file;

/// Replace all migrations of a manifest by those of a release.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The release, a TOML file.
    #[arg(short = 'f', long, value_name = "RELEASE")]
    from: PathBuf,
    /// The manifest.
    #[arg(short = 't', long, value_name = "FILE")]
    to: PathBuf,
}

impl Args {
    pub(crate) fn run(self, fs: &dyn Fs) -> Result<Answer, Error> {
        let text = file::text(fs, &self.from)?;
        let release = ReleaseConfig::parse(&text)
            .map_err(|source| Error::Release { path: self.from.clone(), source })?;
        let manifest = file::load(fs, &self.to)?;
        let dropped = dropped_steps(&manifest, &release);
        for edge in &dropped {
            warn!("the step {edge} goes away: {} does not have it", self.from.display());
        }
        let manifest = replace_migrations(manifest, &release)?;
        file::store(fs, &self.to, &manifest)?;
        let dropped: Vec<_> = dropped.iter().map(ToString::to_string).collect();
        Ok(Answer::changed(json!({ "steps": manifest.migrations.len(), "dropped": dropped })))
    }
}
