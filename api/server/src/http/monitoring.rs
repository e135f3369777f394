//! Telling monitoring what a change of settings has made of this host.
//!
//! Nothing else would for a while: on a host whose updates are held, `updog` does not run before the end of the hold.

use std::time::Duration;

use datastore::{Key, Value};

use super::Api;

/// Settings that monitoring is told of, or by.
const TOLD: [&str; 3] =
    ["settings.updates.metrics", "settings.updates.window", "settings.updates.hold-until"];
/// How long the answer to a change waits for it: what takes longer goes on by itself.
const PATIENCE: Duration = Duration::from_secs(5);

/// Brings the file up to date that monitoring reads, where the settings want one.
pub async fn tell(api: &Api) {
    if is_wanted(api) {
        write(api).await;
    }
}

/// [`tell`], after a change of these settings: where one of them says that there is to be no file, it goes.
pub async fn tell_of(api: &Api, keys: &[Key]) {
    if keys.iter().any(|key| TOLD.contains(&key.to_string().as_str())) {
        write(api).await;
    }
}

async fn write(api: &Api) {
    let updates = api.updates.clone();
    let writing = tokio::spawn(async move { updates.write_metrics().await });
    if tokio::time::timeout(PATIENCE, writing).await.is_err() {
        tracing::warn!("the metrics of this host are not written yet, and nobody waits for them any more");
    }
}

/// Whether the settings say that monitoring is told. Settings that cannot be read say nothing.
fn is_wanted(api: &Api) -> bool {
    let setting = |(key, value): (&Key, &Value)| key.to_string() == TOLD[0] && *value == Value::Bool(true);
    api.store.live().is_ok_and(|live| live.iter().any(setting))
}
