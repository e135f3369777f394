//! The `updog` that does the work, as a child process.
//!
//! It answers on stdout: one JSON value for a question, a line per event for work. Its last word on failure is an
//! `error` event. What it narrates on stderr goes to our log and, when it says nothing better, into the error.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use host_io::Paths;
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use thiserror::Error;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::progress::Progress;
use crate::stop;

/// A question that needs no network is answered at once; this is for a machine that is very busy.
const QUESTION_LIMIT: Duration = Duration::from_secs(60);
/// How long a child may take to get the operation lock or to be refused it. It has touched nothing before that.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long a child may take to stop when it is asked to. It finishes a change of the partition table first.
pub(super) const STOP_LIMIT: Duration = Duration::from_secs(10);
/// How many of its last words on stderr are kept.
const LAST_WORDS: usize = 10;

/// Why `updog` did not do what it was asked for.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// It could not be started, or not be listened to.
    #[error("run {program}")]
    Run {
        /// The program.
        program: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It said why.
    #[error("{message}")]
    Reported {
        /// The word for programs.
        code: String,
        /// The sentence for people.
        message: String,
        /// The next step.
        help: Option<String>,
        /// Exit code or signal.
        exit_status: u32,
    },
    /// It ended without saying why.
    #[error("get an answer from updog: it ended with {how}{}", said(.last_words))]
    Silent {
        /// How it ended.
        how: ExitStatus,
        /// The end of its narration.
        last_words: String,
    },
    /// It took too long and was ended.
    #[error("get an answer from updog within {} seconds", .0.as_secs())]
    Late(Duration),
    /// It answered something that we do not understand.
    #[error("understand what updog answered")]
    Answer(#[from] serde_json::Error),
}

impl Error {
    /// The exit code of the child, or the signal that ended it; 1 where there was neither.
    #[must_use]
    pub fn exit_status(&self) -> u32 {
        match self {
            Self::Reported { exit_status, .. } => *exit_status,
            Self::Silent { how, .. } => number(*how),
            Self::Run { .. } | Self::Late(_) | Self::Answer(_) => 1,
        }
    }

    /// Whether a signal ended it before it could say anything.
    #[must_use]
    pub fn is_kill(&self) -> bool {
        matches!(self, Self::Silent { how, .. } if how.signal().is_some())
    }

    /// Its word for programs, where it said one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Reported { code, .. } => Some(code),
            Self::Run { .. } | Self::Silent { .. } | Self::Late(_) | Self::Answer(_) => None,
        }
    }

    /// The sentence for people, and apart from it the next step.
    #[must_use]
    pub fn reason(&self) -> (String, Option<String>) {
        match self {
            Self::Reported { message, help, .. } => (message.clone(), help.clone()),
            other => (format!("failed to {}", host_io::report::chain(other)), None),
        }
    }
}

fn said(last_words: &str) -> String {
    if last_words.is_empty() { String::new() } else { format!(": {last_words}") }
}

fn number(how: ExitStatus) -> u32 {
    let number = how.code().or_else(|| how.signal()).unwrap_or(1);
    // A failure is never told as 0.
    u32::try_from(number).ok().filter(|&number| number != 0).unwrap_or(1)
}

/// How to run `updog` on this host.
#[derive(Debug, Clone)]
pub struct Updog {
    program: PathBuf,
    root: Option<PathBuf>,
    progress: Progress,
}

impl Updog {
    /// `program` for the host of `paths`; what it says of its work goes to `progress`.
    #[must_use]
    pub fn new(program: PathBuf, paths: &Paths, progress: Progress) -> Self {
        Self { program, root: paths.is_rooted().then(|| paths.root().to_owned()), progress }
    }

    /// What it says of its work.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Asks a question that is answered from this machine alone.
    ///
    /// # Errors
    /// When it cannot answer, or not in time.
    pub async fn ask<T: DeserializeOwned>(&self, args: &[&str]) -> Result<T, Error> {
        match tokio::time::timeout(QUESTION_LIMIT, self.run(args)).await {
            Ok(answer) => Ok(serde_json::from_value(answer?)?),
            Err(_) => Err(Error::Late(QUESTION_LIMIT)),
        }
    }

    /// Asks a question that may need the network, which has limits of its own.
    ///
    /// # Errors
    /// When it cannot answer.
    pub async fn ask_with_network<T: DeserializeOwned>(&self, args: &[&str]) -> Result<T, Error> {
        Ok(serde_json::from_value(self.run(args).await?)?)
    }

    /// Begins work and returns once the child holds the operation lock.
    ///
    /// # Errors
    /// When it ends, or says why not, before that.
    pub async fn begin(&self, args: &[&str]) -> Result<Work, Error> {
        // It outlives us if it must: half a write is worse than a child without a parent.
        let mut child = self.command(args).spawn().map_err(|source| self.failed(source))?;
        let events = BufReader::new(child.stdout.take().expect("stdout is a pipe")).lines();
        let words = tokio::spawn(listen(child.stderr.take().expect("stderr is a pipe")));
        let command = args.first().map_or_else(String::new, |&name| name.to_owned());
        let mut work = Work { updog: self.clone(), command, child, events, words, last: None };
        match tokio::time::timeout(START_LIMIT, work.started()).await {
            Ok(Ok(true)) => Ok(work),
            Ok(Ok(false)) => {
                Err(work.end(watch::channel(false).1).await.err().unwrap_or_else(|| Error::Silent {
                    how: ExitStatus::default(),
                    last_words: "it did not say that it started".to_owned(),
                }))
            }
            Ok(Err(source)) => Err(self.failed(source)),
            Err(_) => {
                let _gone_already = work.child.kill().await;
                Err(Error::Late(START_LIMIT))
            }
        }
    }

    /// Runs it to its end and returns the last JSON value that it printed.
    async fn run(&self, args: &[&str]) -> Result<Value, Error> {
        // A question that nobody waits for any more is not worth an answer.
        let child = self.command(args).kill_on_drop(true).spawn().map_err(|source| self.failed(source))?;
        let output = child.wait_with_output().await.map_err(|source| self.failed(source))?;
        let last = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>().last();
        let last_words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        match last {
            Some(Ok(value)) => match reported(&value, output.status) {
                Some(error) => Err(error),
                None if output.status.success() => Ok(value),
                None => Err(Error::Silent { how: output.status, last_words }),
            },
            Some(Err(error)) if output.status.success() => Err(error.into()),
            Some(Err(_)) | None => Err(Error::Silent { how: output.status, last_words }),
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut words: Vec<OsString> = args.iter().map(OsString::from).collect();
        words.push("--json".into());
        if let Some(root) = &self.root {
            words.push("--root".into());
            words.push(root.into());
        }
        let mut command = Command::new(&self.program);
        command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn failed(&self, source: std::io::Error) -> Error {
        Error::Run { program: self.program.clone(), source }
    }
}

/// A child that holds the operation lock and works.
#[derive(Debug)]
pub struct Work {
    updog: Updog,
    command: String,
    child: Child,
    events: Lines<BufReader<ChildStdout>>,
    words: JoinHandle<String>,
    last: Option<Value>,
}

impl Work {
    /// Waits for its end and returns its last event. Once `cancel` turns true it is asked to stop.
    ///
    /// # Errors
    /// When it fails; the error says why in its words.
    pub async fn end(mut self, cancel: watch::Receiver<bool>) -> Result<Value, Error> {
        let pid = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let how = {
            let run = async {
                while self.next().await? {}
                self.child.wait().await
            };
            tokio::select! {
                how = run => how,
                // While `run` waits, the child has not been waited for: the number is still its own.
                never = stop_when_asked(pid, cancel) => match never {},
            }
        };
        let how = how.map_err(|source| self.updog.failed(source))?;
        let last_words = self.words.await.unwrap_or_default();
        let last = self.last.unwrap_or_default();
        match reported(&last, how) {
            Some(error) => Err(error),
            None if how.success() => Ok(last),
            None => Err(Error::Silent { how, last_words }),
        }
    }

    /// Reads on to the event that says that the lock is held; `false` when the child ends before it.
    async fn started(&mut self) -> std::io::Result<bool> {
        while self.next().await? {
            if self.last.as_ref().is_some_and(|event| event["event"] == "started") {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads one event; `false` when there are no more.
    async fn next(&mut self) -> std::io::Result<bool> {
        let Some(line) = self.events.next_line().await? else { return Ok(false) };
        tracing::debug!("updog: {line}");
        // A line that is no event changes nothing.
        if let Ok(event) = serde_json::from_str::<Value>(&line) {
            if let Some(pid) = self.child.id().filter(|_| event["event"].is_string()) {
                self.updog.progress.tell(&self.command, pid, &event);
            }
            self.last = Some(event);
        }
        Ok(true)
    }
}

/// Asks the process to stop once `cancel` turns true, and ends it when it does not in time.
async fn stop_when_asked(pid: Option<Pid>, mut cancel: watch::Receiver<bool>) -> std::convert::Infallible {
    // The sender goes away with the one who could ask.
    if let (Some(pid), true) = (pid, stop::asked(&mut cancel).await) {
        for (signal, patience) in [(Signal::TERM, STOP_LIMIT), (Signal::KILL, Duration::MAX)] {
            if let Err(error) = kill_process(pid, signal) {
                tracing::warn!("failed to stop updog: {error}");
            }
            tokio::time::sleep(patience).await;
        }
    }
    std::future::pending().await
}

/// The error in an `error` event; `None` for any other value.
fn reported(event: &Value, how: ExitStatus) -> Option<Error> {
    #[derive(Deserialize)]
    struct Failure {
        code: String,
        message: String,
        help: Option<String>,
    }
    if event["event"] != "error" {
        return None;
    }
    let Failure { code, message, help } = serde_json::from_value(event["error"].clone()).ok()?;
    Some(Error::Reported { code, message, help, exit_status: number(how) })
}

/// Passes the child's narration to our log and returns its end.
async fn listen(stderr: ChildStderr) -> String {
    let mut lines = BufReader::new(stderr).lines();
    let mut last = VecDeque::with_capacity(LAST_WORDS);
    while let Ok(Some(line)) = lines.next_line().await {
        tracing::debug!("updog: {line}");
        if last.len() == LAST_WORDS {
            last.pop_front();
        }
        last.push_back(line);
    }
    Vec::from(last).join("\n")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::Arc;

    use host_io::{SystemClock, SystemFs};
    use serde_json::json;

    use super::*;

    fn of(program: PathBuf, paths: &Paths) -> Updog {
        let progress = Progress::new(Arc::new(SystemFs), paths, Arc::new(SystemClock));
        Updog::new(program, paths, progress)
    }

    /// Waits for the end of work that nobody asks to stop.
    async fn ended(work: Work) -> Result<Value, Error> {
        work.end(watch::channel(false).1).await
    }

    /// A program that does what `script` says, as `updog` of a host in the returned directory.
    fn updog(script: &str) -> (tempfile::TempDir, Updog) {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("updog");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let updog = of(program, &Paths::under(dir.path()));
        (dir, updog)
    }

    const REFUSED: &str =
        r#"{"event":"error","error":{"code":"locked","message":"failed to take the lock","help":"wait"}}"#;

    #[tokio::test]
    async fn a_question_is_answered_in_json_on_one_line_or_many() {
        let (_dir, updog) = updog("printf '{\n \"args\": \"%s\"\n}\n' \"$*\"");
        let answer: Value = updog.ask(&["status"]).await.unwrap();
        assert!(answer["args"].as_str().unwrap().starts_with("status --json --root /"), "{answer}");
    }

    #[tokio::test]
    async fn an_error_event_is_told_in_its_own_words() {
        let (_dir, updog) = updog(&format!("echo '{REFUSED}'; exit 1"));
        let error = updog.ask::<Value>(&["status"]).await.unwrap_err();
        assert_eq!(error.code(), Some("locked"));
        assert_eq!(error.exit_status(), 1);
        assert_eq!(error.reason(), ("failed to take the lock".to_owned(), Some("wait".to_owned())));
        let error = updog.begin(&["update-image"]).await.unwrap_err();
        assert_eq!(error.code(), Some("locked"));
    }

    #[tokio::test]
    async fn work_that_began_ends_well_or_with_its_last_event() {
        let (_dir, good) = updog(r#"echo '{"event":"started"}'; echo noise; echo '{"event":"done"}'"#);
        assert_eq!(ended(good.begin(&["go"]).await.unwrap()).await.unwrap()["event"], "done");
        let latest = good.progress().latest().unwrap();
        assert_eq!((&latest["command"], &latest["event"]["event"]), (&json!("go"), &json!("done")));
        let (_dir, bad) = updog(&format!("echo '{{\"event\":\"started\"}}'; echo '{REFUSED}'; exit 1"));
        let error = ended(bad.begin(&[]).await.unwrap()).await.unwrap_err();
        assert_eq!(error.reason().0, "failed to take the lock");
    }

    #[tokio::test]
    async fn a_child_that_says_nothing_is_told_by_its_last_words() {
        let (_dir, silent) = updog("echo out of memory >&2; exit 3");
        for error in [silent.ask::<Value>(&[]).await.unwrap_err(), silent.begin(&[]).await.unwrap_err()] {
            assert_eq!(error.exit_status(), 3);
            let reason = error.reason().0;
            assert!(reason.contains("exit status: 3: out of memory"), "{reason}");
        }
        let (_dir, liar) = updog("true");
        assert!(liar.begin(&[]).await.is_err(), "work that never began is no success");
        assert!(liar.ask::<Value>(&[]).await.is_err());
    }

    #[tokio::test]
    async fn a_child_that_is_killed_is_told_by_its_signal() {
        let (_dir, updog) = updog(r#"echo '{"event":"started"}'; kill -9 $$"#);
        let error = ended(updog.begin(&[]).await.unwrap()).await.unwrap_err();
        assert_eq!(error.exit_status(), 9);
        assert!(error.is_kill());
    }

    #[tokio::test]
    async fn work_stops_when_it_is_asked_to() {
        let (_dir, updog) = updog(r#"echo '{"event":"started"}'; exec sleep 100"#);
        let work = updog.begin(&[]).await.unwrap();
        let (cancel, asked) = watch::channel(false);
        let end = tokio::spawn(work.end(asked));
        cancel.send_replace(true);
        assert_eq!(end.await.unwrap().unwrap_err().exit_status(), 15);
    }

    #[tokio::test]
    async fn a_missing_program_is_named() {
        let updog = of(PathBuf::from("/nowhere/updog"), &Paths::system());
        let (reason, _) = updog.ask::<Value>(&["status"]).await.unwrap_err().reason();
        assert!(reason.contains("failed to run /nowhere/updog: "), "{reason}");
    }

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (
                Error::Silent {
                    how: std::os::unix::process::ExitStatusExt::from_raw(256),
                    last_words: ": no disk".into(),
                },
                "get an answer from updog: it ended with exit status: 1: : no disk",
            ),
            (Error::Late(Duration::from_secs(30)), "get an answer from updog within 30 seconds"),
            (Error::Answer(serde_json::from_str::<u8>("x").unwrap_err()), "understand what updog answered"),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
