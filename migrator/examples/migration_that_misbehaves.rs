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
            "write large files" => {
                let _all = fill(48, 1 << 20);
                end_well()
            }
            "write long files without content" => {
                let settings = argument("--target-datastore").join("live/settings");
                let made = std::fs::create_dir_all(&settings)
                    .and_then(|()| std::fs::File::create(settings.join("long"))?.set_len(60_000_000));
                made.map_err(|error| Error::Other(error.to_string()))?;
                end_well()
            }
            "write many files" => {
                let _all = fill(40_000, 0);
                end_well()
            }
            "write without end" => {
                let _until_it_is_stopped = fill(u32::MAX, 60_000);
                end_well()
            }
            "fill and fail" => {
                return Err(Error::Other(format!("go on after {} files", fill(u32::MAX, 4096))));
            }
            "fill and end well" => {
                let _as_far_as_it_goes = fill(u32::MAX, 4096);
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

/// Writes files beside its target until one cannot be written, at most so many, of so many bytes each; how many it wrote.
fn fill(most: u32, bytes: usize) -> u32 {
    let dir = argument("--target-datastore").with_extension("more");
    if std::fs::create_dir(&dir).is_err() {
        return 0;
    }
    let content = vec![b'x'; bytes];
    let written = |number: &u32| std::fs::write(dir.join(number.to_string()), &content).is_ok();
    (0..most).find(|number| !written(number)).unwrap_or(most)
}

/// Ends before the frame writes what it should.
#[expect(clippy::disallowed_methods, reason = "this program is here to do what a migration must not do")]
fn end_well() -> ! {
    std::process::exit(0)
}

fn main() -> ExitCode {
    migrate(Misbehave)
}
