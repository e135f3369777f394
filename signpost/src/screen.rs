//! The status for people.

use std::fmt;
use std::path::Path;

use host_io::plain::in_a_line;

use crate::inspect::Inspection;
use crate::set::SetName;

/// The status as `signpost status` prints it (`docs/compatibility.md`, "signpost").
#[derive(Debug)]
pub struct Screen<'a> {
    found: &'a Inspection,
    colour: bool,
}

impl<'a> Screen<'a> {
    /// The screen, plain.
    #[must_use]
    pub const fn new(found: &'a Inspection) -> Self {
        Self { found, colour: false }
    }

    /// The screen, where it is seen by a person: the same words, in colour.
    #[must_use]
    pub const fn in_colour(found: &'a Inspection) -> Self {
        Self { found, colour: true }
    }

    fn paint(&self, paint: Paint, text: impl fmt::Display) -> String {
        if self.colour { format!("\x1b[{}m{text}\x1b[0m", paint as u8) } else { text.to_string() }
    }

    /// Beside our colours its name has none of its own.
    fn path(&self, path: &Path) -> String {
        let name = path.display().to_string();
        if self.colour { name.chars().map(in_a_line).collect() } else { name }
    }
}

/// What a colour says; the values are the terminal's.
#[derive(Debug, Clone, Copy)]
enum Paint {
    Bold = 1,
    Wrong = 31,
    Good = 32,
    Open = 33,
}

impl fmt::Display for Screen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.found;
        writeln!(f, "OS disk: {}", self.path(found.disk()))?;
        for set in [SetName::A, SetName::B].into_iter().filter_map(|name| found.set(name)) {
            let tries = if set.bits.tries > 0 { Paint::Open } else { Paint::Bold };
            let successful = if set.bits.successful { Paint::Good } else { Paint::Open };
            writeln!(
                f,
                "Set {}:   boot={} root={} hash={} priority={} tries_left={} successful={}",
                set.name,
                self.path(&set.boot.node),
                self.path(&set.root.node),
                self.path(&set.hash.node),
                self.paint(Paint::Bold, set.bits.priority),
                self.paint(tries, set.bits.tries),
                self.paint(successful, set.bits.successful)
            )?;
        }
        let active = match found.active() {
            Ok((active, _)) => self.paint(Paint::Bold, format_args!("Set {active}")),
            Err(_) => self.paint(Paint::Wrong, "unknown"),
        };
        writeln!(f, "Active:  {active}")?;
        let next = match found.next() {
            Some(next) => self.paint(Paint::Bold, format_args!("Set {next}")),
            None => self.paint(Paint::Wrong, "None"),
        };
        writeln!(f, "Next:    {next}")
    }
}
