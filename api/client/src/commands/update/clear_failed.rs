//! `update clear-failed`: giving a failed release another chance.

use host_io::say;
use serde_json::json;

use crate::api::Api;
use crate::error::Error;
use crate::tell::outcome;
use crate::update::form::Form;
use crate::update::wait;

/// How to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub(super) form: Form,
}

/// Asks for it.
///
/// # Errors
/// When the server refuses or does not answer.
pub async fn run(api: &Api, args: Args) -> Result<(), Error> {
    api.post("/actions/clear-failed").await.map_err(Error::call("forget which releases failed"))?;
    wait::until_idle(api, "the server").await?;
    if args.form.is_json() {
        outcome(&json!({"event": "done", "command": "clear-failed"}).to_string());
        return Ok(());
    }
    say::line("Forgotten; look what is chosen now: apiclient update check");
    Ok(())
}
