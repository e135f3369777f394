//! One line on a terminal that says how far something is, the same in all programs.
//!
//! It never wraps, so taking it away takes nothing else away: it is cut to what the terminal has, down to the percent.
//! It is drawn over itself with a carriage return, has no colour, and is not drawn at all where nobody could see it move:
//! in a log, on a terminal that says that it is dumb.
//! [`say`](crate::say) takes it away before anything else is said.

use std::fmt::Write as _;
use std::io;
use std::sync::{Mutex, PoisonError};

use crate::stderr::{bare, is_dumb, stderr_is_terminal};

/// Columns of a terminal that does not say.
const USUAL: usize = 80;
/// What is being done, and the percent: wide enough for all that our programs do.
const WHAT: usize = 18;
const PERCENT: usize = 6;
/// What is said behind the bar while there is room, the most important first.
const LEFT: usize = 14;
const BYTES: usize = 24;
const RATE: usize = 14;
/// The shortest bar.
const SHORTEST: usize = 10;

/// How far something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part<'a> {
    /// What is being done: `write root`.
    pub what: &'a str,
    /// Bytes done.
    pub done: u64,
    /// Bytes in all, where that is known before the end.
    pub total: Option<u64>,
    /// Bytes a second; 0 where that is not known.
    pub rate: u64,
    /// Seconds still to go, where that is known.
    pub left: Option<u64>,
}

/// Whether a bar is on the screen.
static SHOWN: Mutex<bool> = Mutex::new(false);

/// Whether somebody watches stderr who could see a bar move.
#[must_use]
pub fn is_watched() -> bool {
    stderr_is_terminal() && !is_dumb(std::env::var_os("TERM"))
}

/// Draws the line over the one before. A terminal that went away is no reason to stop.
pub fn draw(part: &Part<'_>) {
    let text = line(part, columns());
    let mut shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
    *shown = true;
    bare(format!("\r{text}\x1b[K").as_bytes());
}

/// Takes the line away, where there is one. What is written next begins where it began.
pub fn hide() {
    let mut shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if std::mem::take(&mut *shown) {
        bare(b"\r\x1b[K");
    }
}

#[expect(clippy::disallowed_methods, reason = "its size is asked, and nothing is said")]
fn columns() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stderr());
    size.map_or(USUAL, |size| if size.ws_col == 0 { USUAL } else { usize::from(size.ws_col) })
}

/// The line, shorter than `columns`: a cursor in the last one would wrap on some terminals.
#[must_use]
pub fn line(part: &Part<'_>, columns: usize) -> String {
    let room = columns.saturating_sub(1);
    let percent = part.total.map(|total| percent(part.done, total));
    let mut text = format!("{:<WHAT$}", part.what);
    match percent {
        Some(percent) => _ = write!(text, "{percent:>3} % "),
        None => _ = write!(text, "{:>PERCENT$}", ""),
    }
    let mut bar = room.saturating_sub(text.chars().count());
    let mut behind = String::new();
    let left = part.left.filter(|&left| left > 0).map(|left| format!("{} left", minutes(left)));
    let bytes = match part.total {
        Some(total) => format!("{} of {}", mib(part.done), mib(total)),
        // Nothing moves in what is done.
        None if part.done == 0 => String::new(),
        None => mib(part.done),
    };
    let rate = if part.rate == 0 { String::new() } else { format!("{}/s", mib(part.rate)) };
    // Without an end nobody knows how long it takes, and the place for that is somebody else's.
    let left_width = if part.total.is_some() { LEFT } else { 0 };
    for (said, width) in [(left.unwrap_or_default(), left_width), (bytes, BYTES), (rate, RATE)] {
        if bar < SHORTEST + width {
            break;
        }
        bar -= width;
        _ = write!(behind, "{said:>width$}");
    }
    if bar >= SHORTEST {
        let inner = bar - 2;
        let filled = percent.map_or(0, |percent| inner * usize::from(percent) / 100);
        _ = write!(text, "[{}{}]{behind}", "#".repeat(filled), "-".repeat(inner - filled));
    }
    text.chars().take(room).collect::<String>().trim_end().to_owned()
}

/// Nothing to do is all done.
fn percent(done: u64, total: u64) -> u8 {
    let percent = (u128::from(done.min(total)) * 100).checked_div(u128::from(total)).unwrap_or(100);
    u8::try_from(percent).unwrap_or(100)
}

/// Bytes for people.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "one decimal for a person to read")]
pub fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// A time for people: minutes and seconds.
#[must_use]
pub fn minutes(seconds: u64) -> String {
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PART: Part<'_> =
        Part { what: "write root", done: 123 << 20, total: Some(300 << 20), rate: 8 << 20, left: Some(75) };

    #[test]
    fn what_matters_most_stays_when_there_is_little_room() {
        let lines = [100, 80, 60, 40, 24, 10].map(|columns| line(&PART, columns));
        assert_eq!(
            lines,
            [
                "write root         41 % [########-------------]     1:15 left  123.0 MiB of 300.0 MiB     8.0 MiB/s",
                "write root         41 % [######---------]     1:15 left  123.0 MiB of 300.0 MiB",
                "write root         41 % [#######------------]     1:15 left",
                "write root         41 % [#####--------]",
                "write root         41 %",
                "write roo",
            ]
        );
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let part = Part { total: None, rate: 0, left: None, ..PART };
        assert_eq!(line(&part, 60), "write root              [---------]               123.0 MiB");
        let still = Part { done: 0, ..part };
        assert_eq!(line(&still, 60), "write root              [---------]");
        let empty = Part { done: 0, total: Some(0), rate: 0, left: Some(0), ..PART };
        assert!(line(&empty, 40).starts_with("write root        100 % [####"), "{}", line(&empty, 40));
    }

    proptest! {
        #[test]
        fn no_line_fills_its_terminal(
            what in "[a-zäöü ]{0,40}", done: u64, total: Option<u64>, rate: u64, left: Option<u64>, columns in 0_usize..300,
        ) {
            let line = line(&Part { what: &what, done, total, rate, left }, columns);
            prop_assert!(line.chars().count() < columns.max(1), "{line:?}");
        }
    }
}
