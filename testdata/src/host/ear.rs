//! Who hears what a program says.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::pipe::fcntl_getpipe_size;

use crate::program;

/// Who hears what a program says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ear {
    /// Somebody who takes it down.
    #[default]
    Open,
    /// Somebody who has gone away, as `head` does, or a person whose connection broke.
    Gone,
    /// Somebody who is there and stands still, as a pager does.
    Still,
    /// A file on a full disk.
    Full,
    /// Nobody: the program is started with descriptors 0 to 2 closed.
    Closed,
}

impl Ear {
    /// Everybody who does not listen.
    pub const DEAF: [Self; 4] = [Self::Gone, Self::Still, Self::Full, Self::Closed];

    /// How the built program `name` ends that is run with `args` while both its streams lead here.
    ///
    /// # Panics
    /// When it cannot be run.
    #[must_use]
    pub fn run(self, name: &str, args: &[&str]) -> Option<i32> {
        let stream = || self.stream().expect("streams can be made").unwrap_or_else(Stdio::null);
        let mut command = self.command(&program(name));
        command.args(args).stdin(Stdio::null()).stdout(stream()).stderr(stream());
        command.status().unwrap_or_else(|error| panic!("run {name}: {error}")).code()
    }

    /// A command that runs `program`, which may want descriptors closed that the system's own way would leave open.
    pub(super) fn command(self, program: &Path) -> Command {
        if self != Self::Closed {
            return Command::new(program);
        }
        let mut command = Command::new("/bin/sh");
        command.args(["-c", r#"exec "$0" "$@" <&- >&- 2>&-"#]).arg(program);
        command
    }

    /// The end of a stream that leads to it; none for one that is closed, or heard.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn stream(self) -> io::Result<Option<Stdio>> {
        Ok(match self {
            Self::Open | Self::Closed => None,
            Self::Full => Some(OpenOptions::new().write(true).open("/dev/full")?.into()),
            Self::Gone => Some(io::pipe()?.1.into()),
            Self::Still => {
                let (reader, mut writer) = io::pipe()?;
                writer.write_all(&vec![b'.'; fcntl_getpipe_size(&writer)?])?;
                // The reader is kept open as long as the tests run, and never read.
                std::mem::forget(reader);
                Some(writer.into())
            }
        })
    }
}
