//! Work that blocks.

use crate::Error;

/// Runs blocking work on a thread of its own.
pub(crate) async fn work<T: Send + 'static>(
    what: &'static str,
    job: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(job).await.map_err(|_| Error::Worker { what })?
}
