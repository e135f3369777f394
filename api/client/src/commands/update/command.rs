//! Which of the `update` commands, and in which form.

use host_io::{SystemClock, report};
use serde_json::json;

use super::{apply, cancel, check, clear_failed, explain, history, rollback, status};
use crate::api::Api;
use crate::error::Error;
use crate::tell::outcome;
use crate::update::form::Form;

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand)]
pub enum Command {
    /// Look which updates there are, and print the state of updates
    Check(check::Args),
    /// Install the chosen update; it starts with the next boot
    Apply(apply::Args),
    /// Print how far an update is
    Status(status::Args),
    /// Stop a running update, or take an applied one back; the next boot starts what runs now
    Cancel(cancel::Args),
    /// Return to the other partition set with the next boot
    Rollback(rollback::Args),
    /// Print every known version, and why it is or is not the next one
    Explain(explain::Args),
    /// Print what became of earlier updates
    History(history::Args),
    /// Forget which releases failed here, so that they may be chosen again
    ClearFailed(clear_failed::Args),
}

impl Command {
    fn form(&self) -> Form {
        match self {
            Self::Check(args) => args.form,
            Self::Apply(args) => args.form,
            Self::Status(args) => args.form,
            Self::Cancel(args) => args.form,
            Self::Rollback(args) => args.form,
            Self::Explain(args) => args.form,
            Self::History(args) => args.form,
            Self::ClearFailed(args) => args.form,
        }
    }
}

/// Does it.
///
/// # Errors
/// When the server refuses, does not answer, or its work fails. With `--json` stdout then has an error event as well.
pub async fn run(api: &Api, command: Command) -> Result<(), Error> {
    let form = command.form();
    let done = match command {
        Command::Check(args) => check::run(api, args).await,
        Command::Apply(args) => apply::run(api, &args, &SystemClock).await,
        Command::Status(args) => status::run(api, args).await,
        Command::Cancel(args) => cancel::run(api, args).await,
        Command::Rollback(args) => rollback::run(api, &args).await,
        Command::Explain(args) => explain::run(api, args).await,
        Command::History(args) => history::run(api, args).await,
        Command::ClearFailed(args) => clear_failed::run(api, args).await,
    };
    if let (true, Err(error)) = (form.is_json(), &done) {
        outcome(&json!({"event": "error", "error": report::json(error)}).to_string());
    }
    done
}
