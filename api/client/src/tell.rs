//! What is said on stdout.

use host_io::say;

use crate::error::Error;

/// An answer on stdout, with a line end; it is what the command is for.
///
/// # Errors
/// When stdout cannot be written. A reader who has gone away has had enough.
pub fn answer(text: &str) -> Result<(), Error> {
    say::answer(&format!("{text}\n")).map_err(Error::Print)
}

/// A line on stdout about what is done or being done; that goes on, also when nobody can be told.
pub fn outcome(text: &str) {
    say::outcome(&format!("{text}\n"));
}

/// An answer in JSON on stdout, for people.
///
/// # Errors
/// When stdout cannot be written.
pub fn answer_json(value: &impl serde::Serialize) -> Result<(), Error> {
    answer(&serde_json::to_string_pretty(value).expect("values of the API are JSON"))
}
