//! stderr itself: bytes to a reader who may be gone, stand still, or keep them on a full disk.
//!
//! [`say`](crate::say) is what programs use.

#![expect(clippy::disallowed_methods, reason = "what programs say ends here")]

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How long a reader of stderr may stand still, in seconds, before what is said to it is lost: a pager that waits, a
/// terminal that was halted, a supervisor that is stopped.
const PATIENCE: i64 = 2;

/// Bytes that a pipe takes at once if it takes any: `PIPE_BUF` of Linux.
const PIECE: usize = 4096;

/// Whether the reader of stderr stood still the last time.
static STANDS_STILL: AtomicBool = AtomicBool::new(false);

/// Whether a person reads stderr.
#[must_use]
pub fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Whether what `TERM` names has no more than letters: no colours, and no way to write a line anew.
pub(crate) fn is_dumb(term: Option<OsString>) -> bool {
    term.is_none_or(|term| term.is_empty() || term == "dumb")
}

/// What is said on stderr, beside whatever is drawn there.
pub(crate) fn bare(bytes: &[u8]) {
    let mut stderr = io::stderr().lock();
    for piece in bytes.chunks(PIECE) {
        if !takes_something(&stderr) {
            break;
        }
        let _reader_may_be_gone = stderr.write_all(piece);
    }
}

/// Waits until the reader takes something, and not again for one that has stood still.
fn takes_something(stderr: &io::StderrLock<'_>) -> bool {
    let seconds = if STANDS_STILL.load(Ordering::Relaxed) { 0 } else { PATIENCE };
    let mut fds = [PollFd::new(stderr, PollFlags::OUT)];
    // A signal or a descriptor that cannot be asked is no reason to be silent.
    let stands_still = poll(&mut fds, Some(&Timespec { tv_sec: seconds, tv_nsec: 0 })) == Ok(0);
    STANDS_STILL.store(stands_still, Ordering::Relaxed);
    !stands_still
}
