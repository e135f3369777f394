//! What the command says.

use std::io::Write;

use tokio::sync::{mpsc, oneshot};

/// How many messages wait for a reader who takes his time, before we stop listening to the server. With messages of the
/// largest size that is 16 MiB.
const WAITING: usize = 256;

/// Where output goes. It is written by a thread of its own, so that a pager which waits for its reader does not keep us
/// from answering the server.
#[derive(Debug)]
pub struct Output {
    sender: mpsc::Sender<Vec<u8>>,
    written: oneshot::Receiver<std::io::Result<()>>,
}

impl Output {
    /// Our stdout.
    ///
    /// # Errors
    /// When the system has no thread for it.
    #[expect(
        clippy::disallowed_methods,
        reason = "what the command says is passed on as it is, and the exit code tells of a failure"
    )]
    pub fn stdout() -> std::io::Result<Self> {
        Self::to(std::io::stdout())
    }

    /// Nowhere.
    ///
    /// # Errors
    /// As [`Self::stdout`].
    pub fn nowhere() -> std::io::Result<Self> {
        Self::to(std::io::sink())
    }

    fn to(mut out: impl Write + Send + 'static) -> std::io::Result<Self> {
        let (sender, mut receiver) = mpsc::channel::<Vec<u8>>(WAITING);
        let (done, written) = oneshot::channel();
        std::thread::Builder::new().spawn(move || {
            let mut outcome = Ok(());
            while let (Ok(()), Some(bytes)) = (&outcome, receiver.blocking_recv()) {
                outcome = out.write_all(&bytes).and_then(|()| out.flush());
            }
            let _nobody_waits = done.send(outcome);
        })?;
        Ok(Self { sender, written })
    }

    /// A place for one more message, once there is one; `None` when stdout takes nothing more.
    pub async fn room(&self) -> Option<mpsc::Permit<'_, Vec<u8>>> {
        self.sender.reserve().await.ok()
    }

    /// Whether there is such a place at once.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.sender.capacity() > 0
    }

    /// Waits until everything is written.
    ///
    /// # Errors
    /// When stdout takes nothing more.
    pub async fn finish(self) -> std::io::Result<()> {
        drop(self.sender);
        self.written.await.expect("the writer tells how it ended")
    }
}
