//! A command of a service, with a limit on its time.

use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use host_io::Paths;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use thiserror::Error;

/// How long a command may take. systemd itself gives a unit 90 s.
const LIMIT: Duration = Duration::from_secs(120);
/// How much of what a command complains about is told.
const COMPLAINT: u64 = 2_000;
/// How long its last words are waited for, where a child of its own keeps the pipe open.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Where programs are looked for, whatever the environment says.
const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The variable in which a command finds the settings that changed, apart by spaces.
const CHANGED: &str = "CHANGED_SETTINGS";

/// Why a command did not do what it should.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// It could not be started or watched.
    #[error("run {0:?}")]
    Run(String, #[source] io::Error),
    /// It ended with a failure.
    #[error("run {command:?}: {status}{}", if .said.is_empty() { String::new() } else { format!(": {}", .said) })]
    Failed {
        /// What was run.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it said.
        said: String,
    },
    /// It did not end.
    #[error("run {0:?}: it did not end in time")]
    Slow(String),
}

/// The program that `word` names on this host. Below a directory that is a program which lies there, and none of the
/// machine's own; `None` when it is not there.
#[must_use]
pub fn program(paths: &Paths, word: &str) -> Option<PathBuf> {
    if !paths.is_rooted() {
        return Some(PathBuf::from(word));
    }
    let path = if word.starts_with('/') { PathBuf::from(word) } else { Path::new("/usr/bin").join(word) };
    Some(paths.resolve(&path)).filter(|path| path.is_file())
}

/// Runs one command to its end and tells it which settings `changed`, where that is known. A host below a directory
/// notes it instead, unless the program is there.
///
/// # Errors
/// When it cannot be run, fails, or takes too long; it is then killed.
pub fn run(paths: &Paths, words: &[String], changed: Option<&str>) -> Result<(), Error> {
    let told = words.join(" ");
    let failed = |error| Error::Run(told.clone(), error);
    let Some((first, arguments)) = words.split_first() else { return Ok(()) };
    let Some(program) = program(paths, first) else { return note(paths, &told).map_err(failed) };
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", SEARCH_PATH)
        .envs(changed.map(|keys| (CHANGED, keys)))
        .current_dir(paths.root())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let said = last_words(&mut child);
    if !ends_in_time(&child).map_err(failed)? {
        child.kill().map_err(failed)?;
        child.wait().map_err(failed)?;
        return Err(Error::Slow(told));
    }
    let status = child.wait().map_err(failed)?;
    if status.success() {
        return Ok(());
    }
    let said = said.recv_timeout(LAST_WORDS).unwrap_or_default();
    Err(Error::Failed { command: told, status, said })
}

/// What a command says on stdout, where it ends well and in time. A host below a directory that does not have the program
/// has no answer.
#[must_use]
pub fn ask(paths: &Paths, words: &[String]) -> Option<String> {
    let (first, arguments) = words.split_first()?;
    let mut child = Command::new(program(paths, first)?)
        .args(arguments)
        .env_clear()
        .env("PATH", SEARCH_PATH)
        .current_dir(paths.root())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    if !ends_in_time(&child).unwrap_or_default() {
        let _ended_meanwhile = child.kill();
        let _ = child.wait();
        return None;
    }
    // An answer is a few lines, which the pipe holds; a child of its own may keep the pipe open.
    let mut bytes = vec![0; usize::try_from(COMPLAINT).expect("a small constant")];
    let length = child.stdout.take()?.read(&mut bytes).ok()?;
    let status = child.wait().ok()?;
    bytes.truncate(length);
    status.success().then(|| String::from_utf8_lossy(&bytes).into_owned())
}

fn ends_in_time(child: &Child) -> io::Result<bool> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a child has a process id");
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    let limit = Timespec::try_from(LIMIT).expect("a small constant");
    // A signal that we handle elsewhere only makes the wait begin again.
    loop {
        match poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&limit)) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// What it says on stderr, read aside so that a full pipe never stops it.
fn last_words(child: &mut Child) -> mpsc::Receiver<String> {
    let (tell, said) = mpsc::channel();
    if let Some(stderr) = child.stderr.take() {
        let (give, given) = mpsc::channel::<ChildStderr>();
        let reading = std::thread::Builder::new().spawn(move || {
            let Ok(mut stderr) = given.recv() else { return };
            let mut bytes = Vec::new();
            // What cannot be read was not said.
            let _ = stderr.by_ref().take(COMPLAINT).read_to_end(&mut bytes);
            let _ = io::copy(&mut stderr, &mut io::sink());
            let text = String::from_utf8_lossy(&bytes);
            let _ = tell.send(text.split_whitespace().collect::<Vec<_>>().join(" "));
        });
        match reading {
            Ok(_it_ends_with_the_child) => drop(give.send(stderr)),
            // Without a thread its words are lost; it must not end because of them.
            Err(_) => child.stderr = Some(stderr),
        }
    }
    said
}

/// Adds a line to what a host below a directory was asked to do.
fn note(paths: &Paths, told: &str) -> io::Result<()> {
    let path = paths.service_requests();
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(format!("{told}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn host(script: &str) -> (tempfile::TempDir, Paths) {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("usr/bin/systemctl");
        std::fs::create_dir_all(program.parent().unwrap()).unwrap();
        std::fs::write(&program, format!("#!/bin/sh\n{script}")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let paths = Paths::under(dir.path());
        (dir, paths)
    }

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_program_below_the_root_is_run_and_another_one_is_noted() {
        let (_dir, paths) = host("echo \"$*\" > ran\n");
        run(&paths, &words("systemctl restart a"), None).unwrap();
        assert_eq!(std::fs::read_to_string(paths.resolve(Path::new("/ran"))).unwrap(), "restart a\n");
        run(&paths, &words("rm -rf /"), None).unwrap();
        run(&paths, &words("/usr/sbin/reload b"), None).unwrap();
        let noted = std::fs::read_to_string(paths.service_requests()).unwrap();
        assert_eq!(noted, "rm -rf /\n/usr/sbin/reload b\n");
    }

    #[test]
    fn a_failure_is_told_with_what_it_said() {
        let (_dir, paths) = host("echo 'no such\n unit' >&2\nexit 5\n");
        let error = run(&paths, &words("systemctl restart a"), None).unwrap_err().to_string();
        assert_eq!(error, "run \"systemctl restart a\": exit status: 5: no such unit");
    }

    #[test]
    fn a_program_that_cannot_be_started_is_an_error() {
        let (dir, paths) = host("");
        let program = dir.path().join("usr/bin/systemctl");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(run(&paths, &words("systemctl"), None), Err(Error::Run(..))));
    }

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (
                Error::Failed {
                    command: "systemctl restart chrony".into(),
                    status: std::os::unix::process::ExitStatusExt::from_raw(256),
                    said: ": no such unit".into(),
                },
                "run \"systemctl restart chrony\": exit status: 1: : no such unit",
            ),
            (Error::Slow("x".into()), "run \"x\": it did not end in time"),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
