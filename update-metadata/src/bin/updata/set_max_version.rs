//! `updata set-max-version`: the newest version that hosts should run.

use std::path::PathBuf;

use host_io::Fs;
use semver::Version;
use tracing::warn;
use update_metadata::author::{Selector, set_max_version};

use crate::exit::Error;
use crate::file;

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
    pub(crate) fn run(self, fs: &dyn Fs) -> Result<(), Error> {
        let manifest = set_max_version(file::load(fs, &self.file)?, &self.max_version)?;
        for update in manifest.updates.iter().filter(|update| update.version > update.max_version) {
            warn!(
                "{} is above that: it is no longer offered, and hosts that run it go back",
                Selector::of(update)
            );
        }
        file::store(fs, &self.file, &manifest)
    }
}
