//! `updata validate`: everything that is wrong with a manifest.

use std::path::PathBuf;

use host_io::Fs;
use update_metadata::validate::problems;

use crate::exit::Error;
use crate::file;

/// List everything that is wrong with a manifest, a line each, with its place.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The manifest.
    file: PathBuf,
}

impl Args {
    pub(crate) fn run(self, fs: &dyn Fs) -> Result<(), Error> {
        let problems = problems(&file::bytes(fs, &self.file)?);
        for problem in &problems {
            println!("{problem}");
        }
        match problems.len() {
            0 => Ok(()),
            count => Err(Error::Invalid { path: self.file, count }),
        }
    }
}
