//! How far the work is: the latest event of the `updog` that works, whoever started it.
//!
//! Our own child tells its events to us. Each `updog` also leaves its latest one in a file, which is how an update that
//! a person or an earlier server started is followed. Of the two the later one counts.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use host_io::{Clock, Fs, Paths};
use serde_json::{Value, json};
use tokio::sync::watch;

/// The latest event, and who waits for the next. Clones are the same.
#[derive(Clone)]
pub struct Progress {
    latest: watch::Sender<Option<Value>>,
    clock: Arc<dyn Clock>,
    fs: Arc<dyn Fs>,
    file: PathBuf,
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Progress {
    /// The progress of this host. Nothing has happened yet.
    #[must_use]
    pub fn new(fs: Arc<dyn Fs>, paths: &Paths, clock: Arc<dyn Clock>) -> Self {
        Self { latest: watch::channel(None).0, clock, fs, file: paths.progress() }
    }

    /// Takes an event of our own child.
    pub fn tell(&self, command: &str, pid: u32, event: &Value) {
        let at = self.clock.now();
        self.latest.send_replace(Some(json!({"command": command, "pid": pid, "at": at, "event": event})));
    }

    /// The latest event: `{"command", "pid", "at", "event"}`; `None` when there was none since this machine started.
    #[must_use]
    pub fn latest(&self) -> Option<Value> {
        let own = self.latest.borrow().clone();
        match (own, self.left_behind()) {
            (Some(own), Some(other)) => Some(if at(&other) > at(&own) { other } else { own }),
            (own, other) => own.or(other),
        }
    }

    /// Sees the events of our own child from now on. Those of others have to be looked for.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Option<Value>> {
        self.latest.subscribe()
    }

    /// A file that is not there, or makes no sense, tells nothing.
    fn left_behind(&self) -> Option<Value> {
        let told: Value = serde_json::from_slice(&self.fs.read(&self.file).ok()?).ok()?;
        told["event"].is_object().then_some(told)
    }
}

fn at(told: &Value) -> Option<DateTime<Utc>> {
    told["at"].as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use host_io::SystemFs;
    use host_io::clock::FixedClock;

    use super::*;

    #[test]
    fn the_later_of_our_childs_event_and_the_files_counts() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path());
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let progress = Progress::new(Arc::new(SystemFs), &paths, Arc::new(FixedClock(now)));
        assert_eq!(progress.latest(), None);
        progress.tell("update-image", 7, &json!({"event": "started"}));
        assert_eq!(progress.latest().unwrap()["pid"], 7);
        std::fs::create_dir_all(paths.progress().parent().unwrap()).unwrap();
        let file = |text: &str| std::fs::write(paths.progress(), text).unwrap();
        file(r#"{"command":"update","pid":8,"at":"2020-01-01T00:00:00Z","event":{"event":"done"}}"#);
        assert_eq!(progress.latest().unwrap()["pid"], 7);
        file(r#"{"command":"update","pid":9,"at":"2030-01-01T00:00:00Z","event":{"event":"done"}}"#);
        assert_eq!(progress.latest().unwrap()["pid"], 9);
        for broken in ["", "{\"event\":", "[]", "{\"event\":7}", "\u{0}"] {
            file(broken);
            assert_eq!(progress.latest().unwrap()["pid"], 7, "{broken:?}");
        }
    }
}
