//! The command that reaches into a container.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use api_model::exec::Initialize;
use host_io::Paths;
use ring::rand::{SecureRandom as _, SystemRandom};
use thiserror::Error;

use crate::render::command;
use settings_model::Exec;

/// The engine of host containers on this host.
#[derive(Debug, Clone)]
pub struct Engine {
    /// The host's layout.
    pub paths: Paths,
    /// How the image says that it is called.
    pub exec: Exec,
    /// Where it listens, for engines that are told.
    pub socket: PathBuf,
    /// The containers that this host has.
    pub containers: Vec<String>,
}

/// A command that can be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The program.
    pub program: PathBuf,
    /// What it is given.
    pub arguments: Vec<OsString>,
    /// Where it runs.
    pub dir: PathBuf,
}

/// Why there is no command.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// No container of that name.
    #[error("there is no host container {target:?}{}", if .known.is_empty() { String::new() } else { format!("; there are {}", .known.join(", ")) })]
    Target {
        /// What was asked for.
        target: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Nothing to run.
    #[error("the command is empty")]
    Empty,
    /// The host below this directory has no such program.
    #[error("there is no {0} on this host")]
    Program(String),
    /// No random numbers.
    #[error("there are no random numbers")]
    Random,
}

impl Engine {
    /// The command for what a client asked for.
    ///
    /// # Errors
    /// When the container is unknown or there is nothing to run.
    pub fn call(&self, asked: &Initialize) -> Result<Call, Error> {
        let Initialize { command, target, tty } = asked;
        // Only names that settings have: one that begins with a dash would be an option of the engine.
        if !self.containers.contains(target) {
            return Err(Error::Target { target: target.clone(), known: self.containers.clone() });
        }
        if command.is_empty() {
            return Err(Error::Empty);
        }
        let words = if tty.is_some() { &self.exec.tty } else { &self.exec.command };
        let id = run_id()?;
        let filled = |word: &String| {
            word.replace("{id}", target)
                .replace("{exec-id}", &id)
                .replace("{socket}", &self.socket.display().to_string())
        };
        let mut words = words.iter().map(filled);
        let first = words.next().expect("checked when the model was read");
        let program = command::program(&self.paths, &first).ok_or(Error::Program(first))?;
        let arguments = words.map(OsString::from).chain(command.iter().cloned()).collect();
        Ok(Call { program, arguments, dir: Path::new(self.paths.root()).to_owned() })
    }
}

/// A name that no other run has: engines keep runs apart by it.
fn run_id() -> Result<String, Error> {
    let mut bytes = [0; 8];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Error::Random)?;
    Ok(format!("exec-{:016x}", u64::from_ne_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use api_model::exec::TtyInit;

    use super::*;

    fn engine() -> Engine {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect();
        Engine {
            paths: Paths::system(),
            exec: Exec {
                command: words("ctr --address {socket} tasks exec --exec-id {exec-id} {id}"),
                tty: words("ctr tasks exec --tty {id}"),
            },
            socket: PathBuf::from("/run/c.sock"),
            containers: vec!["admin".to_owned(), "control".to_owned()],
        }
    }

    fn asked(target: &str, command: &[&str], tty: Option<TtyInit>) -> Initialize {
        Initialize { command: command.iter().map(OsString::from).collect(), target: target.to_owned(), tty }
    }

    #[test]
    fn the_images_words_come_before_the_command() {
        let call = engine().call(&asked("admin", &["ls", "--tty", "{id}"], None)).unwrap();
        assert_eq!(call.program, Path::new("ctr"));
        let told: Vec<_> = call.arguments.iter().map(|word| word.to_str().unwrap()).collect();
        assert_eq!(told[..5], ["--address", "/run/c.sock", "tasks", "exec", "--exec-id"]);
        assert!(told[5].starts_with("exec-") && told[5].len() == 21, "{}", told[5]);
        assert_eq!(told[6..], ["admin", "ls", "--tty", "{id}"]);
        let tty = Some(TtyInit { size: None });
        let call = engine().call(&asked("admin", &["sh"], tty)).unwrap();
        assert_eq!(call.arguments, ["tasks", "exec", "--tty", "admin", "sh"]);
    }

    #[test]
    fn only_a_known_container_and_a_command_make_a_call() {
        let error = engine().call(&asked("--privileged", &["sh"], None)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no host container \"--privileged\"; there are admin, control"
        );
        assert_eq!(engine().call(&asked("admin", &[], None)), Err(Error::Empty));
        let rooted = Engine { paths: Paths::under("/nowhere"), ..engine() };
        let error = rooted.call(&asked("admin", &["sh"], None)).unwrap_err();
        assert_eq!(error, Error::Program("ctr".to_owned()));
    }

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (Error::Program("x".into()), "there is no x on this host"),
            (Error::Random, "there are no random numbers"),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
