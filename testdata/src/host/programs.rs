//! Running the real programs against one host, and ending exactly those.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use host_io::explore::record::VARIABLE;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};

use super::ear::Ear;
use crate::program;

/// What a program gets from the environment of the tests: no proxy, no locale, nothing else that could change a result.
const KEPT: [&str; 5] = ["PATH", "HOME", "TMPDIR", "RUST_BACKTRACE", "LLVM_PROFILE_FILE"];
/// How long a program may take to end when it is asked to.
const PATIENCE: Duration = Duration::from_secs(10);

/// A program that has ended, and what it said.
#[derive(Debug, Clone)]
pub struct Ran {
    /// The program with its arguments, as a person would type it.
    pub command: String,
    /// How it ended.
    pub status: ExitStatus,
    /// Its answer.
    pub stdout: String,
    /// Its narration.
    pub stderr: String,
    /// From start to end.
    pub wall: Duration,
}

impl Ran {
    /// Whether it exited with 0.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.status.success()
    }

    /// Its exit code; `None` when a signal ended it.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Itself, when it exited with 0.
    ///
    /// # Panics
    /// Otherwise, with everything that it said.
    #[must_use]
    pub fn expect_ok(self) -> Self {
        assert!(self.ok(), "{self}");
        self
    }

    /// Itself, when it exited with `code`.
    ///
    /// # Panics
    /// Otherwise, with everything that it said.
    #[must_use]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code(), Some(code), "{self}");
        self
    }

    /// Its answer as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("no JSON on stdout ({error}): {self}"))
    }

    /// The sentence in which it failed: the last lines of stderr.
    #[must_use]
    pub fn complaint(&self) -> String {
        let lines: Vec<&str> = self.stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        match lines[..] {
            [] => format!("{} ended with {} and said nothing", self.command, self.status),
            _ => lines[lines.len().saturating_sub(2)..].join("; "),
        }
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "$ {}\n{}--- stderr\n{}--- {} after {:.3} s",
            self.command,
            self.stdout,
            self.stderr,
            self.status,
            self.wall.as_secs_f64()
        )
    }
}

/// A program that runs now. Dropping it kills it.
#[derive(Debug)]
pub struct Running {
    command: String,
    child: Option<Child>,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
    started: Instant,
    log: Option<PathBuf>,
}

impl Running {
    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// Kills it at once, as a power cut would.
    #[must_use]
    pub fn kill(mut self) -> Ran {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
        }
        self.wait()
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        signal(self.id(), Signal::TERM);
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    /// When the system cannot wait for it.
    #[must_use]
    pub fn wait(mut self) -> Ran {
        let status = self.child.take().expect("waited for once").wait().expect("our own child");
        let text = |reader: &mut Option<JoinHandle<Vec<u8>>>| {
            let bytes = reader.take().map(|thread| thread.join().expect("a reader does not panic"));
            String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
        };
        let ran = Ran {
            command: self.command.clone(),
            status,
            stdout: text(&mut self.stdout),
            stderr: text(&mut self.stderr),
            wall: self.started.elapsed(),
        };
        if let Some(log) = &self.log {
            fs::write(log, format!("{ran}\n"))
                .unwrap_or_else(|error| panic!("write {}: {error}", log.display()));
        }
        ran
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A program that serves until it is told to end; its words go to a file. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Service {
    child: Child,
    words: PathBuf,
    crashed: bool,
}

impl Service {
    /// What it said last, when it has ended by itself.
    pub(super) fn ended(&self) -> Option<String> {
        if self.runs() {
            return None;
        }
        let words = fs::read_to_string(&self.words).unwrap_or_default();
        let last: Vec<&str> = words.lines().rev().take(2).collect();
        Some(format!("ended by itself: {}", last.into_iter().rev().collect::<Vec<_>>().join("; ")))
    }

    /// Asked without reaping: until it is reaped, its id and its group's id belong to nobody else.
    fn runs(&self) -> bool {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        pid(self.id()).is_some_and(|pid| matches!(waitid(WaitId::Pid(pid), look), Ok(None)))
    }

    /// Its process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it and nothing that it started.
    pub(super) fn crash(mut self) {
        self.crashed = true;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Service {
    /// As a shutdown does it: asked first, then killed, with everything that it started.
    #[expect(clippy::disallowed_methods, reason = "a bounded wait needs a monotonic clock")]
    fn drop(&mut self) {
        if self.crashed {
            return;
        }
        signal(self.id(), Signal::TERM);
        let give_up = Instant::now() + PATIENCE;
        while self.runs() && Instant::now() < give_up {
            std::thread::sleep(Duration::from_millis(2));
        }
        if let Some(pid) = pid(self.id()) {
            let _ = kill_process_group(pid, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// The programs of one host.
#[derive(Debug)]
pub(super) struct Programs {
    root: PathBuf,
    logs: Option<PathBuf>,
    count: AtomicU32,
    /// Who hears what programs say on stderr, and the log of those that serve.
    ear: Ear,
    log_ear: Ear,
    record: Option<PathBuf>,
}

impl Programs {
    /// Programs with `--root root`; each run's words are kept below `logs`, where that is asked for.
    pub(super) fn new(root: &Path, logs: Option<PathBuf>) -> Self {
        let (root, count) = (root.to_owned(), AtomicU32::new(0));
        Self { root, logs, count, ear: Ear::Open, log_ear: Ear::Open, record: None }
    }

    /// From now on programs record what they change and look at in this directory, or nowhere.
    pub(super) fn recorded_in(&mut self, dir: Option<PathBuf>) {
        self.record = dir;
    }

    /// Where they record it.
    pub(super) fn record(&self) -> Option<&Path> {
        self.record.as_deref()
    }

    /// From now on `ear` hears what programs say on stderr.
    pub(super) fn heard_by(&mut self, ear: Ear) {
        self.ear = ear;
        self.log_ear = ear;
    }

    /// From now on `ear` hears the log of programs that serve.
    pub(super) fn log_heard_by(&mut self, ear: Ear) {
        self.log_ear = ear;
    }

    /// Starts a program. `--root` comes before the arguments, where every program accepts it.
    pub(super) fn spawn(&self, name: &str, args: &[&str]) -> Running {
        let mut command = self.command(self.ear, name, args);
        command.stdout(Stdio::piped()).stderr(stream(self.ear).unwrap_or_else(Stdio::piped));
        self.started(command, name, args)
    }

    /// Starts a program both of whose streams lead to `ear`.
    pub(super) fn spawn_heard_by(&self, ear: Ear, name: &str, args: &[&str]) -> Running {
        let mut command = self.command(ear, name, args);
        command.stdout(stream(ear).unwrap_or_else(Stdio::piped));
        command.stderr(stream(ear).unwrap_or_else(Stdio::piped));
        self.started(command, name, args)
    }

    #[expect(clippy::disallowed_methods, reason = "wall time of a program is reported, never decided on")]
    fn started(&self, mut command: Command, name: &str, args: &[&str]) -> Running {
        let started = Instant::now();
        let mut child = start(&mut command);
        Running {
            command: words(name, args),
            stdout: child.stdout.take().map(collect),
            stderr: child.stderr.take().map(collect),
            child: Some(child),
            started,
            log: self.log_file(name),
        }
    }

    /// Starts a program that stays; it leads a process group of its own.
    pub(super) fn serve(&self, name: &str, args: &[&str]) -> Service {
        let log = self.log_file(name).unwrap_or_else(|| self.root.join(format!("{name}.log")));
        let file = fs::File::create(&log).unwrap_or_else(|error| panic!("create {}: {error}", log.display()));
        let both = file.try_clone().expect("a descriptor can be shared");
        let mut command = self.command(self.log_ear, name, args);
        command.stdout(both).stderr(stream(self.log_ear).unwrap_or_else(|| file.into())).process_group(0);
        Service { child: start(&mut command), words: log, crashed: false }
    }

    fn command(&self, ear: Ear, name: &str, args: &[&str]) -> Command {
        let mut command = ear.command(&program::program(name));
        let kept = KEPT.iter().filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?)));
        command.env_clear().envs(kept);
        command.envs(self.record.iter().map(|dir| (VARIABLE, dir)));
        command.arg("--root").arg(&self.root).args(args).stdin(Stdio::null());
        command
    }

    fn log_file(&self, name: &str) -> Option<PathBuf> {
        let dir = self.logs.as_ref()?;
        fs::create_dir_all(dir).unwrap_or_else(|error| panic!("create {}: {error}", dir.display()));
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        Some(dir.join(format!("{number:03}-{name}.log")))
    }
}

fn stream(ear: Ear) -> Option<Stdio> {
    ear.stream().unwrap_or_else(|error| panic!("make a stream for an ear that is {ear:?}: {error}"))
}

fn start(command: &mut Command) -> Child {
    command
        .spawn()
        .unwrap_or_else(|error| panic!("failed to start {}: {error}", command.get_program().display()))
}

fn collect(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was said before a reader broke is still worth having.
        let _ = from.read_to_end(&mut bytes);
        bytes
    })
}

fn words(name: &str, args: &[&str]) -> String {
    [name].iter().chain(args).copied().collect::<Vec<_>>().join(" ")
}

fn pid(id: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(id).ok()?)
}

fn signal(id: u32, signal: Signal) {
    if let Some(pid) = pid(id) {
        let _ = kill_process(pid, signal);
    }
}

/// Writes a file of the host, with its directories.
pub(super) fn put(path: &Path, text: &str) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    fs::File::create(path)?.write_all(text.as_bytes())
}
