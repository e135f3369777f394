//! Stopping what runs, or taking back what is activated.
//!
//! What runs may be our own child, a child of a server that is gone, or a person's `updog`: all of them hold the
//! operation lock. It is asked to stop and ended when it does not; the power-cut rules of the disk hold for both ends.

use std::time::Duration;

use api_model::CommandType;
use host_io::{OperationLock, Paths, lock};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::child::STOP_LIMIT;
use super::dispatcher::Dispatcher;
use super::refusal::{Errand, Refusal};

impl Dispatcher {
    /// Asks the update command that runs to stop, and returns at once: its end is seen in the status. When none runs, an
    /// update that was activated is taken back, or a way back that waits for its reboot, which is done at once.
    ///
    /// # Errors
    /// [`Refusal::NothingToCancel`] when nothing runs and nothing is activated; otherwise as [`Dispatcher::start`].
    pub async fn cancel(&self) -> Result<(), Refusal> {
        let inner = &self.0;
        if inner.slot.cancel() {
            tracing::info!("cancelling on request");
            return Ok(());
        }
        if let Some(holder) = Holder::find(&inner.paths) {
            tracing::info!("cancelling process {} on request", holder.known.pid());
            let mut known = inner.known.lock().await;
            known.memory = known.memory.clone().cancelled();
            inner.remember(&known.memory);
            drop(known);
            return holder.stop(inner.paths.clone());
        }
        match self.start(CommandType::Deactivate).await {
            Err(Refusal::Disallowed { state, .. }) => Err(Refusal::NothingToCancel { state }),
            // It is no command of the update states, and readers of those have no word for taking it back.
            Err(Refusal::GoesBack { .. }) => self.run(Errand::Cancel, &["update-revert"]).await.map(drop),
            started => started,
        }
    }
}

/// The process of ours that holds the operation lock.
struct Holder {
    known: lock::Holder,
    process: std::os::fd::OwnedFd,
}

impl Holder {
    fn find(paths: &Paths) -> Option<Self> {
        let known = OperationLock::holder(paths)?;
        // Whatever the lock says, a server that ends itself helps nobody.
        if known.pid() == std::process::id() {
            return None;
        }
        let process = pidfd_open(Pid::from_raw(known.pid().cast_signed())?, PidfdFlags::empty()).ok()?;
        // Its number may have become another's before it was opened, not after.
        (OperationLock::holder(paths) == Some(known)).then_some(Self { known, process })
    }

    fn stop(self, paths: Paths) -> Result<(), Refusal> {
        pidfd_send_signal(&self.process, Signal::TERM).map_err(|error| Refusal::Updog {
            errand: Errand::Cancel.to_string(),
            reason: format!("failed to signal process {}: {error}", self.known.pid()),
            help: None,
        })?;
        tokio::spawn(async move {
            let started = tokio::time::Instant::now();
            while started.elapsed() < STOP_LIMIT {
                tokio::time::sleep(Duration::from_millis(100)).await;
                if OperationLock::holder(&paths) != Some(self.known) {
                    return;
                }
            }
            // It may have ended just now; its descriptor then reaches nobody else.
            let _ended = pidfd_send_signal(&self.process, Signal::KILL);
        });
        Ok(())
    }
}
