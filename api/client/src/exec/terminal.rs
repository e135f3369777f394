//! Raw mode, and back from it on every way out.

use std::io::IsTerminal as _;

use api_model::exec::{Size, TtyInit};
use host_io::say;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// Whether the command shall have a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tty {
    /// When a person sits at both ends of ours.
    Auto,
    /// In any case.
    Always,
    /// In no case.
    Never,
}

impl Tty {
    /// What the server is told about the terminal; `None` for plain input and output.
    #[must_use]
    pub fn init(self) -> Option<TtyInit> {
        let wanted = match self {
            Self::Auto => std::io::stdin().is_terminal() && say::stdout_is_terminal(),
            Self::Always => true,
            Self::Never => false,
        };
        wanted.then(|| TtyInit { size: size() })
    }
}

/// The size of our window, where there is one.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "it is asked, and told nothing")]
pub fn size() -> Option<Size> {
    let size = tcgetwinsize(std::io::stdout()).or_else(|_| tcgetwinsize(std::io::stdin())).ok()?;
    // Terminals that nobody looks at say 0.
    (size.ws_row > 0 && size.ws_col > 0).then_some(Size { rows: size.ws_row, cols: size.ws_col })
}

/// Our terminal in raw mode: every key goes to the command, also the ones that interrupt. Dropping it gives the terminal
/// back as it was, whether the command ended, failed, was cut off, or we were asked to end.
#[derive(Debug)]
pub struct Raw(Option<Termios>);

impl Raw {
    /// Enters raw mode, if stdin is a terminal.
    ///
    /// # Errors
    /// When the terminal refuses; it is then as it was.
    pub fn enter() -> std::io::Result<Self> {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() {
            return Ok(Self(None));
        }
        let before = tcgetattr(&stdin)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&stdin, OptionalActions::Now, &raw)?;
        Ok(Self(Some(before)))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // The terminal may be gone together with the person; there is nobody to tell then.
            let _gone = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }
}
