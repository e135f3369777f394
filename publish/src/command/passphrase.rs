//! Where the passphrase of a key comes from, as options.

use std::path::PathBuf;

use crate::Error;
use crate::passphrase::Passphrase;

/// A passphrase never stands on a command line, where every user of the machine can read it.
#[derive(Debug, Clone, clap::Args)]
#[group(multiple = false)]
pub struct PassphraseArgs {
    /// The file whose first line is the passphrase of encrypted keys [default: a terminal is asked]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// The environment variable that holds the passphrase of encrypted keys
    #[arg(long, value_name = "NAME")]
    passphrase_env: Option<String>,
}

impl PassphraseArgs {
    /// Reads it, where it was said where it is.
    ///
    /// # Errors
    /// When the file cannot be read, or there is no such variable.
    pub fn source(&self) -> Result<Passphrase, Error> {
        if let Some(path) = &self.passphrase_file {
            let text = std::fs::read_to_string(path).map_err(|error| Error::file("read", path, error))?;
            return Ok(Passphrase::Is(text.lines().next().unwrap_or_default().to_owned()));
        }
        let Some(name) = &self.passphrase_env else { return Ok(Passphrase::Ask) };
        std::env::var(name).map(Passphrase::Is).map_err(|_| Error::Passphrase { name: name.clone() })
    }
}
