//! A process that holds the operation lock, by its own word.
//!
//! The word is its number and when it started, in the kernel's ticks since the machine did: a number is given to the next
//! process when its own has ended, the pair never is.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// A process, as it wrote itself into the lock that it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    pid: u32,
    started: u64,
}

impl Holder {
    /// This process.
    ///
    /// # Errors
    /// When the kernel does not tell when it started.
    pub(super) fn this_process() -> io::Result<Self> {
        let pid = std::process::id();
        let started = started(pid).ok_or_else(|| io::Error::other("its start is not known"))?;
        Ok(Self { pid, started })
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// When it started.
    #[must_use]
    pub fn started(&self) -> u64 {
        self.started
    }

    /// Whether this very process still runs, and not another one with its number.
    #[must_use]
    pub fn runs(&self) -> bool {
        started(self.pid) == Some(self.started)
    }

    /// Writes itself into a lock file.
    pub(super) fn write(&self, file: &File) -> io::Result<()> {
        let word = format!("{} {}\n", self.pid, self.started);
        file.set_len(0)?;
        file.write_all_at(word.as_bytes(), 0)
    }

    /// Who wrote itself into a lock file.
    pub(super) fn read(file: &File) -> Option<Self> {
        let mut word = [0; 64];
        let length = file.read_at(&mut word, 0).ok()?;
        // Without the end of the line it is not all there yet.
        let word = std::str::from_utf8(&word[..length]).ok()?.strip_suffix('\n')?;
        let (pid, started) = word.split_once(' ')?;
        Some(Self { pid: pid.parse().ok()?, started: started.parse().ok()? })
    }
}

/// When a process started; `None` for one that does not run.
fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may have any in it; the state comes after, and the start 19 fields later.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    // What has ended and was not looked after yet holds nothing any more.
    (!matches!(state, "Z" | "X")).then(|| fields.nth(18)?.parse().ok()).flatten()
}
