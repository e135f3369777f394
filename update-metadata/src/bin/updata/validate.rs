//! `updata validate`: everything that is wrong with a manifest.

use std::path::PathBuf;

use host_io::Fs;
use serde_json::json;
use update_metadata::validate::problems;

use crate::answer::Answer;
use crate::exit::Error;
use crate::file;

/// List everything that is wrong with a manifest, a line each, with its place.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The manifest.
    file: PathBuf,
}

impl Args {
    pub(crate) fn run(self, fs: &dyn Fs) -> Result<Answer, Error> {
        let problems = problems(&file::bytes(fs, &self.file)?);
        if problems.is_empty() {
            Ok(Answer::new(String::new(), json!({ "problems": [] })))
        } else {
            Err(Error::Invalid { path: self.file, problems })
        }
    }
}
