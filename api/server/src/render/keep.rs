//! What services are owed is given to them once the server answers, and tried again while it fails.
//!
//! Not earlier: a unit that is ordered after this server waits until it is ready, and so would a restart of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::store::Store;

/// How often it is asked whether something is owed, and so the first pause after a failure.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
/// How often units are looked after.
const LOOK: Duration = Duration::from_secs(10);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// Brings services in line with the settings, now and whenever an earlier try failed, until the server is to stop. In
/// between, the units whose start nobody waited for are looked after.
pub async fn keep(store: Arc<Store>, mut stopping: watch::Receiver<bool>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let working = Arc::clone(&store);
        let work = move || {
            if working.owes()
                && let Err(error) = working.apply()
            {
                tracing::error!("{}", host_io::report::sentence("apiserver", &error));
            }
            working.prepare();
        };
        if let Err(panic) = tokio::task::spawn_blocking(work).await {
            tracing::error!("applying settings has a defect: {panic}");
        }
        pause = if store.owes() { (pause * 2).min(LONGEST_PAUSE) } else { FIRST_PAUSE };
        let mut slept = Duration::ZERO;
        while slept < pause {
            let much = tokio::select! {
                () = tokio::time::sleep(LOOK) => false,
                () = store.much_was_committed() => true,
                _ = stopping.wait_for(|&stop| stop) => return,
            };
            if much {
                let preparing = Arc::clone(&store);
                if let Err(panic) = tokio::task::spawn_blocking(move || preparing.prepare()).await {
                    tracing::error!("getting ready for a commit has a defect: {panic}");
                }
                continue;
            }
            slept += LOOK;
            let looking = Arc::clone(&store);
            if let Err(panic) = tokio::task::spawn_blocking(move || looking.look_after_units()).await {
                tracing::error!("looking after units has a defect: {panic}");
            }
        }
    }
}
