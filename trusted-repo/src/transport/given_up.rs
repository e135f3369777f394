//! What was given up and is not counted to its end yet.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Answers that were given up, and of which not all is counted yet that was read by then. Clones are the same ones.
#[derive(Debug, Clone, Default)]
pub(super) struct GivenUp(Arc<Mutex<Vec<watch::Receiver<()>>>>);

impl GivenUp {
    pub(super) fn add(&self, running: watch::Receiver<()>) {
        self.all().push(running);
    }

    /// Once all is counted that was read of them. They wait for nothing: their connections are ended.
    pub(super) async fn counted(&self) {
        let all = self.all().clone();
        for mut running in all {
            while running.changed().await.is_ok() {}
        }
        self.all().retain(|running| running.has_changed().is_ok());
    }

    fn all(&self) -> MutexGuard<'_, Vec<watch::Receiver<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
