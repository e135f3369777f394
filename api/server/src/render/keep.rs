//! What services are owed is given to them once the server answers, and tried again while it fails.
//!
//! Not earlier: a unit that is ordered after this server waits until it is ready, and so would a restart of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::store::Store;

/// How often it is asked whether something is owed, and so the first pause after a failure.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// Brings services in line with the settings, now and whenever an earlier try failed, until the server is to stop.
pub async fn keep(store: Arc<Store>, mut stopping: watch::Receiver<bool>) {
    let mut pause = FIRST_PAUSE;
    loop {
        if store.owes() {
            let applying = Arc::clone(&store);
            match tokio::task::spawn_blocking(move || applying.apply()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!("{}", host_io::report::sentence("apiserver", &error)),
                Err(panic) => tracing::error!("applying settings has a defect: {panic}"),
            }
        }
        pause = if store.owes() { (pause * 2).min(LONGEST_PAUSE) } else { FIRST_PAUSE };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stopping.wait_for(|&stop| stop) => return,
        }
    }
}
