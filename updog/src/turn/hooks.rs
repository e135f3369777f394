//! The hooks around a reboot: programs as health checks are, in directories of the same kind, one after another in the order
//! of their names, each within a limit of time. What one leaves in its process group is ended with it.

use std::path::PathBuf;
use std::time::Duration;

use host_io::Paths;

use crate::after::health::Entries;
use crate::after::health::run;
use crate::context::Context;
use crate::wait::Stopped;

/// When hooks run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Before the reboot: they drain the host.
    PreReboot,
    /// After the boot, or where there was no reboot after all: they bring it back.
    PostBoot,
}

impl When {
    fn dirs(self, paths: &Paths) -> [PathBuf; 2] {
        match self {
            Self::PreReboot => paths.pre_reboot_hooks(),
            Self::PostBoot => paths.post_boot_hooks(),
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::PreReboot => "pre-reboot hook",
            Self::PostBoot => "post-boot hook",
        }
    }
}

/// Whether there are any, or what hides whether there are.
#[must_use]
pub fn any(paths: &Paths, when: When) -> bool {
    let found = Entries::find_in(when.dirs(paths), when.kind());
    !found.checks.is_empty() || !found.broken.is_empty()
}

/// Runs them, each within `limit`, until one fails.
///
/// # Errors
/// [`Stopped`] when the program is told to stop; the inner one says which hook failed, and how.
pub fn run(context: &Context, when: When, limit: Duration) -> Result<Result<(), String>, Stopped> {
    let found = Entries::find_in(when.dirs(&context.paths), when.kind());
    // A directory that cannot be read hides what should run, and of several hooks none runs in vain.
    if let Some(broken) = found.broken.first() {
        return Ok(Err(broken.to_string()));
    }
    for (name, path) in found.checks {
        let kind = when.kind();
        tracing::info!("running the {kind} {name}");
        match context.waiter.wait(run::to_its_end(&path, limit))? {
            Ok(_said) => {
                context.evidence.note(|evidence| evidence.notes.push(format!("the {kind} {name} ended well")))
            }
            Err(run::Failed { why, said }) => {
                let said = (!said.is_empty()).then(|| format!("the {kind} {name} said:\n{said}"));
                context.evidence.note(|evidence| evidence.notes.extend(said));
                return Ok(Err(format!("the {kind} {name} {why}")));
            }
        }
    }
    Ok(Ok(()))
}
