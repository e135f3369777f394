//! An answer on stdout, in one piece.

use std::io::{self, IsTerminal as _, Write as _};

/// Writes `text` to stdout. A reader that has gone away, as `head` does, is not our failure.
pub(crate) fn give(text: &str) {
    let mut stdout = io::stdout().lock();
    if let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        tracing::debug!("nobody reads the answer: {error}");
    }
}

/// Whether the answer is seen by a person who wants colours.
pub(crate) fn in_colour() -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stdout().is_terminal() && !unwanted
}
