//! An answer on stdout, in one piece; and beside it, on stderr, what is true after a change.

use crate::{Error, Status};
use host_io::say;

/// Writes `text` to stdout.
pub(crate) fn give(text: &str) -> Result<(), Error> {
    say::answer(text).map_err(Error::Answer)
}

/// Writes `text`, which is coloured, to stdout.
pub(crate) fn give_in_colour(text: &str) -> Result<(), Error> {
    say::answer_in_colour(text).map_err(Error::Answer)
}

/// Says what is true on the disk after a change.
pub(crate) fn narrate(status: &Status) {
    match status.next {
        Some(next) if next == status.active => tracing::info!("set {next} boots next; it is running now"),
        Some(next) => tracing::info!("set {next} boots next; set {} is running now", status.active),
        None => tracing::warn!("no set would boot next"),
    }
    for note in &status.notes {
        tracing::warn!("{note}");
    }
}
