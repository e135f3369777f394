//! `updata remove-update`: one update less.

use std::path::PathBuf;

use crate::author::{Selector, remove_update};
use host_io::Fs;
use serde_json::json;
use tracing::info;

use super::answer::{Answer, named};
use super::exit::Error;
use super::file;
use super::typed::Which;

/// Remove an update from a manifest. The max_version of the others stays as it is.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The manifest.
    file: PathBuf,
    #[command(flatten)]
    which: Which,
}

impl Args {
    pub(crate) fn run(self, fs: &dyn Fs) -> Result<Answer, Error> {
        let selector = Selector::from(self.which);
        let manifest = remove_update(file::load(fs, &self.file)?, &selector)?;
        let mut siblings = manifest.updates.iter();
        match siblings.find(|update| update.variant == selector.variant && update.arch == selector.arch) {
            Some(sibling) => info!("removing {selector}; max_version stays {}", sibling.max_version),
            None => info!("removing {selector}, the last one of its variant and architecture"),
        }
        file::store(fs, &self.file, &manifest)?;
        Ok(Answer::changed(json!({ "removed": named(&selector) })))
    }
}
