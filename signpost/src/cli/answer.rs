//! An answer on stdout, in one piece.

use host_io::say;
use signpost::Error;

/// Writes `text` to stdout.
pub(crate) fn give(text: &str) -> Result<(), Error> {
    say::answer(text).map_err(Error::Answer)
}

/// Whether the answer is seen by a person who wants colours.
pub(crate) fn in_colour() -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    say::stdout_is_terminal() && !unwanted
}
