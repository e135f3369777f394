//! `updata init`: an empty manifest.

use std::path::PathBuf;

use crate::Manifest;
use host_io::Fs;
use serde_json::json;

use super::answer::Answer;
use super::exit::Error;
use super::file;

/// Make an empty manifest.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The manifest.
    file: PathBuf,
    /// Replace a file that is there already.
    #[arg(long)]
    force: bool,
}

impl Args {
    pub(crate) fn run(self, fs: &dyn Fs) -> Result<Answer, Error> {
        let there = fs.kind(&self.file).map_err(|source| Error::Read { path: self.file.clone(), source })?;
        if there.is_some() && !self.force {
            return Err(Error::Exists { path: self.file });
        }
        file::store(fs, &self.file, &Manifest::default())?;
        Ok(Answer::changed(json!({ "made": self.file })))
    }
}
