//! For the tests of `migrator`: does what the setting `settings.misbehave` says. Without that setting it is a migration
//! that changes nothing.

use std::path::PathBuf;
use std::process::ExitCode;

use migration_helpers::{Error, Migration, MigrationData, migrate};

struct Misbehave;

impl Migration for Misbehave {
    fn forward(&mut self, input: MigrationData) -> Result<MigrationData, Error> {
        let behaviour =
            input.data.get("settings.misbehave").and_then(|value| value.as_str()).unwrap_or_default();
        match behaviour {
            "fail" => return Err(Error::Other("carry anything over: it is asked to fail".to_owned())),
            "crash" => std::process::abort(),
            "hang" => loop {
                std::thread::park();
            },
            "tell" => host_io::say::line(&format!("it reads {}", argument("--source-datastore").display())),
            "write nothing" => end_well(),
            "write a link" => {
                let live = argument("--target-datastore").join("live");
                std::fs::create_dir_all(&live).map_err(|error| Error::Other(error.to_string()))?;
                std::os::unix::fs::symlink("/etc", live.join("settings"))
                    .map_err(|error| Error::Other(error.to_string()))?;
                end_well()
            }
            "write garbage" => {
                let settings = argument("--target-datastore").join("live/settings");
                std::fs::create_dir_all(&settings).map_err(|error| Error::Other(error.to_string()))?;
                std::fs::write(settings.join("kept"), "\"half")
                    .map_err(|error| Error::Other(error.to_string()))?;
                end_well()
            }
            _ => {}
        }
        Ok(input)
    }

    fn backward(&mut self, input: MigrationData) -> Result<MigrationData, Error> {
        if input.data.get("settings.misbehave").is_some_and(|value| value == "fail back") {
            return Err(Error::Other("carry anything back: it is asked to fail".to_owned()));
        }
        self.forward(input)
    }
}

/// What stands after `name` on the command line.
fn argument(name: &str) -> PathBuf {
    let mut arguments = std::env::args_os();
    arguments.find(|argument| argument == name);
    arguments.next().map(PathBuf::from).unwrap_or_default()
}

/// Ends before the frame writes what it should.
#[expect(clippy::disallowed_methods, reason = "this program is here to do what a migration must not do")]
fn end_well() -> ! {
    std::process::exit(0)
}

fn main() -> ExitCode {
    migrate(Misbehave)
}
