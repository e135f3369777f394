//! What is typed or piped in.

use std::io::{self, Read as _};

use tokio::sync::mpsc;

/// How much is read at a time; far below what a message may hold.
const CHUNK: usize = 16 * 1024;
/// How many chunks wait here. What the server does not take stays with whoever writes it.
const WAITING: usize = 4;

/// Reads stdin in a thread of its own until its end, or until nobody listens. The thread is not waited for: nobody can
/// end a read of a terminal, and it ends with the program.
///
/// # Errors
/// When the system has no thread for it.
pub fn stdin() -> io::Result<mpsc::Receiver<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel(WAITING);
    std::thread::Builder::new().spawn(move || {
        let mut stdin = io::stdin().lock();
        let mut chunk = vec![0; CHUNK];
        // An error is an end, too: a terminal that went away says so in this way.
        while let Ok(count @ 1..) = stdin.read(&mut chunk) {
            if sender.blocking_send(chunk[..count].to_vec()).is_err() {
                return;
            }
        }
    })?;
    Ok(receiver)
}

/// No input at all.
#[must_use]
pub fn nothing() -> mpsc::Receiver<Vec<u8>> {
    mpsc::channel(1).1
}
