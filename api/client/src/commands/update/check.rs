//! `update check`: looking for updates.

use api_model::CommandType;
use host_io::say;

use crate::api::Api;
use crate::error::Error;
use crate::tell::answer_json;
use crate::update::form::Form;
use crate::update::{live::Live, summary::summary, wait};

/// How to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
#[command(after_help = "The state of updates is printed in JSON, with or without --json.")]
pub struct Args {
    #[command(flatten)]
    pub(super) form: Form,
}

/// Looks, waits for the outcome and prints it.
///
/// # Errors
/// When the server refuses, does not answer, or cannot look.
pub async fn run(api: &Api, args: Args) -> Result<(), Error> {
    let status = wait::run(api, CommandType::Refresh, &mut Live::new(args.form)).await?;
    if !args.form.is_json() {
        say::line(&summary(&status));
    }
    answer_json(&status)
}
