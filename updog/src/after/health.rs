//! Whether the running system does what it should: its API answers, and its health checks pass.
//!
//! A health check is a program in `/usr/lib/updog/health.d` (the image's) or `/etc/updog/health.d` (the host's, which
//! goes before one of the image with the same name). They run in the order of their names, each within a limit of time,
//! and the first that does not end with 0 is the reason (`docs/compatibility.md`, "updog"). One that cannot run has not
//! passed: nobody forgets an execute bit on purpose.
//!
//! - `entries`: what lies in these directories, and what of it cannot run
//! - `run`: running one check to its end
//! - `api`: asking the API until it answers

mod api;
mod entries;
pub(crate) mod run;

use std::time::Duration;

use host_io::Paths;
use host_io::boot_note::stage;

pub use entries::{Broken, Entries};

use crate::after::baseline::numbers::{self, Numbers};

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Until the API answers; `None` on a host that has none.
    pub api: Option<Duration>,
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
    /// All that the failed check said, as far as it is kept.
    pub said: Option<String>,
}

/// The checks that passed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Passed {
    /// Their names, in the order in which they ran.
    pub names: Vec<String>,
    /// The numbers that they told.
    pub numbers: Numbers,
}

/// Waits for the API and runs the checks.
///
/// # Errors
/// The first thing that is wrong.
pub async fn check(paths: &Paths, limits: Limits) -> Result<Passed, Unhealthy> {
    if let Some(within) = limits.api {
        api::answers(&paths.api_socket(), within).await.map_err(|reason| Unhealthy {
            stage: stage::API,
            reason,
            said: None,
        })?;
    }
    let entries = Entries::find(paths);
    if !entries.ignored.is_empty() {
        let ignored: Vec<_> = entries.ignored.iter().map(|path| path.display().to_string()).collect();
        tracing::info!("these are no health checks by their names: {}", ignored.join(", "));
    }
    let unhealthy = |reason, said| Unhealthy { stage: stage::HEALTH, reason, said };
    // A directory that cannot be read hides checks that might fail.
    if let Some(broken) = entries.broken.iter().find(|broken| broken.name.is_none()) {
        return Err(unhealthy(broken.to_string(), None));
    }
    let mut passed = Passed::default();
    for (name, path) in entries.checks {
        if let Some(broken) = entries.broken.iter().find(|broken| broken.name.as_ref() == Some(&name)) {
            return Err(unhealthy(broken.to_string(), None));
        }
        tracing::debug!("running the health check {}", path.display());
        match run::to_its_end(&path, limits.check).await {
            Ok(said) => {
                let numbers = numbers::parse(&said);
                if !numbers.is_empty() {
                    passed.numbers.insert(name.clone(), numbers);
                }
                passed.names.push(name);
            }
            Err(run::Failed { why, said }) => {
                let said = (!said.is_empty()).then(|| format!("the health check {name} said:\n{said}"));
                return Err(unhealthy(format!("the health check {name} {why}"), said));
            }
        }
    }
    Ok(passed)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixListener;

    use super::*;

    const LIMITS: Limits = Limits { api: Some(Duration::from_millis(200)), check: Duration::from_secs(20) };

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

        fn check(&self, limits: Limits) -> Result<Passed, Unhealthy> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(check(&self.paths, limits))
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
        assert_eq!(machine.check(LIMITS).unwrap().names, ["10-a", "20-b"]);
        machine.put(0, "15-c", 0o755, "echo one >&2; echo 'disk is gone' >&2; exit 3");
        machine.put(1, "99-d", 0o755, "exit 1");
        let wrong = machine.check(LIMITS).unwrap_err();
        assert_eq!(wrong.stage, stage::HEALTH);
        assert_eq!(
            wrong.reason,
            "the health check 15-c ended with exit status: 3, saying \"one; disk is gone\""
        );
        assert_eq!(wrong.said.unwrap(), "the health check 15-c said:\none\ndisk is gone");
        machine.put(0, "12-bit", 0o644, "exit 0");
        let wrong = machine.check(LIMITS).unwrap_err();
        assert!(wrong.reason.starts_with("the health check 12-bit cannot run: "), "{}", wrong.reason);
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
