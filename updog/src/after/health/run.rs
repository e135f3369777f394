//! Running one check to its end.

use std::collections::VecDeque;
use std::io::{self, PipeReader};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use host_io::plain;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};

/// How much of what a check says is kept, in bytes: the end, where reasons stand.
const KEPT_OUTPUT: usize = 4096;
/// How many of its last lines are told in the reason, and how long they may be together, in characters.
const TOLD_LINES: usize = 5;
const TOLD: usize = 400;
/// How long to wait for a killed check to be gone.
const DYING: Duration = Duration::from_secs(5);
/// How long to wait for the last words of a check that has ended. Only what has left its process group and still holds
/// its output makes us wait for all of it.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// Why a check has not passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failed {
    /// As the rest of a sentence.
    pub(crate) why: String,
    /// What it said on stdout and stderr.
    pub(crate) said: String,
}

/// Runs one check to its end; nothing that it started stays. A check has ended when its process has, whatever it left
/// behind.
pub(crate) async fn to_its_end(program: &Path, limit: Duration) -> Result<String, Failed> {
    let quiet = |why| Failed { why, said: String::new() };
    let (child, words) = start(program).map_err(|error| quiet(format!("could not be started: {error}")))?;
    let mut child = child;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let kept = Kept::default();
    let listening = tokio::spawn(kept.clone().listen(words));
    let ended = tokio::time::timeout(limit, child.wait()).await;
    if let Some(group) = group {
        let _gone_already = kill_process_group(group, Signal::KILL);
    }
    if ended.is_err() {
        let _ended_or_out_of_reach = tokio::time::timeout(DYING, child.wait()).await;
    }
    let _said_or_held_by_somebody_else = tokio::time::timeout(LAST_WORDS, listening).await;
    let said = kept.text();
    match ended {
        Err(_) => Err(failed(format!("did not end within {} s", limit.as_secs_f32()), said)),
        Ok(Err(error)) => Err(failed(format!("could not be waited for: {error}"), said)),
        Ok(Ok(status)) if status.success() => Ok(said),
        Ok(Ok(status)) => Err(failed(format!("ended with {}", status), said)),
    }
}

fn failed(why: String, said: String) -> Failed {
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let told = lines[lines.len().saturating_sub(TOLD_LINES)..].join("; ");
    // The end is the part that tells most.
    let told: String = told.chars().skip(told.chars().count().saturating_sub(TOLD)).collect();
    Failed { why: if told.is_empty() { why } else { format!("{why}, saying {told:?}") }, said }
}

/// Starts it with both its outputs in one pipe, so that what it says keeps its order.
fn start(program: &Path) -> io::Result<(Child, PipeReader)> {
    let (words, mouth) = io::pipe()?;
    let child = Command::new(program)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(mouth.try_clone()?)
        .stderr(mouth)
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    Ok((child, words))
}

/// The end of what was said.
#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<VecDeque<u8>>>);

impl Kept {
    /// Listens until nobody can say anything any more.
    async fn listen(self, words: PipeReader) {
        if let Ok(words) = pipe::Receiver::from_owned_fd(words.into()) {
            self.take_in(words).await;
        }
    }

    async fn take_in(self, mut words: impl AsyncRead + Unpin) {
        let mut buffer = [0; 1024];
        while let Ok(count @ 1..) = words.read(&mut buffer).await {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend(&buffer[..count]);
            let surplus = kept.len().saturating_sub(KEPT_OUTPUT);
            kept.drain(..surplus);
        }
    }

    /// As text that does nothing to a terminal.
    fn text(&self) -> String {
        let bytes: Vec<u8> = self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes).replace('\r', "");
        text.trim_end().chars().map(plain::in_lines).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn run(script: &str, limit: Duration) -> Result<(), Failed> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("check");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(to_its_end(&path, limit)).map(drop)
    }

    #[test]
    fn what_it_says_on_either_stream_is_kept_in_order_and_bounded() {
        let failed = run("echo one; echo two >&2; echo three; exit 3", LONG).unwrap_err();
        assert_eq!(failed.why, "ended with exit status: 3, saying \"one; two; three\"");
        assert_eq!(failed.said, "one\ntwo\nthree");
        let failed =
            run("seq 100000; printf 'the \\033[31mrea\\342\\200\\256son\\n'; exit 1", LONG).unwrap_err();
        assert!(failed.said.len() <= KEPT_OUTPUT + 8, "{}", failed.said.len());
        assert!(failed.said.ends_with("100000\nthe \u{fffd}[31mrea\u{fffd}son"), "{}", failed.said);
        assert!(failed.why.len() < 600 && failed.why.contains("99999; 100000; the "), "{}", failed.why);
        assert_eq!(run("exit 7", LONG).unwrap_err().why, "ended with exit status: 7");
    }

    #[test]
    fn a_check_that_ended_and_left_something_behind_has_ended() {
        for behind in ["sleep 600 &", "setsid sleep 20 &"] {
            assert_eq!(run(&format!("{behind}\nexit 0"), LONG), Ok(()));
            let failed = run(&format!("{behind}\necho gone; exit 1"), LONG).unwrap_err();
            assert_eq!(failed.why, "ended with exit status: 1, saying \"gone\"");
        }
    }

    #[test]
    fn a_check_that_hangs_tells_what_it_said_so_far() {
        let failed =
            run("echo waiting for the disk; sleep 600 & sleep 600", Duration::from_millis(300)).unwrap_err();
        assert_eq!(failed.why, "did not end within 0.3 s, saying \"waiting for the disk\"");
    }
}
