//! An answer on stdout, in one piece.

use std::io::{self, IsTerminal as _, Write as _};

use signpost::Error;

/// Writes `text` to stdout. A reader that has gone away, as `head` does, is not our failure.
pub(crate) fn give(text: &str) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Answer(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Whether the answer is seen by a person who wants colours.
pub(crate) fn in_colour() -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stdout().is_terminal() && !unwanted
}
