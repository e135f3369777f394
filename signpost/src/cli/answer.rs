//! An answer on stdout, in one piece.

use std::io::{self, Write as _};

/// Writes `text` to stdout. A reader that has gone away, as `head` does, is not our failure.
pub(crate) fn give(text: &str) {
    let mut stdout = io::stdout().lock();
    if let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        tracing::debug!("nobody reads the answer: {error}");
    }
}
