//! `update cancel`: stopping a running update, or taking back an applied one or a way back that waits.

use api_model::{CommandType, UpdateState};
use host_io::say;
use serde_json::json;

use crate::api::Api;
use crate::error::Error;
use crate::tell;
use crate::update::form::Form;
use crate::update::{live::Live, wait};

/// How to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub(super) form: Form,
}

/// Stops what runs, or takes back what is applied, or the way back that waits for its reboot.
///
/// # Errors
/// When there is neither, or the server refuses, does not answer, or its work fails.
pub async fn run(api: &Api, args: Args) -> Result<(), Error> {
    let (outcome, sentence) = match wait::state(api).await? {
        wait::State::Running => {
            api.post("/actions/cancel").await.map_err(Error::call("stop the running update"))?;
            wait::until_idle(api, "the running update").await?;
            ("stopped", "The running update was stopped; the next boot starts what runs now")
        }
        wait::State::Ended(status) if status.rollback().is_some() => {
            api.post("/actions/cancel").await.map_err(Error::call("stay with what runs"))?;
            wait::until_idle(api, "taking the way back back").await?;
            ("rollback-taken-back", "The host does not go back; the next boot starts what runs now")
        }
        wait::State::Ended(status) if status.update_state == UpdateState::Ready => {
            wait::run(api, CommandType::Deactivate, &mut Live::new(args.form)).await?;
            ("deactivated", "Update taken back; the next boot starts what runs now")
        }
        wait::State::Ended(_) | wait::State::NeverRun => {
            // The server says in its words that there is nothing; unless there is by now.
            api.post("/actions/cancel").await.map_err(Error::call("cancel an update"))?;
            wait::until_idle(api, "what began meanwhile").await?;
            ("stopped", "What began meanwhile was stopped; the next boot starts what runs now")
        }
    };
    if args.form.is_json() {
        tell::outcome(&json!({"event": "done", "command": "cancel", "outcome": outcome}).to_string());
        return Ok(());
    }
    say::line(sentence);
    Ok(())
}
