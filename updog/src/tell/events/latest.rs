//! The file with the latest event, for whoever asks how far it is.
//!
//! It lies where nothing outlives a reboot, so it is not synced; it is replaced in one step, so a reader never sees
//! half of it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use host_io::{Clock, Fs, Paths, swap};
use serde::Serialize;
use serde_json::{Value, json};

/// How far two states of progress are apart at least.
const APART: Duration = Duration::from_millis(250);

/// Where the latest event of a run stands.
pub(super) struct Latest {
    fs: Arc<dyn Fs>,
    clock: Arc<dyn Clock>,
    path: PathBuf,
    command: &'static str,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// The operation lock is not held: the file may be that of another run.
    NotOurs,
    /// It is ours; progress was written last at this time.
    Ours(Option<Instant>),
    /// It cannot be written, which was said once.
    Refused,
}

/// What is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The lock is held: from here on the file is ours.
    First,
    /// One of many.
    Progress,
    /// What nobody may miss.
    Landmark,
}

impl Latest {
    pub(super) fn new(fs: Arc<dyn Fs>, clock: Arc<dyn Clock>, paths: &Paths, command: &'static str) -> Self {
        Self { fs, clock, path: paths.progress(), command, state: Mutex::new(State::NotOurs) }
    }

    /// Writes `event`, unless another one was written a moment ago and this one is only progress.
    #[expect(clippy::disallowed_methods, reason = "how often a file is written needs a monotonic clock")]
    pub(super) fn write(&self, kind: Kind, event: &impl Serialize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match (*state, kind) {
            (State::Refused, _) | (State::NotOurs, Kind::Progress | Kind::Landmark) => return,
            (State::Ours(Some(last)), Kind::Progress) if now.duration_since(last) < APART => return,
            (State::NotOurs, Kind::First) | (State::Ours(_), _) => {}
        }
        let last = if kind == Kind::Progress { Some(now) } else { None };
        *state = State::Ours(last);
        let event: Value = serde_json::to_value(event).expect("events are plain data");
        let told = json!({
            "command": self.command,
            "pid": std::process::id(),
            "at": self.clock.now(),
            "event": event,
        });
        let text = format!("{told}\n");
        if let Err(error) = swap::replace_volatile(&*self.fs, &self.path, text.as_bytes(), 0o644) {
            tracing::warn!("progress cannot be read from {}: {error}", self.path.display());
            *state = State::Refused;
        }
    }
}

#[cfg(test)]
mod tests {
    use host_io::SystemFs;
    use host_io::clock::FixedClock;

    use super::*;

    fn latest(paths: &Paths) -> Latest {
        let clock = FixedClock("2024-06-01T00:00:00Z".parse().unwrap());
        Latest::new(Arc::new(SystemFs), Arc::new(clock), paths, "update")
    }

    #[test]
    fn the_file_is_ours_only_while_the_lock_is() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path());
        let latest = latest(&paths);
        latest.write(Kind::Landmark, &json!({"event": "error"}));
        assert!(!paths.progress().exists(), "whoever was refused the lock does not overwrite its holder's");
        latest.write(Kind::First, &json!({"event": "started"}));
        let read = || serde_json::from_slice::<Value>(&std::fs::read(paths.progress()).unwrap()).unwrap();
        assert_eq!(
            read(),
            json!({"command": "update", "pid": std::process::id(), "at": "2024-06-01T00:00:00Z", "event": {"event": "started"}})
        );
        for bytes in 0..100 {
            latest.write(Kind::Progress, &json!({ "bytes": bytes }));
        }
        assert_eq!(read()["event"]["bytes"], 0, "at most a few times a second");
        latest.write(Kind::Landmark, &json!({"event": "done"}));
        assert_eq!(read()["event"]["event"], "done");
    }

    #[test]
    fn a_place_that_cannot_be_written_is_no_reason_to_stop() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path());
        std::fs::write(dir.path().join("run"), "a file").unwrap();
        let latest = latest(&paths);
        latest.write(Kind::First, &json!({"event": "started"}));
        latest.write(Kind::Landmark, &json!({"event": "done"}));
        assert!(!paths.progress().exists());
    }
}
