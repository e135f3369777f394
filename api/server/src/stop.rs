//! Being asked to stop.

use tokio::sync::watch;

/// Waits until `asked` turns true; `false` when nobody is left who could ask.
pub async fn asked(asked: &mut watch::Receiver<bool>) -> bool {
    // What it returns is a lock on the value: not to be held over a wait.
    asked.wait_for(|&asked| asked).await.is_ok()
}
