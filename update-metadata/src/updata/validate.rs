//! `updata validate`: everything that is wrong with a manifest.

use std::path::PathBuf;

use crate::validate::problems;
use host_io::Fs;
use serde_json::json;

use super::answer::Answer;
use super::exit::Error;
use super::file;

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
