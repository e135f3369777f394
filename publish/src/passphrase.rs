//! The passphrase of encrypted keys: known, or asked for at the terminal.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;

use host_io::{SystemFs, say};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use trusted_repo::author::KeyPair;

use crate::Error;

/// Where the passphrase comes from.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Passphrase {
    /// Nowhere: an encrypted key is refused.
    #[default]
    None,
    /// It is this one, for every key.
    Is(String),
    /// From whoever sits at the terminal, once for each encrypted key; without one as [`Passphrase::None`].
    Ask,
}

impl Passphrase {
    /// Reads a key that may be encrypted.
    ///
    /// # Errors
    /// As [`KeyPair::load_asking`].
    pub fn open(&self, path: &Path) -> Result<KeyPair, Error> {
        Ok(KeyPair::load_asking(&SystemFs, path, || match self {
            Self::None => Ok(None),
            Self::Is(passphrase) => Ok(Some(passphrase.clone())),
            Self::Ask => ask(path),
        })?)
    }

    /// Writes a new key: encrypted where there is a passphrase, else as it is.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, key: &KeyPair, path: &Path) -> Result<(), Error> {
        match self {
            Self::Is(passphrase) => key.save_encrypted(&SystemFs, path, passphrase)?,
            Self::None | Self::Ask => key.save(&SystemFs, path)?,
        }
        Ok(())
    }
}

/// Asks at the terminal, where there is one. What is typed does not show.
fn ask(path: &Path) -> io::Result<Option<String>> {
    if !say::stderr_is_terminal() {
        return Ok(None);
    }
    let Ok(mut terminal) = OpenOptions::new().read(true).write(true).open("/dev/tty") else {
        return Ok(None);
    };
    write!(terminal, "passphrase of {}: ", path.display())?;
    let silence = Silence::on(terminal.try_clone()?)?;
    let mut said = String::new();
    BufReader::new(&terminal).read_line(&mut said)?;
    drop(silence);
    writeln!(terminal)?;
    Ok(Some(said.trim_end_matches(['\n', '\r']).to_owned()))
}

/// A terminal that does not show what is typed, until this goes away.
struct Silence {
    terminal: File,
    before: rustix::termios::Termios,
}

impl Silence {
    fn on(terminal: File) -> io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&terminal, OptionalActions::Flush, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        let _terminal_may_be_gone = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}

/// Never shows it.
impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Is(_) => "Is(…)",
            Self::Ask => "Ask",
        })
    }
}
