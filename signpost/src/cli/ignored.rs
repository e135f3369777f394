//! Words that mean nothing.

use crate::Command;

/// Words after a command without meaning: older callers pass some, and were never refused.
#[derive(Debug, clap::Args)]
pub(super) struct Ignored {
    #[arg(hide = true)]
    ignored: Vec<String>,
}

impl Ignored {
    pub(super) fn mention(&self) {
        if !self.ignored.is_empty() {
            tracing::warn!("ignored: {}", self.ignored.join(" "));
        }
    }

    pub(super) fn after(&self, command: Command) -> Command {
        self.mention();
        command
    }
}
