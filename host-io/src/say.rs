//! The only place where programs say something on stdout and stderr.
//!
//! stdout answers, stderr narrates. Whoever reads them may go away, stand still, or keep them on a full disk, and none of
//! that is a reason to end: what is said on stderr is lost then, and the work goes on. Only an answer that was the whole
//! point of a command is missed ([`answer`]); one about work that is done is mourned on stderr ([`outcome`]).
//!
//! Whatever words of others are in it, a terminal obeys none of them ([`plain`](crate::plain)): on stderr always, for it ends
//! in a log as well; on stdout where that is a terminal or the journal, for programs and files get answers as they are.
//! Colours are taken for ours in two places only, which keep those of others out before: a log line, whose fields
//! tracing has escaped, and [`answer_in_colour`].
//!
//! The standard library has opened `/dev/null` for descriptors 0 to 2 that were closed at the start, and ignores SIGPIPE;
//! the tests of the programs hold us to both.

#![expect(clippy::disallowed_methods, reason = "everybody else comes here")]

use std::borrow::Cow;
use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write};

use crate::plain::{painted, shown};
pub use crate::stderr::stderr_is_terminal;
use crate::stderr::{bare, is_dumb};

/// Says a line on stderr, if anybody can hear it.
pub fn line(text: &str) {
    piece(&format!("{text}\n"));
}

/// Says a line on stderr to the program of ours that started this one and takes it apart: as it is, whatever marks it has.
pub fn to_our_parent(text: &str) {
    bare(format!("{text}\n").as_bytes());
}

/// Says `text` on stderr, with no line break behind it.
pub fn piece(text: &str) {
    crate::bar::hide();
    bare(shown(text).as_bytes());
}

/// Gives an answer on stdout, as it is. A reader that has gone away, as `head` does, has had enough and is no failure.
///
/// # Errors
/// When stdout cannot be written for another reason, a full disk for one.
pub fn answer(text: &str) -> io::Result<()> {
    give(text, shown)
}

/// [`answer`] with colours of ours in it, and no words of others that are not [plain](crate::plain::in_a_line) already.
///
/// # Errors
/// As [`answer`].
pub fn answer_in_colour(text: &str) -> io::Result<()> {
    give(text, painted)
}

fn give(text: &str, for_people: fn(&str) -> String) -> io::Result<()> {
    crate::bar::hide();
    let text = if is_for_people() { Cow::Owned(for_people(text)) } else { Cow::Borrowed(text) };
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Tells on stdout what was done. It is done whether anybody is told or not.
pub fn outcome(text: &str) {
    if let Err(error) = answer(text) {
        tracing::warn!("what was done could not be written to stdout: {error}");
    }
}

/// Whether a person reads stdout.
#[must_use]
pub fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether what stdout says is for eyes: on a terminal, or later in the journal.
fn is_for_people() -> bool {
    let journal = std::env::var("JOURNAL_STREAM").ok();
    stdout_is_terminal()
        || rustix::fs::fstat(io::stdout())
            .is_ok_and(|stdout| names(journal.as_deref(), stdout.st_dev, stdout.st_ino))
}

/// Whether systemd's `JOURNAL_STREAM` (systemd.exec(5)) is this file: a program that was started with another one has the
/// variable all the same.
fn names(journal: Option<&str>, dev: u64, ino: u64) -> bool {
    journal.is_some_and(|journal| journal == format!("{dev}:{ino}"))
}

/// Whether a person reads stdout who wants colours, on a terminal that has them.
#[must_use]
pub fn stdout_in_colour() -> bool {
    stdout_is_terminal() && wants_colour(|name| std::env::var_os(name))
}

/// Whether a person reads stderr who wants colours, on a terminal that has them.
#[must_use]
pub fn stderr_in_colour() -> bool {
    stderr_is_terminal() && wants_colour(|name| std::env::var_os(name))
}

/// Whether `TERM` names a terminal that knows more than letters, and `NO_COLOR` (<https://no-color.org>) says nothing.
fn wants_colour(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let unwanted = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
    !is_dumb(variable("TERM")) && !unwanted
}

/// stderr as a writer of log lines that takes everything: what nobody hears is lost. It is given whole letters, and as a
/// rule whole lines.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        crate::bar::hide();
        bare(painted(&String::from_utf8_lossy(bytes)).as_bytes());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_is_known_by_its_file_and_not_by_the_variable_alone() {
        assert!(names(Some("9:4711"), 9, 4711));
        assert!(!names(Some("9:4711"), 9, 4712) && !names(Some("x"), 9, 4711) && !names(None, 9, 4711));
    }

    #[test]
    fn colours_are_for_terminals_that_have_them_and_people_who_want_them() {
        let wanted = |term: Option<&str>, no_color: Option<&str>| {
            wants_colour(|name| match name {
                "TERM" => term.map(OsString::from),
                "NO_COLOR" => no_color.map(OsString::from),
                _ => None,
            })
        };
        for term in ["xterm", "linux", "vt220", "screen-256color"] {
            assert!(wanted(Some(term), None) && wanted(Some(term), Some("")), "{term}");
            assert!(!wanted(Some(term), Some("1")) && !wanted(Some(term), Some("0")), "{term}");
        }
        for term in [None, Some(""), Some("dumb")] {
            assert!(!wanted(term, None), "{term:?}");
        }
    }
}
