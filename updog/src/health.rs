//! Whether the running system does what it should: its API answers, and its health checks pass.
//!
//! A health check is an executable in `/usr/lib/updog/health.d` (the image's) or `/etc/updog/health.d` (the host's, which
//! goes before one of the image with the same name). They run in the order of their names, each within a limit of time,
//! and the first that does not end with 0 is the reason (`docs/compatibility.md`, "updog").

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use host_io::boot_note::stage;
use host_io::{Fs, Paths};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};

/// How long to wait between two questions to an API that does not answer yet.
const AGAIN: Duration = Duration::from_millis(50);
/// How long one answer of the API may take.
const ANSWER: Duration = Duration::from_secs(5);
/// How much of what a check says is kept, in bytes.
const KEPT_OUTPUT: u64 = 4096;
/// How long to wait for a killed check to be gone.
const DYING: Duration = Duration::from_secs(5);

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Until the API answers.
    pub api: Duration,
    /// For one check.
    pub check: Duration,
}

/// Why the running system is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unhealthy {
    /// How far it came: a word of [`host_io::boot_note::stage`].
    pub stage: &'static str,
    /// What is wrong, as a sentence without a final stop.
    pub reason: String,
}

/// Waits for the API and runs the checks. Returns the names of the checks that passed.
///
/// # Errors
/// The first thing that is wrong.
pub async fn check(fs: &dyn Fs, paths: &Paths, limits: Limits) -> Result<Vec<String>, Unhealthy> {
    api(&paths.api_socket(), limits.api).await.map_err(|reason| Unhealthy { stage: stage::API, reason })?;
    let mut passed = Vec::new();
    for (name, path) in checks(fs, paths) {
        tracing::debug!("running the health check {}", path.display());
        run(&path, limits.check).await.map_err(|reason| Unhealthy {
            stage: stage::HEALTH,
            reason: format!("the health check {name} {reason}"),
        })?;
        passed.push(name);
    }
    Ok(passed)
}

/// Asks the API until it answers.
#[expect(clippy::disallowed_methods, reason = "a bounded wait needs a monotonic clock")]
async fn api(socket: &Path, limit: Duration) -> Result<(), String> {
    let give_up = Instant::now() + limit;
    loop {
        let why = match tokio::time::timeout(ANSWER, ask(socket)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(why)) => why,
            Err(_) => format!("no answer within {} s", ANSWER.as_secs()),
        };
        if Instant::now() >= give_up {
            return Err(format!("the API did not answer within {} s: {why}", limit.as_secs_f32()));
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// One question to the API: any answer of a server that works will do.
async fn ask(socket: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", socket.display());
    let mut stream = UnixStream::connect(socket).await.map_err(failed)?;
    let question = b"GET /os HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(question).await.map_err(failed)?;
    let mut head = Vec::new();
    stream.take(64).read_to_end(&mut head).await.map_err(failed)?;
    let head = String::from_utf8_lossy(&head);
    let status = head.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse::<u16>().ok());
    match status {
        Some(status) if status < 500 => Ok(()),
        Some(status) => Err(format!("it answers with status {status}")),
        None => Err("it answers with something that is no HTTP".to_owned()),
    }
}

/// The checks in the order in which they run, by name.
fn checks(fs: &dyn Fs, paths: &Paths) -> BTreeMap<String, PathBuf> {
    let mut checks = BTreeMap::new();
    for dir in paths.health_checks() {
        for entry in fs.list(&dir).unwrap_or_default() {
            let path = dir.join(&entry.name);
            // Notes and backups may lie beside them.
            let is_program = std::fs::metadata(&path)
                .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0);
            if is_program && !entry.name.starts_with('.') && !entry.name.ends_with('~') {
                checks.insert(entry.name, path);
            }
        }
    }
    checks
}

/// Runs one check to its end; nothing that it started stays.
async fn run(program: &Path, limit: Duration) -> Result<(), String> {
    let mut child = Command::new(program)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("could not be started: {error}"))?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let mut end = std::pin::pin!(end_of(&mut child));
    let ended = tokio::time::timeout(limit, &mut end).await;
    if let Some(group) = group {
        let _gone_already = kill_process_group(group, Signal::KILL);
    }
    let Ok(ended) = ended else {
        let _ended_or_out_of_reach = tokio::time::timeout(DYING, end).await;
        return Err(format!("did not end within {} s", limit.as_secs_f32()));
    };
    match ended.map_err(|error| format!("could not be waited for: {error}"))? {
        (status, _) if status.success() => Ok(()),
        (status, said) => {
            let said = said.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
            Err(if said.is_empty() {
                format!("ended with {status}")
            } else {
                format!("ended with {status}, saying {said:?}")
            })
        }
    }
}

async fn end_of(child: &mut Child) -> std::io::Result<(std::process::ExitStatus, String)> {
    let stderr = child.stderr.take();
    // What a check left in the background may hold its output open: only the check itself is waited for.
    let (said, status) = tokio::join!(
        async {
            match stderr {
                Some(stderr) => tokio::time::timeout(DYING, beginning(stderr)).await.unwrap_or_default(),
                None => String::new(),
            }
        },
        child.wait()
    );
    Ok((status?, said))
}

async fn beginning(mut stream: impl AsyncRead + Unpin) -> String {
    let mut kept = Vec::new();
    let _what_came_is_enough = (&mut stream).take(KEPT_OUTPUT).read_to_end(&mut kept).await;
    let _the_rest_is_not_kept = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use host_io::SystemFs;

    use super::*;

    const LIMITS: Limits = Limits { api: Duration::from_millis(200), check: Duration::from_secs(20) };

    struct Machine {
        _dir: tempfile::TempDir,
        paths: Paths,
    }

    impl Machine {
        /// A host whose API answers everything with `answer`.
        fn answering(answer: &'static str) -> Self {
            let machine = Self::silent();
            let socket = machine.paths.api_socket();
            std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
            let listener = UnixListener::bind(socket).unwrap();
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    use std::io::{Read as _, Write as _};
                    let Ok(mut stream) = stream else { return };
                    let _question = stream.read(&mut [0; 256]);
                    let _gone = stream.write_all(answer.as_bytes());
                }
            });
            machine
        }

        fn silent() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let paths = Paths::under(dir.path());
            Self { _dir: dir, paths }
        }

        fn put(&self, dir: usize, name: &str, mode: u32, script: &str) {
            let path = self.paths.health_checks()[dir].join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        }

        fn check(&self, limits: Limits) -> Result<Vec<String>, Unhealthy> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(check(&SystemFs, &self.paths, limits))
        }
    }

    const FINE: &str = "HTTP/1.1 200 OK\r\n\r\n";

    #[test]
    fn checks_run_in_the_order_of_their_names_and_the_hosts_go_before_the_images() {
        let machine = Machine::answering(FINE);
        machine.put(0, "20-b", 0o755, "exit 1");
        machine.put(1, "20-b", 0o755, "exit 0");
        machine.put(0, "10-a", 0o755, "exit 0");
        machine.put(0, "README", 0o644, "exit 1");
        machine.put(0, "30-c~", 0o755, "exit 1");
        assert_eq!(machine.check(LIMITS).unwrap(), ["10-a", "20-b"]);
        machine.put(0, "15-c", 0o755, "echo one >&2; echo 'disk is gone' >&2; exit 3");
        machine.put(1, "99-d", 0o755, "exit 1");
        let wrong = machine.check(LIMITS).unwrap_err();
        assert_eq!(wrong.stage, stage::HEALTH);
        assert_eq!(wrong.reason, "the health check 15-c ended with exit status: 3, saying \"disk is gone\"");
    }

    #[test]
    fn a_check_that_hangs_is_ended_with_all_that_it_started() {
        let machine = Machine::answering(FINE);
        machine.put(0, "10-a", 0o755, "sleep 600 & sleep 600");
        let wrong = machine.check(Limits { check: Duration::from_millis(100), ..LIMITS }).unwrap_err();
        assert_eq!(wrong.reason, "the health check 10-a did not end within 0.1 s");
        machine.put(0, "10-a", 0o755, "exec /nowhere");
        assert!(machine.check(LIMITS).unwrap_err().reason.starts_with("the health check 10-a ended with"));
    }

    #[test]
    fn an_api_that_is_silent_or_broken_is_the_first_thing_that_is_wrong() {
        for (machine, said) in [
            (Machine::silent(), "No such file"),
            (Machine::answering("HTTP/1.1 503 Busy\r\n\r\n"), "status 503"),
            (Machine::answering("SSH-2.0\r\n"), "no HTTP"),
        ] {
            machine.put(0, "10-a", 0o755, "exit 1");
            let wrong = machine.check(LIMITS).unwrap_err();
            assert_eq!(wrong.stage, stage::API);
            assert!(wrong.reason.starts_with("the API did not answer within 0.2 s: "), "{}", wrong.reason);
            assert!(wrong.reason.contains(said), "{}", wrong.reason);
        }
    }
}
