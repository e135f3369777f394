//! `updata set-max-version`: the newest version that hosts should run.

use std::path::PathBuf;

use crate::author::{Selector, set_max_version};
use host_io::Fs;
use semver::Version;
use serde_json::json;
use tracing::warn;

use super::answer::{Answer, named};
use super::exit::Error;
use super::file;

/// Set the newest version that hosts should run, in all updates of a manifest.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The manifest.
    file: PathBuf,
    /// The newest version that hosts should run.
    #[arg(short = 'v', long)]
    max_version: Version,
}

impl Args {
    pub(crate) fn run(self, fs: &dyn Fs) -> Result<Answer, Error> {
        let manifest = set_max_version(file::load(fs, &self.file)?, &self.max_version)?;
        let above = manifest.updates.iter().filter(|update| update.version > update.max_version);
        let above: Vec<_> = above.map(Selector::of).collect();
        for selector in &above {
            warn!("{selector} is above that: it is no longer offered, and hosts that run it go back");
        }
        file::store(fs, &self.file, &manifest)?;
        let taken_back: Vec<_> = above.iter().map(named).collect();
        Ok(Answer::changed(json!({ "max_version": self.max_version, "taken_back": taken_back })))
    }
}
